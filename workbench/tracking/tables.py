"""Tables in MLflow: a parent run a table, a child run a row, named and measured as in the paper.

What is logged is a table's own file, ``reports/<scale>/tables/<ID>.json``. It need not have been
made here: of a table that DVC restored, or that came with the repository, the rows are logged with
their values and lead to the trainings that made them. A table whose content the store has is not
logged again.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import EsgError
from workbench.files import sha256_file
from workbench.params import SCORING, load_params, score_key
from workbench.paths import Layout
from workbench.tracking.delivery import DIGEST_LIMIT, dataset_input
from workbench.tracking.models import Checkpoint, logged_model, register, run_of_checkpoint
from workbench.tracking.pictures import draw_entities
from workbench.tracking.store import (
    NOTE_TAG,
    PARENT_TAG,
    PREFIX,
    Opening,
    experiment_id,
    find_or_create_run,
)
from workbench.tracking.table_note import note, origin_link
from workbench.tracking.tasks import task_of_table, task_of_training, training_of_row

if TYPE_CHECKING:
    from mlflow import MlflowClient

CURRENT_TAG = "esg.current"
# From a row's provenance; hashes of several seeds or parts are joined.
HASHES = ("config_sha256", "data_sha256", "code_sha256", "checkpoint_sha256", "predictions_sha256")

# Parameters of a training by which its rows are compared as well.
COMPARED = ("model", "iterations", "batch_size", "optimizer", "lr", "weight_decay", "parameters")


@dataclass(frozen=True)
class Leaf:
    """What one run of the store holds of a row: all of it, or one of its seeds.

    Attributes:
        id: Unlike that of any other run.
        name: Shown in the list of runs.
        parent: Id of the run above it.
        time_ms: Its start, in ms since 1970; of no meaning but for the order of runs.
        made: The row's provenance records that it stands for, one a seed and part.
        values: Its numbers by column.
    """

    id: str
    name: str
    parent: str
    time_ms: int
    made: list[Mapping[str, Any]]
    values: Mapping[str, float]


class TableLog:
    """Logs one table.

    Args:
        client: Of the store.
        root: Checkout whose store it is.
        project: Where the table and the data are; not ``root`` where DVC runs in a copy.
        params: Of ``params.yaml``.
        content: Of the table's JSON file.
    """

    def __init__(
        self,
        client: MlflowClient,
        root: Path,
        project: Path,
        params: dict[str, Any],
        content: dict[str, Any],
    ) -> None:
        self.client, self.root, self.project = client, root, project
        self.params, self.content = params, content
        self.table, self.scale = str(content["table"]), str(content["scale"])
        self.layout = Layout(self.scale)
        self.task = task_of_table(self.table)
        text = json.dumps(content, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.time_ms = int(time.time() * 1000)

    def log(self) -> bool:
        """Log the table unless it is there; True if it was logged."""
        identity = f"{self.table}/{self.scale}/{self.digest}"
        parent = self._run(identity, self._name(), self._tags(), self.time_ms)
        run = self.client.get_run(parent)
        if run.info.status == "FINISHED":
            # It may be what the table has come back to.
            self._supersede(run.info.experiment_id, parent)
            return False
        # Points that an interrupted call logged have this time, and are not logged twice.
        self.time_ms = run.info.start_time
        rows = {row["id"]: self._log_row(parent, row, time) for row, time in self._rows()}
        for path in (self.layout.table(self.table, kind) for kind in ("json", "md")):
            if (self.project / path).is_file():
                self.client.log_artifact(parent, str(self.project / path))
        text = note(self.content, run.info.experiment_id, rows)
        self.client.set_tag(parent, NOTE_TAG, text)
        self._supersede(run.info.experiment_id, parent)
        self.client.set_terminated(parent)
        return True

    def _rows(self) -> Iterable[tuple[Mapping[str, Any], int]]:
        """Yield rows with their start, in ms: the UI lists the latest first, as the paper does."""
        rows = [row for row in self.content["rows"] if row["status"] == "reproduced"]
        return ((row, self.time_ms + len(rows) - index) for index, row in enumerate(rows))

    def _name(self) -> str:
        return f"Table {self.table} ({self.scale})"

    def _tags(self) -> dict[str, str]:
        return {
            "esg.level": "table",
            "esg.table": self.table,
            "esg.scale": self.scale,
            "mlflow.source.name": f"dvc repro table@{self.table}",
        }

    def _run(self, identity: str, name: str, tags: Mapping[str, str], time_ms: int) -> str:
        opening = Opening(identity, self.task, name, time_ms, tags)
        return find_or_create_run(self.client, self.root, opening)

    def _supersede(self, experiment: str, parent: str) -> None:
        """Mark the table as the present one, and those logged before as not."""
        query = f"tags.`esg.level` = 'table' AND tags.`esg.table` = '{self.table}'"
        query += f" AND tags.`esg.scale` = '{self.scale}' AND tags.`{CURRENT_TAG}` = 'true'"
        current = [run.info.run_id for run in self.client.search_runs([experiment], query)]
        for old in current:
            if old != parent:
                self.client.set_tag(old, CURRENT_TAG, "false")
        if parent not in current:
            self.client.set_tag(parent, CURRENT_TAG, "true")

    def _log_row(self, parent: str, row: Mapping[str, Any], time_ms: int) -> str:
        """Log a row, with a run for each of its seeds below it if there are several."""
        made = row["provenance"]["runs"]
        values = {
            name: value["reproduced"]
            for name, value in row["values"].items()
            if value["reproduced"] is not None
        }
        identity = f"{self.table}/{self.scale}/{self.digest}/{row['id']}"
        leaf = Leaf(identity, row["label"], parent, time_ms, made, values)
        seeds = sorted({run["seed"] for run in made if run["seed"] is not None})
        run_id = self._open(leaf, row, "row")
        self._log_points(run_id, _beside(row["values"]))
        if len(seeds) < 2:
            self._fill(run_id, leaf, row)
        else:
            self._log_values(run_id, values)
            for seed in seeds:
                self._log_seed(run_id, identity, row, seed)
        self.client.set_terminated(run_id, end_time=time_ms)
        return run_id

    def _log_seed(self, parent: str, identity: str, row: Mapping[str, Any], seed: int) -> None:
        made = [run for run in row["provenance"]["runs"] if run["seed"] == seed]
        name = f"{row['label']}, seed {seed}"
        leaf = Leaf(f"{identity}/{seed}", name, parent, self.time_ms - seed, made, {})
        run_id = self._open(leaf, row, "seed")
        self._fill(run_id, leaf, row)
        self.client.set_terminated(run_id, end_time=leaf.time_ms)

    def _open(self, leaf: Leaf, row: Mapping[str, Any], level: str) -> str:
        """Make a run with its tags and parameters."""
        from mlflow.entities import Param

        stage, key, item = self._instance(row["id"], leaf.made)
        commits = _joined(leaf.made, "git_commit")
        tags = {
            "esg.level": level,
            "esg.row": str(row["id"]),
            "esg.stage": stage,
            "esg.seed": _joined(leaf.made, "seed"),
            "esg.git_commit": commits,
            "esg.git_dirty": str(any(run["git_dirty"] for run in leaf.made)).lower(),
            "esg.training_run": _joined(leaf.made, "run_id"),
            **{f"esg.{name}": _joined(leaf.made, name) for name in HASHES},
            "mlflow.source.git.commit": commits.split(", ")[0],
            "mlflow.source.name": f"dvc repro {stage}@{key}",
            PARENT_TAG: leaf.parent,
        }
        known = {name: text for name, text in (self._tags() | tags).items() if text}
        run_id = self._run(leaf.id, leaf.name, known, leaf.time_ms)
        params = {
            "training": training_of_row(self.params, item),
            "device": _joined(leaf.made, "device"),
            **self._log_origin(run_id, leaf.made, item),
        }
        logged = [Param(name, str(value)) for name, value in params.items() if value]
        self.client.log_batch(run_id, params=logged)
        return run_id

    def _log_origin(
        self, run_id: str, made: Iterable[Mapping[str, Any]], item: Mapping[str, Any]
    ) -> dict[str, str]:
        """Describe a run by links to its trainings, and return how the first of them trained."""
        training = training_of_row(self.params, item)
        seeds = {each["seed"]: each for each in made if each["checkpoint_sha256"]}
        if training is None or not seeds:
            return {}
        params: dict[str, str] = {}
        links = []
        for seed, each in seeds.items():
            experiment, source = self._source(training, each)
            links.append(origin_link(seed, experiment, source, each["run_id"]))
            if source is not None and not params:
                params = self.client.get_run(source).data.params
        text = f"Weights of `{training}`: {', '.join(links)}."
        self.client.set_tag(run_id, NOTE_TAG, text)
        return {name: value for name, value in params.items() if name in COMPARED}

    def _source(self, training: str, made: Mapping[str, Any]) -> tuple[str, str | None]:
        """Return the experiment of a training, and its run if the store has it."""
        task = task_of_training(self.params, training, training)
        experiment = experiment_id(self.client, self.root, f"{PREFIX}/{task}")
        sha256 = made["checkpoint_sha256"]
        return experiment, run_of_checkpoint(self.client, experiment, made["run_id"], sha256)

    def _instance(
        self, row: str, made: Iterable[Mapping[str, Any]]
    ) -> tuple[str, str, Mapping[str, Any]]:
        """Return stage, key and parameters of a row's scoring; of one in parts, of the first."""
        part = next((run["part"] for run in made if run.get("part")), None)
        key = score_key(self.table, row if part is None else f"{row}.{part}")
        for stage in SCORING:
            if key in (self.params.get(stage) or {}):
                return stage, key, self.params[stage][key] or {}
        return SCORING[0], key, {}

    def _fill(self, run_id: str, leaf: Leaf, row: Mapping[str, Any]) -> None:
        """Log a run's values with the model and the data set that each comes from.

        What several parts have a share of, such as a mean over data sets, is of the row alone.
        """
        given = Counter(name for made in leaf.made for name in made["values"])
        left = dict(leaf.values)
        for made in leaf.made:
            _, _, item = self._instance(row["id"], [made])
            data = self._log_data(run_id, item)
            model = self._log_model(run_id, row, made, item)
            self._log_picture(run_id, made, item)
            values = {
                name: value
                for name, value in made["values"].items()
                if value is not None and given[name] == 1
            }
            self._log_values(run_id, values, model, data)
            left = {name: value for name, value in left.items() if name not in values}
        self._log_values(run_id, left)

    def _log_data(self, run_id: str, item: Mapping[str, Any]) -> tuple[str, str] | None:
        """Log the data set that a row is scored on; None if it is not in this checkout."""
        name, split = item.get("dataset"), item.get("split", "val")
        manifest = self.project / self.layout.manifest(str(name))
        if name is None or not manifest.is_file():
            return None
        sha256 = sha256_file(manifest)
        about = (f"{name}, {split}", str(manifest), sha256, "evaluation")
        self.client.log_inputs(run_id, [dataset_input(*about)])
        return about[0], sha256[:DIGEST_LIMIT]

    def _log_picture(self, run_id: str, made: Mapping[str, Any], item: Mapping[str, Any]) -> None:
        """Log a picture of predicted entities, where they are in this checkout."""
        folder = self.project / self.layout.artifacts / str(item.get("predictions"))
        predictions = folder / f"seed-{made['seed']}.jsonl"
        manifest = self.project / self.layout.manifest(str(item.get("dataset")))
        if folder.parent.name != "entities" or not (predictions.is_file() and manifest.is_file()):
            return
        with tempfile.TemporaryDirectory() as aside:
            picture = Path(aside) / f"{item['dataset']}.png"
            try:
                draw_entities(predictions, manifest, item.get("split", "val"), picture)
            except EsgError:  # data or predictions have changed since: the row has no picture
                return
            if picture.is_file():
                self.client.log_artifact(run_id, str(picture), "predictions")

    def _log_model(
        self, run_id: str, row: Mapping[str, Any], made: Mapping[str, Any], item: Mapping[str, Any]
    ) -> str | None:
        """Log and register the weights that a row was made with; None if it needs none of ours."""
        from mlflow.entities import LoggedModelInput

        training, sha256 = training_of_row(self.params, item), made["checkpoint_sha256"]
        if training is None or sha256 is None:
            return None
        path = self.layout.checkpoints(training) / f"seed-{made['seed']}.pth"
        weights = Checkpoint(training, self.scale, made["seed"], sha256, path.as_posix())
        experiment, source = self._source(training, made)
        model = logged_model(self.client, experiment, weights, source or run_id)
        self.client.log_inputs(run_id, models=[LoggedModelInput(model.model_id)])
        alias = f"{self.table}-{row['id']}-s{made['seed']}"
        scores = [f"{name} {value:.4g}" for name, value in made["values"].items() if value]
        register(self.client, model, weights, alias, ", ".join(scores[:1]))
        return str(model.model_id)

    def _log_values(
        self,
        run_id: str,
        values: Mapping[str, float],
        model: str | None = None,
        data: tuple[str, str] | None = None,
    ) -> None:
        """Log columns' values; in the UI each column is a section, with what is printed beside."""
        points = {f"{name}/here": value for name, value in values.items()}
        self._log_points(run_id, points, model, data)

    def _log_points(
        self,
        run_id: str,
        points: Mapping[str, float],
        model: str | None = None,
        data: tuple[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric

        name, digest = data or (None, None)
        metrics = [
            Metric(key, value, self.time_ms, 0, model, name, digest, run_id)
            for key, value in points.items()
        ]
        if metrics:
            self.client.log_batch(run_id, metrics=metrics)


def _beside(values: Mapping[str, Mapping[str, float | None]]) -> dict[str, float]:
    """Return what stands beside a row's values: printed, difference and spread, in its units."""
    parts = ("printed", "difference", "std")
    found = {f"{name}/{part}": cell.get(part) for name, cell in values.items() for part in parts}
    return {name: value for name, value in found.items() if value is not None}


def _joined(made: Iterable[Mapping[str, Any]], field: str) -> str:
    """Return the different values of a field in their order, separated by commas."""
    values = (run.get(field) for run in made)
    return ", ".join(dict.fromkeys(str(value) for value in values if value is not None))


def log_tables(
    client: MlflowClient, root: Path, project: Path, tables: Iterable[str] | None = None
) -> list[str]:
    """Log the tables of the present scale that the store lacks, and return their ids.

    Args:
        client: Of the store.
        root: Checkout whose store it is.
        project: Where the tables are; not ``root`` where DVC runs in a copy.
        tables: Ids; all that have been written by default.
    """
    params = load_params(project)
    written = sorted((project / Layout(params["scale"]).table("any", "json")).parent.glob("*.json"))
    logged = []
    for path in written:
        if tables is not None and path.stem not in tables:
            continue
        content = json.loads(path.read_text(encoding="utf-8"))
        if TableLog(client, root, project, params, content).log():
            logged.append(path.stem)
    return logged
