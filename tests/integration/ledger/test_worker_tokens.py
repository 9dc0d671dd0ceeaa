"""A worker's token that was revoked does nothing more, whatever lease it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from ifcbase.errors import TokenRevoked
from ifcbase.ledger.connect import translated
from ifcbase.ledger.tokens import revoke
from tests.integration.world import Job, World

#: A call of every door of a worker that there is, with nothing but the token: found, not listed.
DOORS = """
select p.proname, 'select public.' || quote_ident(p.proname) || '(' || (
         select string_agg(case n when 1 then '%s' else 'null::' || format_type(t, null) end, ', '
                           order by n)
           from unnest(p.proargtypes) with ordinality as a (t, n)) || ')'
  from pg_proc p
 where p.pronamespace = 'public'::regnamespace
   and has_function_privilege('ifc_worker', p.oid, 'execute')
   and p.proargnames[1] = 'lease_token'
 order by 1
"""


@contextmanager
def worker(world: World, token_id: str | None) -> Iterator[None]:
    """Act as PostgREST does for a worker's token; what was done stays."""
    claims = {"role": "ifc_worker", "sub": "w"} | ({} if token_id is None else {"jti": token_id})
    world.sql("select set_config('request.jwt.claims', %s, false)", json.dumps(claims))
    world.sql("set role ifc_worker")
    try:
        yield
    finally:
        world.sql("reset role")
        world.sql("select set_config('request.jwt.claims', '', false)")


def take(world: World, job: Job) -> str | None:
    found = world.value("select public.start_attempt(%s, 'w', 'h', 60)", job.id)
    return found["token"] if found else None


def test_every_door_is_closed_to_a_revoked_token(world: World) -> None:
    job = world.job({"A": "a"})
    with worker(world, "one"):
        token = take(world, job)
        assert token is not None
        world.sql("select public.heartbeat(%s)", token)
    world.sql("select core.revoke_token('one', 'laptop lost')")
    doors = world.sql(DOORS)
    assert len(doors) > 12
    with worker(world, "one"):
        for name, call in doors:
            with pytest.raises(psycopg.Error) as refused, world.connection.transaction():
                world.connection.execute(call, [token])
            assert refused.value.sqlstate == "PT401", name
    # The lease lapses as that of a dead worker does, and another one takes the job.
    world.lapse(token)
    assert world.reap()[job.id] == "queued"
    with worker(world, "two"):
        assert take(world, job) is not None


def test_a_revoked_token_takes_no_job_and_says_why(world: World) -> None:
    job = world.job({"A": "a"})
    assert revoke(world.connection, "one") is True
    with worker(world, "one"), pytest.raises(TokenRevoked, match="was revoked"), translated():
        take(world, job)
    assert world.state(job) == "queued"


def test_a_revoked_token_reads_the_results_of_its_jobs_no_more(world: World) -> None:
    job = world.job({"A": "a"})
    seen = "select count(*) from public.conversion_results"
    with worker(world, "one"):
        assert take(world, job) is not None
    world.sql(
        "insert into conversion.results"
        " (project_id, job_id, input_filename, output_filename, conversion_options)"
        " values (%s, %s, 'a', 'b', '{}')", world.project, job.id,
    )  # fmt: skip
    with worker(world, "one"):
        assert world.value(seen) == 1
    revoke(world.connection, "one")
    with worker(world, "one"):
        assert world.value(seen) == 0


def test_others_go_on(world: World) -> None:
    revoke(world.connection, "one")
    job = world.job({"A": "a"})
    with worker(world, "two"):
        token = take(world, job)
        assert token is not None
        assert world.value("select public.heartbeat(%s)", token) == {"cancel": False}


@pytest.mark.parametrize("token_id", [None, ""])
def test_a_token_without_an_id_could_not_be_revoked_and_is_refused(
    world: World, token_id: str | None
) -> None:
    """Its holder would have kept every right until it expired, whatever anybody did."""
    job = world.job({"A": "a"})
    with worker(world, token_id), pytest.raises(TokenRevoked, match="no id"), translated():
        take(world, job)
    assert world.state(job) == "queued"
    with worker(world, "one"):
        token = take(world, job)
        assert token is not None
    with worker(world, token_id):
        for name, call in world.sql(DOORS):
            with pytest.raises(psycopg.Error) as refused, world.connection.transaction():
                world.connection.execute(call, [token])
            assert refused.value.sqlstate == "PT401", name


def test_a_worker_on_a_dsn_has_no_token_and_goes_on(world: World) -> None:
    """Nothing of it can be revoked but its password."""
    job = world.job({"A": "a"})
    world.sql("select set_config('request.jwt.claims', '', false)")
    world.sql("set role ifc_worker")
    try:
        assert take(world, job) is not None
    finally:
        world.sql("reset role")


def test_revoking_again_keeps_the_first_line_and_expired_ones_are_forgotten(world: World) -> None:
    now = datetime.now(UTC)
    assert revoke(world.connection, "one", "lost", now + timedelta(days=3)) is True
    assert revoke(world.connection, "old", None, now - timedelta(days=31)) is True
    assert revoke(world.connection, "one", "again") is False
    assert world.sql("select jti, reason from core.revoked_tokens where jti <> 'gone'") == [
        ("one", "lost")
    ]
