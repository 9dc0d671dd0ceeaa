"""What members hear of Realtime: ids, on the private topic of their project; and that a Realtime in
trouble fails no insert. The schema is a stand-in with what upstream's has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from supabase import Client

from ifcbase.ledger.rest.client import Access, make_client
from ifcbase.ledger.rest.ledger import RestLedger
from tests.integration.ledger.test_write_api import store_job, two_models
from tests.integration.rest.stack import RestStack, minted, rest_stack
from tests.integration.servers import Database, Server
from tests.integration.world import World, start

REALTIME = """
create schema realtime;
create table realtime.messages (
  id uuid not null default gen_random_uuid(), topic text not null, extension text not null,
  payload jsonb, event text, private boolean default false,
  inserted_at timestamp not null default now(), primary key (id, inserted_at))
  partition by range (inserted_at);
create table realtime.messages_all partition of realtime.messages default;
alter table realtime.messages enable row level security;
alter table realtime.messages owner to postgres;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
grant select, insert on realtime.messages to postgres, anon, authenticated, service_role;
create function realtime.topic() returns text language sql stable as $$
  select nullif(current_setting('realtime.topic', true), '')::text $$;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language plpgsql as $$
begin
  insert into realtime.messages (payload, event, topic, private, extension)
  values (payload, event, topic, private, 'broadcast');
end $$;
create publication supabase_realtime;
alter publication supabase_realtime owner to postgres;
"""


@pytest.fixture(scope="module")
def told(
    server: Server, template: Callable[[Server], str], short_folder: Any
) -> Iterator[tuple[World, RestStack, Database]]:
    """A database to which Realtime came after our migrations, behind a gateway."""
    with server.database(template(server)) as database:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute(REALTIME.encode())
        world = World(database.dsn)
        assert world.value("select core.apply_realtime()") is True
        with rest_stack(database, short_folder / "realtime") as stack:
            yield world, stack, database
        world.close()


def inserted(client: Client, table: str, row: dict[str, Any]) -> Any:
    """The rows that came back."""
    return client.table(table).insert(row).execute().data


def messages(world: World) -> list[tuple[Any, ...]]:
    return world.sql(
        "select topic, event, private, extension, payload from realtime.messages order by inserted_at"
    )


def test_ids_are_told_on_the_private_topic_of_the_project(
    told: tuple[World, RestStack, Database],
) -> None:
    world, stack, _ = told
    world.sql("truncate realtime.messages")
    ledger = RestLedger(Access(stack.url, minted("anon"), minted("ifc_worker", sub="w")))
    job = two_models(world)
    result = store_job(ledger, start(ledger, job), job)
    ledger.close()
    said = messages(world)
    assert {row[:1] + row[2:4] for row in said} == {("ifcbase:project:1", True, "broadcast")}
    assert [row[4] for row in said if row[1] == "result"] == [
        {"project": 1, "topic": "result", "id": str(result)}
    ]
    jobs = [row[4] for row in said if row[1] == "job"]
    assert jobs
    assert {each["id"] for each in jobs} == {job.id}
    assert all(len(json.dumps(row[4])) < 200 for row in said), "ids, never documents"


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("clash_results", {"clash_set_name": "x", "output_filename": "o", "clash_count": 0, "clash_data": []}),
        ("conversion_results", {"input_filename": "a", "output_filename": "o", "conversion_options": {}}),
        ("tester_results", {"ifc_filename": "a", "ids_filename": "r", "test_results": {}, "pass_count": 1,
                            "fail_count": 0}),
        ("diff_results", {"old_file": "a", "new_file": "b", "diff_count": 0, "diff_data": {}}),
    ],
)  # fmt: skip
def test_plain_inserts_are_told_and_no_trouble_of_realtime_fails_them(
    told: tuple[World, RestStack, Database], table: str, row: dict[str, Any]
) -> None:
    world, stack, database = told
    world.sql("truncate realtime.messages")
    client, close = make_client(Access(stack.url, minted("service_role")))
    (made,) = inserted(client, table, row)
    told_of = [(row[1], row[4]["id"]) for row in messages(world) if row[1] != "event"]
    assert told_of == [("result", str(made["id"]))]
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        # No partition for today, as when the Realtime service is down.
        admin.execute("alter table realtime.messages detach partition realtime.messages_all")
        try:
            (again,) = inserted(client, table, row)
        finally:
            admin.execute(
                "alter table realtime.messages attach partition realtime.messages_all default"
            )
    assert again["id"] == made["id"] + 1
    assert len([row for row in messages(world) if row[1] != "event"]) == 1
    close()


def test_members_may_listen_to_their_project_and_nobody_else(
    told: tuple[World, RestStack, Database],
) -> None:
    world, _, _ = told
    world.sql("truncate realtime.messages")
    member, other = (f"00000000-0000-4000-8000-00000000000{i}" for i in (1, 2))
    world.sql("insert into core.members values (1, %s, 'viewer') on conflict do nothing", member)
    world.sql("select core.tell(1, 'result', '5')")
    world.sql(
        "insert into realtime.messages (topic, extension) values ('ifcbase:project:1', 'presence')"
    )

    def heard(role: str, sub: str | None, topic: str) -> int:
        """What Realtime asks before it lets somebody into a topic."""
        with world.connection.transaction(force_rollback=True):
            claims = json.dumps({"role": role, **({"sub": sub} if sub else {})})
            world.sql("select set_config('request.jwt.claims', %s, true)", claims)
            world.sql("select set_config('realtime.topic', %s, true)", topic)
            world.sql(f"set local role {role}")
            return int(world.value("select count(*) from realtime.messages"))

    assert heard("authenticated", member, "ifcbase:project:1") == 1
    assert heard("authenticated", member, "ifcbase:project:2") == 0
    assert heard("authenticated", member, "ifcbase:project:") == 0
    assert heard("authenticated", other, "ifcbase:project:1") == 0
    assert heard("anon", None, "ifcbase:project:1") == 0


def test_changes_of_result_headers_are_offered(told: tuple[World, RestStack, Database]) -> None:
    world, _, _ = told
    assert world.value("select core.apply_realtime()") is True, "again does no harm"
    assert world.sql(
        "select schemaname, tablename from pg_publication_tables"
        " where pubname = 'supabase_realtime' order by 1"
    ) == [(each, "results") for each in ("clash", "conversion", "diff", "tester")]


def test_without_realtime_nothing_is_missing(busy: World) -> None:
    assert busy.value("select core.apply_realtime()") is False
    busy.sql("listen ifcbase")
    busy.sql("select core.tell(%s, 'result', '7')", busy.project)
    (heard,) = busy.connection.notifies(timeout=30, stop_after=1)
    assert json.loads(heard.payload) == {"project": busy.project, "topic": "result", "id": "7"}
    busy.sql("unlisten ifcbase")
