"""dvc.yaml, params.yaml, the code and workbench/paths.py tell one story."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from workbench.params import SCORING, TRAININGS, predictions_of, score_key, training
from workbench.paths import Layout
from workbench.reporting.parts import parts_of
from workbench.reporting.table_spec import load_spec
from workbench.sweeps.spec import load_spec as load_sweep

ROOT = Path(__file__).parents[2]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = PIPELINE["stages"]
PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text())
# Stage of a search to the map of the trainings that it searches for.
SWEEPS = {"sweep": "train", "sweep_finetune": "finetune"}
LAYOUT = Layout(PARAMS["scale"])
SCORED = [(key, item) for stage in SCORING for key, item in PARAMS[stage].items()]
# Modules whose text changes no result: errors, paths, processes, writing files, tracking, a shell.
PLUMBING = (
    "errors", "files", "jobs", "launching", "params", "paths", "processes", "rank", "shards",
    "stages/cli", "stages/__init__", "torchrun", "tracking/",
)  # fmt: skip


def body(stage: str) -> dict:
    return STAGES[stage].get("do", STAGES[stage])


def fill(text: str, key: str, item) -> str:
    def value(match: re.Match) -> str:
        name = match[1]
        if name == "scale":
            return PARAMS["scale"]
        if name == "key":
            return key
        found = {"item": item}
        for part in name.split("."):
            found = found[part]
        return str(found)

    return re.sub(r"\$\{([^}]+)\}", value, text)


def paths(stage: str, field: str) -> set[str]:
    """Return a stage's paths with templates left as they are."""
    entries = body(stage).get(field, [])
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


def filled(stage: str, field: str, key: str, item) -> set[str]:
    return {fill(path, key, item) for path in paths(stage, field)}


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_command_names_a_module_that_is_a_dependency(stage):
    module = body(stage)["cmd"].split()[2]
    assert importlib.util.find_spec(module), module
    assert module.replace(".", "/") + ".py" in paths(stage, "deps")


def test_params_hold_one_map_a_stage():
    maps = {stage: definition.get("foreach") for stage, definition in STAGES.items()}
    assert maps == {
        "prep": "${prep}",
        "own_data": "${own_data}",
        "resolve": "${train}",
        "train": "${train}",
        "resolve_transfer": "${transfer}",
        "transfer": "${transfer}",
        "resolve_pretrain": "${pretrain}",
        "pretrain": "${pretrain}",
        "resolve_pretrain_joint": "${pretrain_joint}",
        "pretrain_joint": "${pretrain_joint}",
        "resolve_finetune": "${finetune}",
        "finetune": "${finetune}",
        "sweep": "${sweep}",
        "sweep_finetune": "${sweep_finetune}",
        "ground": "${ground}",
        "refer": "${refer}",
        "label": "${label}",
        "segment": "${segment}",
        "paint": "${paint}",
        "sam": "${sam}",
        "rebuild": "${rebuild}",
        "evaluate_given": "${evaluate_given}",
        "evaluate": "${evaluate}",
        "count": "${count}",
        "measure": "${measure}",
        "table": "${tables}",
        "headline": None,
        "report": None,
    }


def test_upstream_keys_exist():
    datasets = PARAMS["prep"].keys() | PARAMS["own_data"].keys()
    named = ("train", "transfer", "segment", "rebuild", "paint", "sam", "evaluate", "measure")
    for name in named:
        assert {item["dataset"] for item in PARAMS[name].values()} <= datasets
    for item in PARAMS["segment"].values():
        trained = {**PARAMS["train"], **PARAMS["transfer"]}[item["checkpoint"]]["project"]
        imports = item["overrides"].get("custom_imports", {}).get("imports", [])
        assert item["project"] == trained or f"projects.{item['project']}" in imports
    for key, item in PARAMS["rebuild"].items():
        assert item["project"] == PARAMS["train"][item["checkpoint"]]["project"], key
        assert key not in PARAMS["segment"] | PARAMS["sam"], key
    for key, item in PARAMS["pretrain_joint"].items():
        assert set(item["pretrained"].values()) <= set(PARAMS["pretrain"]), key
    parts = PARAMS["pretrain"].keys() | PARAMS["pretrain_joint"].keys()
    for key, item in PARAMS["finetune"].items():
        assert set(item["pretrained"].values()) <= parts, key
    for key, item in PARAMS["ground"].items():
        assert PARAMS["finetune"][item["checkpoint"]]["project"] == item["project"], key
        folder, _, name = item["masks"].partition("/")
        assert name in (PARAMS["segment"] if folder == "entities" else {"png/manifest.json"})
    for key, item in {**PARAMS["ground"], **PARAMS["refer"], **PARAMS["label"]}.items():
        parts = PARAMS["finetune"][item["checkpoint"]]["pretrained"]
        assert item["pretrained"] == {name: parts[name] for name in ("clip", "llm")}, key
    for key, item in {**PARAMS["refer"], **PARAMS["label"]}.items():
        assert PARAMS["finetune"][item["checkpoint"]]["project"] == item["project"], key
        folder, _, name = item["masks"].partition("/")
        annotated = {f"{item['dataset']}/manifest.json"}
        assert item["dataset"] in datasets, key
        assert name in (PARAMS["segment"] if folder == "entities" else annotated), key
    for item in PARAMS["evaluate"].values():
        made = predictions_of(PARAMS, item)
        assert {name: item[name] for name in ("checkpoint", "split", "dataset")}.items() <= (
            made.items()
        )
    assert {item["table"] for _, item in SCORED} == set(PARAMS["tables"])


