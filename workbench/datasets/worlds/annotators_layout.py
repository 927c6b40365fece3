"""Writes scenes as several annotators' EntitySeg files, to compare the annotators (Table II).

The re-annotated pictures of EntitySeg were not released, so the names are ours; the files are of
EntitySeg's form. The first annotator's masks are the scene's. ``masks_N`` has what annotator N
outlined, ``classes_N`` how N called the first one's masks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from workbench.datasets.worlds.annotator import redrawn, renamed
from workbench.datasets.worlds.encode import write_compact_json, write_jpeg
from workbench.datasets.worlds.entityseg_layout import (
    ANNOTATIONS,
    FOLDERS,
    empty_file,
    entity_records,
    note_picture,
    split_entry,
)
from workbench.datasets.worlds.scene import Scene
from workbench.datasets.worlds.spec import WorldSpec

Record = dict[str, Any]
ANNOTATORS = (1, 2, 3)


class AnnotatorsWriter:
    """Writes the pictures of one split as they come; ``close`` writes a file an annotator and task.

    Args:
        root: Folder of the data set.
        split: "val".
        spec: The world's parameters; those of EntitySeg's world give its validation pictures.
    """

    def __init__(self, root: Path, split: str, spec: WorldSpec) -> None:
        self._root, self._split, self._spec = root, split, spec
        self._files = {
            f"{task}_{one}": empty_file() for task in ("masks", "classes") for one in ANNOTATORS
        }

    def add(self, index: int, scene: Scene) -> None:
        """Write the picture of a scene and what each annotator makes of it."""
        name = f"{FOLDERS[index % len(FOLDERS)]}/{scene.domain}_{self._split}_{index:06d}.jpg"
        write_jpeg(self._root / "images" / name, scene.image)
        for one in ANNOTATORS:
            masks, classes = scene, scene
            if one != ANNOTATORS[0]:
                stream = np.random.SeedSequence([self._spec.seed, one, index])
                rng = np.random.Generator(np.random.PCG64(stream))
                masks, classes = renamed(redrawn(scene, rng), rng), renamed(scene, rng)
            self._note(f"masks_{one}", name, masks)
            self._note(f"classes_{one}", name, classes)

    def _note(self, file: str, name: str, scene: Scene) -> None:
        records = entity_records(scene, scene.labels)
        note_picture(self._files[file], name, scene.labels.shape, records)

    def close(self) -> dict[str, Record]:
        """Write the JSON files; return the manifest's entries of the splits."""
        entries = {}
        for file, content in self._files.items():
            path = f"{ANNOTATIONS}/entityv2_500_{file}.json"
            write_compact_json(self._root / path, content)
            entries[file] = split_entry(path, "images")
        return entries
