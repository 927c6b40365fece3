"""Files that ``esg ground`` leaves for a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.files import atomic_path, write_json
from workbench.grounding.records import grounding_record
from workbench.grounding.schema import GroundingAnswer
from workbench.segmentation.overlay import entity_colours

TINT = 0.6
SHORTEST_SIDE = 480  # a small photograph is drawn larger, so that the caption fits beside it
LONGEST_SIDE = 1600
PAPER, INK = (255, 255, 255), (60, 60, 60)


def write_outputs(
    folder: Path,
    photo_path: Path,
    photo: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    ids: Sequence[int],
    answer: GroundingAnswer,
    threshold: float,
) -> dict[str, Any]:
    """Write overlay and, last, the JSON record, each whole; return the record.

    Args:
        folder: Where to.
        photo_path: The photograph's file, after which the files are called.
        photo: (H, W, 3) uint8 BGR.
        masks: (N, H, W) bool, the masks to give out.
        ids: Id of each mask.
        answer: Of the model.
        threshold: A noun means every entity of a higher probability.
    """
    record = grounding_record(answer, ids, threshold)
    position = {number: at for at, number in enumerate(ids)}
    for phrase in record["phrases"]:
        chosen = [position[number] for number in phrase["entity_ids"]]
        phrase["segmentation"] = _encode(np.logical_or.reduce(masks[chosen]))
    overlay = folder / f"{photo_path.stem}_grounding.png"
    drawn = draw_grounding(photo, masks, ids, record)
    with atomic_path(overlay) as aside:
        drawn.save(aside, "PNG")
    about = {"file_name": photo_path.name, "height": photo.shape[0], "width": photo.shape[1]}
    record = {**about, **record, "threshold": threshold}
    path = folder / f"{photo_path.stem}_grounding.json"
    write_json(path, record)
    return {**record, "json": str(path), "overlay": str(overlay)}


def draw_grounding(
    photo: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    ids: Sequence[int],
    record: dict[str, Any],
) -> Any:
    """Return a PIL picture: the photograph with grounded masks above the coloured caption.

    A mask that several nouns mean has the colour of the last one. A noun that does not stand in
    the caption as it was generated is listed after it.
    """
    from PIL import Image

    colours = entity_colours(len(record["phrases"]))[1:, ::-1]
    tinted = photo[..., ::-1].astype(np.float32)
    position = {number: at for at, number in enumerate(ids)}
    for colour, phrase in zip(colours, record["phrases"], strict=True):
        for number in phrase["entity_ids"]:
            inside = masks[position[number]]
            tinted[inside] = (1 - TINT) * photo[inside][:, ::-1] + TINT * colour.astype(np.float32)
    height, width = photo.shape[:2]
    scale = min(max(SHORTEST_SIDE / min(height, width), 1.0), LONGEST_SIDE / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    picture = Image.fromarray(tinted.round().astype(np.uint8)).resize(size)
    text = _caption(record, colours, size[0])
    sheet = Image.new("RGB", (size[0], size[1] + text.size[1]), PAPER)
    sheet.paste(picture, (0, 0))
    sheet.paste(text, (0, size[1]))
    return sheet


def _caption(record: dict[str, Any], colours: NDArray[np.uint8], width: int) -> Any:
    """Draw the caption, word by word, each in the colour of the noun that it is of."""
    from PIL import Image, ImageDraw, ImageFont

    height = max(16, width // 40)
    font = ImageFont.load_default(size=height)
    line = height * 3 // 2
    margin = line // 2
    places: list[tuple[int, int, str, int | None]] = []
    left, top = margin, margin
    for word, noun in _words(record):
        advance = int(font.getlength(word))
        if left + advance > width - margin and left > margin:
            left, top = margin, top + line
        places.append((left, top, word, noun))
        left += advance + int(font.getlength(" "))
    sheet = Image.new("RGB", (width, top + line + margin), PAPER)
    pen = ImageDraw.Draw(sheet)
    for x, y, word, noun in places:
        colour = INK if noun is None else tuple(int(channel) for channel in colours[noun])
        pen.text((x, y), word, fill=colour, font=font)
        if noun is not None:
            pen.line((x, y + line - 5, x + int(font.getlength(word)), y + line - 5), colour, 3)
    return sheet


def _words(record: dict[str, Any]) -> list[tuple[str, int | None]]:
    """Return the caption's words, each with the number of its noun; then nouns not found in it."""
    caption, at = record["caption"], 0
    owner: list[int | None] = [None] * len(caption)
    missing: list[int] = []
    for number, phrase in enumerate(record["phrases"]):
        if phrase["start"] is None:
            missing.append(number)
            continue
        owner[phrase["start"] : phrase["end"]] = [number] * (phrase["end"] - phrase["start"])
    words: list[tuple[str, int | None]] = []
    for word in caption.split():
        start = caption.index(word, at)
        at = start + len(word)
        words.append((word, next((o for o in owner[start:at] if o is not None), None)))
    listed = [("|", None)] if missing else []
    return words + listed + [(record["phrases"][n]["text"] or "?", n) for n in missing]


def _encode(mask: NDArray[np.bool_]) -> dict[str, Any]:
    from workbench.segmentation.label_map import encode_label_map

    return encode_label_map(mask.astype(np.uint8), 1)[0]
