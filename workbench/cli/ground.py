"""``esg ground``: a caption's nouns as entity masks of a photograph."""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.output import add_json_option, print_json, probability
from workbench.errors import BadInput, MissingInput

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEFAULT_OUT = Path("groundings")
DEFAULT_KEY = "gella-7b"
DEFAULT_THRESHOLD = 0.5


def add_verbs(verbs: Any) -> None:
    """Add ``ground``."""
    parser = verbs.add_parser(
        "ground",
        help="a caption's nouns as entity masks of a photograph",
        description="Write NAME_grounding.json (nouns with their spans in the caption, the ids of "
        "the entities that they mean and their masks) and NAME_grounding.png (the photograph above "
        "the caption, each noun in the colour of its masks). Entities come from --entities or from "
        "the trained CropFormer. Without --caption the model describes the photograph first.",
        allow_abbrev=False,
    )
    parser.add_argument("image", type=Path, metavar="IMAGE", help="JPEG, PNG, WebP or BMP")
    parser.add_argument("--caption", metavar="TEXT", help="text whose nouns are grounded")
    parser.add_argument(
        "--entities",
        type=Path,
        metavar="FILE",
        help="masks of any tool: COCO results (.json) or a label map (.png, pixel = entity id)",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help=f"trained model (default: the scale's {DEFAULT_KEY})"
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="folder (default: %(default)s)"
    )
    parser.add_argument(
        "--threshold",
        type=probability,
        default=DEFAULT_THRESHOLD,
        metavar="P",
        help="a noun means every entity that is likelier, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--reconstructed",
        action="store_true",
        help="give the masks as the model rebuilt them instead of those that it was given",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ground one photograph."""
    from workbench.photos import read_photo

    if arguments.caption is not None and not arguments.caption.strip():
        fix = "give a sentence, or leave it out to have one written"
        raise BadInput("--caption", "TEXT", "is empty", fix)
    if arguments.out.exists() and not arguments.out.is_dir():
        raise BadInput("--out", "DIR", f"{arguments.out} is a file", "name a folder")
    checkpoint = arguments.checkpoint or default_checkpoint()
    photo = read_photo(arguments.image)
    masks, ids, source = _entities(arguments.entities, photo)
    warnings.filterwarnings("ignore", module=r"torch\.functional")
    from workbench.grounding.grounder import Grounder
    from workbench.grounding.outputs import write_outputs
    from workbench.grounding.schema import GroundingRequest

    grounder = Grounder.from_checkpoint(checkpoint)
    begin = time.perf_counter()
    answer = grounder.ground([GroundingRequest(photo, masks, arguments.caption)])[0]
    seconds = round(time.perf_counter() - begin, 3)
    shown = answer.reconstructed if arguments.reconstructed else masks
    record = write_outputs(
        arguments.out, arguments.image, photo, shown, ids, answer, arguments.threshold
    )
    record |= {"checkpoint": str(checkpoint), "entities_from": source, "seconds": seconds}
    if arguments.json:
        print_json(record)
        return 0
    print(f"{answer.caption}\n")
    for phrase in record["phrases"]:
        named = ", ".join(map(str, phrase["entity_ids"]))
        print(f"  {phrase['text']}: {named} ({max(phrase['scores']):.2f})")
    if not record["phrases"]:
        print("  no noun found")
    print(f"{arguments.image}: {len(ids)} entities, {seconds:.1f} s -> {record['overlay']}")
    return 0


def default_checkpoint() -> Path:
    """Return the first grounding checkpoint of the current scale.

    Raises:
        MissingInput: It has not been trained; the message has the command that does it.
    """
    from workbench.params import load_params
    from workbench.paths import Layout, project_root

    layout = Layout(load_params()["scale"])
    path = project_root() / layout.checkpoints(DEFAULT_KEY) / "seed-0.pth"
    if not path.is_file():
        raise MissingInput(path, f"run `dvc repro finetune@{DEFAULT_KEY}`, or give --checkpoint")
    return path


def _entities(path: Path | None, photo: NDArray[Any]) -> tuple[NDArray[Any], list[int], str]:
    """Return masks (N, H, W), best first, their ids, and where they are from."""
    from workbench.grounding.entities import masks_of_rles, read_entities

    size = (photo.shape[0], photo.shape[1])
    if path is not None:
        masks, ids = read_entities(path, size)
        return masks, ids, str(path)
    from workbench.cli.segment import DEFAULT_THRESHOLD as SCORE
    from workbench.cli.segment import default_checkpoint as segmenter_checkpoint
    from workbench.segmentation.segmenter import Segmenter

    checkpoint = segmenter_checkpoint()
    found = Segmenter.from_checkpoint(checkpoint).segment(photo)
    kept = [entity for entity in found if entity.score >= SCORE] or found
    masks = masks_of_rles([entity.segmentation for entity in kept], size, checkpoint)
    return masks, list(range(1, len(kept) + 1)), str(checkpoint)
