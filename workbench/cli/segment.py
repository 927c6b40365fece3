"""``esg segment``: entity masks of photographs."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.output import add_json_option, print_json, probability, say_error
from workbench.errors import BadInput, MissingInput

if TYPE_CHECKING:
    from workbench.segmentation.outputs import PhotoOutputs
    from workbench.segmentation.segmenter import Segmenter

DEFAULT_OUT = Path("entities")
DEFAULT_KEY = "cropformer"
# The released demo's bound on the output score.
DEFAULT_THRESHOLD = 0.5


def add_verbs(verbs: Any) -> None:
    """Add ``segment``."""
    parser = verbs.add_parser(
        "segment",
        help="entity masks of photographs",
        description="Write, for each photograph and at its own size, NAME.json (COCO results, RLE "
        "masks with scores), NAME_labels.png (16 bit, pixel = entity id, 0 = none) and "
        "NAME_overlay.png. An EXIF orientation is applied: masks are those of the upright picture.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="JPEG, PNG, WebP or BMP, or a folder"
    )
    parser.add_argument(
        "--checkpoint", type=Path, help=f"trained segmenter (default: the scale's {DEFAULT_KEY})"
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="folder (default: %(default)s)"
    )
    parser.add_argument(
        "--score-threshold",
        type=probability,
        default=DEFAULT_THRESHOLD,
        metavar="SCORE",
        help="leave out entities with a lower score, 0 to 1 (default: %(default)s)",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Segment all photographs; a bad one costs its line and exit code 2, not the others."""
    from workbench.photos import find_photos
    from workbench.segmentation.outputs import plan_outputs

    threshold = arguments.score_threshold
    if arguments.out.exists() and not arguments.out.is_dir():
        raise BadInput("--out", "DIR", f"{arguments.out} is a file", "name a folder")
    planned = plan_outputs(find_photos(arguments.images), arguments.out)
    checkpoint = arguments.checkpoint or default_checkpoint()
    warnings.filterwarnings("ignore", module=r"torch\.functional")
    from workbench.segmentation.segmenter import Segmenter

    segmenter = Segmenter.from_checkpoint(checkpoint)
    written: list[dict[str, Any]] = []
    exit_code = 0
    for photo, outputs in planned.items():
        try:
            summary = _segment_one(segmenter, photo, outputs, threshold)
        except BadInput as error:
            say_error(str(error))
            exit_code = error.exit_code
            continue
        written.append(summary)
        if not arguments.json:
            print(_line(summary), flush=True)
    if arguments.json:
        print_json({"checkpoint": checkpoint, "score": segmenter.score, "photos": written})
    elif len(planned) > 1:
        print(f"{len(written)} of {len(planned)} photographs segmented", file=sys.stderr)
    return exit_code


def default_checkpoint() -> Path:
    """Return the first CropFormer checkpoint of the current scale.

    Raises:
        MissingInput: It has not been trained; the message has the command that does it.
    """
    from workbench.params import load_params
    from workbench.paths import Layout, project_root

    layout = Layout(load_params()["scale"])
    path = project_root() / layout.checkpoints(DEFAULT_KEY) / "seed-0.pth"
    if not path.is_file():
        raise MissingInput(path, f"run `dvc repro train@{DEFAULT_KEY}`, or give --checkpoint")
    return path


def _segment_one(
    segmenter: Segmenter, photo: Path, outputs: PhotoOutputs, threshold: float
) -> dict[str, Any]:
    """Segment one photograph, write its files and return what was done."""
    from workbench.photos import read_photo
    from workbench.segmentation.outputs import write_outputs

    started = time.perf_counter()
    image = read_photo(photo)
    found = segmenter.segment(image)
    kept = [entity for entity in found if entity.score >= threshold]
    write_outputs(outputs, photo, image, kept)
    return {
        "photo": str(photo),
        "height": image.shape[0],
        "width": image.shape[1],
        "entities": len(kept),
        "below_threshold": len(found) - len(kept),
        "seconds": round(time.perf_counter() - started, 3),
        "json": str(outputs.entities),
        "labels": str(outputs.labels),
        "overlay": str(outputs.overlay),
    }


def _line(summary: dict[str, Any]) -> str:
    below = f" ({summary['below_threshold']} below the threshold)"
    return (
        f"{summary['photo']}: {summary['entities']} entities"
        f"{below if summary['below_threshold'] else ''}, {summary['seconds']:.1f} s"
        f" -> {summary['overlay']}"
    )
