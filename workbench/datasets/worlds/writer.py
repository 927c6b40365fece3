"""Writes whole worlds: scenes, annotations, manifest and contact sheet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

from workbench.datasets.manifest import manifest_entry
from workbench.datasets.worlds.ade20k_layout import Ade20kWriter
from workbench.datasets.worlds.annotators_layout import AnnotatorsWriter
from workbench.datasets.worlds.camo_layout import write_camo
from workbench.datasets.worlds.coco_layout import CocoWriter
from workbench.datasets.worlds.contact_sheet import ContactSheet
from workbench.datasets.worlds.dis_layout import write_dis
from workbench.datasets.worlds.entityseg_classes_layout import EntitySegClassesWriter
from workbench.datasets.worlds.entityseg_layout import EntitySegWriter
from workbench.datasets.worlds.families import FAMILIES
from workbench.datasets.worlds.fewshot_layout import write_fewshot
from workbench.datasets.worlds.grounding_scene import make_grounding_scene
from workbench.datasets.worlds.lvis_layout import write_lvis
from workbench.datasets.worlds.narrative_layout import NarrativeWriter
from workbench.datasets.worlds.narrative_spec import NarrativeSpec, parse_narrative_spec
from workbench.datasets.worlds.ocid_layout import write_ocid
from workbench.datasets.worlds.referring_spec import ReferringSpec, VideoSpec
from workbench.datasets.worlds.scene import Scene, make_scene
from workbench.datasets.worlds.set_spec import SET_SPLITS, SetSpec, parse_set_spec
from workbench.datasets.worlds.sginw_layout import write_sginw
from workbench.datasets.worlds.spec import WorldSpec, load_specs, parse_spec
from workbench.errors import BadInput
from workbench.files import atomic_folder, sha256_tree, write_json
from workbench.paths import project_root

SPLITS = ("train", "val", "captions")
# On-disk form of the splits of each format of worlds; a split may have its own.
FORMATS = {
    "entityseg": "entityseg",
    "entityseg_annotators": "entityseg",
    "entityseg_classes": "coco_instances",
    "ade20k": "coco_panoptic",
    "coco": "coco_panoptic",
    "png": "coco_panoptic",
    "lvis": "lvis",
    "ocid": "ocid",
    "camo_pp": "coco_instances",
    "fss1000": "fss1000",
    "dis5k": "binary_masks",
    "sginw": "sginw",
    **{name: family.form for name, family in FAMILIES.items()},
}
Spec = WorldSpec | NarrativeSpec | SetSpec | ReferringSpec | VideoSpec
Entries = dict[str, dict[str, Any]]


SET_WRITERS: dict[str, Callable[[Path, SetSpec, ContactSheet], Entries]] = {
    "lvis": write_lvis,
    "ocid": write_ocid,
    "camo_pp": write_camo,
    "fss1000": write_fewshot,
    "dis5k": write_dis,
    "sginw": write_sginw,
}


class SplitWriter(Protocol):
    """Writes one split in one on-disk layout."""

    def add(self, index: int, scene: Scene) -> None:
        """Take one scene."""

    def close(self) -> dict[str, dict[str, Any]]:
        """Finish the split's files and return its manifest entries."""


def write_world(name: str, spec: dict[str, Any], out: Path) -> None:
    """Generate one world in its data set's on-disk layout.

    The same ``spec`` gives the same bytes. The folder appears whole: it is written aside and
    then takes the place of ``out``.

    Args:
        name: Name of the data set in the manifest.
        spec: Mapping as in ``configs/mini/worlds.yaml``.
        out: Folder that will hold the files, ``manifest.json`` and ``contact_sheet.png``.

    Raises:
        BadInput: A field of ``spec`` is missing, unknown or out of range.
    """
    typed = parse_world(name, spec)
    with atomic_folder(out) as aside:
        sheet = ContactSheet()
        if isinstance(typed, ReferringSpec | VideoSpec):
            entries = FAMILIES[typed.format].write(aside, typed)
        else:
            if isinstance(typed, SetSpec):
                entries = SET_WRITERS[typed.format](aside, typed, sheet)
            else:
                entries = _write_scenes(aside, typed, sheet)
            sheet.write(aside / "contact_sheet.png")
        write_json(aside / "manifest.json", _manifest(name, typed, aside, entries))