def test_upstream_keys_of_transfers_maps_and_given_models_exist():
    for key, item in PARAMS["transfer"].items():
        assert item["start"] in PARAMS["train"], key
    for key, item in PARAMS["paint"].items():
        trained = {**PARAMS["train"], **PARAMS["transfer"]}[item["checkpoint"]]
        assert item["project"] == trained["project"], key
    for item in PARAMS["evaluate_given"].values():
        folder, _, name = item["predictions"].partition("/")
        assert folder == "entities" and name not in PARAMS["segment"]
        made = PARAMS["sam"][name]
        assert {field: item[field] for field in ("dataset", "split")} == made


def test_scores_are_what_their_tables_ask_for():
    for key, item in SCORED:
        assert key == score_key(item["table"], item["row"])
        spec = load_spec(item["table"], ROOT)
        row, _, part = item["row"].partition(".")
        (described,) = [each for each in spec.rows if each.id == row]
        assert part in parts_of(map(described.source, spec.metrics)), key
    keys = [key for key, _ in SCORED]
    assert len(set(keys)) == len(keys)


def test_rows_of_other_tables_that_are_called_the_same_runs_are():
    scored = dict(SCORED)
    for table in PARAMS["tables"]:
        for other, rows in load_spec(table, ROOT).same_runs.items():
            for row, same in rows.items():
                there, here = scored[score_key(other, row)], scored[score_key(table, same)]
                assert there | {"table": table, "row": same} == here, (table, other, row)


def test_fields_are_those_the_stages_read():
    fields = {
        "train": {"config", "project", "dataset", "seeds", "overrides"},
        **dict.fromkeys(
            ("segment", "rebuild"), {"checkpoint", "project", "dataset", "split", "overrides"}
        ),
        "paint": {"checkpoint", "project", "dataset", "split", "form", "overrides"},
        "sam": {"dataset", "split"},
        "evaluate_given": {"table", "row", "predictions", "dataset", "split"},
        "transfer": {"config", "project", "dataset", "start", "fresh", "seeds", "overrides"},
        "pretrain": {"config", "dataset", "weights", "seeds", "overrides"},
        "pretrain_joint": {
            "config",
            "dataset",
            "pretrained",
            "weights",
            "seeds",
            "overrides",
        },
        "finetune": {"config", "project", "dataset", "pretrained", "seeds", "overrides"},
        "ground": {
            "checkpoint",
            "project",
            "pretrained",
            "dataset",
            "split",
            "masks",
            "mode",
            "withheld",
            "threshold",
        },
        **dict.fromkeys(
            ("refer", "label"),
            {
                "checkpoint",
                "project",
                "pretrained",
                "dataset",
                "split",
                "masks",
                "mode",
                "threshold",
            },
        ),
        "count": {"table", "row", "config"},
        "evaluate": {"table", "row", "predictions", "checkpoint", "dataset", "split"},
        "measure": {"table", "row", "metric", "dataset", "split", "against"},
    }
    optional = {"evaluate": {"metric"}, "label": {"asked"}}
    for name, expected in fields.items():
        for key, item in PARAMS[name].items():
            assert set(item) - optional.get(name, set()) == expected, f"{name}.{key}"


