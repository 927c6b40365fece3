"""A table as Markdown: printed, reproduced and difference in each cell, verdicts, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.reporting.cells import own_columns, shown_cell
from workbench.reporting.claims import tally
from workbench.reporting.table_spec import Metric, Row, TableSpec

_SCALE_TEXT = {
    "mini": (
        "Scale `mini`: a small generated world and small models trained from scratch, on {devices}."
        " This is not the paper's experiment: compare rows with each other, not with the printed"
        " values. Times and memory are this machine's (a CPU run's memory is that of its process;"
        " a GPU-day counts the days of the one device that was used)."
    ),
    "smoke": (
        "**SCALE `smoke`: THE NUMBERS BELOW MEAN NOTHING.** A few training iterations, to see that"
        " every stage runs. No claim is checked."
    ),
    "paper": "Scale `paper`: the paper's data and sizes, on {devices}.",
}
_COUNTED_TEXT = (
    "{rows}: counted at the paper's sizes, whatever the scale of the run, from models built without"
    " weights."
)
_ARROW = {"higher": "↑", "lower": "↓"}
_HOLDS = {True: "holds", False: "does not hold", None: "unknown"}


def render_markdown(table: Mapping[str, Any], spec: TableSpec) -> str:
    """Return the Markdown of a table made by ``build_table`` from ``spec``."""
    sections = [
        f"# Table {table['table']} at scale `{table['scale']}`: {table['title']}",
        _scale_line(table),
        _values(table, spec),
        _row_notes(table),
        _claims(table, spec),
        _notes(table),
        _provenance(table),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _scale_line(table: Mapping[str, Any]) -> str:
    """Say what kind of numbers these are: run at the table's scale, counted, or both."""
    counted = [row for row in table["rows"] if row["provenance"]["counted_at"]]
    run = [(row, each) for row, each in _runs(table) if row not in counted]
    devices = sorted({each["device"] or "an unknown device" for _, each in run})
    said = []
    if run or not counted:
        said.append(
            _SCALE_TEXT[table["scale"]].format(devices=", ".join(devices) or "no device yet")
        )
    if counted:
        names = ", ".join(row["label"] for row in counted) if run else "Every row"
        said.append(_COUNTED_TEXT.format(rows=names))
    return "\n>\n".join(f"> {text}" for text in said)


def _runs(table: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(row, run) for row in table["rows"] for run in row["provenance"]["runs"]]


def _values(table: Mapping[str, Any], spec: TableSpec) -> str:
    rows = {row.id: row for row in spec.rows}
    ours = own_columns(spec.metrics, spec.rows)
    header = [f"{m.label} ({m.unit.name}) {_ARROW[m.better]}" for m in spec.metrics]
    body = [
        [
            row["label"],
            *(_cell(row, m, rows.get(row["id"]), m.name in ours) for m in spec.metrics),
        ]
        for row in table["rows"]
    ]
    legend = (
        "Each cell: the value printed in the paper; **reproduced here**, mean ± sample standard "
        "deviation over n seeds; the difference between the two."
    )
    return _grid(["Method", *header], body) + f"\n\n{legend}"


def _cell(row: Mapping[str, Any], metric: Metric, described: Row | None, own_column: bool) -> str:
    cell = shown_cell(row, metric, described, own_column)
    if cell is None or not (cell.value or cell.state):
        return cell.printed if cell else ""
    lines = [] if own_column else [f"printed {cell.printed}"]
    if cell.value:
        unit, same = (f" {cell.unit}", f", {cell.as_printed}") if cell.unit else ("", "")
        lines.append(f"**{cell.value}**{unit} (n = {cell.n}{same})")
    lines += [text for text in (cell.difference, cell.state) if text]
    return "<br>".join(lines)


def _row_notes(table: Mapping[str, Any]) -> str:
    said = []
    for row in table["rows"]:
        parts = [row["note"]] if row["note"] else []
        if row["waits"]:
            parts.append(f"Waits for {row['waits']}.")
        parts += row["provenance"]["remarks"]
        if parts:
            said.append(f"- {row['label']}: {' '.join(parts)}")
    return "## Rows\n\n" + "\n".join(said) if said else ""


