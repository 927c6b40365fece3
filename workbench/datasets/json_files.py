"""Reading JSON files, with errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from workbench.datasets.json_stream import stream_object
from workbench.errors import BadInput, MissingInput
from workbench.files import sha256_file


def read_json(path: Path, fix: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        MissingInput: No such file.
        BadInput: Truncated, not JSON, not UTF-8 or not an object.
    """
    if not path.is_file():
        raise MissingInput(path, fix)
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        found = str(error) or "empty"
        raise BadInput(path, "JSON", found, "the file is damaged; get it again") from error
    if not isinstance(value, dict):
        raise BadInput(path, "top level", f"{type(value).__name__}, not an object", "get it again")
    return value


def count_records(path: Path) -> dict[str, Any]:
    """Return ``num_images``, ``num_entities`` and ``sha256`` of a COCO-style annotation file.

    Entities are the annotations of an instance file or the segments of a panoptic one. The file
    need not be sound.

    Raises:
        BadInput: Not a JSON object.
        MissingInput: No such file.
    """
    images = entities = 0
    for part in stream_object(path, "put the annotation file there"):
        if part.index is not None:
            images += part.key == "images"
            entities += _entities(part.value) if part.key == "annotations" else 0
    return {"num_images": images, "num_entities": entities, "sha256": sha256_file(path)}


def _entities(item: Any) -> int:
    """Return the segments of a panoptic record, 1 of any other."""
    segments = item.get("segments_info") if isinstance(item, dict) else None
    return len(segments) if isinstance(segments, list) else 1