def test_paths_are_those_of_the_layout():
    for key in PARAMS["prep"]:
        assert filled("prep", "outs", key, {}) == {str(LAYOUT.manifest(key).parent)}
        assert filled("own_data", "outs", key, {}) == {str(LAYOUT.manifest(key).parent)}
    for key, item in PARAMS["train"].items():
        resolved, data = str(LAYOUT.resolved_config(key)), LAYOUT.manifest(item["dataset"])
        assert filled("resolve", "outs", key, item) == {resolved}
        assert str(LAYOUT.source_config(item["config"])) in filled("resolve", "deps", key, item)
        assert filled("train", "outs", key, item) == {str(LAYOUT.checkpoints(key))}
        assert {resolved, str(data)} <= filled("train", "deps", key, item)
    for stage in ("segment", "rebuild"):
        for key, item in PARAMS[stage].items():
            data = LAYOUT.manifest(item["dataset"])
            needed = {str(LAYOUT.checkpoints(item["checkpoint"])), str(data)}
            assert needed <= filled(stage, "deps", key, item)
            assert filled(stage, "outs", key, item) == {str(LAYOUT.entities(key))}
    for key, item in PARAMS["evaluate"].items():
        made = LAYOUT.artifacts / item["predictions"]
        needed = {str(made), str(LAYOUT.manifest(item["dataset"]))}
        assert needed <= filled("evaluate", "deps", key, item)
        score = LAYOUT.score(item["table"], item["row"])
        assert filled("evaluate", "outs", key, item) == {str(score)}
    for key, item in PARAMS["measure"].items():
        manifest = str(LAYOUT.manifest(item["dataset"]))
        assert manifest in filled("measure", "deps", key, item)
        score = LAYOUT.score(item["table"], item["row"])
        assert filled("measure", "outs", key, item) == {str(score)}
    for table in PARAMS["tables"]:
        written = {str(LAYOUT.table(table, suffix)) for suffix in ("md", "json")}
        written |= {str(LAYOUT.metrics(table)), str(LAYOUT.bars(table))}
        assert filled("table", "outs", "", table) == written
        folder = LAYOUT.score(table, "any").parent
        assert str(folder) in filled("table", "deps", "", table)


def test_paths_of_transfers_maps_and_given_models_are_those_of_the_layout():
    for key, item in PARAMS["transfer"].items():
        resolved, data = str(LAYOUT.resolved_config(key)), LAYOUT.manifest(item["dataset"]).parent
        assert filled("resolve_transfer", "outs", key, item) == {resolved}
        assert f"train.{item['start']}.seeds" in filled("resolve_transfer", "params", key, item)
        assert filled("transfer", "outs", key, item) == {str(LAYOUT.checkpoints(key))}
        start = str(LAYOUT.checkpoints(item["start"]))
        assert {resolved, str(data), start} <= filled("transfer", "deps", key, item)
    for key, item in PARAMS["paint"].items():
        data = LAYOUT.manifest(item["dataset"]).parent
        needed = {str(LAYOUT.checkpoints(item["checkpoint"])), str(data)}
        assert needed <= filled("paint", "deps", key, item)
        assert filled("paint", "outs", key, item) == {str(LAYOUT.maps(key))}
    for key, item in PARAMS["sam"].items():
        assert filled("sam", "outs", key, item) == {str(LAYOUT.entities(key))}
        assert str(LAYOUT.manifest(item["dataset"]).parent) in filled("sam", "deps", key, item)
    for key, item in PARAMS["evaluate_given"].items():
        made = LAYOUT.artifacts / item["predictions"]
        needed = {str(made), str(LAYOUT.manifest(item["dataset"]))}
        assert needed <= filled("evaluate_given", "deps", key, item)
        score = LAYOUT.score(item["table"], item["row"])
        assert filled("evaluate_given", "outs", key, item) == {str(score)}


def test_dvc_shows_the_rows_of_all_tables_and_curves_of_all_trainings():
    (metrics,), plots = PIPELINE["metrics"], [next(iter(plot)) for plot in PIPELINE["plots"]]
    assert fill(metrics, "", {}) == str(LAYOUT.metrics("VI").parent)
    curves = [LAYOUT.curves("loss"), LAYOUT.curves("score")]
    shown = [str(path) for path in (LAYOUT.bars("VI").parent, *curves)]
    assert [fill(plot, "", {}) for plot in plots] == shown
    assert str(LAYOUT.curves("loss").parent) in filled("report", "outs", "", {})


@pytest.mark.parametrize("stage", SWEEPS)
def test_sweeps_are_declared_and_name_what_their_trainings_do(stage):
    for key, item in PARAMS[stage].items():
        spec = load_sweep(key, ROOT)
        searched = PARAMS[SWEEPS[stage]][spec.training]
        same = {name: searched[name] for name in item if name != "training"}
        assert item == {"training": spec.training, **same}, key
        assert {"config", "project", "dataset"} <= set(item)
        assert filled(stage, "outs", key, item) == {str(LAYOUT.sweep(key))}
        needed = {str(LAYOUT.manifest(item["dataset"])), str(LAYOUT.source_config(item["config"]))}
        pretrained = {str(LAYOUT.pretrained(name)) for name in item.get("pretrained", {}).values()}
        assert needed | pretrained <= filled(stage, "deps", key, item)


def test_applying_a_sweep_does_not_make_it_stale():
    for stage, trainings in SWEEPS.items():
        listed = body(stage)["params"]
        assert f"{trainings}.${{item.training}}.config" in listed
        assert not [name for name in listed if "overrides" in name or name.startswith("ground.")]


