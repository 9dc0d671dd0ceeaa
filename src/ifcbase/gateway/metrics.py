"""Figures for Prometheus. Labels are short lists we write ourselves: no ids, names or addresses."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ifcbase import __version__
from ifcbase.errors import IfcbaseError
from ifcbase.gateway.state import Gateway, rows
from ifcbase.jobs.metrics import spool_figures
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "metrics.sql")
_LOG = logging.getLogger(__name__)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: For how long figures of the database and the disk hold, however often somebody asks (seconds).
HOLDS_S = 5.0
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "ifcbase_http_requests_total",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "ifcbase_http_response_start_seconds",
            "From a request's arrival to the first byte of its answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.running = Gauge(
            "ifcbase_http_requests_running", "Requests being answered.", registry=self.registry
        )
        self.listeners = Gauge(
            "ifcbase_event_listeners", "Who listens to events here.", registry=self.registry
        )
        Gauge(
            "ifcbase_build_info", "The version that runs.", ["version"], registry=self.registry
        ).labels(__version__).set(1)
        self.registry.register(_Standing(gateway))

    def text(self) -> bytes:
        """All figures in the form Prometheus reads."""
        return generate_latest(self.registry)


class Measured:
    """Counts and times what passes through."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        metrics, began, status = self._metrics, time.perf_counter(), 0
        took = 0.0

        async def tell(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], time.perf_counter() - began
            await send(message)

        metrics.running.inc()
        try:
            await self._app(scope, receive, tell)
        finally:
            metrics.running.dec()
            # The route, of which there are few, and not the address, of which there is no end.
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            metrics.requests.labels(method, route, f"{status or 500}").inc()
            if status:
                metrics.seconds.labels(method, route).observe(took)


class _Standing(Collector):
    """Figures that are looked up when somebody asks, and hold for a few seconds."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._lock = threading.Lock()
        self._found: list[Metric] = []
        self._until = 0.0

    def collect(self) -> Iterable[Metric]:
        """See Collector."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = [*self._of_database(), *self._of_disk()]
                self._until = time.monotonic() + HOLDS_S
            return list(self._found)

    def describe(self) -> Iterable[Metric]:
        """Nothing is looked up only to be registered."""
        return []

    def _of_database(self) -> list[Metric]:
        up = _gauge("database_up", "Whether the database answered.")
        try:
            with self._gateway.connection() as connection:
                found = {name: rows(connection, _SQL[name], ()) for name in _SQL}
        except IfcbaseError as error:
            _LOG.warning("metrics: %s", error.message)
            up.add_metric([], 0)
            return [up]
        up.add_metric([], 1)
        return [up, *_of_rows(found)]

    def _of_disk(self) -> Iterator[Metric]:
        settings = self._gateway.settings
        cache = _gauge("cache_bytes", "What is kept on this machine and can be computed again.")
        free = _gauge("storage_free_bytes", "Room on the disk of IFCBASE_HOME.")
        cache.add_metric([], measure(settings.cache_folder)[1])
        try:
            free.add_metric([], shutil.disk_usage(settings.home).free)
        except OSError as error:
            _LOG.warning("metrics: %s", error)
        yield from (cache, free)
        yield from spool_figures(settings.spool_folder)


def _of_rows(found: dict[str, list[dict[str, Any]]]) -> Iterator[Metric]:
    jobs = _gauge("jobs", "Jobs by check and state.", ["check", "state"])
    for row in found["jobs"]:
        jobs.add_metric([row["check"], row["state"]], row["count"])
    oldest = _gauge("queue_oldest_seconds", "How long the oldest job waits.", ["check"])
    for row in found["waiting"]:
        oldest.add_metric([row["check"]], max(0.0, row["seconds"]))
    yield from (jobs, oldest)
    (workers,), (outbox,), (storage,) = found["workers"], found["outbox"], found["storage"]
    for name, says, value in (
        ("attempts_running", "Attempts holding a lease.", workers["count"]),
        ("webhook_outbox", "Events on their way to webhooks.", outbox["count"]),
        ("webhook_outbox_late_seconds", "How late the latest of them is.", outbox["late"]),
        ("storage_files", "Files of all projects.", storage["files"]),
        ("storage_bytes", "Their size.", storage["bytes"]),
        ("database_bytes", "Size of the database.", storage["database"]),
    ):
        made = _gauge(name, says)
        made.add_metric([], max(0, value))
        yield made


def _gauge(name: str, says: str, labels: list[str] | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ifcbase_{name}", says, labels=labels or [])


def measure(folder: Path) -> tuple[int, int]:
    """How many files a folder holds, and their bytes. Files may come and go meanwhile."""
    count = size = 0
    for home, _, names in os.walk(folder):
        for name in names:
            try:
                size += (Path(home) / name).stat().st_size
            except FileNotFoundError:  # gone since the folder was read
                continue
            count += 1
    return count, size