def _write_scenes(root: Path, spec: WorldSpec | NarrativeSpec, sheet: ContactSheet) -> Entries:
    """Write a world of scenes, split by split; return the manifest's entries."""
    entries: Entries = {}
    for split in (s for s in SPLITS if s in spec.splits):
        number = SPLITS.index(split)
        writer = _split_writer(root, split, spec)
        for index in range(spec.splits[split]):
            sheet.add(_add_scene(writer, spec, number, index))
        entries |= writer.close()
    return entries


def write_worlds(scale: str, out_root: Path, names: Iterable[str] | None = None) -> list[Path]:
    """Generate the worlds of a scale below ``out_root``, one folder each.

    Args:
        scale: "mini" or "smoke"; its parameters are ``configs/<scale>/worlds.yaml``.
        out_root: Parent of the worlds' folders.
        names: Worlds to write; all by default.

    Returns:
        The folders, in the order of the file.

    Raises:
        BadInput: Unknown world, or a bad field in the file.
        MissingInput: The scale has no generated worlds.
    """
    path = project_root() / "configs" / scale / "worlds.yaml"
    specs = load_specs(path)
    for name in names or ():
        if name not in specs:
            raise BadInput(path, name, "unknown world", f"use one of: {', '.join(specs)}")
    chosen = [name for name in specs if names is None or name in set(names)]
    for name in chosen:
        parse_world(name, specs[name], path)
    for name in chosen:
        write_world(name, specs[name], out_root / name)
    return [out_root / name for name in chosen]


def parse_world(name: str, raw: dict[str, Any], where: str | Path = "worlds.yaml") -> Spec:
    """Check a world's mapping of whichever format and return it typed.

    Raises:
        BadInput: A field is missing, unknown, of the wrong type or out of range.
    """
    form = str(raw.get("format")) if isinstance(raw, dict) else ""
    if form == "png":
        return parse_narrative_spec(name, raw, where)
    if form in SET_SPLITS:
        return parse_set_spec(name, raw, where)
    if form in FAMILIES:
        return FAMILIES[form].parse(name, raw, where)
    return parse_spec(name, raw, where)


SCENE_WRITERS: dict[str, Callable[[Path, str, WorldSpec], SplitWriter]] = {
    "coco": CocoWriter,
    "entityseg": EntitySegWriter,
    "entityseg_annotators": AnnotatorsWriter,
    "entityseg_classes": EntitySegClassesWriter,
    "ade20k": Ade20kWriter,
}


def _split_writer(root: Path, split: str, spec: WorldSpec | NarrativeSpec) -> SplitWriter:
    if isinstance(spec, NarrativeSpec):
        return NarrativeWriter(root, split, spec)
    return SCENE_WRITERS[spec.format](root, split, spec)


def _add_scene(
    writer: SplitWriter, spec: WorldSpec | NarrativeSpec, split: int, index: int
) -> Scene:
    """Make a scene, hand it to the writer and return it."""
    if isinstance(spec, NarrativeSpec) and isinstance(writer, NarrativeWriter):
        found = make_grounding_scene(spec, split, index)
        writer.add_grounded(index, found)
        return found.scene
    assert isinstance(spec, WorldSpec)
    scene = make_scene(spec, split, index)
    writer.add(index, scene)
    return scene


def _manifest(name: str, spec: Spec, root: Path, entries: Entries) -> Any:
    """Describe the files just written, down to the hash of every picture's bytes."""
    splits, form = {}, FORMATS[spec.format]
    for split, entry in entries.items():
        folders = [entry[key] for key in ("images", "masks") if entry.get(key)]
        hashes = "".join(sha256_tree(root / folder) for folder in folders)
        files = hashlib.sha256(hashes.encode()).hexdigest()
        splits[split] = {**manifest_entry(root, form, entry, split), "files_sha256": files}
    return {"name": name, "format": form, "root": ".", "splits": splits}
