"""The whole flow at smoke scale, in a copy of the project: ``python -m workbench.smoke``.

The copy (``work_dirs/smoke``) has its own parameters, pipeline lock, artifacts and store of runs,
so that a trial leaves neither the user's ``params.yaml`` nor results of other scales changed. It
is made anew each time: every stage runs, in a process of its own that starts warm (`warm`), side by
side with others (`repro`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml
from filelock import FileLock, Timeout

from workbench.errors import EsgError, Interrupted
from workbench.params import TRAININGS, load_params
from workbench.paths import Layout, project_root
from workbench.repro import reproduce
from workbench.warm import warm_python

COPIED = (
    "workbench", "projects", "configs", "reports/paper.yaml", "reports/tables", "dvc.yaml",
    ".dvcignore",
)  # fmt: skip
WARNING = "Smoke scale: a few iterations on tiny data. The numbers mean nothing."


def prepare(root: Path, copy: Path) -> None:
    """Lay out a fresh copy of the project with ``scale: smoke`` as a DVC repository without git.

    Args:
        root: The project.
        copy: Folder to make; what is there is removed.
    """
    shutil.rmtree(copy, ignore_errors=True)
    (copy / ".dvc").mkdir(parents=True)
    config = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    (copy / ".dvc" / "config").write_text(config, encoding="utf-8")
    for name in COPIED:
        source, target = root / name, copy / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    params = load_params(root) | {"scale": "smoke", "own_data": {}, "sam_weights": None}
    for stage in TRAININGS:
        for item in params[stage].values():
            item["seeds"] = [0]
    (copy / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def smoke() -> Path:
    """Run the headline's whole flow and the report at smoke scale and return the folder it ran in.

    Raises:
        EsgError: A stage failed or the run was interrupted; that was said before.
    """
    root = project_root()
    copy = root / "work_dirs" / "smoke"
    print(WARNING, flush=True)
    with _alone(copy):
        prepare(root, copy)
        code = _reproduce_in(copy)
    if code == Interrupted.exit_code:
        raise Interrupted("stopped; the next run starts anew")
    if code:
        raise EsgError(f"the smoke run failed; what it left is in {copy}")
    return copy


@contextlib.contextmanager
def _alone(copy: Path) -> Iterator[None]:
    """Wait for another run in the same folder, which would otherwise be removed under it."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(copy.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another smoke run is under way: waiting for its end.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _reproduce_in(copy: Path) -> int:
    with warm_python(copy / "warm") as path:
        os.environ |= {"PATH": path, "PYTHONPATH": str(copy)}
        os.chdir(copy)
        return reproduce(["headline", "report"])


def main() -> int:
    """Run and say how long it took and where the report is."""
    start = time.monotonic()
    try:
        copy = smoke()
    except EsgError as error:
        print(f"smoke: {error}", file=sys.stderr)
        return error.exit_code
    page = copy / Layout("smoke").report()
    print(f"Every stage ran, in {time.monotonic() - start:.0f} s. Report: {page}")
    print(WARNING)
    return 0


if __name__ == "__main__":
    sys.exit(main())
