"""Stage ``refer``: checkpoints of one training to masks of one split's referring expressions.

    python -m workbench.stages.refer gella-7b-refcoco-val

Reads ``refer.KEY`` of ``params.yaml``; writes ``artifacts/<scale>/referrings/KEY/`` whole: a file
``seed-<s>.json`` for each checkpoint, as ``esg evaluate --metric referring_iou`` takes it, and
``refer.json`` with what each took. A run that was killed goes on where it was.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workbench.grounding.refer import MODES
from workbench.stages.asking import ask_with_every_seed
from workbench.stages.cli import run_stage


def refer(key: str) -> Path:
    """Answer a split's expressions and return the folder written; see `ask_with_every_seed`."""
    return ask_with_every_seed("refer", key, MODES, ".json")


if __name__ == "__main__":
    sys.exit(run_stage(refer, sys.argv))
