"""``esg sync`` and ``esg reap``: the store of runs after an absence or a kill."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli.output import add_json_option, print_json
from workbench.errors import EsgError

if TYPE_CHECKING:
    from workbench.tracking.liveness import Closed


def add_verbs(verbs: Any) -> None:
    """Add ``sync`` and ``reap``."""
    sync = verbs.add_parser(
        "sync",
        help="deliver to MLflow what it lacks",
        description="Deliver what could not be logged while the store was away, and the tables "
        "that it does not have. Nothing is delivered twice.",
        allow_abbrev=False,
    )
    add_json_option(sync)
    sync.set_defaults(run=run_sync)
    reap = verbs.add_parser(
        "reap",
        help='close what a kill left "running"',
        description="End the runs of this machine whose process has gone without ending them. "
        "Live ones and those of other machines are left alone.",
        allow_abbrev=False,
    )
    add_json_option(reap)
    reap.set_defaults(run=run_reap)


def run_sync(arguments: argparse.Namespace) -> int:
    """Deliver, and say how much."""
    from workbench.paths import store_root
    from workbench.tracking.sync import sync

    done = sync(store_root())
    if arguments.json:
        print_json(asdict(done))
        return 0
    print(f"{done.store}: {done.records} records of {len(done.runs)} runs delivered")
    if done.tables:
        print(f"tables logged: {', '.join(done.tables)}")
    if done.refused:
        print(f"{done.refused} records left out: the store refuses them, or their file has gone")
    if done.live:
        print(f"{done.live} runs are under way and deliver their own")
    return 0


def run_reap(arguments: argparse.Namespace) -> int:
    """Close what is dead, by kind, and say what."""
    from workbench.paths import store_root

    root = store_root()
    closed = {kind: reap(root) for kind, reap in _reapers().items()}
    if arguments.json:
        print_json({kind: [asdict(each) for each in found] for kind, found in closed.items()})
        return 0
    for kind, found in closed.items():
        print(f"{len(found)} {kind} closed")
        for each in found:
            print(f"  {each.name} ({each.id})")
    return 0


def _reapers() -> dict[str, Callable[[Path], list[Closed]]]:
    """Return, by the kind of thing, the function that closes the dead ones of a checkout."""
    from workbench.tracking.liveness import reap
    from workbench.tracking.store import reason, tracking_uri

    def runs(root: Path) -> list[Closed]:
        try:
            return reap(root)
        except Exception as error:
            raise EsgError(f"{tracking_uri(root)}: does not answer ({reason(error)})") from error

    return {"runs": runs}
