"""Figures of a worker and of its ledger, as Prometheus reads them."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ifcbase import __version__
from ifcbase.errors import ConfigError, IfcbaseError
from ifcbase.jobs.readiness import Readiness, listen
from ifcbase.ledger import operations
from ifcbase.ledger.connect import connect
from ifcbase.ledger.spooled import spooled
from ifcbase.settings import Settings

_LOG = logging.getLogger(__name__)
#: How many ports after the set one are tried: workers of one machine share the setting.
_PORTS = 64

#: Figures of the ledger: what they mean, and the name of their only label.
LEDGER = {
    "jobs": ("Jobs of the ledger by state", "state"),
    "oldest_queued_seconds": ("How long the job that waits longest has been waiting", ""),
    "attempts_total": ("Attempts that ended, by outcome; lost: the lease lapsed", "outcome"),
    "live_leases": ("Attempts being worked on", ""),
    "database_bytes": ("Size of the database", ""),
    "last_success_timestamp_seconds": ("When an operation last succeeded; 0: never", "kind"),
    "coverage_ratio": ("Least coverage among the last results of the month's sets", "check"),
    "files_waiting_for_removal": ("Files that retention let go and nobody removed yet", ""),
    "migrations_applied": ("Migrations the database has", ""),
    "workers": ("Workers whose queue has heard of them within 90 s", ""),
}


class LedgerFigures(Collector):
    """Reads the figures when they are asked for, at most every few seconds, however many ask."""

    def __init__(self, dsn: str, *, every_s: float = 5.0) -> None:
        self._dsn = dsn
        self._every_s = every_s
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._rows: list[tuple[str, str, float]] | None = None

    def collect(self) -> Iterable[Metric]:
        """What the ledger says now; ``ifcbase_ledger_up`` 0 and nothing else where it is silent."""
        with self._lock:
            if time.monotonic() - self._read_at > self._every_s:
                self._rows = self._read()
                self._read_at = time.monotonic()
            rows = self._rows
        up = GaugeMetricFamily("ifcbase_ledger_up", "Whether the database answered")
        up.add_metric([], 0.0 if rows is None else 1.0)
        yield up
        families: dict[str, GaugeMetricFamily] = {}
        for name, label, value in rows or ():
            meaning, label_name = LEDGER[name]
            family = families.setdefault(
                name,
                GaugeMetricFamily(
                    f"ifcbase_{name}", meaning, labels=[label_name] if label_name else []
                ),
            )
            family.add_metric([label] if label_name else [], value)
        yield from families.values()

    def _read(self) -> list[tuple[str, str, float]] | None:
        try:
            with connect(self._dsn) as connection:
                return operations.figures(connection)
        except IfcbaseError as error:
            _LOG.warning("figures for monitoring could not be read: %s", error.message)
            return None


class Disk(Collector):
    """Room on the disks of the files and of the backups."""

    def __init__(self, **folders: Path) -> None:
        self._folders = folders

    def collect(self) -> Iterable[Metric]:
        """Free and total bytes by what lies there."""
        free = GaugeMetricFamily("ifcbase_disk_free_bytes", "Room left on the disk", labels=["of"])
        total = GaugeMetricFamily("ifcbase_disk_total_bytes", "Size of the disk", labels=["of"])
        for name, folder in self._folders.items():
            place = folder
            while not place.exists():
                place = place.parent
            usage = shutil.disk_usage(place)
            free.add_metric([name], usage.free)
            total.add_metric([name], usage.total)
        yield free
        yield total


def spool_figures(folder: Path) -> Iterator[Metric]:
    """What lies in this host's spool; nothing where that cannot be read."""
    try:
        found = spooled(folder)
    except OSError as error:
        _LOG.warning("figures of the spool could not be read: %s", error)
        return
    results = GaugeMetricFamily(
        "ifcbase_spool_results",
        "Results on this host that are not stored: they wait, or were refused",
        labels=["state"],
    )
    size = GaugeMetricFamily("ifcbase_spool_bytes", "Their size", labels=["state"])
    oldest = GaugeMetricFamily(
        "ifcbase_spool_oldest_seconds", "Age of the oldest of them; 0: none", labels=["state"]
    )
    for state, part in (("waiting", found.waiting), ("refused", found.refused)):
        results.add_metric([state], part.results)
        size.add_metric([state], part.size)
        oldest.add_metric([state], part.oldest_s)
    yield from (results, size, oldest)


class SpoolFigures(Collector):
    """``spool_figures`` of one folder, read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        """See ``spool_figures``."""
        return spool_figures(self._folder)


class WorkerMetrics:
    """What one worker counts, beside the figures of its host and, where it has a DSN, of its ledger."""

    def __init__(self, dsn: str | None, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self.readiness = Readiness(settings.spool_folder)
        if dsn is not None:
            self.registry.register(LedgerFigures(dsn))
        self.registry.register(Disk(files=settings.files_folder, backups=settings.backups))
        self.registry.register(SpoolFigures(settings.spool_folder))
        self._deliveries = Counter(
            "ifcbase_worker_deliveries", "Ids this worker was given", registry=self.registry
        )
        self._failures = Counter(
            "ifcbase_worker_delivery_failures",
            "Deliveries that ended with an error of ours",
            registry=self.registry,
        )
        self._busy = Gauge("ifcbase_worker_busy", "Whether it has a job", registry=self.registry)
        started = Gauge("ifcbase_worker_info", "This program", ["version"], registry=self.registry)
        started.labels(__version__).set(1)

    def begin(self) -> None:
        """A job was handed over."""
        self.readiness.works()
        self._deliveries.inc()
        self._busy.set(1)

    def end(self, *, failed: bool) -> None:
        """It is done, or not."""
        self._busy.set(0)
        if failed:
            self._failures.inc()

    def serve(self, settings: Settings) -> WSGIServer | None:
        """Answer `/metrics` and `/readyz` where the settings say so; None where they do not. Raises
        ConfigError."""
        if not settings.metrics_port:
            return None
        for port in range(settings.metrics_port, min(settings.metrics_port + _PORTS, 65536)):
            try:
                server = listen(settings.metrics_host, port, self.registry, self.readiness)
            except OSError as error:
                _LOG.debug("port %s: %s", port, error)
                continue
            _LOG.info("metrics on http://%s:%s/metrics", settings.metrics_host, port)
            return server
        raise ConfigError(
            f"no port from {settings.metrics_port} on is free on {settings.metrics_host}",
            hint="Set IFCBASE_METRICS_PORT to another one, or 0 for none.",
        )
