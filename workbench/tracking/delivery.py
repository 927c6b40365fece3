"""Bringing a journal's records to MLflow, each once however often it is tried.

Everything here may be repeated: a run is found again by its journal's id, a point with the same
time and step is one point to MLflow, and tags, parameters, data sets and files of the same content
replace themselves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.tracking.journal import Delivered, Journal, Record
from workbench.tracking.store import Opening, find_or_create_run, open_store, tracking_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

DIGEST_LIMIT = 36
POINTS_LIMIT = 1000
# What a store answers to a record that it will not take later either.
FINAL_ERRORS = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
# HTTP statuses of the 4xx that may be other later: credentials, slowness, haste.
PASSING_STATUSES = (401, 403, 408, 429)


class Delivery:
    """A journal's way into the store of a checkout.

    Args:
        root: Checkout (`workbench.paths.store_root`).
        journal: Claimed by this process.
    """

    def __init__(self, root: Path, journal: Journal) -> None:
        self.root, self.journal = root, journal
        self.client: MlflowClient | None = None
        self.state = journal.delivered

    def deliver(self) -> int:
        """Deliver all records there are and return their number.

        Raises:
            Exception: Whatever the store's client raises; what was delivered before is kept.
        """
        count = 0
        if not self.journal.read(self.state.offset, limit=1):
            return count
        client, run_id = self._connect()
        while batch := self.journal.read(self.state.offset):
            self._write(client, run_id, batch)
            count += len(batch)
        return count

    def _connect(self) -> tuple[MlflowClient, str]:
        """Return the client and the run, which is made if the store does not have it."""
        if self.client is not None and self.state.run_id is not None:
            return self.client, self.state.run_id
        client = open_store(self.root)
        uri = tracking_uri(self.root)
        if self.state.store != uri or not _has_run(client, self.state.run_id):
            opening = Opening(**next(self.journal.records())["open"])
            run_id = find_or_create_run(client, self.root, opening)
            self._save(Delivered(uri, run_id))
        self.client = client
        assert self.state.run_id is not None
        return client, self.state.run_id

    def _write(self, client: MlflowClient, run_id: str, batch: list[tuple[Record, int]]) -> None:
        """Write records in order, neighbouring points in one transaction."""
        done = 0
        while done < len(batch):
            together = [batch[done]]
            while "metrics" in together[-1][0] and done + len(together) < len(batch):
                following = batch[done + len(together)]
                if "metrics" not in following[0]:
                    break
                together.append(following)
            refused = _deliver_or_refuse(client, run_id, [record for record, _ in together])
            done += len(together)
            refused += self.state.refused
            self._save(replace(self.state, offset=together[-1][1], refused=refused))

    def _save(self, state: Delivered) -> None:
        self.state = state
        self.journal.save(state)


def _has_run(client: MlflowClient, run_id: str | None) -> bool:
    from mlflow.exceptions import MlflowException

    if run_id is None:
        return False
    try:
        client.get_run(run_id)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise
    return True


def _deliver_or_refuse(client: MlflowClient, run_id: str, records: list[Record]) -> int:
    """Write records and return how many of them the store, or a vanished file, made impossible.

    One that is refused takes no others with it, and one name in it no others.
    """
    try:
        write_records(client, run_id, records)
        return 0
    except Exception as error:
        if not _is_final(error):
            raise
    if len(records) > 1:
        return sum(_deliver_or_refuse(client, run_id, [record]) for record in records)
    parts = _parts(records[0])
    if len(parts) > 1:
        for part in parts:
            _deliver_or_refuse(client, run_id, [part])
    return 1


def _is_final(error: Exception) -> bool:
    """Whether the store would answer the same later."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError

    if isinstance(error, MlflowException):
        return error.error_code in FINAL_ERRORS
    # Files are uploaded past MLflow's own errors.
    if isinstance(error, HTTPError) and error.response is not None:
        status = error.response.status_code
        return 400 <= status < 500 and status not in PASSING_STATUSES
    return isinstance(error, FileNotFoundError)


def _parts(record: Record) -> list[Record]:
    """Split a record of several metrics, parameters or tags into one for each."""
    return [
        {**record, kind: {name: value}}
        for kind in ("metrics", "params", "tags")
        for name, value in record.get(kind, {}).items()
    ]


def write_records(client: MlflowClient, run_id: str, records: list[Record]) -> None:
    """Write records to a run: all points in one transaction, the rest one by one."""
    from mlflow.entities import Metric, Param, RunTag

    points = [
        Metric(name, value, record["time_ms"], record["step"])
        for record in records
        for name, value in record.get("metrics", {}).items()
    ]
    for start in range(0, len(points), POINTS_LIMIT):
        client.log_batch(run_id, metrics=points[start : start + POINTS_LIMIT])
    for record in records:
        if "params" in record or "tags" in record:
            params = [Param(name, value) for name, value in record.get("params", {}).items()]
            tags = [RunTag(name, value) for name, value in record.get("tags", {}).items()]
            client.log_batch(run_id, params=params, tags=tags)
        if "artifact" in record:
            client.log_artifact(run_id, record["artifact"], record["folder"] or None)
        if "dataset" in record:
            client.log_inputs(run_id, [dataset_input(**record["dataset"])])
        if record.get("status") == "RUNNING":
            client.update_run(run_id, status="RUNNING")
        elif "status" in record:
            client.set_terminated(run_id, status=record["status"], end_time=record["time_ms"])


def dataset_input(name: str, source: str, sha256: str, context: str) -> Any:
    """Return a data set as an input of a run; MLflow keeps 36 characters of its hash."""
    from mlflow.data.meta_dataset import MetaDataset
    from mlflow.data.sources import LocalArtifactDatasetSource
    from mlflow.entities import DatasetInput, InputTag

    where = LocalArtifactDatasetSource(source)
    dataset = MetaDataset(where, name=name, digest=sha256[:DIGEST_LIMIT])
    return DatasetInput(dataset._to_mlflow_entity(), [InputTag("mlflow.data.context", context)])
