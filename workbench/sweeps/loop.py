"""A worker's loop: take a trial, run it, tell the study how it ended, until there is none left."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, EsgError, Interrupted, MissingInput
from workbench.sweeps.claims import Claims
from workbench.sweeps.study import patiently

if TYPE_CHECKING:
    from optuna.trial import Trial

IDLE_S = 2.0


class Pruned(Interrupted):
    """The pruner ended the trial."""


class TakenOver(Interrupted):
    """The study no longer counts this trial as running: another worker has it."""


class Occupied(EsgError):
    """Another process trains in the trial's folder: its worker was taken for dead and is not."""


def run_trials(
    claims: Claims,
    objective: Callable[[Trial], float],
    stopped: Callable[[], str | None],
    deadline: float | None = None,
    settled: Callable[[], None] | None = None,
) -> None:
    """Run trials until the study is over, the time is up or the worker is to stop.

    While trials of other workers run, an idle worker waits: their worker may die.

    Args:
        claims: Where trials come from.
        objective: Runs a trial and returns its score; may raise `Pruned`, `TakenOver` and
            `Occupied`.
        stopped: Returns why to stop, if so.
        deadline: Unix time after which no trial is begun.
        settled: Called when the study knows a trial's score, or that it was pruned.

    Raises:
        Interrupted: To stop, or the database is away; a trial in hand is queued again.
        BadInput, MissingInput: The objective cannot run; likewise.
    """
    while deadline is None or time.time() < deadline:
        reason = stopped()
        if reason:
            raise Interrupted(f"stopped by {reason}")
        trial = patiently(claims.claim)
        if trial is not None:
            run_trial(claims, trial, objective, settled)
        elif claims.place.recovers and patiently(claims.unfinished):
            time.sleep(min(IDLE_S, claims.place.heartbeat_s))
        else:
            return


def run_trial(
    claims: Claims,
    trial: Trial,
    objective: Callable[[Trial], float],
    settled: Callable[[], None] | None = None,
) -> None:
    """Run one trial and tell the study how it ended.

    Raises:
        Interrupted, BadInput, MissingInput: The trial is queued again.
    """
    from optuna.trial import TrialState

    told: dict[str, Any] = {"state": TrialState.FAIL}
    try:
        with claims.alive(trial):
            told = {"values": objective(trial)}
    except Pruned:
        told = {"state": TrialState.PRUNED}
    except TakenOver as reason:
        print(reason, flush=True)
        return
    except Occupied as reason:
        print(reason, flush=True)
        with suppress(Exception):
            claims.hand_back(trial)
        return
    except (Interrupted, BadInput, MissingInput):
        with suppress(Exception):  # else it is missed when its signs of life end
            claims.hand_back(trial)
        raise
    # Out of memory, a loss that is no number: this trial failed, others may not.
    except Exception:
        traceback.print_exc()
    ended = patiently(lambda: claims.study.tell(trial, skip_if_finished=True, **told))
    # Of a trial that another worker was given meanwhile, the folder is that worker's.
    if settled and ended.state != TrialState.FAIL:
        settled()
