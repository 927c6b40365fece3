"""Two processes with half of a batch each learn what one learns from the whole."""

import pytest
import torch

from tests.projects.in_halves import assert_halves_are_the_whole, same_points

COUNTS = [5, 1, 2, 3]


@pytest.mark.parametrize("name", ["mask2former", "cropformer", "vita"])
@pytest.mark.parametrize("counts", [COUNTS, [4, 0, 3, 0]], ids=["uneven", "one-without-entity"])
def test_losses_and_gradients(build, batch, monkeypatch, name, counts):
    monkeypatch.setattr(torch, "rand", same_points)
    data = batch(counts, num_views=1 if name == "mask2former" else 2)

    def losses(model, part):
        own = {key: values[part] for key, values in data.items()}
        bare = getattr(model, "module", model)
        return model(**bare.data_preprocessor(own, True), mode="loss")

    assert_halves_are_the_whole(lambda: build(name).train(), losses)
