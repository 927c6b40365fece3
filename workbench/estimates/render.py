"""An estimate as text, for ``esg plan``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.estimates.tables import PRINTED, Compared, PaperEstimate, TableRow, TrainingRow

TRAININGS = ("training, a seed", "iterations x batch", "TFLOP/sample", "GPU-hours", "GiB/device")
TABLES = ("table", "training GPU-h", "prediction GPU-h", "GiB/device", "disk GiB", "not known")


def render(made: PaperEstimate) -> list[str]:
    """Return an estimate as lines: what it assumes, trainings, tables, and what is printed."""
    machine = made.machine
    peaks = ", ".join(f"{value:g} TFLOPS in {name}" for name, value in machine.tflops.items())
    devices = f"{machine.count} x {machine.device} ({machine.memory_gib:g} GiB)"
    return [
        f"Estimated, not measured: {devices}, {machine.utilisation:.0%} of {peaks} (assumed)",
        *_aligned(TRAININGS, map(_training, made.trainings)),
        *_aligned(TABLES, map(_table, made.tables)),
        *_aligned(("estimated | printed", *PRINTED.values()), map(_compared, made.compared)),
    ]


def _training(row: TrainingRow) -> tuple[str, ...]:
    memory = f"{row.memory_gib:.1f}{'' if row.fits else ' (too much)'}"
    length = f"{row.iterations:,} x {row.batch}"
    return row.key, length, f"{row.tflop_a_sample:.2f}", _number(row.gpu_hours), memory


def _table(row: TableRow) -> tuple[str, ...]:
    hours = _number(row.train_gpu_hours), _number(row.predict_gpu_hours)
    return row.table, *hours, _number(row.memory_gib), _number(row.disk_gib), _listed(row.unknown)


def _compared(row: Compared) -> tuple[str, ...]:
    cells = (f"{_number(own)} | {_number(printed)}" for own, printed in row.values.values())
    return f"{row.table} {row.row}", *cells


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _aligned(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    """Return a table's lines; none without rows."""
    rows = list(body)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return [_line(row, widths) for row in (head, *rows)] if rows else []


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join(["", first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
