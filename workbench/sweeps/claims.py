"""Which trial a worker runs next, so that a study ends with exactly its number of trials.

A worker takes a trial only while it holds the study's lock. Within it, trials of dead workers are
queued again, then either a queued trial is taken or a new one begun, and its first sign of life is
recorded. So the number of trials begun never exceeds the total, however many workers there are,
and a trial that is seen running under the lock without having been signed for was left by a worker
that died in between.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from workbench.sweeps.spec import SweepSpec
from workbench.sweeps.study import Place, distribution, make_sampler, open_study

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

# User attribute: number of the trial that a worker signed for. A retry inherits its original's.
SIGNED = "signed"
WORKER = "worker"


class Claims:
    """One worker's access to a study.

    Args:
        place: Where the study is.
        spec: The sweep.
        total: Trials of the whole study; a retry belongs to the trial that it retries.
    """

    def __init__(self, place: Place, spec: SweepSpec, total: int) -> None:
        self.place, self.spec, self.total = place, spec, total
        self.study, self.storage = open_study(place, spec)
        self.distributions = {p.name: distribution(p) for p in spec.space}

    def claim(self) -> Trial | None:
        """Return a trial to run, marked as running and signed for; None if there is none."""
        from optuna.storages import fail_stale_trials
        from optuna.trial import TrialState

        with self.place.lock():
            fail_stale_trials(self.study)
            self._queue_unsigned()
            trials = self.study.get_trials(deepcopy=False)
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            begun = sum(original_number(trial) == trial.number for trial in trials)
            if not waiting and begun >= self.total:
                return None
            if not waiting and self.spec.sampler.name == "grid":
                self.study.enqueue_trial(self._grid_point(begun))
            # Seeded by the trial: two workers with one seed would draw the same values.
            self.study.sampler = make_sampler(self.spec, (self.spec.seed << 16) + len(trials))
            trial = self.study.ask(self.distributions)
            self.beat(trial)
            trial.set_user_attr(WORKER, f"{socket.gethostname()}:{os.getpid()}")
            trial.set_user_attr(SIGNED, trial.number)
            return trial

    def _queue_unsigned(self) -> None:
        """Queue again what a worker took and did not live to sign for."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if trial.user_attrs.get(SIGNED) != trial.number:
                self.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def _grid_point(self, index: int) -> dict[str, Any]:
        """Return the values of the grid's point ``index``."""
        names = [parameter.name for parameter in self.spec.space]
        points = itertools.product(*(parameter.grid() for parameter in self.spec.space))
        return dict(zip(names, next(itertools.islice(points, index, None)), strict=True))

    def hand_back(self, trial: Trial) -> None:
        """Queue a trial again that this worker does not finish; it keeps its number."""
        from optuna.trial import TrialState

        self.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def unfinished(self) -> bool:
        """Whether any trial still runs, here or elsewhere, or is queued."""
        return any(not trial.state.is_finished() for trial in self.study.get_trials(deepcopy=False))

    def beat(self, trial: Trial) -> None:
        """Record a sign of life, where the storage keeps them."""
        if self.place.recovers:
            self.storage.record_heartbeat(trial._trial_id)

    @contextmanager
    def alive(self, trial: Trial) -> Iterator[None]:
        """Record signs of life during the block.

        Unlike Optuna's own thread, this one outlives a database that is away for a while.
        """
        over = threading.Event()

        def record() -> None:
            while not over.wait(self.place.heartbeat_s):
                with suppress(Exception):
                    self.beat(trial)

        thread = threading.Thread(target=record, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def original_number(trial: FrozenTrial) -> int:
    """Return the number of the trial that a trial retries, at first hand or not; else its own."""
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    retried = RetryHeartbeatStaleTrialCallback.retried_trial_number(trial)
    return trial.number if retried is None else retried
