"""Delivering what the store lacks: records kept while it was away, and tables not yet in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from workbench.errors import EsgError
from workbench.tracking.delivery import Delivery
from workbench.tracking.journal import Journal, journals
from workbench.tracking.store import open_store, reason, tracking_uri
from workbench.tracking.tables import log_tables


@dataclass
class Synced:
    """What one `sync` did.

    Attributes:
        store: Address of the store.
        records: Number of records delivered.
        runs: Ids of the runs they belong to.
        refused: Records the store will never take, or whose file has gone; left out for good.
        live: Journals left to the processes that write them.
        tables: Ids of the tables logged.
    """

    store: str
    records: int = 0
    runs: list[str] = field(default_factory=list)
    refused: int = 0
    live: int = 0
    tables: list[str] = field(default_factory=list)


def sync(root: Path) -> Synced:
    """Deliver what was not delivered, and log the present scale's tables that the store lacks.

    A second call finds nothing left to do. An interrupted one loses nothing and repeats nothing.

    Raises:
        EsgError: The store does not answer; what is not delivered is kept.
    """
    done = Synced(tracking_uri(root))
    try:
        client = open_store(root)
        for journal in journals(root):
            if journal.pending():
                _deliver(root, journal, done)
        done.tables = log_tables(client, root, root)
    except EsgError:
        raise
    except Exception as error:
        raise EsgError(
            f"{done.store}: does not answer ({reason(error)}); nothing is lost"
        ) from error
    return done


def _deliver(root: Path, journal: Journal, done: Synced) -> None:
    if not journal.claim():
        done.live += 1
        return
    try:
        delivery = Delivery(root, journal)
        refused = delivery.state.refused
        done.records += delivery.deliver()
        done.refused += delivery.state.refused - refused
        if delivery.state.run_id is not None:
            done.runs.append(delivery.state.run_id)
    finally:
        journal.release()
