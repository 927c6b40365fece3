"""A small table and scores for it."""

import pytest

from workbench.reporting.table_spec import load_spec

SPEC = """\
table: T
title: "three models"
section: "1.2"
metrics:
- {name: APe, label: APe, unit: "%", better: higher, decimals: 1, source: APe,
   conversion: percent, noise: {absolute: 0.4}}
- {name: days, label: training, unit: GPU-days, better: lower, decimals: 1, source: train_device_s,
   conversion: days, noise: {relative: 0.1}, also: {unit: s, conversion: none, decimals: 0}}
rows:
- {id: base, label: Base, printed: {APe: 39.5, days: 2.4}}
- {id: better, label: Better | best, printed: {APe: 41.0}, note: "Ours."}
- {id: big, label: Big, printed: {}, printed_as: {APe: OOM}, waits: "a larger machine"}
- {id: other, label: Other paper, printed: {APe: 30}, quoted: true}
elsewhere: {IV: {x: {APe: 46.2}}}
claims:
- {id: T-better, claim: better beats base, expr: better.APe > base.APe, holds_in_paper: true}
- {id: T-size, claim: by 1.5, expr: "abs(better.APe - base.APe - 1.5) < 0.05",
   holds_in_paper: true, magnitude: true}
- {id: T-big, claim: big is best, expr: big.APe > better.APe, holds_in_paper: null}
- {id: T-iv, claim: above Table IV, expr: "better.APe > IV:x.APe", holds_in_paper: false}
notes: ["Seeds are not stated."]
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "reports" / "tables"
    folder.mkdir(parents=True)
    (folder / "T.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def spec(root):
    return load_spec("T", root)


def metric(*values):
    known = [v for v in values if v is not None]
    mean = sum(known) / len(known) if len(known) == len(values) else None
    std = None
    if len(values) > 1 and mean is not None:
        std = (sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5
    return {"values": list(values), "mean": mean, "std": std, "n": len(values)}


def run(seed, letter, **change):
    return {
        "seed": seed,
        "run_id": f"{letter}run{seed}" * 4,
        "git_commit": "c0ffee00" * 5,
        "git_dirty": False,
        "config_sha256": "c" * 64,
        "code_sha256": "e" * 64,
        "data_sha256": "d" * 64,
        "checkpoint_sha256": f"{seed}{letter}" * 32,
        "predictions_sha256": "f" * 64,
        "wall_time_s": 100.0 + seed,
        "peak_memory_gib": 1.25,
        "device": "cpu, 1 threads",
        **change,
    }


def score(row, ape, seconds, letter="a", scale="mini"):
    return {
        "table": "T",
        "row": row,
        "scale": scale,
        "metrics": {"APe": metric(*ape), "train_device_s": metric(*seconds)},
        "provenance": [run(seed, letter) for seed in range(len(ape))],
        "remarks": [],
        "score": "single_sigmoid",
        "num_images": 2,
        "num_entities": 5,
    }


@pytest.fixture
def scores():
    return {
        "base": score("base", [0.40, 0.41, 0.42], [100, 101, 102]),
        "better": score("better", [0.44], [432], letter="b"),
    }


@pytest.fixture
def make_score():
    return score


@pytest.fixture
def make_metric():
    return metric
