"""The command line: exit codes, one-line errors, JSON, start-up."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbench.cli import doctor, output
from workbench.cli.main import main
from workbench.cli.runs import parse_options
from workbench.errors import BadInput, Interrupted, MissingInput
from workbench.pipeline.records import Expected
from workbench.planning import Plan, PlannedStage
from workbench.tracking.journal import Journal
from workbench.tracking.liveness import Closed
from workbench.tracking.sync import Synced

REPOSITORY = Path(__file__).parents[3]
VERBS = ("segment", "train", "evaluate", "data", "plan", "why", "trace", "sync", "reap", "doctor")
PARAMS = """
scale: smoke
prep: {world: {}}
own_data: {street: {root: photos}}
train: {model: {dataset: world}}
segment: {model: {checkpoint: model, dataset: street}}
evaluate: {VI__model: {table: VI, row: model, predictions: entities/model, dataset: street}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().err
    assert text.count("\n") == 1, text
    return text


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom workbench.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'torch', 'numpy', 'mmengine', 'mmdet', 'mlflow', 'dvc', 'cv2', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - started < 2
    assert all(f"    {verb}" in done.stdout for verb in VERBS)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["segment"],
        ["evaluate", "x.json"],
        ["data"],
        ["data", "sync"],
        ["trace"],
        ["plan", "--jobs", "0"],
        ["train", "c.py", "--seed", "x"],
        ["doctor", "--jso"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "--help" in error_line(capsys)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (BadInput("file.json", "field", "is bad", "mend it"), 2),
        (MissingInput("file.json", "make it"), 4),
        (Interrupted("stopped"), 75),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_exit_codes(
    raised: BaseException,
    code: int,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(cell: str, scale: str | None) -> None:
        raise raised

    monkeypatch.setitem(sys.modules, "workbench.trace", SimpleNamespace(trace=fail))
    assert main(["trace", "VI:model"]) == code
    assert error_line(capsys).startswith("error: ")


def test_outside_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["trace", "VI:cropformer:APe"]) == 4
    assert "inside a checkout" in error_line(capsys)


@pytest.mark.parametrize(
    ("options", "parsed"),
    [
        ([], {}),
        (["a.b=3", "c=1e-3"], {"a.b": 3, "c": 0.001}),
        (["a=True", "b=false", "c=none"], {"a": True, "b": False, "c": None}),
        (["a=[1, 2]", "b=x=y", "c="], {"a": [1, 2], "b": "x=y", "c": ""}),
    ],
)
def test_cfg_options(options: list[str], parsed: dict[str, object]) -> None:
    assert parse_options(options) == parsed


@pytest.mark.parametrize("options", [["a"], ["=1"], ["a=1", "a=2"]])
def test_faulty_cfg_options(options: list[str]) -> None:
    with pytest.raises(BadInput, match="--cfg-options"):
        parse_options(options)


def test_train_passes_on_what_was_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def train_config(*arguments: object) -> dict[str, object]:
        asked.extend(arguments)
        return {"iterations": 5, "wall_time_s": 2.0, "val": {"APe": 0.412}, "weights": "w.pth"}

    stage = SimpleNamespace(train_config=train_config)
    monkeypatch.setitem(sys.modules, "workbench.stages.train", stage)
    assert main(["train", "c.py", "--resume", "--seed", "3", "--cfg-options", "a=1"]) == 0
    assert asked == [Path("c.py"), True, {"a": 1}, 3]
    assert "APe 41.2" in capsys.readouterr().out
    assert main(["train", "c.py", "--seed", "-1"]) == 2
    assert "--seed" in error_line(capsys)


def test_evaluate_prints_percent_or_fractions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = {"metrics": {"APe": 0.41234, "AP50": None}, "remarks": ["one id is 0"]}
    stage = SimpleNamespace(evaluate_predictions=lambda *asked: {**result, "asked": asked})
    monkeypatch.setitem(sys.modules, "workbench.stages.evaluate", stage)
    assert main(["evaluate", "p.jsonl", "--dataset", "world"]) == 0
    assert capsys.readouterr().out == "APe    41.2\nAP50   undefined\nnote: one id is 0\n"
    assert main(["evaluate", "p.jsonl", "--dataset", "world", "--metric", "APe", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"]["APe"] == 0.41234
    assert found["asked"] == ["p.jsonl", "world", "APe", "val", 0.5]


def test_data_check_names_what_waits(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)["datasets"]
    assert [(each["name"], each["state"]) for each in found] == [
        ("world", "missing"),
        ("street", "missing"),
    ]
    assert all(each["tables_waiting"] == ["VI"] for each in found)
    assert "dvc repro prep@world" in found[0]["faults"][0]
    assert "dvc repro own_data@street" in found[1]["faults"][0]
    manifest = project / "artifacts/smoke/data/world/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    assert main(["data", "check", "world"]) == 2
    printed = capsys.readouterr().out
    assert "world: broken (tables that wait: VI)" in printed
    assert "manifest.json" in printed
    assert main(["data", "check", "moon"]) == 2
    assert "moon" in error_line(capsys)


def test_plan_prints_json_and_keeps_to_a_budget(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = PlannedStage("train@a", "why", Expected(5400.0, "recorded", None, None))
    planned = Plan("headline", "mini", (stage,), 1, 1.0, 1.0)
    monkeypatch.setattr("workbench.planning.plan", lambda *targets, **asked: planned)
    assert main(["plan", "headline"]) == 0
    assert "about 1 h 30 min" in capsys.readouterr().out
    assert main(["plan", "headline", "--json", "--budget", "1h 30m"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["elapsed_seconds"], content["budget_seconds"]) == (5400.0, 5400.0)
    assert main(["plan", "headline", "--budget", "89min"]) == 3
    assert error_line(capsys) == "error: over the budget of 89 min: 1 h 30 min expected\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("8h", 28800), ("90min", 5400), ("1.5h", 5400), ("1d2h3m4s", 93784)]
)
def test_durations(text: str, seconds: float) -> None:
    assert output.duration(text) == seconds
    for wrong in ("", "8", "h", f"{text}x"):
        with pytest.raises(argparse.ArgumentTypeError):
            output.duration(wrong)


def test_trace_prints_its_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {
        "cell": "VI:model:APe",
        "scale": "smoke",
        "label": "Model",
        "status": "reproduced",
        "waits": None,
        "values": {"APe": {"printed": 41.0, "reproduced": 40.5, "std": None}},
        "runs": [{"seed": 0, "run_id": "abc", "values": {"APe": 0.405}, "checkpoint": "w.pth"}],
    }
    monkeypatch.setitem(
        sys.modules, "workbench.trace", SimpleNamespace(trace=lambda cell, scale: found)
    )
    assert main(["trace", "VI:model:APe"]) == 0
    printed = capsys.readouterr().out
    assert "APe: printed 41, reproduced 40.5, std none" in printed
    assert "run_id: abc" in printed


def test_doctor(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pins = '[project]\ndependencies = ["numpy==0.1", "no-such-package==1.0"]\n'
    (project / "pyproject.toml").write_text(pins)
    assert main(["doctor", "--json"]) == 1
    found = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert found["numpy"]["state"] == "fault"
    assert "not installed" in found["no-such-package"]["detail"]
    assert found["data world (smoke)"]["state"] == "note"
    assert found["store of runs"]["state"] == "note"
    assert found["disk"]["detail"].endswith("GiB free")
    assert found["undelivered records"]["state"] == "ok"
    (project / "mlflow.db").write_text("no database")
    assert doctor._store().state == "fault"
    (project / "params.yaml").write_text("scale: moon")
    assert [check.state for check in doctor._data()] == ["fault"]


def test_doctor_asks_the_server_and_counts_what_waits_for_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert doctor._store().state == "fault" and "esg sync" in doctor._store().detail
    journal = Journal.of_folder(project / "work_dirs" / "abc")
    for step in (1, 2, 3):
        journal.append({"metrics": {"loss": 1.0}, "step": step, "time_ms": 1})
    assert doctor._undelivered().state == "note"
    assert doctor._undelivered().detail.startswith("3 of 1 runs")


def test_sync_and_reap(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    done = Synced("http://server", records=7, runs=["a"], tables=["VI"], live=1)
    monkeypatch.setattr("workbench.tracking.sync.sync", lambda root: done)
    assert main(["sync"]) == 0
    printed = capsys.readouterr().out
    assert "7 records of 1 runs delivered" in printed and "tables logged: VI" in printed
    assert main(["sync", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"] == 7
    closed = [Closed("train@toy, seed 0", "abc")]
    monkeypatch.setattr("workbench.tracking.liveness.reap", lambda root: closed)
    assert main(["reap"]) == 0
    assert capsys.readouterr().out == "1 runs closed\n  train@toy, seed 0 (abc)\n"
    assert main(["reap", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"] == [{"name": closed[0].name, "id": "abc"}]


def test_reap_of_a_store_that_is_away_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    def away(root: Path) -> None:
        raise OSError("refused")

    monkeypatch.setattr("workbench.tracking.liveness.reap", away)
    assert main(["reap"]) == 1
    assert "does not answer (refused)" in capsys.readouterr().err


def test_colour_only_on_a_terminal_and_without_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = SimpleNamespace(isatty=lambda: True)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.coloured("x", "red", terminal) == "\033[31mx\033[0m"  # type: ignore[arg-type]
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.coloured("x", "red", terminal) == "x"  # type: ignore[arg-type]
    monkeypatch.delenv("NO_COLOR")
    assert output.coloured("x", "red", SimpleNamespace(isatty=lambda: False)) == "x"  # type: ignore[arg-type]
