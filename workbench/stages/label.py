"""Stage ``label``: checkpoints of one training to classes of one split's entities.

    python -m workbench.stages.label gella-7b-coco

Reads ``label.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/labels/KEY/`` whole: for each
checkpoint ``seed-<s>.json``, with PNGs in ``seed-<s>/`` where the mode is panoptic, or a folder
``seed-<s>/`` of ``SET.json`` for SGinW, as ``esg evaluate`` takes them (``panoptic_quality``,
``instance_ap``, ``sginw_ap``); and ``label.json`` with what each took. A run that was killed goes
on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.grounding.label import MODES
from workbench.stages.asking import ask_with_every_seed
from workbench.stages.cli import run_stage


def label(key: str) -> Path:
    """Label a split's entities and return the folder written; see `ask_with_every_seed`."""
    return ask_with_every_seed("label", key, MODES, "")


if __name__ == "__main__":
    sys.exit(run_stage(label, sys.argv))
