"""Worlds that are written as a whole, by the format in ``worlds.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.datasets.worlds.reasonseg_layout import write_reasonseg
from workbench.datasets.worlds.refcoco_layout import write_refcoco
from workbench.datasets.worlds.referring_spec import parse_referring_spec, parse_video_spec
from workbench.datasets.worlds.video_layouts import write_uvo, write_vipseg, write_ytvis


@dataclass(frozen=True)
class Family:
    """How worlds of one format are made.

    Attributes:
        form: On-disk form, a key of ``formats.FORMATS``.
        parse: Checks the world's mapping: (name, mapping, file) to its parameters.
        write: Writes (folder, parameters) with a contact sheet of its own and returns the
            manifest's entries of the splits.
    """

    form: str
    parse: Callable[[str, dict[str, Any], str | Path], Any]
    write: Callable[[Path, Any], dict[str, dict[str, Any]]]


FAMILIES: dict[str, Family] = {
    "refcoco": Family("refcoco", parse_referring_spec, write_refcoco),
    "refcoco_plus": Family("refcoco", parse_referring_spec, write_refcoco),
    "refcocog": Family("refcoco", parse_referring_spec, write_refcoco),
    "reasonseg": Family("reasonseg", parse_referring_spec, write_reasonseg),
    "ytvis": Family("ytvis", parse_video_spec, write_ytvis),
    "uvo": Family("uvo", parse_video_spec, write_uvo),
    "vipseg": Family("vipseg", parse_video_spec, write_vipseg),
}
