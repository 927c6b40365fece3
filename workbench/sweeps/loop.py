"""A worker's loop: take a trial, run it, tell the study how it ended, until there is none left."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, Interrupted, MissingInput
from workbench.sweeps.claims import Claims

if TYPE_CHECKING:
    from optuna.trial import Trial

IDLE_S = 2.0


class Pruned(Interrupted):
    """The pruner ended the trial."""


class TakenOver(Interrupted):
    """The study no longer counts this trial as running: another worker has it."""


def run_trials(
    claims: Claims,
    objective: Callable[[Trial], float],
    stopped: Callable[[], str | None],
    deadline: float | None = None,
) -> None:
    """Run trials until the study is over, the time is up or the worker is to stop.

    While trials of other workers run, an idle worker waits: their worker may die.

    Args:
        claims: Where trials come from.
        objective: Runs a trial and returns its score; may raise `Pruned` and `TakenOver`.
        stopped: Returns why to stop, if so.
        deadline: Unix time after which no trial is begun.

    Raises:
        Interrupted: To stop; a trial in hand is queued again.
        BadInput, MissingInput: The objective cannot run; likewise.
    """
    while deadline is None or time.time() < deadline:
        reason = stopped()
        if reason:
            raise Interrupted(f"stopped by {reason}")
        trial = claims.claim()
        if trial is not None:
            run_trial(claims, trial, objective)
        elif claims.place.recovers and claims.unfinished():
            time.sleep(min(IDLE_S, claims.place.heartbeat_s))
        else:
            return


def run_trial(claims: Claims, trial: Trial, objective: Callable[[Trial], float]) -> None:
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
    except (Interrupted, BadInput, MissingInput):
        with suppress(Exception):  # else it is missed when its signs of life end
            claims.hand_back(trial)
        raise
    # Out of memory, a loss that is no number: this trial failed, others may not.
    except Exception:
        traceback.print_exc()
    claims.study.tell(trial, skip_if_finished=True, **told)
