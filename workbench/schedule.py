"""In which order stages run side by side: the longest way to the end first."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence


class Schedule:
    """Stages that wait, and which of them to start next.

    Of those that can start, the one goes first from whose start to the end of the last stage that
    needs it takes longest: what is left over at the end then is short.

    Args:
        seconds: Expected time in s, by stage, in an order in which they can run.
        upstream: The stages that each directly comes after; those not in ``seconds`` are done.
    """

    def __init__(self, seconds: Mapping[str, float], upstream: Mapping[str, Sequence[str]]) -> None:
        self.order = {name: place for place, name in enumerate(seconds)}
        self.missing = {
            name: {before for before in upstream.get(name, ()) if before in seconds}
            for name in seconds
        }
        self.dependents: dict[str, list[str]] = {name: [] for name in seconds}
        for name, before in self.missing.items():
            for each in before:
                self.dependents[each].append(name)
        self.urgency: dict[str, float] = {}
        for name in reversed(list(seconds)):
            later = (self.urgency[each] for each in self.dependents[name])
            self.urgency[name] = seconds[name] + max(later, default=0.0)

    def take(self) -> str | None:
        """Remove and return the stage to start next; None if none can start yet, or all have."""
        ready = [name for name, before in self.missing.items() if not before]
        if not ready:
            return None
        chosen = min(ready, key=lambda name: (-self.urgency[name], self.order[name]))
        del self.missing[chosen]
        return chosen

    def finish(self, name: str) -> None:
        """Let the stages that wait for ``name`` go on."""
        for each in self.dependents[name]:
            if each in self.missing:
                self.missing[each].discard(name)

    def give_up(self, name: str) -> list[str]:
        """Remove and return, in running order, all that needs ``name``."""
        lost: set[str] = set()
        ways = [name]
        while ways:
            found = [each for each in self.dependents[ways.pop()] if each not in lost]
            lost.update(found)
            ways.extend(found)
        for each in lost:
            self.missing.pop(each, None)
        return sorted(lost, key=self.order.__getitem__)


def makespan(
    seconds: Mapping[str, float], upstream: Mapping[str, Sequence[str]], jobs: int
) -> float:
    """Return the time in s that stages take with at most ``jobs`` at once (see `Schedule`)."""
    schedule = Schedule(seconds, upstream)
    running: list[tuple[float, str]] = []
    now = 0.0
    while True:
        while len(running) < jobs and (name := schedule.take()) is not None:
            heapq.heappush(running, (now + seconds[name], name))
        if not running:
            return now
        now, done = heapq.heappop(running)
        schedule.finish(done)
