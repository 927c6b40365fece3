"""Two pictures with three narratives on disk, in PNG's layout, and groundings of them.

Both pictures are 4 x 8 px: two things of two columns each, and stuff in the other four columns. The
first caption names all three, the two things by the same word; the second names the things at once
and something that is not in the picture; the third names nothing.
"""

import json

import numpy as np
from PIL import Image

COLUMNS = (slice(0, 2), slice(2, 4), slice(4, 8))
SEGMENTS = {1: (10, 11, 12), 2: (20, 21, 22)}
CAPTIONS = ("A cat beside a cat on the grass", "Two cats under the sky", "Nothing here")


def write_world(folder):
    """Write the data set ``world`` with the split ``val`` and return its manifest."""
    images, annotations = [], []
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for image_id, ids in SEGMENTS.items():
        labels = np.zeros((4, 8, 3), np.uint8)
        for columns, number in zip(COLUMNS, ids, strict=True):
            labels[:, columns, 0] = number
        Image.fromarray(labels).save(folder / f"masks/{image_id}.png")
        Image.fromarray(labels).save(folder / f"images/{image_id}.jpg")
        size = {"height": 4, "width": 8}
        images.append({"id": image_id, "file_name": f"{image_id}.jpg", **size})
        info = [{"id": n, "category_id": 1 + (at == 2), "iscrowd": 0} for at, n in enumerate(ids)]
        annotations.append(
            {"image_id": image_id, "file_name": f"{image_id}.png", "segments_info": info}
        )
    categories = [
        {"id": 1, "name": "cat", "isthing": 1},
        {"id": 2, "name": "grass", "isthing": 0},
    ]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "panoptic.json").write_text(json.dumps(content))
    (folder / "png.json").write_text(json.dumps(narratives()))
    paths = {"annotations": "panoptic.json", "images": "images", "masks": "masks"}
    split = {**paths, "narratives": "png.json"}
    manifest = {"name": "world", "format": "coco_panoptic", "root": ".", "splits": {"val": split}}
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def narratives():
    """Return the content of the PNG file."""
    return [
        _narrative(1, 0, [("A", None), ("cat", [10]), ("beside a", None), ("cat", [11]),
                          ("on the", None), ("grass", [12])]),
        _narrative(2, 1, [("Two cats", [20, 21]), ("under the", None), ("sky", [])]),
        _narrative(2, 2, [("Nothing here", None)]),
    ]  # fmt: skip


def _narrative(image_id, caption, parts):
    segments = [
        {
            "utterance": text,
            "segment_ids": [str(number) for number in ids or []],
            "plural": len(ids or []) > 1,
            "noun": ids is not None,
        }
        for text, ids in parts
    ]
    return {
        "image_id": str(image_id),
        "annotator_id": 0,
        "caption": CAPTIONS[caption],
        "segments": segments,
    }


def phrase(text, scores, gt_phrase, entity_ids=()):
    return {
        "text": text,
        "start": None,
        "end": None,
        "entity_ids": list(entity_ids),
        "scores": list(scores),
        "gt_phrase": gt_phrase,
    }


def record(narrative, *phrases, entities=None, mode="generated"):
    image_id = 1 if narrative == 0 else 2
    return {
        "image_id": image_id,
        "narrative": narrative,
        "caption": CAPTIONS[narrative],
        "mode": mode,
        "phrases": list(phrases),
        "entities": list(SEGMENTS[image_id] if entities is None else entities),
        "generated_text": "",
    }


def perfect(mode="generated", entities=None):
    """Return records that find every phrase and every mask."""
    first = [
        phrase("cat", (0.9, 0.1, 0.1), 0),
        phrase("cat", (0.1, 0.9, 0.1), 1),
        phrase("grass", (0.1, 0.1, 0.9), 2),
    ]
    second = [phrase("two cats", (0.9, 0.6, 0.2), 0)]
    return [
        record(0, *first, mode=mode, entities=entities),
        record(1, *second, mode=mode, entities=entities),
    ]


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path
