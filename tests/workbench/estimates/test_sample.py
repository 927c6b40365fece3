"""What is counted of a sample, and from which config."""

from pathlib import Path

import pytest

from workbench.estimates.counted import Counted
from workbench.estimates.sample import view_shape
from workbench.stages.resolve import load_config

ROOT = Path(__file__).parents[3]


def views(scale, **fields):
    return [{"type": "LoadPhoto"}, {"type": "CornerCropViews", "scale": scale, **fields}]


def test_inputs_are_the_largest_scale_padded_and_the_mean_of_all():
    assert view_shape(views((800, 1333), crops="none"), 4 / 3) == ((1, 3, 800, 1088), 1.0)
    assert view_shape(views((1333, 800), crops="all"), 2) == ((5, 3, 672, 1344), 1.0)
    shape, area = view_shape(views([(300, 900), (600, 900)], crops="random"), 1.5)
    assert (shape, area) == ((2, 3, 608, 928), pytest.approx((1 + 0.25) / 2))


def test_what_the_meta_device_cannot_run_is_not_counted(tmp_path, monkeypatch):
    def fail(*arguments):
        raise NotImplementedError("no kernel on the meta device")

    monkeypatch.setattr("workbench.estimates.sample.count_work", fail)
    counted = Counted(ROOT)
    counted.folder = tmp_path
    config = load_config(ROOT / "configs/paper/baselines/vita.py").to_dict()
    assert counted.work(config, None) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_paper_configs_cost_what_they_should(tmp_path):
    counted = Counted(ROOT)
    counted.folder = tmp_path

    def work(name, weights=None):
        path = ROOT / f"configs/paper/{name}.py"
        return counted.work(load_config(path).to_dict(), weights)

    one, two = work("cropformer/mask2former_800"), work("baselines/v_mask2former")
    assert len(list(tmp_path.iterdir())) == 2
    assert one.parameters == one.trained == two.parameters
    # Multi-scale training sees 81.25% of the largest input's area, three times the forward pass.
    mean = sum(side**2 for side in range(640, 801, 32)) / 6 / 800**2
    assert one.train_flops == pytest.approx(3 * mean * one.test_flops, rel=1e-3)
    # Views cost backbone and pixel decoder twice, decoder layers hardly more than once.
    assert 1.9 < two.train_flops / one.train_flops < 2.1
    assert 2.0 < two.saved_bytes / one.saved_bytes < 2.4
    # Mask2Former's paper has 232 giga multiply-adds for Swin-T on COCO (recalled).
    assert 190e9 < one.test_flops / 2 < 260e9
    large = work("gella/gella_7b", "llava-v1.5-13b")
    assert 13.0e9 < large.trained < 13.2e9 < large.parameters < 13.5e9
    assert work("cropformer/mask2former_800") == one
