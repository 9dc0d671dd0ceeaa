"""Who reads and writes which objects of Storage: policies on a storage schema as the service makes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ifcbase.files.storage import BUCKETS, object_name
from ifcbase.ledger.access import apply_storage
from ifcbase.ledger.tokens import revoke
from tests.integration.servers import Database, Server
from tests.integration.world import Job, World, sha

#: The part of Storage's own migrations that policies see; its tables belong to its own role.
STORAGE = """
create table storage.buckets (id text primary key, name text not null unique, owner uuid,
  public boolean default false, file_size_limit bigint, created_at timestamptz default now());
create table storage.objects (id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets, name text, owner_id text, metadata jsonb,
  created_at timestamptz default now(), unique (bucket_id, name));
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role;
"""
EDITOR, VIEWER, STRANGER = (f"00000000-0000-4000-8000-00000000010{n}" for n in range(3))
IFC, FOREIGN, OUTPUT = sha("a"), sha("foreign"), sha("output")

Names = set[tuple[str, str]]


class Site(World):
    """Project ``own`` with members and a job on a.ifc, project ``foreign``, a public one."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.dsn)
        self.sql(STORAGE)
        assert apply_storage(self.connection) == []
        for name, public in (("foreign", False), ("open", True), ("own", False)):
            self.project = self.value(
                "insert into core.projects (name, public) values (%s, %s) returning id",
                name,
                public,
            )
        for user, role in ((EDITOR, "editor"), (VIEWER, "viewer")):
            self.sql("insert into core.members values (%s, %s, %s)", self.project, user, role)
        for project in ("own", "foreign", "open"):
            for bucket, hashed in (("models", IFC), ("models", FOREIGN), ("clash-results", OUTPUT),
                                   ("diff-results", OUTPUT)):  # fmt: skip
                self.sql(
                    "insert into storage.objects (bucket_id, name) values (%s, %s)",
                    bucket, object_name(project, hashed),
                )  # fmt: skip
        self.clash: Job = self.job({"A": "a"})

    @contextmanager
    def calling(self, role: str, **claims: Any) -> Iterator[None]:
        """As Storage does it: the token's role and claims, in a transaction of its own."""
        with self.connection.transaction(force_rollback=True):
            self.sql("select set_config('request.jwt.claims', %s, true)",
                     json.dumps({"role": role, **claims}))  # fmt: skip
            self.connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            yield

    def seen(self) -> Names:
        return {
            (bucket, name)
            for bucket, name in self.sql("select bucket_id, name from storage.objects")
        }

    def may_write(self, bucket: str, name: str) -> bool:
        try:
            with self.connection.transaction(force_rollback=True):
                self.connection.execute(
                    "insert into storage.objects (bucket_id, name) values (%s, %s)", [bucket, name]
                )
        except psycopg.errors.InsufficientPrivilege:
            return False
        return True


@pytest.fixture(scope="module")
def site(server: Server, template: Callable[[Server], str]) -> Iterator[Site]:
    with server.database(template(server)) as database:
        found = Site(database)
        yield found
        found.close()


@pytest.fixture
def lease(site: Site) -> Iterator[str]:
    """A live lease of the worker w, taken through the REST API; undone afterwards."""
    with site.connection.transaction(force_rollback=True):
        with site.connection.transaction():
            site.sql("select set_config('request.jwt.claims', %s, true)",
                     json.dumps({"role": "ifc_worker", "sub": "w", "jti": "one"}))  # fmt: skip
            site.sql("set local role ifc_worker")
            found = site.value("select public.start_attempt(%s, 'w', 'h', 600)", site.clash.id)
            site.sql("reset role")
            site.sql("select set_config('request.jwt.claims', '', true)")
        yield found["token"]


def of(project: str, *kinds: tuple[str, str]) -> Names:
    return {(bucket, object_name(project, hashed)) for bucket, hashed in kinds}


ALL = (("models", IFC), ("models", FOREIGN), ("clash-results", OUTPUT), ("diff-results", OUTPUT))
NEW = sha("new")
MEMBERS: dict[str, tuple[str, dict[str, Any], Names, set[str]]] = {
    "anon": ("anon", {}, set(), set()),
    "stranger": ("authenticated", {"sub": STRANGER}, set(), set()),
    "viewer": ("authenticated", {"sub": VIEWER}, of("own", *ALL), set()),
    "editor": ("authenticated", {"sub": EDITOR}, of("own", *ALL), {"models"}),
    "worker without a lease": ("ifc_worker", {"sub": "w", "jti": "one"}, set(), set()),
}


@pytest.mark.parametrize("who", MEMBERS)
def test_people_reach_the_files_of_their_projects(site: Site, who: str) -> None:
    role, claims, reads, writes = MEMBERS[who]
    with site.calling(role, **claims):
        assert site.seen() == reads
        assert {b for b in BUCKETS if site.may_write(b, object_name("own", NEW))} == writes
        assert not any(site.may_write(b, object_name("foreign", NEW)) for b in BUCKETS)


@pytest.mark.parametrize(("verbs", "reads", "writes"), [
    (["read"], True, False), (["read", "write"], True, True), ([], False, False),
])  # fmt: skip
def test_a_key_does_what_it_names(site: Site, verbs: list[str], reads: bool, writes: bool) -> None:
    with site.calling("authenticated", ifcbase_project=site.project, ifcbase_verbs=verbs):
        assert site.seen() == (of("own", *ALL) if reads else set())
        assert site.may_write("models", object_name("own", NEW)) is writes


