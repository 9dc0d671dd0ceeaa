"""RQ on Redis or Valkey: for teams that already run one.

Redis only ever holds ids. An id that it loses is entered again by the reaper, one that it delivers
twice is refused by the ledger; RQ's retries are off and its status of a job is never read.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple
from weakref import WeakKeyDictionary

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.registry import clean_registries
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty
from rq.worker import DequeueStrategy
from rq.worker_registration import clean_worker_registry

from ifcbase.errors import ConfigError, LedgerUnavailable
from ifcbase.jobs.engine import Connection
from ifcbase.sqlfiles import queries

_LOG = logging.getLogger(__name__)
#: The one function an entry may name; see ``_Worker.execute_job``.
TASK = "ifcbase.jobs.rq_engine.run"
#: How long an entry whose handling failed stays to be looked at, in seconds.
FAILED_S = 24 * 3600
#: How often a worker says that it is alive while it has a job in hand, in seconds.
BEAT_S = 15.0
_ID = 36
_UNREACHABLE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)

_SQL = queries("ifcbase.jobs", "rq.sql")


class _Noted(NamedTuple):
    """An id to enter once its transaction is committed."""

    transaction: str
    worker: str
    job_id: str


_handle: ContextVar[Callable[[str], None]] = ContextVar("handle")


def run(job_id: str) -> None:
    """What an entry of the queue calls: the handle of the worker that took it."""
    _handle.get()(job_id)


class RqEngine:
    """The queue engine for ``REDIS_URL``."""

    def __init__(self, url: str, *, production: bool = False) -> None:
        """``production``: refuse a Redis that forgets what it holds when it ends."""
        self._url = url
        self._production = production
        self._noted: WeakKeyDictionary[Connection, dict[_Noted, None]] = WeakKeyDictionary()
        try:
            self._redis = redis.Redis.from_url(
                url, socket_connect_timeout=3, socket_timeout=10, retry=Retry(NoBackoff(), 1)
            )
        except ValueError as error:
            # The address may hold a password: it is not repeated.
            raise ConfigError(
                "REDIS_URL is not the address of a Redis",
                hint="It looks like redis://:password@host:6379/0.",
            ) from error

    def install(self, connection: Connection) -> None:  # noqa: ARG002 (part of the interface)
        """See Engine."""
        self.check()

    def check(self) -> None:
        """Check that Redis answers and that it writes down what it holds.

        Raises ConfigError in production when it does not, LedgerUnavailable."""
        with _reached():
            persistence = self._redis.info("persistence")
        assert isinstance(persistence, dict)  # noqa: S101 (its type allows for asynchronous clients)
        if persistence.get("aof_enabled") == 1:
            return
        hint = "Start it with `--appendonly yes`."
        sentence = "Redis forgets its queue when it ends: its append-only file is off"
        if self._production:
            raise ConfigError(sentence, hint=hint)
        _LOG.warning("%s. No job is lost, but waiting ones start late then. %s", sentence, hint)

    def deliver(self, connection: Connection, worker: str, job_id: str) -> None:
        """Note an id: a worker that got it before the commit would find no job."""
        row = connection.execute(_SQL["transaction"]).fetchone()
        assert row is not None  # noqa: S101 (the query always returns one row)
        self._noted.setdefault(connection, {})[_Noted(row[0], worker, job_id)] = None

    def committed(self, connection: Connection) -> None:
        """Enter what was noted. What Redis does not take is found undelivered by the reaper."""
        noted = self._noted.pop(connection, {})
        if not noted:
            return
        transactions = {"transactions": [each.transaction for each in noted]}
        committed = {row[0] for row in connection.execute(_SQL["committed"], transactions)}
        try:
            for each in noted:
                if each.transaction not in committed:
                    continue
                self._queue(each.worker).enqueue_call(
                    TASK,
                    args=(each.job_id,),
                    timeout=-1,
                    result_ttl=0,
                    failure_ttl=FAILED_S,
                    # One of its own for each delivery: the one before may be in dead hands.
                    job_id=f"{each.job_id}-{secrets.token_hex(4)}",
                    description=each.job_id,
                )
        except redis.exceptions.RedisError as error:
            _LOG.warning("%d jobs wait until Redis answers again: %s", len(noted), error)

    def waiting(self, connection: Connection, job_ids: Sequence[str]) -> set[str]:  # noqa: ARG002 (part of the interface)
        """See Engine."""
        with _reached():
            entered = {
                entry[:_ID]
                for queue in Queue.all(self._redis, serializer=JSONSerializer)
                for entry in queue.get_job_ids()
            }
        return entered.intersection(job_ids)

    def tidy(self, connection: Connection) -> None:  # noqa: ARG002 (part of the interface)
        """See Engine."""
        with _reached():
            for queue in Queue.all(self._redis, serializer=JSONSerializer):
                clean_worker_registry(queue)
                clean_registries(queue)

    def work(
        self, queues: Sequence[str], handle: Callable[[str], None], stop: threading.Event, name: str
    ) -> None:
        """See Engine."""
        self.check()
        with _reached():
            worker = _Worker(
                [self._queue(each) for each in queues],
                name=f"{name}-{secrets.token_hex(2)}",
                connection=self._redis,
                serializer=JSONSerializer,
            )
            worker.asked_to_stop = stop
            told = _handle.set(handle)
            try:
                worker.work(logging_level="WARNING", dequeue_strategy=DequeueStrategy.ROUND_ROBIN)
            finally:
                _handle.reset(told)
        if not stop.is_set():
            raise LedgerUnavailable("the queue cannot be reached: Redis does not answer")

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._redis, serializer=JSONSerializer)


class _Worker(SimpleWorker):
    """RQ's worker in our process: the sandbox already keeps jobs in processes of their own, and a
    fork after native libraries are loaded corrupts the child."""

    # The other one needs the main thread.
    death_penalty_class = TimerDeathPenalty
    log_job_description = False
    asked_to_stop: threading.Event

    def _install_signal_handlers(self) -> None:
        """Whoever runs this worker hears the signals."""

    def procline(self, message: str) -> None:
        """The process keeps the title it has."""

    def dequeue_job_and_maintain_ttl(
        self,
        timeout: int | None,  # noqa: ARG002 (RQ's)
        max_idle_time: int | None = None,  # noqa: ARG002 (RQ's)
    ) -> tuple[Job, Queue] | None:
        """Wait for an entry, looking every second whether to stop."""
        while True:
            if self.asked_to_stop.is_set():
                raise StopRequested
            found = super().dequeue_job_and_maintain_ttl(1, max_idle_time=1)
            if found is not None:
                return found

    def heartbeat(
        self, timeout: int | None = None, pipeline: redis.client.Pipeline | None = None
    ) -> None:
        """Say that it is alive. It ends when Redis is gone: RQ's loop would hear no stop then."""
        try:
            super().heartbeat(timeout, pipeline)
        except _UNREACHABLE as error:
            raise StopRequested from error

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Hand the id over; an entry that somebody else made, naming other code, is not run."""
        if job.func_name != TASK or len(job.args) != 1 or not isinstance(job.args[0], str):
            _LOG.error("an entry of queue %s is not ours and was removed: %s", queue.name, job.id)
            job.delete()
            return
        execution = self.prepare_execution(job)
        with self._alive(job, execution):
            self.perform_job(job, queue, execution)
        self.set_state("idle")

    @contextlib.contextmanager
    def _alive(self, job: Job, execution: Execution) -> Iterator[None]:
        """Say from time to time that the job is still in living hands."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(BEAT_S):
                try:
                    self.maintain_heartbeats(job, execution)
                except (redis.exceptions.RedisError, StopRequested) as error:
                    _LOG.warning("Redis heard no heartbeat: %s", error)

        thread = threading.Thread(target=beat, name="rq-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@contextlib.contextmanager
def _reached() -> Iterator[None]:
    """Errors of Redis as errors of ours."""
    try:
        yield
    except redis.exceptions.AuthenticationError as error:
        raise ConfigError("Redis refuses the password in REDIS_URL") from error
    except redis.exceptions.RedisError as error:
        raise LedgerUnavailable(f"the queue cannot be reached: {error}") from error
