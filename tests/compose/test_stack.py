"""The image and the Compose project with a real engine: a job, its row by REST, and two deaths."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.compose.conftest import Stack, until
from tests.compose.tools import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def submit(stack: Stack, revision: str, *, wait: bool) -> str:
    """The id of a clash job on a revision of the sample building."""
    named = f"/examples/{revision}/Sample_{{}}_rev-{revision}.ifc"
    done = stack.ifcbase(
        "clash", "--a", named.format("Architecture"), "--b", named.format("Services"),
        "--name", "Architecture x Services", "--submit", "--wait" if wait else "--no-wait", "--json",
        check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1, 3}, done.stderr + done.stdout
    document = json.loads(done.stdout)
    return str(document["id"] if wait else document["job_id"])


def job(stack: Stack, job_id: str) -> dict[str, Any]:
    done = stack.ifcbase("jobs", "show", job_id, "--json", check=False)
    if done.returncode != 0:  # the database is away just now
        return {"state": "unknown"}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(stack: Stack, key: str | None, columns: str = "id,clash_count,job_id") -> httpx.Response:
    """The clash results as a client of Supabase reads them, through the gateway."""
    gateway = stack.standins("port", "api-gw", "8000").stdout.strip()
    headers = {"apikey": key, "Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(
        f"http://{gateway}/rest/v1/clash_results", headers=headers, timeout=60,
        params={"select": columns, "order": "id"},
    )  # fmt: skip


def test_a_job_goes_through_and_its_row_is_read_by_rest(stack: Stack) -> None:
    first = submit(stack, "A", wait=True)
    assert job(stack, first)["state"] == "finished"
    service = stack.values["SUPABASE_SERVICE_KEY"]
    until(lambda: rows(stack, service).status_code == 200, "PostgREST knows the tables")
    (row,) = rows(stack, service).json()
    assert row["job_id"] == first
    assert row["clash_count"] > 0
    document = rows(stack, service, "clash_data").json()[0]["clash_data"]
    assert len(document[0]["clashes"]) == row["clash_count"]


def test_the_anonymous_key_reads_nothing_and_without_a_key_nobody_comes_in(stack: Stack) -> None:
    anon = rows(stack, stack.values["SUPABASE_ANON_KEY"])
    assert (anon.status_code, anon.json()) == (200, [])
    assert rows(stack, None).status_code == 401


def test_a_killed_worker_loses_nothing(stack: Stack) -> None:
    waiting = submit(stack, "B", wait=False)
    until(lambda: job(stack, waiting)["state"] in {"running", "finished"}, "the job is taken")
    run("docker", "kill", stack.container("ifcbase", "ifcclash-worker"))
    stack.pipeline("up", "--detach", "ifcclash-worker")
    until(lambda: job(stack, waiting)["state"] == "finished", "the job is finished")
    found = rows(stack, stack.values["SUPABASE_SERVICE_KEY"]).json()
    assert [row["job_id"] for row in found].count(waiting) == 1


def test_a_killed_database_loses_nothing(stack: Stack) -> None:
    service = stack.values["SUPABASE_SERVICE_KEY"]
    before = rows(stack, service).json()
    waiting = submit(stack, "A", wait=False)
    database = stack.container("standins", "db")
    run("docker", "kill", "--signal", "KILL", database)
    run("docker", "start", database)
    until(lambda: job(stack, waiting)["state"] == "finished", "the job is finished", 400)
    until(lambda: rows(stack, service).status_code == 200, "PostgREST is connected again")
    after = rows(stack, service).json()
    assert after[: len(before)] == before
    assert [row["job_id"] for row in after].count(waiting) == 1
    assert stack.ifcbase("ledger", "verify", "--json").returncode == 0


def test_a_worker_that_serves_is_healthy(stack: Stack) -> None:
    """It was just killed and started anew: the first look is a minute after that."""
    worker = stack.container("ifcbase", "ifcclash-worker")
    look = ("docker", "inspect", "--format", "{{.State.Health.Status}}", worker)
    until(lambda: run(*look).stdout.strip() == "healthy", "the worker is healthy")


def test_no_secret_is_in_the_logs(stack: Stack) -> None:
    told = stack.pipeline("logs", "--no-color").stdout
    names = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SUPABASE_SERVICE_KEY", "JWT_SECRET")
    assert [name for name in names if stack.values[name] in told] == []


def test_the_program_cannot_write_into_its_image_and_is_nobody(stack: Stack) -> None:
    worker = stack.container("ifcbase", "ifcclash-worker")
    who = run("docker", "exec", worker, "id", "-u")
    assert who.stdout.strip() == "10001"
    refused = run("docker", "exec", worker, "touch", "/opt/ifcbase/x", check=False)
    assert "Read-only file system" in refused.stderr
