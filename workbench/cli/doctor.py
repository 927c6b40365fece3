"""``esg doctor``: is this machine set up to run the project?"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sqlite3
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.cli.output import add_json_option, coloured, print_json
from workbench.errors import EsgError

GIB = 2**30
COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}
# The forks that are pinned keep the originals' import names, so both cannot be installed.
ORIGINALS = ("mmengine", "mmcv", "mmcv-lite", "mmdet")
LOW_DISK_GIB = 5.0
SERVER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Check:
    """One line of the report; ``state`` is ok, note (works without) or fault."""

    name: str
    state: str
    detail: str


def add_verbs(verbs: Any) -> None:
    """Add ``doctor``."""
    parser = verbs.add_parser(
        "doctor",
        help="versions, operators, data, store, disk",
        description="Exit code 1 if something is wrong; what is merely not there yet is a note.",
        allow_abbrev=False,
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print all checks."""
    from workbench.paths import project_root

    checks = list(examine(project_root()))
    if arguments.json:
        print_json([asdict(check) for check in checks])
    else:
        for check in checks:
            state = coloured(f"{check.state:<5}", COLOURS[check.state])
            print(f"{state} {check.name}: {check.detail}")
    return 1 if any(check.state == "fault" for check in checks) else 0


def examine(root: Path) -> Iterator[Check]:
    """Yield all checks of a checkout."""
    yield _python()
    yield from _versions(root / "pyproject.toml")
    yield _operators()
    yield _device()
    yield from _data()
    yield _store()
    yield _undelivered()
    yield _disk(root)


def _python() -> Check:
    state = "ok" if sys.version_info[:2] == (3, 11) else "fault"
    return Check("python", state, f"{platform.python_version()} (3.11 is supported)")


def _versions(pyproject: Path) -> Iterator[Check]:
    """Compare installed versions with the pins."""
    try:
        pins = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        yield Check("packages", "fault", f"{pyproject} cannot be read ({error})")
        return
    wrong = 0
    for pin in pins:
        name, _, wanted = pin.partition("==")
        found = _installed(name)
        # A build tag such as 2.13.0+cpu is the same release.
        if found is None or found.split("+")[0] != wanted:
            wrong += 1
            yield Check(
                name, "fault", f"{found or 'not installed'}, pinned {wanted}; run `make test`"
            )
    for name in ORIGINALS:
        if _installed(name) is not None:
            wrong += 1
            detail = f"the original is installed beside its fork; pip uninstall {name}"
            yield Check(name, "fault", detail)
    if not wrong:
        yield Check("packages", "ok", f"{len(pins)} pinned versions installed")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _operators() -> Check:
    spec = importlib.util.find_spec("mmcv")
    folders = list(spec.submodule_search_locations or []) if spec else []
    if any(file for folder in folders for file in Path(folder).glob("_ext*")):
        return Check("mmcv operators", "ok", "compiled")
    detail = "not compiled; Mask R-CNN needs them: `make ops`"
    return Check("mmcv operators", "note", detail)


def _device() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("device", "ok", f"CUDA, {torch.cuda.get_device_name()}")
    return Check("device", "ok", f"CPU, {os.cpu_count()} cores")


def _data() -> Iterator[Check]:
    from workbench.params import load_params
    from workbench.paths import Layout, project_root

    try:
        params = load_params()
    except EsgError as error:
        yield Check("params.yaml", "fault", str(error))
        return
    layout = Layout(params["scale"])
    for stage in ("prep", "own_data"):
        for name in params.get(stage) or {}:
            there = (project_root() / layout.manifest(name)).is_file()
            detail = "there" if there else f"not made yet: `dvc repro {stage}@{name}`"
            yield Check(f"data {name} ({layout.scale})", "ok" if there else "note", detail)


def _store() -> Check:
    """Ask the store of runs, without MLflow, whether it is there."""
    from workbench.paths import store_root
    from workbench.tracking.store import is_local, tracking_uri

    root = store_root()
    return _database(root / "mlflow.db") if is_local(root) else _server(tracking_uri(root))


def _server(uri: str) -> Check:
    """Ask an MLflow server; of a database elsewhere there is nothing to ask without its driver."""
    if not uri.startswith("http"):
        return Check("store of runs", "ok", f"{uri}: not asked")
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_TIMEOUT_S):
            return Check("store of runs", "ok", f"{uri}: answers")
    except OSError as error:
        detail = f"{uri}: does not answer ({error}); runs are kept on disk for `esg sync`"
        return Check("store of runs", "fault", detail)


def _undelivered() -> Check:
    from workbench.paths import store_root
    from workbench.tracking.journal import journals

    counts = [journal.pending() for journal in journals(store_root())]
    waiting = [count for count in counts if count]
    if not waiting:
        return Check("undelivered records", "ok", f"none of {len(counts)} runs")
    detail = f"{sum(waiting)} of {len(waiting)} runs: `esg sync` delivers those of ended ones"
    return Check("undelivered records", "note", detail)


def _database(database: Path) -> Check:
    if not database.is_file():
        return Check("store of runs", "note", f"{database}: made by the first run")
    try:
        connection = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
        try:
            count = connection.execute("SELECT COUNT(*) FROM runs").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        return Check("store of runs", "fault", f"{database}: {error}")
    return Check("store of runs", "ok", f"{database}: {count} runs")


def _disk(root: Path) -> Check:
    free = shutil.disk_usage(root).free / GIB
    state = "ok" if free >= LOW_DISK_GIB else "note"
    return Check("disk", state, f"{free:.1f} GiB free")
