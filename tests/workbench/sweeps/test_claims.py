"""A study ends with exactly its trials, whatever happens to its workers."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workbench.sweeps.conftest import SPEC
from workbench.errors import BadInput, EsgError, Interrupted
from workbench.sweeps.claims import Claims, original_number
from workbench.sweeps.loop import Occupied, Pruned, TakenOver, run_trials
from workbench.sweeps.results import standing
from workbench.sweeps.spec import SweepSpec, load_spec
from workbench.sweeps.study import MAX_RETRIES, Place, StorageAway, checked_url, open_study

TOTAL = 20
HEARTBEAT_S = 2
HANGS_S = 600  # on a busy machine all this takes minutes; idle, seconds


def make_spec(root: Path, **fields: Any) -> SweepSpec:
    path = root / "configs" / "sweeps" / "toy.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**SPEC, **fields}, sort_keys=False))
    return load_spec("toy", root)


@pytest.fixture
def spec(tmp_path) -> SweepSpec:
    return make_spec(tmp_path)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(f"sqlite:///{tmp_path}/study.db", "toy", heartbeat_s=60)


def score(trial: Any) -> float:
    return float(trial.params["val_evaluator.value"])


def finish(claims: Claims, objective: Callable[[Any], float] = score) -> None:
    run_trials(claims, objective, lambda: None)


def states(claims: Claims) -> list[str]:
    return [trial.state.name for trial in claims.study.get_trials()]


def abandon(claims: Claims) -> int:
    """Take a trial and give no further sign of life, as a killed worker does."""
    import sqlalchemy

    trial = claims.claim()
    assert trial is not None
    engine = sqlalchemy.create_engine(claims.place.url)
    long_ago = "UPDATE trial_heartbeats SET heartbeat = '2001-01-01 00:00:00'"
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"{long_ago} WHERE trial_id = {trial._trial_id}"))
    return int(trial.number)


def test_a_study_resumes_to_its_total(place, spec):
    finish(Claims(place, spec, 3))
    finish(Claims(place, spec, 3))
    assert len(states(Claims(place, spec, 3))) == 3
    finish(Claims(place, spec, 5))
    found = standing(open_study(place, spec)[0])
    assert (found.begun, found.completed, found.retries) == (5, 5, 0)


def test_no_trial_is_begun_beyond_the_total(place, spec):
    first, second = Claims(place, spec, 2), Claims(place, spec, 2)
    taken = [first.claim(), second.claim()]
    assert first.claim() is None and second.claim() is None and first.unfinished()
    assert [trial.number for trial in taken] == [0, 1]


def test_two_workers_draw_different_values(place, spec):
    first, second = Claims(place, spec, 4), Claims(place, spec, 4)
    values = [score(claims.claim()) for claims in (first, second, first, second)]
    assert len(set(values)) == 4


def test_a_dead_workers_trial_is_run_again_with_its_values(place, spec):
    claims = Claims(place, spec, 3)
    dead = abandon(claims)
    finish(claims)
    trials = claims.study.get_trials()
    assert states(claims) == ["FAIL", "COMPLETE", "COMPLETE", "COMPLETE"]
    (again,) = [trial for trial in trials if original_number(trial) != trial.number]
    assert original_number(again) == dead and again.params == trials[dead].params
    found = standing(claims.study)
    assert (found.begun, found.completed, found.failed, found.retries) == (3, 3, 0, 1)


def test_a_trial_that_kills_its_workers_is_given_up(place, spec):
    claims = Claims(place, spec, 1)
    numbers = [abandon(claims) for _ in range(1 + MAX_RETRIES)]
    assert claims.claim() is None and not claims.unfinished()
    assert numbers == [0, 1, 2] and states(claims) == ["FAIL"] * 3
    assert (standing(claims.study).begun, standing(claims.study).failed) == (1, 1)


def test_a_worker_that_dies_before_it_has_signed_loses_nothing(place, spec, monkeypatch):
    claims = Claims(place, spec, 2)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(claims, "beat", lambda trial: (_ for _ in ()).throw(KeyboardInterrupt))
        claims.claim()
    assert states(claims) == ["RUNNING"]
    finish(Claims(place, spec, 2))
    assert states(claims) == ["COMPLETE", "COMPLETE"]


@pytest.mark.parametrize("error", [Interrupted("a signal"), BadInput("a", "b", "c", "d")])
def test_an_interrupted_trial_is_queued_again_under_its_number(place, spec, error):
    def interrupted(trial: Any) -> float:
        raise error

    claims = Claims(place, spec, 2)
    with pytest.raises(type(error)):
        finish(claims, interrupted)
    assert states(claims) == ["WAITING"]
    before = claims.study.get_trials()[0].params
    finish(claims)
    assert states(claims) == ["COMPLETE", "COMPLETE"]
    assert claims.study.get_trials()[0].params == before


def test_ends_of_a_trial(place, spec):
    ends = iter([Pruned("low"), ValueError("no number"), None])

    def objective(trial: Any) -> float:
        trial.report(0.25, 10)
        end = next(ends)
        if end:
            raise end
        return 0.5

    claims = Claims(place, spec, 3)
    finish(claims, objective)
    assert states(claims) == ["PRUNED", "FAIL", "COMPLETE"]
    assert [trial.value for trial in claims.study.get_trials()] == [0.25, None, 0.5]


def test_a_worker_taken_for_dead_does_not_count_twice(place, spec):
    slow, quick = Claims(place, spec, 1), Claims(place, spec, 1)

    def overtaken(trial: Any) -> float:
        from optuna.trial import TrialState

        quick.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        raise TakenOver("by another worker")

    finish(slow, overtaken)
    assert states(slow) == ["FAIL"]


def test_a_trial_is_settled_when_the_study_knows_its_score(place, spec):
    claims, seen = Claims(place, spec, 3), []
    ends = iter([None, Pruned("low"), ValueError("no number")])

    def objective(trial: Any) -> float:
        end = next(ends)
        if end:
            raise end
        return 0.5

    run_trials(claims, objective, lambda: None, settled=lambda: seen.append(states(claims)[-1]))
    assert seen == ["COMPLETE", "PRUNED"]


def test_the_folder_of_a_trial_that_another_has_is_not_settled(place, spec):
    slow, quick, settled = Claims(place, spec, 1), Claims(place, spec, 1), []

    def overtaken(trial: Any) -> float:
        from optuna.trial import TrialState

        quick.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        return 0.5

    run_trials(slow, overtaken, lambda: None, settled=lambda: settled.append(1))
    assert states(slow) == ["FAIL"] and not settled


def test_a_trial_whose_folder_is_in_use_waits(place, spec):
    ends = iter([Occupied("another process trains here"), None])

    def objective(trial: Any) -> float:
        end = next(ends)
        if end:
            raise end
        return 0.5

    claims = Claims(place, spec, 1)
    finish(claims, objective)
    assert states(claims) == ["COMPLETE"]


def away(times: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a call that the database's absence ends the first times."""
    from optuna.exceptions import StorageInternalError

    left = iter(range(times))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is not None:
            raise StorageInternalError("the server closed the connection")
        return call(*arguments, **options)

    return failing