def test_a_worker_reaches_what_its_lease_is_about(site: Site, lease: str) -> None:
    assert lease
    with site.calling("ifc_worker", sub="w", jti="one"):
        assert site.seen() == of("own", ("models", IFC), ("clash-results", OUTPUT))
        able = {b for b in BUCKETS if site.may_write(b, object_name("own", NEW))}
        assert able == {"clash-results"}
        assert not site.may_write("clash-results", object_name("foreign", NEW))
    with site.calling("ifc_worker", sub="another", jti="two"):
        assert site.seen() == set()
        assert not site.may_write("clash-results", object_name("own", NEW))


def test_with_the_lease_the_files_go(site: Site, lease: str) -> None:
    site.lapse(lease)
    with site.calling("ifc_worker", sub="w", jti="one"):
        assert site.seen() == set()
        assert not site.may_write("clash-results", object_name("own", NEW))


def test_a_revoked_token_reaches_no_file(site: Site, lease: str) -> None:
    assert lease
    revoke(site.connection, "one")
    with site.calling("ifc_worker", sub="w", jti="one"):
        assert site.seen() == set()
        assert not site.may_write("clash-results", object_name("own", NEW))


@pytest.mark.parametrize("name", [
    "own/../foreign/x", f"own/{IFC}", f"own/00/{IFC}", f"own/{IFC[:2]}/{IFC}/x", "own/",
    f"/own/{IFC[:2]}/{IFC}", f"own/{IFC[:2]}/{IFC.upper()}", f"nowhere/{IFC[:2]}/{IFC}", "",
])  # fmt: skip
def test_names_of_another_form_belong_to_nobody(site: Site, name: str) -> None:
    if name == object_name("own", IFC):
        pytest.fail("a good name")
    with site.calling("authenticated", sub=EDITOR):
        assert not site.may_write("models", name)
    assert site.value("select core.object_project('models', %s)", name) is None
    assert site.value("select core.object_project('other', %s)", object_name("own", IFC)) is None


@pytest.mark.parametrize("statement", [
    "update storage.objects set name = name", "delete from storage.objects",
])  # fmt: skip
def test_nobody_but_the_service_changes_an_object(site: Site, statement: str) -> None:
    with site.calling("authenticated", sub=EDITOR):
        assert site.connection.execute(statement).rowcount == 0
    with (
        site.calling("ifc_worker", sub="w", jti="one"),
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        site.connection.execute(statement)


def test_buckets_are_private_and_made_so_again(site: Site) -> None:
    with site.connection.transaction(force_rollback=True):
        assert set(BUCKETS) == {row[0] for row in site.sql("select id from storage.buckets")}
        site.sql("update storage.buckets set public = true where id = 'clash-results'")
        assert apply_storage(site.connection) == ["was public, is private now: clash-results"]
        assert site.sql("select id from storage.buckets where public") == []
        assert apply_storage(site.connection) == []


def test_storages_own_connection_finds_the_lease(
    server: Server, template: Callable[[Server], str]
) -> None:
    """The lease is taken as authenticator, the file asked for as supabase_storage_admin."""
    with (
        server.database(template(server)) as database,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        made = not admin.execute(
            "select from pg_roles where rolname = 'supabase_storage_admin'"
        ).fetchall()
        if made:
            admin.execute("create role supabase_storage_admin login noinherit createrole")
        admin.execute("grant ifc_worker to supabase_storage_admin")
        try:
            site = Site(database)
            admin.execute("set session authorization authenticator")
            claims = json.dumps({"role": "ifc_worker", "sub": "w", "jti": "one"})
            admin.execute("select set_config('request.jwt.claims', %s, false)", [claims])
            admin.execute("set role ifc_worker")
            admin.execute("select public.start_attempt(%s, 'w', 'h', 600)", [site.clash.id])
            admin.execute("reset role")
            for login, count in (("supabase_storage_admin", 2), ("authenticator", 2),
                                     ("postgres", 0)):  # fmt: skip
                admin.execute("reset session authorization")
                admin.execute(sql.SQL("set session authorization {}").format(sql.Identifier(login)))
                admin.execute("set role ifc_worker")
                seen = admin.execute("select count(*) from storage.objects").fetchone()
                assert seen == (count,), login
                admin.execute("reset role")
            site.close()
        finally:
            admin.execute("reset session authorization")
            if made:
                admin.execute("drop owned by supabase_storage_admin")
                admin.execute("drop role supabase_storage_admin")


def test_what_only_the_owner_of_storage_can_do_is_told(
    server: Server, template: Callable[[Server], str]
) -> None:
    """On Supabase these tables are supabase_storage_admin's: nothing fails, the rest is said."""
    with server.database(template(server)) as database:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute(STORAGE)
            admin.execute("grant select on storage.buckets to postgres")
        world = World(database.dsn)
        told = apply_storage(world.connection)
        assert any(line.endswith("to ifc_worker;") for line in told)
        assert sum("create policy" in line for line in told) == 2
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            assert admin.execute("select core.apply_storage()").fetchall() == []
        world.close()


def test_without_storage_nothing_happens(world: World) -> None:
    assert apply_storage(world.connection) == ["there is no Storage in this database (yet)"]
