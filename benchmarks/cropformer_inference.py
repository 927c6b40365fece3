"""CropFormer at the paper's sizes: this project's inference against the straightforward way.

Both run in processes of their own on the same random picture with the same random weights
(Swin-T, 100 queries, five views). Printed for each part: seconds, of the processors too, and the
peak memory of the process while it ran; then the ratios and how far the outputs are apart.

    python benchmarks/cropformer_inference.py [--input 400x666] [--output 800x1332]
        [--sides straightforward ours] [--repeats 1] [--config configs/paper/cropformer/...]

Outputs are compared in double precision, on a picture of a quarter of the pixels, to 1e-4. In
single precision a query's attention now and then takes in a pixel on one side and not on the other,
whose mask logit is within rounding of zero, and what follows moves with it; those differences are
printed, not judged.

The weights are those with which a training starts, changed so that the picture falls into a
realistic number of entities: one channel of the mask features is constant and lowers all mask
logits, and these and the class logits are spread. Exit code 1 if outputs disagree.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measured import measure, peak_mib
from parts import Meter, Part
from torch import nn

import projects.cropformer  # noqa: F401

TOLERANCE = 1e-4
SIDES = ("straightforward", "ours")
CONFIG = "configs/paper/cropformer/cropformer.py"
MASK_OFFSET = -3.0  # added to all mask logits
MASK_GAIN, CLASS_GAIN = 20.0, 5.0


def build(side: str, config_path: str) -> nn.Module:
    """Build the model of a side with the weights that both share."""
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope
    from straightforward import straightforward_config

    MMLogger.get_current_instance().setLevel("WARNING")
    config = Config.fromfile(config_path, import_custom_modules=False).model
    config.backbone.init_cfg = None
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmdet"):
        model = MODELS.build(config)
        draw_weights(model)
        if side == "straightforward":
            weights = model.state_dict()
            model = MODELS.build(straightforward_config(config))
            model.load_state_dict(weights)
    model.train(False)
    return model


@torch.no_grad()
def draw_weights(model: nn.Module) -> None:
    """Initialise a model as a training would, and let it find entities."""
    model.init_weights()
    head = model.head
    head.pixel_decoder.mask_feature.weight[0] = 0
    head.pixel_decoder.mask_feature.bias[0] = 1
    head.mask_embed[-1].weight *= MASK_GAIN
    head.mask_embed[-1].weight[0] = 0
    head.mask_embed[-1].bias[0] = MASK_OFFSET
    head.cls_embed.weight *= CLASS_GAIN


def draw_photo(size: tuple[int, int], views: str, input_size: tuple[int, int]) -> dict[str, Any]:
    """Return a smooth random picture of ``size`` as the batch that a data loader would give."""
    from projects.cropformer import CornerCropViews, PackViews

    height, width = size
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((1, 3, 9, 15), generator=generator) * 255
    image = nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 255)[0]
    results = {"img": image.permute(1, 2, 0).byte().numpy(), "ori_shape": size, "img_id": 0}
    packed = PackViews()(CornerCropViews(input_size, crops=views)(results))
    return {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}


def run_side(
    side: str, options: argparse.Namespace, out: Path, check: bool = False
) -> dict[str, Any]:
    """Segment the picture, write what came out, and return what each part took.

    With ``check`` in double precision, a quarter of the size and once.
    """
    model = build(side, options.config).to(torch.float64 if check else torch.float32)
    views = "all" if "cropformer.py" in options.config else "none"
    scale = 2 if check else 1
    sizes = [(height // scale, width // scale) for height, width in (options.output, options.input)]
    batch = draw_photo(sizes[0], views, sizes[1])
    before_mib = peak_mib()
    meter = Meter()
    meter.watch(model.backbone, "backbone")
    meter.watch(model.head.pixel_decoder, "pixel decoder")
    with torch.no_grad():
        data = model.data_preprocessor(batch, False)
        inputs = data["inputs"].double() if check else data["inputs"]
        for _ in range(1 if check else options.repeats):
            with meter.part("predictor"):
                class_logits, mask_logits = model.predict_logits(inputs)
            with meter.part("masks to scores"):
                scores = class_logits[0].softmax(-1)[:, 0]
                merged = model.merge(scores, mask_logits[0], data["data_samples"][0])
    sample = data["data_samples"][0]
    result = {
        "class_logits": class_logits[0].numpy(),
        "mask_logits": mask_logits[0].numpy(),
        "label_map": merged.label_map.numpy(),
        "scores": merged.scores.numpy(),
    }
    if side == "straightforward":
        from straightforward import fused_probabilities

        margin = (fused_probabilities(mask_logits[0], sample) - 0.5).abs_().amin(0)
        result["undecided"] = (margin < TOLERANCE).numpy()
    np.savez(out, **result)
    for part in meter.parts.values():
        part.seconds /= options.repeats
        part.cpu_seconds /= options.repeats
    return {"before_mib": before_mib, "parts": meter.parts, "total": meter.total()}


def print_side(name: str, side: dict[str, Any]) -> None:
    """Print one line a part."""
    print(f"{name} ({side['before_mib']:.0f} MiB before inference, model and picture loaded)")
    for part_name, part in {**side["parts"], "all": side["total"]}.items():
        print(
            f"  {part_name:<16} {part.seconds:7.2f} s {part.cpu_seconds:7.2f} s of CPU,"
            f" peak memory {part.peak_mib:6.0f} MiB"
        )


def print_ratios(slow: dict[str, Any], fast: dict[str, Any]) -> None:
    """Print how many times less time and memory the second side takes."""
    first: Part = slow["total"]
    second: Part = fast["total"]
    above = (first.peak_mib - slow["before_mib"]) / (second.peak_mib - fast["before_mib"])
    print(
        f"time {first.seconds / second.seconds:.2f} times less,"
        f" of CPU {first.cpu_seconds / second.cpu_seconds:.2f};"
        f" peak memory {first.peak_mib / second.peak_mib:.2f} times less,"
        f" {above:.2f} above what was there before"
    )


def compare(expected: Path, actual: Path) -> bool:
    """Print how far outputs are apart; return whether they agree."""
    with np.load(expected) as one, np.load(actual) as other:
        apart = {
            name: float(np.abs(one[name] - other[name]).max())
            for name in ("class_logits", "mask_logits", "scores")
        }
        far = float((np.abs(one["mask_logits"] - other["mask_logits"]) > TOLERANCE).mean())
        differing = one["label_map"] != other["label_map"]
        decided = int((differing & ~one["undecided"]).sum())
        entities = int((np.bincount(one["label_map"].ravel())[1:] > 0).sum())
        size, spread = differing.size, float(one["mask_logits"].std())
    print(f"{entities} entities, mask logits with standard deviation {spread:.1f}; largest error")
    print(" of " + ", ".join(f"{name} {error:.1e}" for name, error in apart.items()), end="")
    print(f"; {far:.2%} of mask logits are over {TOLERANCE} apart")
    print(f" label map differs in {int(differing.sum())} of {size} pixels, {decided} not at 0.5")
    return decided == 0 and max(apart.values()) <= TOLERANCE


def size(text: str) -> tuple[int, int]:
    """Read HEIGHTxWIDTH."""
    height, width = text.split("x")
    return int(height), int(width)


def main() -> None:
    """Measure the sides, one after the other; exit code 1 if outputs disagree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=size, default=(400, 666), help="limits of a view")
    parser.add_argument("--output", type=size, default=(800, 1332), help="size of the picture")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=SIDES)
    parser.add_argument("--config", default=CONFIG)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outputs = {side: Path(folder) / f"{side}.npz" for side in options.sides}
        results = {}
        for side in options.sides:
            results[side] = measure(run_side, side, options, outputs[side]).result
            print_side(side, results[side])
        if len(results) < len(SIDES):
            return
        print_ratios(*(results[side] for side in SIDES))
        print("single precision:", end=" ")
        compare(*(outputs[side] for side in SIDES))
        for side in SIDES:
            measure(run_side, side, options, outputs[side], True)
        print("double precision, a quarter of the pixels:", end=" ")
        agree = compare(*(outputs[side] for side in SIDES))
    raise SystemExit(0 if agree else 1)


if __name__ == "__main__":
    main()
