"""A grounding model by rule, and jobs for it."""

from __future__ import annotations

import numpy as np

from workbench.errors import BadInput
from workbench.grounding.asked import AskJob
from workbench.grounding.grounder import Grounder
from workbench.grounding.schema import GroundingAnswer


class StubGrounder:
    """Answers by a rule, ``rule(noun, masks) -> N probabilities``; its context holds some nouns.

    A request without nouns gets those of ``extracted``.
    """

    def __init__(self, rule, extracted=("it",), context=1000, calls_before_a_kill=1000):
        self.model, self.rule, self.extracted = object(), rule, extracted
        self.context, self.calls_left = context, calls_before_a_kill
        self.requests = []

    def ground(self, requests, withheld=None):
        if self.calls_left == 0:
            raise KeyboardInterrupt
        self.calls_left -= 1
        for request in requests:
            if len(request.nouns or ()) > self.context:
                raise BadInput("caption", "length", f"{len(request.nouns)} nouns", "shorten it")
        self.requests += requests
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        nouns = self.extracted if request.nouns is None else request.nouns
        rows = [self.rule(noun, request.masks) for noun in nouns]
        found = np.array(rows, np.float32).reshape(len(nouns), len(request.masks))
        rebuilt = request.masks
        return GroundingAnswer(
            request.caption, "", nouns, found, rebuilt, np.ones(len(rebuilt), np.float32)
        )


def use(monkeypatch, stub):
    """Have every checkpoint be this stub."""
    monkeypatch.setattr(Grounder, "from_checkpoint", lambda *args, **kwargs: stub)
    return stub


def job(folder, manifest, output, **changes):
    checkpoint = folder / "model.pth"
    checkpoint.write_bytes(b"weights")
    fields = {
        "title": "stub seed 0",
        "checkpoint": str(checkpoint),
        "manifest": str(manifest),
        "split": "val",
        "entities": None,
        "mode": "generated",
        "threshold": 0.5,
        "overrides": {},
        "field": "refer.stub.overrides",
        "work_dir": str(folder / "work_dirs"),
        "output": str(folder / output),
    }
    return AskJob(**(fields | changes))
