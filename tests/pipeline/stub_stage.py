"""Stands for every stage in test_reruns.py: writes a stage's outputs from its inputs, fast."""

import json
import sys
from pathlib import Path

import yaml

stage, key = Path(__file__).stem, sys.argv[-1]
params = yaml.safe_load(Path("params.yaml").read_text())
scale = params["scale"]
artifacts = Path("artifacts") / scale


def write(path: Path, *inputs: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [each.read_text() if isinstance(each, Path) else json.dumps(each) for each in inputs]
    path.write_text("\n".join(texts))


if stage == "prep":
    write(artifacts / "data" / key / "manifest.json", key)
elif stage == "resolve":
    item = params["train"][key]
    source = Path(f"configs/{scale}/{item['config']}.py").read_text().splitlines()
    source = [line for line in source if not line.startswith("#")]
    write(artifacts / "configs" / f"{key}.py", source, item["dataset"], item["overrides"])
elif stage == "train":
    config = artifacts / "configs" / f"{key}.py"
    write(artifacts / "checkpoints" / key / "train.json", config, params["train"][key]["seeds"])
elif stage == "segment":
    item = params["segment"][key]
    checkpoint = artifacts / "checkpoints" / item["checkpoint"] / "train.json"
    write(artifacts / "entities" / key / "segment.json", checkpoint, item)
elif stage == "evaluate":
    item = params["evaluate"][key]
    entities = artifacts / item["predictions"] / "segment.json"
    write(artifacts / "scores" / item["table"] / f"{item['row']}.json", entities, key)
elif stage == "table":
    scores = sorted((artifacts / "scores" / key).glob("*.json"))
    write(Path(f"reports/{scale}/tables/{key}.md"), *scores)
    rows, bars = [], []
    for score in scores:
        size = score.stat().st_size
        runs = [{"seed": 0, "values": {"size": size}}]
        row = {"id": score.stem, "label": score.stem, "status": "reproduced", "waits": None}
        row |= {"values": {"size": {"reproduced": size}}}
        rows.append(row | {"provenance": {"score": "size", "runs": runs}})
        write(Path(f"reports/{scale}/metrics/{key}/{score.name}"), {"size": size})
        bars.append({"row": score.stem, "value": size})
    write(Path(f"reports/{scale}/tables/{key}.json"), {"rows": rows})
    write(Path(f"reports/{scale}/bars/{key}.json"), bars)
