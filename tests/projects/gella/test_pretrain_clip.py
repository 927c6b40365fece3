"""CLIP's stand-in: what a crop holds, and which pictures are a phrase's negatives."""

import math

import numpy as np
import pytest
import torch

from projects.gella.pretrain import ClipPretraining, PhrasePictureDataset
from projects.gella.pretrain.clip import _contrast, _offset


@pytest.mark.parametrize(("begin", "length"), [(0, 10), (10.5, 30), (90, 10), (99.5, 0.5), (0, 60)])
def test_window_holds_the_interval(begin, length):
    np.random.seed(0)
    for _ in range(50):
        left = _offset(begin, length, 60, 100)
        assert 0 <= left <= 40
        assert left <= begin
        assert left + 60 >= begin + length


def test_window_of_the_whole_picture():
    assert _offset(20, 30, 100, 100) == 0


def test_contrast_by_hand():
    """Rows (0, ln 3): the second has 3/4; two targets in a row share its weight."""
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    same = torch.tensor([[False, True], [True, True]])
    first, second = -math.log(3 / 4), -(math.log(1 / 4) + math.log(3 / 4)) / 2
    assert float(_contrast(logits, same)) == pytest.approx((first + second) / 2)


def test_what_a_picture_shows_is_not_its_negative(pretraining):
    """Two pictures of one sample each; the second phrase is in the first picture as well."""
    torch.manual_seed(0)
    crops = [torch.randn(3, 32, 32) for _ in range(2)]
    tokens = [torch.tensor([1, 5, 2]), torch.tensor([1, 6, 2])]
    texts = ["sky", "sand"]
    apart = [frozenset({"sky"}), frozenset({"sand"})]
    shared = [frozenset({"sky", "sand"}), frozenset({"sand", "sky"})]
    logits = pretraining(crops, tokens, texts, apart)
    rows = [-torch.log_softmax(m, 1).diagonal().mean() for m in (logits, logits.T)]
    loss = pretraining(crops, tokens, texts, apart, mode="loss")["loss"]
    assert float(loss) == pytest.approx(float(sum(rows) / 2), abs=1e-5)
    alone = pretraining(crops, tokens, texts, shared, mode="loss")["loss"]
    assert float(alone) == pytest.approx(0, abs=1e-6)


def test_gradients_are_finite_where_negatives_are_left_out(pretraining):
    crops = [torch.randn(3, 32, 32) for _ in range(2)]
    tokens = [torch.tensor([1, 5, 2]), torch.tensor([1, 6, 7, 2])]
    shared = [frozenset({"sky", "sand"})] * 2
    pretraining(crops, tokens, ["sky", "sand"], shared, mode="loss")["loss"].backward()
    grads = [p.grad for p in pretraining.parameters() if p.grad is not None]
    assert grads and all(torch.isfinite(grad).all() for grad in grads)


@pytest.fixture
def pretraining(world):
    torch.manual_seed(3)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {**small, "num_attention_heads": 2}
    texts = {"manifest": str(world), "splits": ["train"], "vocab_size": 400}
    vision = {**heads, "image_size": 32, "patch_size": 8}
    return ClipPretraining(vision, heads, 8, texts, best=3)


def test_samples(world):
    np.random.seed(0)
    dataset = PhrasePictureDataset(str(world), "train", 32, 400)
    for index in range(len(dataset)):
        sample = dataset.load(index)
        assert sample["crops"].shape == (3, 32, 32)
        assert sample["texts"] in sample["present"]
        assert sample["texts"] == sample["texts"].lower()
    plural = [phrase for _, phrase in dataset.phrases if len(phrase.segment_ids) > 1]
    assert plural
