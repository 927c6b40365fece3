"""The validation loop of grounding models scores like the stages and tells the hooks."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.workbench.narrated import write_world
from workbench.grounding.schema import GroundingAnswer, GroundingRequest
from workbench.sweeps.grounding import GroundingLoop

# Per caption, its nouns and the probability that each means the picture's three entities; of the
# two cats the second has 0.6: above one threshold and below the other.
ANSWERS = {
    "A cat beside a cat on the grass": (("cat", "cat", "grass"), np.eye(3) * 0.8 + 0.1),
    "Two cats under the sky": (("Two cats",), np.array([[0.9, 0.6, 0.2]])),
}


class Model:
    """Answers from a table; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.training = True

    def eval(self) -> None:
        self.training = False

    def ground_photos(self, requests: list[GroundingRequest]) -> list[GroundingAnswer]:
        assert not self.training
        answers = []
        for request in requests:
            assert request.nouns is None and request.masks.shape == (3, 4, 8)
            self.asked.append(str(request.caption))
            nouns, scores = ANSWERS.get(str(request.caption), ((), np.zeros((0, 3))))
            caption = str(request.caption)
            answers.append(GroundingAnswer(caption, "", nouns, scores, request.masks, np.ones(3)))
        return answers


def run(tmp_path: Path, threshold: float, count: int = 9) -> tuple[dict[str, float], Any]:
    model, called = Model(), []
    runner: Any = SimpleNamespace(
        cfg=SimpleNamespace(data_manifest=str(write_world(tmp_path / "world"))),
        model=model,
        bare_model=model,
        call_hook=lambda name, **values: called.append((name, values)),
    )
    loop = GroundingLoop(runner, {}, {}, split="val", num_narratives=count, threshold=threshold)
    scores = loop.run()
    names = ["before_val", "before_val_epoch", "after_val_epoch", "after_val"]
    assert [name for name, _ in called] == names
    assert called[2][1] == {"metrics": scores} and len(loop.dataloader) == len(loop.dataset)
    return scores, model


def test_right_answers_score_one(tmp_path):
    scores, _ = run(tmp_path, threshold=0.5)
    assert scores["AR"] == pytest.approx(1.0, abs=1e-4) and scores["AR_text"] == 1.0


def test_the_threshold_decides_on_plural_nouns(tmp_path):
    # Above 0.7 the two cats are one of two equal squares: IoU 0.5, which half of the curve counts.
    scores, _ = run(tmp_path, threshold=0.7)
    assert scores["AR_Pl"] == pytest.approx(0.5, abs=1e-4)
    assert scores["AR_Sing"] == pytest.approx(1.0, abs=1e-4)


def test_only_the_first_narratives_are_asked(tmp_path):
    scores, model = run(tmp_path, threshold=0.5, count=1)
    assert model.asked == ["A cat beside a cat on the grass"] and math.isnan(scores["AR_Pl"])