@pytest.mark.parametrize("method", ["claim", "unfinished"])
def test_a_database_that_is_away_for_a_while_costs_nothing(place, spec, monkeypatch, method):
    claims = Claims(place, spec, 2)
    monkeypatch.setattr("workbench.sweeps.study.RETRY_S", 0.01)
    monkeypatch.setattr(claims, method, away(2, getattr(claims, method)))
    monkeypatch.setattr(claims.study, "tell", away(2, claims.study.tell))
    finish(claims)
    assert states(claims) == ["COMPLETE", "COMPLETE"]


def test_a_database_that_stays_away_ends_the_worker_not_the_trial(place, spec, monkeypatch):
    from workbench.sweeps.study import patiently

    claims = Claims(place, spec, 1)
    monkeypatch.setattr("workbench.sweeps.study.AWAY_S", 0.05)
    monkeypatch.setattr("workbench.sweeps.study.RETRY_S", 0.01)
    with pytest.raises(StorageAway, match="closed the connection"):
        finish(claims, lambda trial: patiently(away(1000, lambda: 0.5)))
    assert states(claims) == ["WAITING"]


def test_after_the_time_limit_no_trial_is_begun(place, spec):
    claims = Claims(place, spec, 3)
    run_trials(claims, score, lambda: None, deadline=time.time() - 1)
    assert states(claims) == []


def test_a_stopped_worker_begins_nothing(place, spec):
    claims = Claims(place, spec, 3)
    with pytest.raises(Interrupted, match="SIGTERM"):
        run_trials(claims, score, lambda: "SIGTERM")
    assert states(claims) == []


