"""Supabase lets a statement of its REST door take 8 s. A result whose rows take longer is stored all the
same: in chunks that stay below, and, where one does not, in halves of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ifcbase.ledger.rest.chunks import CHUNK_BYTES
from ifcbase.ledger.rest.client import Access
from ifcbase.ledger.rest.ledger import RestLedger
from tests.integration.rest.stack import RestStack, minted, rest_stack
from tests.integration.servers import Server
from tests.integration.world import (
    World,
    coverage,
    element,
    footer,
    header,
    inventory,
    sightings,
    start,
)

pytestmark = pytest.mark.long

#: Elements of each model; every one of the one clashes with every one of the other.
SIDE = 90
#: What a row costs in these tests, in seconds: all of them 8.9 s and more, a chunk under three.
ROW_S = 0.0011
SLOW = f"""
create function public.slowly() returns trigger language plpgsql as $$
begin
  perform pg_sleep((select count(*) from rows) * {ROW_S});
  return null;
end
$$;
create trigger slowly after insert on clash.sighting_rows referencing new table as rows
  for each statement execute function public.slowly();
alter function public.slowly() security definer;
"""


@pytest.fixture(scope="module")
def slow(
    server: Server, template: Callable[[Server], str], short_folder: Path
) -> Iterator[tuple[World, RestStack]]:
    """A database with the limit that Supabase gives its login role, in which rows take their time."""
    with server.database(template(server)) as database:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            name = f'alter role authenticator in database "{database.name}"'
            admin.execute(f"{name} set statement_timeout = '8s'".encode())
            admin.execute(SLOW.encode())
        with rest_stack(database, short_folder / "slow") as stack:
            world = World(database.dsn)
            yield world, stack
            world.close()


@pytest.mark.parametrize(
    ("chunk_bytes", "halved"), [(CHUNK_BYTES, False), (100 * CHUNK_BYTES, True)],
    ids=["in chunks", "all at once"],
)  # fmt: skip
def test_more_rows_than_one_statement_may_store(
    slow: tuple[World, RestStack],
    caplog: pytest.LogCaptureFixture,
    chunk_bytes: int,
    halved: bool,
) -> None:
    """The plan's one insert of everything ended in 57014, and its worker called that a success."""
    world, stack = slow
    shown = world.sql("select 1 from pg_db_role_setting where '8s' = any(setconfig) or"
                      " 'statement_timeout=8s' = any(setconfig)")  # fmt: skip
    assert shown, "the limit is Supabase's"
    names = {"A.ifc": "a", "B.ifc": "b"}
    elements = {
        file: [element(f"{letter}{i}") for i in range(SIDE)] for file, letter in names.items()
    }
    job = world.job({"A": f"A {chunk_bytes}", "B": f"B {chunk_bytes}"})
    ledger = RestLedger(
        Access(stack.url, minted("anon"), minted("ifc_worker", sub="w")), chunk_bytes=chunk_bytes
    )
    caplog.set_level("INFO", logger="ifcbase.ledger.rest")
    pairs = [(a, SIDE + b) for a in range(SIDE) for b in range(SIDE)]
    attempt = start(ledger, job, lease_s=600)
    with ledger.writing(attempt.token) as writer:
        for file, some in elements.items():
            writer.inventory(job.versions[file], inventory(some))
        result = writer.open_result(header())
        sides = [coverage(0, "a", "A.ifc", SIDE), coverage(1, "b", "B.ifc", SIDE)]
        writer.append_rows(result, "coverage", sides)
        refs = [
            {"ref": number * SIDE + i, "input": file, "global_id": each.global_id, "n": each.n}
            for number, (file, some) in enumerate(elements.items())
            for i, each in enumerate(some)
        ]
        writer.append_rows(result, "elements", refs)
        writer.append_sightings(result, sightings(pairs))
        writer.finish_result(result, footer(len(pairs)))
        writer.finish_job({"db_id": result}, {})
    ledger.close()
    assert (f"{len(pairs)} rows took too long: sent in halves" in caplog.text) is halved
    assert ("took too long" in caplog.text) is halved
    counted = "select count(*) from clash.sightings where result_id = %s"
    assert world.value(counted, result) == len(pairs)
    assert world.state(job) == "finished"
