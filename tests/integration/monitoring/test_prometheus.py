"""Rules as promtool judges them, and a real Prometheus that scrapes a real worker's figures."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ifcbase.errors import ConfigError
from ifcbase.jobs.metrics import LEDGER, LedgerFigures, WorkerMetrics, spool_figures
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings
from tests.integration.migrated import ledger, template
from tests.integration.operations.waiting import wait_for
from tests.integration.servers import Database
from tests.integration.world import World

pytestmark = pytest.mark.long

__all__ = ["ledger", "template"]

MONITORING = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"needs {name} (Debian's package prometheus)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "words",
    [["check", "rules", "rules.yml"], ["check", "config", "prometheus.yml"],
     ["test", "rules", "rules_test.yml"]],
    ids=["rules", "config", "tests"],
)  # fmt: skip
def test_promtool_passes(words: list[str]) -> None:
    done = subprocess.run(
        [program("promtool"), *words], cwd=MONITORING, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_says_what_to_do_and_reads_figures_that_exist() -> None:
    text = (MONITORING / "rules.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)\n(.*?)(?=\n      - alert|\Z)", text, re.DOTALL)
    assert len(alerts) >= 10
    for name, body in alerts:
        assert "cure: " in body, name
        assert "summary: " in body, name
    read = set(re.findall(r"\bifcbase_(\w+)", text))
    known = {*LEDGER, "ledger_up", "disk_free_bytes", "disk_total_bytes"}
    known |= {each.name.removeprefix("ifcbase_") for each in spool_figures(Path("nowhere"))}
    assert read <= known


@pytest.fixture
def worker(ledger: Database, tmp_path: Path) -> Iterator[tuple[World, str]]:
    """A ledger with its queue, and the address where a worker answers for it."""
    with closing(connect(ledger.dsn)) as connection:
        ProcrastinateEngine(ledger.dsn).install(connection)
    port = free_port()
    settings = Settings(home=tmp_path, metrics_port=port)
    metrics = WorkerMetrics(ledger.dsn, settings)
    server = metrics.serve(settings)
    assert server is not None
    world = World(ledger.dsn)
    # Faults are seen at once, not up to five seconds later.
    next(
        c for c in metrics.registry._collector_to_names if isinstance(c, LedgerFigures)
    )._every_s = 0
    yield world, f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    world.close()


@pytest.fixture
def prometheus(worker: tuple[World, str], tmp_path: Path) -> Iterator[str]:
    """A Prometheus with our rules, its waits shortened, that scrapes the worker."""
    rules = (MONITORING / "rules.yml").read_text()
    (tmp_path / "rules.yml").write_text(re.sub(r"for: \w+", "for: 0s", rules))
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "rule_files: [rules.yml]\n"
        "scrape_configs:\n"
        f"  - {{job_name: ifcbase, static_configs: [{{targets: ['{worker[1]}']}}]}}\n"
    )
    address = f"127.0.0.1:{free_port()}"
    with (tmp_path / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [program("prometheus"), f"--config.file={tmp_path}/prometheus.yml",
             f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={address}"],
            stdout=log, stderr=log,
        )  # fmt: skip
        try:
            yield address
        finally:
            process.terminate()
            process.wait(timeout=60)


def firing(address: str) -> set[str]:
    try:
        with urllib.request.urlopen(f"http://{address}/api/v1/alerts", timeout=10) as answer:
            document: dict[str, Any] = json.load(answer)
    except OSError:  # it has not begun to listen
        return set()
    alerts = document["data"]["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


def value(address: str, query: str) -> float | None:
    words = urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(f"http://{address}/api/v1/query?{words}", timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
    except OSError:
        return None
    return float(result[0]["value"][1]) if result else None


def test_induced_faults_fire_the_right_alerts(worker: tuple[World, str], prometheus: str) -> None:
    world, _ = worker
    world.sql("insert into core.operations (kind) values ('backup'), ('verify')")
    at_work = (
        "insert into procrastinate.procrastinate_workers (last_heartbeat)"
        " values (now() + interval '1 hour')"
    )
    world.sql(at_work)
    job = world.job({"A": "a"})
    wait_for(lambda: value(prometheus, 'ifcbase:jobs{state="queued"}') == 1, "never scraped")
    wait_for(lambda: value(prometheus, "ifcbase:workers") == 1, "no worker seen")
    # Before its first look nothing had reported, and that was right.
    wait_for(lambda: firing(prometheus) <= {"IfcbaseDiskFilling"}, "all is well")

    # The only worker is gone while a job waits.
    world.sql("delete from procrastinate.procrastinate_workers")
    wait_for(lambda: "IfcbaseQueueBlocked" in firing(prometheus), "the queue is blocked")
    assert firing(prometheus) - {"IfcbaseDiskFilling"} == {"IfcbaseQueueBlocked"}
    world.sql(at_work)
    wait_for(lambda: "IfcbaseQueueBlocked" not in firing(prometheus), "the queue goes on")

    # The last backup is from the day before yesterday.
    world.sql("update core.operations set at = at - interval '2 days' where kind = 'backup'")
    wait_for(lambda: "IfcbaseBackupOld" in firing(prometheus), "the backup is old")
    assert firing(prometheus) - {"IfcbaseDiskFilling"} == {"IfcbaseBackupOld"}
    world.sql("insert into core.operations (kind) values ('backup')")
    wait_for(lambda: "IfcbaseBackupOld" not in firing(prometheus), "there is a new backup")

    # A result is computed and cannot be stored.
    world.sql("update core.jobs set state = 'computed' where id = %s", job.id)
    wait_for(lambda: "IfcbaseResultsNotStored" in firing(prometheus), "a result is not stored")
    assert firing(prometheus) - {"IfcbaseDiskFilling"} == {"IfcbaseResultsNotStored"}


def test_a_silent_ledger_is_told_and_nothing_else_is_claimed(tmp_path: Path) -> None:
    figures = LedgerFigures("host=127.0.0.1 port=1 dbname=none user=none")
    (only,) = figures.collect()
    assert (only.name, only.samples[0].value) == ("ifcbase_ledger_up", 0.0)


def test_workers_of_one_machine_take_the_next_port(ledger: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, metrics_port=free_port())
    one, other = (WorkerMetrics(ledger.dsn, settings) for _ in range(2))
    first, second = one.serve(settings), other.serve(settings)
    assert first is not None
    assert second is not None
    assert first.server_port != second.server_port
    one.begin()
    one.end(failed=True)
    assert one.registry.get_sample_value("ifcbase_worker_delivery_failures_total") == 1
    for server in (first, second):
        server.shutdown()
        server.server_close()
    assert WorkerMetrics(ledger.dsn, Settings(home=tmp_path)).serve(Settings(home=tmp_path)) is None


def test_no_free_port_is_told(ledger: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, metrics_port=65535, metrics_host="192.0.2.1")
    with pytest.raises(ConfigError, match="no port"):
        WorkerMetrics(ledger.dsn, settings).serve(settings)