def test_a_grid_is_gone_through_once(tmp_path, place):
    space = {
        "a": {"type": "int", "low": 1, "high": 3},
        "b": {"type": "categorical", "choices": [[1], [2]]},
    }
    spec = make_spec(tmp_path, space=space, sampler="grid")
    claims, other = Claims(place, spec, 6), Claims(place, spec, 6)
    taken = [claims.claim(), other.claim()]
    for trial in taken:
        claims.study.tell(trial, 0.0)
    finish(other, lambda trial: float(trial.params["a"]))
    points = [tuple(trial.params.values()) for trial in claims.study.get_trials()]
    assert len(points) == 6 == len(set(points))


def test_a_journal_file_works_but_does_not_show_dead_workers(tmp_path, spec):
    place = Place(f"journal:{tmp_path}/study.log", "toy")
    claims = Claims(place, spec, 3)
    claims.claim()
    finish(Claims(place, spec, 3))
    assert sorted(states(Claims(place, spec, 3))) == ["COMPLETE", "COMPLETE", "RUNNING"]
    assert not place.recovers


@pytest.mark.parametrize("url", ["mysql://host/db", "study.db", "redis://localhost"])
def test_other_storages_are_refused(url):
    with pytest.raises(BadInput, match="--storage: URL"):
        checked_url(url)


def test_a_storage_that_cannot_be_opened_is_one_line(tmp_path, spec):
    (tmp_path / "study.db").write_text("no database")
    with pytest.raises(EsgError, match="cannot be opened") as caught:
        open_study(Place(f"sqlite:///{tmp_path}/study.db", "toy"), spec)
    assert "\n" not in str(caught.value)


def run_worker(place: Place, spec: SweepSpec, killed_at: int | None = None) -> None:
    """Run trials of some hundredths of a second; die in the middle of one's n-th."""
    taken = itertools.count(1)

    def objective(trial: Any) -> float:
        value = score(trial)
        time.sleep(0.02)
        trial.report(value, 10)
        if next(taken) == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if value < 0.2:
            raise Pruned("low")
        time.sleep(0.02)
        return value

    finish(Claims(place, spec, TOTAL), objective)


def kill_one_of_two(place: Place, spec: SweepSpec) -> None:
    """Kill one of two workers in the middle of a trial and check what the study ends with."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["workbench.sweeps.loop", "optuna", "sqlalchemy"])
    study, _ = open_study(place, spec)
    workers = [
        context.Process(target=run_worker, args=(place, spec, killed_at)) for killed_at in (4, None)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=HANGS_S)
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0]

    trials = study.get_trials()
    ended = [trial for trial in trials if trial.state.name in ("COMPLETE", "PRUNED")]
    begun = [trial.number for trial in trials if original_number(trial) == trial.number]
    assert sorted(map(original_number, ended)) == begun, "a trial was lost or ended twice"
    assert len(begun) == TOTAL == len({tuple(trial.params.values()) for trial in ended})
    dead = [trial.number for trial in trials if trial not in ended]
    assert dead and {trials[number].state.name for number in dead} == {"FAIL"}
    assert len(trials) == TOTAL + len(dead)


def test_a_killed_worker_loses_and_doubles_nothing(place, spec):
    kill_one_of_two(replace(place, heartbeat_s=HEARTBEAT_S), spec)


@pytest.fixture
def postgres() -> Iterator[str]:
    """Address of an own server; the test is skipped where none can be started."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("no PostgreSQL server under /usr/lib/postgresql (apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed: extra `postgres`")
    programs = found[-1].parent
    # The server refuses to run as root; its folder is then nobody's.
    as_user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="esg-postgres-", dir="/tmp"))
    folder.chmod(0o777)
    data = folder / "data"

    def call(*command: object) -> None:
        done = subprocess.run(
            [*map(str, command)], cwd=folder, capture_output=True, text=True, **as_user
        )
        if done.returncode:
            pytest.skip(f"PostgreSQL does not start: {done.stderr.strip()[-300:]}")

    call(programs / "initdb", "-D", data, "-U", "esg", "-A", "trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    call(programs / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start")
    try:
        yield f"postgresql://esg@/postgres?host={folder}"
    finally:
        call(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def test_the_same_on_postgresql(postgres, spec):
    kill_one_of_two(Place(checked_url(postgres), "toy", HEARTBEAT_S), spec)
