"""Optuna studies: where one is kept, and how it is opened and locked."""

from __future__ import annotations

import importlib.util
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from filelock import FileLock

from workbench.errors import BadInput, EsgError, Interrupted
from workbench.sweeps.spec import Algorithm, Parameter, SweepSpec

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler
    from optuna.storages import BaseStorage

JOURNAL, SQLITE, POSTGRES = "journal:", "sqlite:///", "postgresql+psycopg://"
MAX_RETRIES = 2
# A worker that is not heard of for so many heartbeats is dead.
GRACE = 4
LOCK_TIMEOUT_S = 120
# How long a database may be away, and how often it is asked meanwhile.
AWAY_S, RETRY_S = 120.0, 2.0

Found = TypeVar("Found")


class StorageAway(Interrupted):
    """The study's database did not answer for too long."""


def away_errors() -> tuple[type[Exception], ...]:
    """Return what a database that is away raises: by itself, or through Optuna."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import InterfaceError, OperationalError

    return StorageInternalError, InterfaceError, OperationalError


def patiently(call: Callable[[], Found]) -> Found:
    """Call what may be called twice, and again while the database is away.

    Raises:
        StorageAway: It does not come back.
    """
    until = time.monotonic() + AWAY_S
    while True:
        try:
            return call()
        except away_errors() as error:
            if time.monotonic() > until:
                reason = str(error.__cause__ or error).splitlines()[0]
                raise StorageAway(f"the study's database is away ({reason})") from error
            time.sleep(RETRY_S)


@dataclass(frozen=True)
class Place:
    """Where a study is kept.

    Attributes:
        url: See `checked_url`.
        study: Name of the study.
        heartbeat_s: Seconds between signs of life of a running trial.
    """

    url: str
    study: str
    heartbeat_s: int = 30

    @property
    def recovers(self) -> bool:
        """Whether trials of dead workers are found: not in a journal file."""
        return not self.url.startswith(JOURNAL)

    @property
    def file(self) -> Path | None:
        """File that holds the study; None where it is in a server."""
        if self.url.startswith(POSTGRES):
            return None
        return Path(self.url.removeprefix(SQLITE).removeprefix(JOURNAL))

    @property
    def begun(self) -> bool:
        """Whether there can be a study: a server is to be asked, a file must be there."""
        return self.file is None or self.file.is_file()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study for oneself; the death of the holder releases it.

        Raises:
            EsgError: Held by others for too long.
        """
        if self.file is None:
            with _advisory_lock(self.url, self.study):
                yield
            return
        file = self.file.with_name(f"{self.file.name}.claim")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(file, timeout=LOCK_TIMEOUT_S):
                yield
        except TimeoutError as error:
            raise EsgError(f"{file}: held for over {LOCK_TIMEOUT_S} s; end who holds it") from error

    def storage(self) -> BaseStorage:
        """Open the storage, which is made if needed; hold the lock meanwhile."""
        import optuna

        if self.url.startswith(JOURNAL):
            from optuna.storages.journal import JournalFileBackend

            file = self.url.removeprefix(JOURNAL)
            return optuna.storages.JournalStorage(JournalFileBackend(file))
        retry = optuna.storages.RetryHeartbeatStaleTrialCallback(
            max_retry=MAX_RETRIES, inherit_intermediate_values=True
        )
        waits = {"connect_args": {"timeout": 60}} if self.url.startswith(SQLITE) else {}
        return optuna.storages.RDBStorage(
            self.url,
            engine_kwargs={**waits, "pool_pre_ping": True},
            heartbeat_interval=self.heartbeat_s,
            grace_period=GRACE * self.heartbeat_s,
            heartbeat_stale_trial_callback=retry,
        )