def test_what_is_in_git_is_not_cached_and_all_else_is():
    """What neither git nor a remote has would be made again in every clone."""
    for stage in STAGES:
        for out in body(stage)["outs"]:
            path = out if isinstance(out, str) else next(iter(out))
            in_git = path.startswith("reports/")
            assert in_git == (not isinstance(out, str) and out[path].get("cache") is False), stage


def test_the_report_makes_no_table():
    """It depends on no output of another stage, and comes last where all are made."""
    outputs = {path for stage in STAGES if stage != "report" for path in paths(stage, "outs")}
    for needed in paths("report", "deps"):
        assert not [out for out in outputs if f"{out}/".startswith(f"{needed}/")], needed
        assert not [out for out in outputs if f"{needed}/".startswith(f"{out}/")], needed
    assert body("report")["always_changed"]
    assert list(STAGES)[-1] == "report"


@pytest.mark.parametrize("key", [key for stage in TRAININGS for key in sorted(PARAMS[stage])])
def test_configs_of_every_scale_are_there(key):
    for scale in ("mini", "smoke", "paper"):
        path = ROOT / Layout(scale).source_config(training(PARAMS, key)["config"])
        assert path.is_file(), path.relative_to(ROOT)


@pytest.mark.parametrize("scale", ["mini", "smoke", "paper"])
def test_built_in_data_sets_are_described_at_every_scale(scale):
    worlds = yaml.safe_load((ROOT / "configs" / scale / "worlds.yaml").read_text())
    assert set(PARAMS["prep"]) <= set(worlds)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_imported_code_is_a_dependency(stage):
    """What the listed code imports is listed too: no edit of it goes unseen."""
    declared = {path for path in paths(stage, "deps") if "$" not in path}
    code = [file for path in declared for file in python_files(path)]
    exempt = ("projects/__init__", *(f"workbench/{name}" for name in (*PLUMBING, "__init__")))
    if stage == "own_data":
        exempt += (
            "workbench/datasets/",
            "workbench/photos",
        )  # its manifest is made by prep.py alone
    if stage in (
        "train",
        "transfer",
        "pretrain",
        "pretrain_joint",
        "finetune",
    ):  # validation on the way: the weights do not depend on it
        exempt += ("workbench/metrics/", "workbench/segmentation/", "workbench/grounding/__init__")
    if stage in (
        "pretrain",
        "pretrain_joint",
    ):  # of projects/gella, costs counts models and trains none
        exempt += ("workbench/costs/",)
    if stage == "count":  # of projects/gella, what builds models: it reads and trains nothing
        exempt += tuple(
            f"workbench/{name}" for name in ("datasets/", "engine/", "grounding/", "layers/",
                                             "metrics/", "segmentation/", "photos")
        )  # fmt: skip
    if stage in SWEEPS:  # pictures for MLflow
        exempt += ("workbench/segmentation/",)
    if stage == "table":  # what it logs to MLflow once the table is written: pictures of rows
        exempt += ("workbench/datasets/", "workbench/metrics/", "workbench/photos")
    if stage in ("segment", "rebuild", "paint", "sam"):
        exempt += ("workbench/metrics/",)  # the engine's validation, unused here
    for path in sorted(imported(code)):
        text = path.as_posix()
        covered = text in declared or any(text.startswith(f"{folder}/") for folder in declared)
        assert covered or text.startswith(exempt), f"{stage} uses {text}: no dependency in dvc.yaml"


def python_files(path: str) -> list[Path]:
    if path.endswith(".py"):
        return [Path(path)]
    return [file.relative_to(ROOT) for file in (ROOT / path).rglob("*.py") if "configs" not in path]


def imported(start: list[Path]) -> set[Path]:
    """Return the project's files that some files import, directly or not, anywhere in them."""
    seen, waiting = set(), list(start)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += [file for name in names(path) for file in files(name)]
    return seen


def names(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith(("workbench.", "projects."))}


def files(name: str) -> list[Path]:
    parts = name.split(".")
    prefixes = [Path(*parts[: end + 1]) for end in range(len(parts))]
    candidates = [each for p in prefixes for each in (p.with_suffix(".py"), p / "__init__.py")]
    return [path for path in candidates if (ROOT / path).is_file()]


def test_reference_times_name_every_instance():
    reference = yaml.safe_load((ROOT / "configs/mini/expected_times.yaml").read_text())["seconds"]
    assert set(reference) | {"own_data"} == set(STAGES)
    timed = (
        "prep", *TRAININGS, *SWEEPS, "segment", "rebuild", "ground", "refer", "label", "paint",
        "sam", "measure",
    )  # fmt: skip
    for stage in timed:
        assert set(reference[stage]) == set(PARAMS[stage])
