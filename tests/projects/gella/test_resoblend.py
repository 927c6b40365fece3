import pytest
import torch

from projects.gella.resoblend import PARTS, ResoBlend, sine_code

CHANNELS = [4, 8]


def pyramid(batch=2):
    return [torch.randn(batch, 4, 8, 8), torch.randn(batch, 8, 4, 4)]


def build(**changes):
    torch.manual_seed(0)
    return ResoBlend(12, CHANNELS, 6, channels=16, heads=2, **changes)


@pytest.mark.parametrize("query", ["image", "mask"])
@pytest.mark.parametrize("parts", [PARTS, *[[p for p in PARTS if p != out] for out in PARTS]])
def test_shapes_and_gradients_with_each_part_left_out(query, parts):
    blend, levels = build(query=query, parts=parts), pyramid()
    out = blend(torch.randn(2, 12, 6, 6), levels)
    assert [tuple(level.shape) for level in out] == [(2, 6, 8, 8), (2, 6, 4, 4)]
    sum(level.square().sum() for level in out).backward()
    idle = [name for name, p in blend.named_parameters() if p.grad is None]
    # Without cross-attention the image takes no part at all, and so its self-attention neither.
    assert idle == [] or "CA" not in parts and all("norm" in n or "self_" in n for n in idle)


def test_both_inputs_count():
    blend, levels, image = build(), pyramid(1), torch.randn(1, 12, 6, 6)
    before = blend(image, levels)[0]
    assert not torch.allclose(before, blend(image + torch.randn(1, 12, 6, 6), levels)[0])
    assert not torch.allclose(before, blend(image, [levels[0] * -1, levels[1]])[0])


def test_without_cross_attention_the_image_is_isolated():
    blend, levels = build(parts=["SA", "FF", "RES", "CONV"]), pyramid(1)
    first, second = (blend(torch.randn(1, 12, 6, 6), levels) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_grids_of_different_size_agree_on_places():
    coarse = sine_code(4, 4, 16, torch.device("cpu"))
    fine = sine_code(8, 8, 16, torch.device("cpu"))
    nearest = (coarse @ fine.T).argmax(1)
    rows, columns = nearest // 8, nearest % 8
    cells = torch.arange(16)
    assert ((rows // 2 == cells // 4) & (columns // 2 == cells % 4)).all()


@pytest.mark.parametrize("change", [{"query": "text"}, {"parts": ["SA", "XX"]}])
def test_unknown_choices_are_refused(change):
    with pytest.raises(ValueError, match="ResoBlend"):
        build(**change)
