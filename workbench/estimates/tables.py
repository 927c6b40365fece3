"""What each table of the paper would take, beside what the paper prints of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from workbench.estimates.stages import ITEMS, TRAINED, Estimates, StageEstimate
from workbench.estimates.work import S_PER_HOUR, Machine, Work, prediction_memory_gib
from workbench.pipeline.records import known, total
from workbench.pipeline.stages import Pipeline
from workbench.reporting.table_spec import load_spec

# Columns of cost tables that an estimate can be set beside, and what they are in text.
PRINTED = {
    "mem_train_GB": "training GB",
    "mem_infer_GB": "inference GB",
    "train_time_gpu_days": "GPU-days",
    "infer_time_ms": "ms/image",
}


@dataclass(frozen=True)
class TrainingRow:
    """One training: its length, and what a seed and a device take."""

    key: str
    iterations: int
    batch: int
    precision: str
    tflop_a_sample: float
    gpu_hours: float
    memory_gib: float
    fits: bool


@dataclass(frozen=True)
class TableRow:
    """One table, with all that it is made of; trainings may serve other tables too.

    Attributes:
        table: Its id.
        train_gpu_hours, predict_gpu_hours: Summed over devices, of what is known.
        memory_gib: A device's, at the most.
        disk_gib: Checkpoints, predictions and downloads, of what is known.
        unknown: Stages and downloads that are not in it.
    """

    table: str
    train_gpu_hours: float
    predict_gpu_hours: float
    memory_gib: float | None
    disk_gib: float | None
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """A row whose costs the paper prints: by column, estimated and printed."""

    table: str
    row: str
    values: dict[str, tuple[float, float | None]]


@dataclass(frozen=True)
class PaperEstimate:
    """All that is estimated for a plan."""

    machine: Machine
    trainings: tuple[TrainingRow, ...]
    tables: tuple[TableRow, ...]
    compared: tuple[Compared, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the estimate as JSON-able values."""
        return asdict(self)


def estimate_tables(
    estimates: Estimates, pipeline: Pipeline, names: Sequence[str]
) -> PaperEstimate:
    """Estimate the trainings and tables among planned stages.

    Args:
        estimates: Of single stages.
        pipeline: All stages.
        names: Those that would run.
    """
    planned = set(names)
    tables = [name.partition("@")[2] for name in names if name.startswith("table@")]
    of_table = {t: [n for n in pipeline.needed_for([f"table@{t}"]) if n in planned] for t in tables}
    keys = [key for kind, _, key in (name.partition("@") for name in names) if kind in TRAINED]
    trainings = tuple(_training(estimates, key, work) for key, work in _known(estimates, keys))
    rows = tuple(_table(estimates, table, needed) for table, needed in of_table.items())
    compared = tuple(row for table in tables for row in _compared(estimates, table))
    return PaperEstimate(estimates.machine, trainings, rows, compared)


def _known(estimates: Estimates, keys: Iterable[str]) -> Iterator[tuple[str, Work]]:
    """Yield the trainings whose models can be counted."""
    for key in keys:
        work = estimates.work(key)
        if work is not None:
            yield key, work


def _training(estimates: Estimates, key: str, work: Work) -> TrainingRow:
    run, machine = estimates.run(key), estimates.machine
    memory = run.memory_gib(work, machine.count)
    return TrainingRow(
        key,
        run.iterations,
        run.batch,
        run.precision,
        work.train_flops / 1e12,
        machine.hours(run.flops(work), run.precision),
        memory,
        memory <= machine.memory_gib,
    )


def _table(estimates: Estimates, table: str, names: Sequence[str]) -> TableRow:
    found = {name: estimates.stage(name) for name in names}
    downloads = {
        estimates.download_gib(name.partition("@")[2]) for name in names if name.startswith("prep@")
    }
    unknown = [n for n, each in found.items() if _runs_model(n) and each.gpu_hours is None]
    unknown += sorted(f"download of {folder}" for folder, size in downloads if size is None)
    disk = known(each.disk_gib for each in found.values()) + known(size for _, size in downloads)
    return TableRow(
        table,
        _hours(found, TRAINED),
        _hours(found, ITEMS),
        max(known(each.memory_gib for each in found.values()), default=None),
        total(disk),
        tuple(unknown),
    )


def _runs_model(name: str) -> bool:
    return name.partition("@")[0] in (*TRAINED, *ITEMS, "sam", "sweep", "sweep_finetune")


def _hours(found: Mapping[str, StageEstimate], kinds: Iterable[str]) -> float:
    kinds = set(kinds)
    return sum(e.gpu_hours or 0.0 for name, e in found.items() if name.partition("@")[0] in kinds)


def _compared(estimates: Estimates, table: str) -> list[Compared]:
    """Return the rows of which the paper prints a cost, each with its own training."""
    printed = {row.id: row.printed for row in load_spec(table, estimates.root).rows}
    rows = []
    for item in (estimates.params.get("evaluate") or {}).values():
        values = printed.get(item["row"], {}) if item["table"] == table else {}
        if any(name in values for name in PRINTED):
            for key, work in _known(estimates, [item["checkpoint"]]):
                own = _costs(estimates, key, work)
                paired = {name: (own[name], values.get(name)) for name in PRINTED}
                rows.append(Compared(table, item["row"], paired))
    return rows


def _costs(estimates: Estimates, key: str, work: Work) -> dict[str, float]:
    """Return a training's costs by printed column."""
    run, machine = estimates.run(key), estimates.machine
    return {
        "mem_train_GB": run.memory_gib(work, machine.count),
        "mem_infer_GB": prediction_memory_gib(work),
        "train_time_gpu_days": machine.hours(run.flops(work), run.precision) / 24,
        "infer_time_ms": machine.hours(work.test_flops, "float32") * S_PER_HOUR * 1000,
    }