@contextmanager
def _advisory_lock(url: str, name: str) -> Iterator[None]:
    """Hold PostgreSQL's lock of a name; it goes with the connection."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        lock = sqlalchemy.text("SELECT pg_advisory_lock(hashtextextended(:name, 0))")
        connection.execute(lock, {"name": f"esg sweep {name}"})
        yield


def checked_url(url: str) -> str:
    """Return a storage's address in full.

    Args:
        url: ``sqlite:///FILE``, ``journal:FILE`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

    Raises:
        BadInput: Another kind, or PostgreSQL without its driver.
    """
    if url.startswith("postgresql://"):
        url = POSTGRES + url.removeprefix("postgresql://")
    if not url.startswith((JOURNAL, SQLITE, POSTGRES)):
        fix = "use sqlite:///FILE, journal:FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
        raise BadInput("--storage", "URL", repr(url.partition(":")[0]), fix)
    if url.startswith(POSTGRES) and importlib.util.find_spec("psycopg") is None:
        fix = "pip install --constraint requirements.lock --editable '.[postgres]'"
        raise BadInput("--storage", "postgresql", "psycopg is not installed", fix)
    return url


def open_study(place: Place, spec: SweepSpec, create: bool = True) -> tuple[Study, BaseStorage]:
    """Open a study, which is made if needed.

    Returns:
        The study, and its storage for what Optuna offers there only.

    Raises:
        BadInput: Options that the sampler or pruner does not have.
        EsgError: The storage cannot be opened, or has no such study and ``create`` is off.
    """
    quiet_optuna()
    import optuna

    sampler, pruner = make_sampler(spec, spec.seed), make_pruner(spec)
    if not create and not place.begun:
        raise _no_study(spec)
    try:
        with place.lock():
            storage = place.storage()
            if not create:
                return optuna.load_study(
                    study_name=place.study, storage=storage, sampler=sampler, pruner=pruner
                ), storage
            study = optuna.create_study(
                study_name=place.study,
                storage=storage,
                sampler=sampler,
                pruner=pruner,
                direction=spec.direction,
                load_if_exists=True,
            )
    except EsgError:
        raise
    except KeyError as error:
        raise _no_study(spec) from error
    # Whatever the database's driver raises.
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise EsgError(f"--storage: cannot be opened ({reason})") from error
    return study, storage


def _no_study(spec: SweepSpec) -> EsgError:
    fix = f"start it with `esg sweep {spec.name}`"
    return EsgError(f"{spec.name}: no study of this space, config and code; {fix}")


def quiet_optuna() -> None:
    """Leave telling to us: a worker prints a line of its own for each trial."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed")
    warnings.filterwarnings("ignore", message="The reported value is ignored")


def make_sampler(spec: SweepSpec, seed: int) -> BaseSampler:
    """Return a sampler whose draws depend on ``seed`` and the finished trials alone.

    A grid's values are fixed before a trial begins, so its sampler is never asked.
    """
    from optuna import samplers

    kinds = {
        "tpe": (samplers.TPESampler, {"constant_liar": True}),
        "gp": (samplers.GPSampler, {}),
        "random": (samplers.RandomSampler, {}),
        "grid": (samplers.RandomSampler, {}),
    }
    kind, defaults = kinds[spec.sampler.name]
    options = {**defaults, **spec.sampler.options, "seed": seed % 2**32}
    return _made(kind, options, spec, "sampler", spec.sampler)


def make_pruner(spec: SweepSpec) -> BasePruner:
    """Return the pruner; steps are iterations."""
    from optuna import pruners

    budget = spec.budget
    resource = {"min_resource": budget.validate_every, "max_resource": budget.iterations}
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "median": (pruners.MedianPruner, {}),
        "hyperband": (pruners.HyperbandPruner, resource),
        "none": (pruners.NopPruner, {}),
    }
    kind, defaults = kinds[spec.pruner.name]
    return _made(kind, {**defaults, **spec.pruner.options}, spec, "pruner", spec.pruner)


def _made(
    kind: Any, options: dict[str, Any], spec: SweepSpec, field: str, algorithm: Algorithm
) -> Any:
    try:
        return kind(**options)
    except (TypeError, ValueError) as error:
        problem = str(error).replace("\n", " ")
        fix = f"give options of Optuna's {kind.__name__}"
        raise BadInput(spec.path, f"{field} ({algorithm.name})", problem, fix) from error


def distribution(parameter: Parameter) -> BaseDistribution:
    """Return Optuna's distribution of a parameter."""
    from optuna import distributions

    if parameter.kind == "categorical":
        return distributions.CategoricalDistribution(parameter.grid())
    low, high, log, step = parameter.low, parameter.high, parameter.log, parameter.step
    if parameter.kind == "int":
        return distributions.IntDistribution(int(low), int(high), log, int(step or 1))
    return distributions.FloatDistribution(low, high, log, step)
