"""A table in the MLflow UI: links, values beside the printed ones, how many claims hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

# MLflow refuses longer tags.
LIMIT = 8000


def note(content: Mapping[str, Any], experiment: str, runs: Mapping[str, str]) -> str:
    """Return Markdown for a table.

    Args:
        content: Of the table's JSON file.
        experiment: Id of its experiment.
        runs: Row id to the id of the row's run.
    """
    parts = [f"**{content['title']}**, scale `{content['scale']}`"]
    if runs:
        parts.append(f"[Compare the rows]({compare_link(experiment, list(runs.values()))})")
    parts.append(_values(content, experiment, runs))
    verdicts = Counter(claim["verdict"] for claim in content["claims"])
    if verdicts:
        told = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
        parts.append(f"Claims of the paper on these values: {told}.")
    text = "\n\n".join(parts)
    return text if len(text) <= LIMIT else "\n\n".join([*parts[:2], *parts[3:]])


def compare_link(experiment: str, runs: list[str]) -> str:
    """Return the UI's address of a comparison of runs."""
    chosen, experiments = quote(json.dumps(runs)), quote(json.dumps([experiment]))
    return f"#/compare-runs?runs={chosen}&experiments={experiments}"


def origin_link(seed: int, experiment: str, run: str | None, recorded: str | None) -> str:
    """Return a link to the training of a seed, or which run it was if the store lacks that.

    Args:
        seed: Of the training.
        experiment: Id of the training's experiment.
        run: Id of its run in this store; None if it is not there.
        recorded: Id that the training recorded, in whichever store.
    """
    if run is not None:
        return f"[seed {seed}](#/experiments/{experiment}/runs/{run})"
    return f"seed {seed} (run {recorded or 'unknown'}, not in this store)"


def _values(content: Mapping[str, Any], experiment: str, runs: Mapping[str, str]) -> str:
    """Return reproduced values, each with the printed one in brackets."""
    columns = list(dict.fromkeys(name for row in content["rows"] for name in row["values"]))
    lines = [f"| here (printed) | {' | '.join(columns)} |", "| --- " * (len(columns) + 1) + "|"]
    for row in content["rows"]:
        label = row["label"]
        if row["id"] in runs:
            label = f"[{label}](#/experiments/{experiment}/runs/{runs[row['id']]})"
        cells = [_cell(row["values"].get(name) or {}) for name in columns]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: Mapping[str, float | None]) -> str:
    here, printed = value.get("reproduced"), value.get("printed")
    beside = "" if printed is None else f" ({printed:g})"
    return ("–" if here is None else f"{here:.4g}") + beside
