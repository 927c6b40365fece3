"""Writes scenes with captions as PNG (Panoptic Narrative Grounding) lays them out over COCO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.worlds.coco_layout import CocoWriter
from workbench.datasets.worlds.encode import write_compact_json
from workbench.datasets.worlds.grammar import Segment, caption_of
from workbench.datasets.worlds.grounding_scene import GroundingScene
from workbench.datasets.worlds.narrative_spec import NarrativeSpec

CAPTION_STREAM = 7


class NarrativeWriter(CocoWriter):
    """Writes one split: COCO panoptic files, and a narrative a picture.

    Args:
        root: Folder of the data set.
        split: "train", "val" or "captions".
        spec: The world's parameters.
    """

    def __init__(self, root: Path, split: str, spec: NarrativeSpec) -> None:
        super().__init__(root, split, spec)
        self._narratives: list[dict[str, Any]] = []
        self._narrative_spec = spec

    def add_grounded(self, index: int, found: GroundingScene) -> None:
        """Write a picture and note its segments and caption."""
        self.add(index, found.scene)
        record = self._panoptic[-1]
        spec, wide = self._narrative_spec, 0
        if self._split != "train":
            wide = spec.wide_percent
        stream = [spec.seed, record["image_id"], CAPTION_STREAM]
        segments = caption_of(np.random.Generator(np.random.PCG64(stream)), found, wide)
        ids = [segment["id"] for segment in record["segments_info"]]
        if self._split == "captions":
            ids = []
        self._narratives.append(_narrative(record["image_id"], segments, ids))

    def close(self) -> dict[str, dict[str, Any]]:
        """Write the JSON files; return the manifest's entry of the split."""
        entries = super().close()
        path = f"annotations/png_coco_{self._split}2017.json"
        write_compact_json(self._root / path, self._narratives)
        entries[self._split]["narratives"] = path
        return entries


def _narrative(image_id: int, segments: list[Segment], ids: list[int]) -> dict[str, Any]:
    """Return a record of PNG's schema.

    Args:
        image_id: Id of the picture.
        segments: Of the caption, in order.
        ids: Panoptic ids of entities 1, 2, ...; empty to leave nouns ungrounded.
    """
    caption = " ".join(segment.text for segment in segments).replace(" .", ".")
    return {
        "image_id": str(image_id),
        "annotator_id": 0,
        "caption": caption,
        "segments": [
            {
                "utterance": segment.text,
                "segment_ids": [str(ids[n - 1]) for n in segment.entities] if ids else [],
                "plural": len(segment.entities) > 1,
                "noun": segment.noun,
            }
            for segment in segments
        ],
    }
