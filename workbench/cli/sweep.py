"""``esg sweep``: search hyper-parameters, look at a search, take its best values over."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from workbench.cli.output import add_json_option, coloured, positive, print_json
from workbench.errors import BadInput

APPLY, SHOW = "apply", "show"
COLOURS = {"+": "green", "-": "red", "@": "dim"}


def add_verbs(verbs: Any) -> None:
    """Add ``sweep``."""
    sweep = verbs.add_parser(
        "sweep",
        usage="esg sweep [-h] [show | apply] NAME [options]",
        help="search hyper-parameters with Optuna",
        description="Run the sweep configs/sweeps/NAME.yaml to its number of trials; `show` says "
        "how far it is, `apply` writes its best values into params.yaml. Interrupted, the same "
        "command goes on. See docs/sweeps.md.",
        allow_abbrev=False,
    )
    sweep.add_argument("words", nargs="+", metavar="NAME", help="e.g. cropformer")
    sweep.add_argument(
        "--n-trials", type=positive, metavar="TOTAL", help="of the whole study, earlier calls "
        "included (default: the sweep's)",
    )  # fmt: skip
    sweep.add_argument(
        "--workers", type=positive, metavar="N", help="processes on this machine (default: one a "
        "GPU, without one a core; one at paper scale)",
    )  # fmt: skip
    sweep.add_argument(
        "--storage", metavar="URL", help="sqlite:///FILE, journal:FILE or postgresql://...; with "
        "the last, the same command on any machine joins in (default: $OPTUNA_STORAGE, else a file "
        "in work_dirs)",
    )  # fmt: skip
    sweep.add_argument(
        "--heartbeat", type=positive, default=30, metavar="S", help="seconds between a worker's "
        "signs of life; without four of them its trial is run again (default: 30)",
    )  # fmt: skip
    sweep.add_argument("--dry-run", action="store_true", help="with apply: show the change only")
    add_json_option(sweep)
    sweep.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run, show or apply a sweep."""
    *verb, name = arguments.words
    if verb not in ([], [SHOW], [APPLY]):
        problem = " ".join(arguments.words)
        raise BadInput("esg sweep", "NAME", repr(problem), "give one name, after show or apply")
    if arguments.dry_run and verb != [APPLY]:
        raise BadInput("--dry-run", "apply", "missing", "use it with `esg sweep apply NAME`")
    if verb == [APPLY]:
        return _apply(name, arguments)
    return _show(name, arguments) if verb == [SHOW] else _search(name, arguments)


def _search(name: str, arguments: argparse.Namespace) -> int:
    from workbench.sweeps.run import run_sweep

    def say(line: str) -> None:
        print(line, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    found = run_sweep(
        name, arguments.n_trials, arguments.workers, arguments.storage, arguments.heartbeat, say
    )
    if arguments.json:
        print_json(found)
    return 0


def _show(name: str, arguments: argparse.Namespace) -> int:
    from workbench.sweeps.prepare import prepare
    from workbench.sweeps.results import standing
    from workbench.sweeps.study import open_study

    sweep = prepare(name)
    place = sweep.place(arguments.storage, arguments.heartbeat)
    study, _ = open_study(place, sweep.spec, create=False)
    found = standing(study)
    if arguments.json:
        print_json(found.to_dict(sweep, place))
    else:
        print(f"study {place.study}: {found.text()}")
    return 0


def _apply(name: str, arguments: argparse.Namespace) -> int:
    from workbench.sweeps.apply import apply_best

    difference = apply_best(name, arguments.dry_run)
    if arguments.json:
        print_json({"sweep": name, "written": bool(difference) and not arguments.dry_run,
                    "diff": difference})  # fmt: skip
        return 0
    for line in difference.splitlines():
        print(coloured(line, COLOURS[line[0]]) if line[:1] in COLOURS else line)
    if not difference:
        print("params.yaml has these values already")
    elif not arguments.dry_run:
        print("written; `esg plan` says what this makes stale")
    return 0
