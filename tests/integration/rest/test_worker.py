"""A worker as a process that knows Supabase's gateway and Redis, and no database."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ifcbase.cli import examine_services
from ifcbase.errors import ConfigError
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.engines import engine_for
from ifcbase.jobs.rq_engine import RqEngine
from ifcbase.jobs.submit import Given, show_job, submit
from ifcbase.ledger.rest.client import Access
from ifcbase.settings import Settings, load_settings
from ifcbase.stack.doctor.checks import State
from tests.integration.jobs.brokers import Broker
from tests.integration.rest.stack import RestStack, minted
from tests.integration.world import World
from tests.unit.diff import house as building
from tests.unit.diff.house import house


def test_a_job_goes_through_redis_and_rest(
    busy: World, worker_access: Access, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    broker = Broker(tmp_path)
    old, new = house(3), house(3)
    building.deleted(new, 1)
    paths = []
    for name, made in (("a", old), ("b", new)):
        (tmp_path / name).mkdir()
        paths.append(made.write(tmp_path / name / "House.ifc"))
    assert worker_access.token is not None
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("IFCBASE", "DATABASE"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(sys.path), "IFCBASE_HOME": str(home), "REDIS_URL": broker.url,
        "SUPABASE_URL": worker_access.url, "SUPABASE_PUBLISHABLE_KEY": worker_access.key,
        "SUPABASE_WORKER_JWT": worker_access.token, "LOG_LEVEL": "DEBUG",
    }  # fmt: skip
    broker.start()
    log = (tmp_path / "log").open("wb")
    worker = subprocess.Popen(
        [sys.executable, "-m", "ifcbase", "worker", "--check", "diff", "--until-eof"],
        env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=tmp_path,
    )  # fmt: skip
    try:
        engine = RqEngine(broker.url)
        project = str(busy.value("select name from core.projects where id = %s", busy.project))
        request = {"old_file": "old.ifc", "new_file": "new.ifc"}
        given = {"old.ifc": Given(paths[0], "House"), "new.ifc": Given(paths[1], "House")}
        job = submit(
            busy.connection, engine, LocalFiles(home / "files"), Settings(home=home), "diff",
            request, given, project=project,
        ).job_id  # fmt: skip
        end = time.monotonic() + 200
        while (found := show_job(busy.connection, job))["state"] not in {"finished", "failed"}:
            told = (tmp_path / "log").read_text()
            assert worker.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.1)
    finally:
        assert worker.stdin is not None
        worker.stdin.close()
        worker.wait(timeout=60)
        log.close()
        broker.kill()
    assert found["error"] is None
    assert found["state"] == "finished"
    # At its most talkative it tells nobody its keys, nor the token of a lease.
    told = (tmp_path / "log").read_text()
    assert "DEBUG" in told
    lease = str(busy.value("select token from core.attempts where job_id = %s", job))
    secrets = {"key": worker_access.key, "token": worker_access.token, "lease": lease}
    assert [name for name, value in secrets.items() if value in told] == []
    assert len(found["attempts"]) == 1
    rows = busy.sql("select diff_count from public.diff_results where job_id = %s", job)
    assert rows == [(found["outcome"]["diff_count"],)]
    assert rows[0][0] > 0
    started = busy.value("select started_by from core.attempts where job_id = %s", job)
    assert started == "authenticator/worker-1"


def test_a_worker_without_a_database_needs_redis() -> None:
    with pytest.raises(ConfigError, match="Redis"):
        engine_for(Settings(redis_url=None), None)


def test_doctor_asks_the_real_rest_door(stack: RestStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", stack.url)
    for key, state, sentence in (
        (minted("service_role"), State.OK, "public only"),
        (minted("service_role", secret="x" * 40), State.WRONG, "refuses the key (401)"),
    ):
        monkeypatch.setenv("SUPABASE_SERVICE_KEY", key)
        found = examine_services.rest_door(load_settings())
        assert found[0] is state, found
        assert sentence in found[1]
