"""How far a run is: counts, time left and how it follows what was measured."""

import subprocess
import sys
import time

import pytest

from workbench.pipeline.records import Expected
from workbench.planning import Plan, PlannedStage
from workbench.progress import Progress, _targets, look

UPSTREAM = {"a": [], "b": [], "c": ["a", "b"]}


def planned(**seconds):
    stages = [
        PlannedStage(n, "why", Expected(s, "recorded", None, None)) for n, s in seconds.items()
    ]
    return Plan("c", "mini", tuple(stages), 5, 1.0, 1.0, (), UPSTREAM, 1)


def test_time_left_follows_what_was_measured():
    state = Progress(planned(a=100.0, b=200.0, c=50.0))
    assert (state.num_done, state.seconds_left(0.0)) == (2, 350.0)
    state.begin("a", 10.0)
    assert state.seconds_left(40.0) == 320.0
    state.end("a", 210.0)  # twice as long
    assert (state.num_done, state.seconds_left(210.0)) == (3, 500.0)
    state.begin("b", 210.0)
    assert state.seconds_left(310.0) == 400.0
    # 600 s instead of 400: a tenth of that more is expected
    assert state.seconds_left(810.0) == pytest.approx(60.0 + 100.0)


def test_a_skipped_stage_says_nothing_about_the_pace():
    state = Progress(planned(a=100.0, b=200.0))
    state.begin("a", 0.0)
    state.end("a", 2.0)
    assert state.seconds_left(2.0) == 200.0


def test_what_failed_is_not_waited_for():
    state = Progress(planned(a=100.0, b=200.0, c=50.0))
    state.begin("a", 0.0)
    state.give_up("a", ["c"])
    assert (state.num_done, state.seconds_left(1.0)) == (2, 200.0)


def test_one_line():
    state = Progress(planned(a=600.0, b=None))
    state.begin("a", 0.0)
    state.begin("b", 0.0)
    assert state.render(40.0) == (
        "3 of 5 stages done; running: a (40 s of about 10 min), b (40 s); about 9 min left"
    )
    content = state.to_dict(40.0)
    assert content["running"][0] == {"name": "a", "seconds": 40.0, "expected_seconds": 600.0}


def test_a_plain_dvc_repro_is_seen_from_outside(tmp_path, monkeypatch):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "params.yaml").write_text("scale: mini\n")
    sleep = "python -c 'import time; time.sleep(60)' slow"
    (tmp_path / "dvc.yaml").write_text(
        f'stages: {{first: {{cmd: "{sleep}", outs: [a]}}, other: {{cmd: "true", outs: [b]}}}}\n'
    )
    monkeypatch.chdir(tmp_path)
    run = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "first"])
    try:
        until = time.monotonic() + 60
        while "first" not in (state := look()).running:
            assert run.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        assert (state.plan.target, state.plan.num_stages, state.num_done) == ("first", 1, 0)
        assert look("other").running == {}
    finally:
        for process in (*children(run.pid), run):
            process.kill()
        run.wait()


def children(pid):
    import psutil

    return psutil.Process(pid).children(recursive=True)


def test_targets_of_a_command_line():
    commands = [["python", "x.py"], ["python", "-m", "workbench.repro", "VI", "X", "--jobs", "2"]]
    assert _targets(commands) == ["VI", "X"]
    assert _targets([["/v/bin/python", "/v/bin/dvc", "repro", "-k", "table@VI"]]) == ["table@VI"]
    assert _targets([]) == []