def _claims(table: Mapping[str, Any], spec: TableSpec) -> str:
    if not table["claims"]:
        return ""
    body = [
        [
            f"`{claim['id']}`",
            claim["claim"] + (" (a size)" if claim["magnitude"] else ""),
            _HOLDS[claim["holds_in_paper"]],
            f"**{claim['verdict']}**",
            claim["reason"],
        ]
        for claim in table["claims"]
    ]
    rule = (
        "Checked on the reproduced means. A comparison is inconclusive where its gap is within the "
        "standard errors of the cells (a single seed's: the largest deviation of its column) or, "
        "with a single seed in it, below a floor: "
        f"{', '.join(_floor(metric) for metric in spec.metrics)}."
    )
    if any(claim["magnitude"] for claim in table["claims"]) and table["scale"] != "paper":
        rule += " Claims marked *a size* state amounts that only the paper's experiment could show."
    header = ["claim", "in words", "on the printed numbers", "here", "on what"]
    return f"## Claims of the paper\n\n{_held(table['claims'])}\n\n{_grid(header, body)}\n\n{rule}"


def _held(claims: Sequence[Mapping[str, Any]]) -> str:
    """Say how many claims hold, here and on paper."""
    counted = tally(claim["verdict"] for claim in claims)
    here = ", ".join(f"{number} {verdict}" for verdict, number in counted.items() if number)
    on_paper = sum(claim["holds_in_paper"] is True for claim in claims)
    return f"Of {len(claims)} claims here: {here}. On the printed numbers {on_paper} hold."


def _floor(metric: Metric) -> str:
    if metric.noise_absolute:
        return f"{metric.noise_absolute:g} {metric.unit.name} for {metric.label}"
    return f"{metric.noise_relative:.0%} for {metric.label}"


def _notes(table: Mapping[str, Any]) -> str:
    if not table["notes"]:
        return ""
    return "## On the printed table\n\n" + "\n".join(f"- {note}" for note in table["notes"])


def _provenance(table: Mapping[str, Any]) -> str:
    runs = _runs(table)
    if not runs:
        return "## Where the numbers come from\n\nNothing has been run yet."
    header = [
        "row", "seed", "run", "commit", "config", "data", "checkpoint", "training", "memory",
        "device", "mask score",
    ]  # fmt: skip
    body = [
        [
            f"{row['id']}, {run['part']}" if run["part"] else row["id"],
            str(run["seed"]),
            _short(run["run_id"]),
            _short(run["git_commit"]) + (" + changes" if run["git_dirty"] else ""),
            _short(run["config_sha256"]),
            _short(run["data_sha256"]),
            _checkpoint(run),
            _amount(run["wall_time_s"], "s", 0),
            _amount(run["peak_memory_gib"], "GiB", 2),
            run["device"] or "unknown",
            (row["provenance"]["score"] or "unknown").replace("_", " "),
        ]
        for row, run in runs
    ]
    return f"## Where the numbers come from\n\n{_grid(header, body)}\n\n{_cost(runs)}"


def _cost(runs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Sum training time over distinct runs and name the rows that share one."""
    if all(run["wall_time_s"] is None for _, run in runs):
        return "Nothing was trained for these numbers, as far as is recorded."
    users: dict[str, list[str]] = {}
    times: dict[str, float] = {}
    for row, run in runs:
        key = run["checkpoint_sha256"] or f"{row['id']} {run['seed']}"
        times[key] = run["wall_time_s"] or 0.0
        users.setdefault(key, []).append(row["id"])
    shared = sorted(
        {" and ".join(dict.fromkeys(ids)) for ids in users.values() if len(set(ids)) > 1}
    )
    text = f"Training took {sum(times.values()):.0f} s over {len(times)} runs."
    return text + (f" Rows that share their runs: {'; '.join(shared)}." if shared else "")


def _checkpoint(run: Mapping[str, Any]) -> str:
    own, masks = _short(run["checkpoint_sha256"]), run["masks_checkpoint_sha256"]
    return f"{own}, masks by {_short(masks)}" if masks else own


def _short(value: str | None) -> str:
    return f"`{value[:8]}`" if value else "unknown"


def _amount(value: float | None, unit: str, decimals: int) -> str:
    return "unknown" if value is None else f"{value:.{decimals}f} {unit}"


def _grid(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
