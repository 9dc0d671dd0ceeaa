"""The migrations on a plain Postgres and on one with Supabase's frame: what is there, and for whom."""

from __future__ import annotations

import psycopg
import pytest

from ifcbase.stack.migrations import discover, migrate
from tests.integration.servers import Server
from tests.integration.world import World

ROOMS = ("core", "clash", "conversion", "tester", "diff")
VIEWS = {"clash_results", "conversion_results", "tester_results", "diff_results"}
DOORS = {
    "start_attempt(uuid,text,text,double precision)",
    "heartbeat(uuid,jsonb)",
    "fail_attempt(uuid,text,jsonb,boolean,jsonb)",
    "finish_job(uuid,jsonb,jsonb)",
    "copy_target(uuid,text)",
    "append_inventory(uuid,bigint,jsonb)",
    "append_copied_inventory(uuid,bigint)",
    "finish_inventory(uuid,bigint,jsonb)",
    "matching_due(uuid)",
    "unmatched_content(uuid,bigint)",
    "moved_candidates(uuid,boolean,text[])",
    "store_links(uuid,bigint,bigint,jsonb)",
    "open_result(uuid,jsonb)",
    "append_rows(uuid,bigint,text,jsonb)",
    "append_copied(uuid,bigint,text)",
    "add_output(uuid,text,bigint,text)",
    "finish_result(uuid,bigint,jsonb)",
    "begin_save(uuid,uuid)",
    "save_rows(uuid,uuid,integer,bigint,text,jsonb)",
    "save_inventory(uuid,uuid,integer,bigint,jsonb)",
    "keep_part(uuid,uuid,text,integer,jsonb)",
    "save_kept_rows(uuid,uuid,text,integer,bigint,text)",
    "save_links(uuid,uuid,text,integer,bigint,bigint)",
    "keep_unmatched(uuid,uuid,text,bigint,integer)",
    "keep_moved(uuid,uuid,text,boolean,text[],integer)",
    "kept_page(uuid,uuid,text,integer)",
    "conclude_inventory(uuid,uuid,bigint,jsonb)",
    "conclude_result(uuid,uuid,bigint,jsonb)",
    "take_job(uuid,text,text,double precision,uuid)",
    "attempt_outcome(uuid)",
    "hold_attempt(uuid,double precision,text)",
    "claim_attempt(uuid,double precision,boolean)",
}
#: What people call.
DESKS = {
    "decide(bigint[],text,text,text,text,date)",
    "decide_group(bigint,text,text,text,text,text,date)",
    "add_rule(bigint,jsonb)",
    "switch_rule(bigint,boolean)",
    "insert_clash_document(uuid,jsonb)",
}
TIME = "timestamp with time zone"
#: The columns of the origin plan's tables, from its SQL.
PLAN = {
    "clash_results": [
        ("id", "bigint"), ("original_clash_id", "bigint"), ("clash_set_name", "text"),
        ("output_filename", "text"), ("clash_count", "integer"), ("clash_data", "jsonb"),
        ("created_at", TIME),
    ],
    "conversion_results": [
        ("id", "bigint"), ("input_filename", "text"), ("output_filename", "text"),
        ("conversion_options", "jsonb"), ("created_at", TIME),
    ],
    "tester_results": [
        ("id", "bigint"), ("ifc_filename", "text"), ("ids_filename", "text"),
        ("test_results", "jsonb"), ("pass_count", "integer"), ("fail_count", "integer"),
        ("created_at", TIME),
    ],
    "diff_results": [
        ("id", "bigint"), ("old_file", "text"), ("new_file", "text"), ("diff_count", "integer"),
        ("diff_data", "jsonb"), ("created_at", TIME),
    ],
}  # fmt: skip
RELATIONS = """select n.nspname || '.' || c.relname from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')"""
FUNCTIONS = """select p.oid::regprocedure::text from pg_proc p
  join pg_namespace n on n.oid = p.pronamespace where n.nspname = any(%s)"""
OURS = [*ROOMS, "public"]


def test_applying_twice_changes_nothing(any_world: World) -> None:
    assert migrate(any_world.dsn) == []


def test_the_files_are_in_the_order_of_their_times() -> None:
    versions = [migration.version for migration in discover()]
    assert versions == sorted(set(versions))
    assert {len(version) for version in versions} == {14}


def test_every_table_has_row_level_security_with_a_policy_and_a_comment(any_world: World) -> None:
    rows = any_world.sql(
        """select c.oid::regclass::text, c.relrowsecurity,
                  obj_description(c.oid, 'pg_class') is not null,
                  array(select pg_get_userbyid(r) from pg_policy p, unnest(p.polroles) r
                         where p.polrelid = c.oid)
             from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = any(%s) and c.relkind in ('r', 'p')""",
        OURS,
    )
    assert len(rows) > 20
    for table, secured, described, roles in rows:
        assert secured, f"{table} has no row-level security"
        assert described, f"{table} has no comment"
        assert "service_role" in roles, table


def test_every_function_is_described_and_finds_things_by_a_trusted_path(any_world: World) -> None:
    rows = any_world.sql(
        """select p.oid::regprocedure::text, p.proconfig,
                  obj_description(p.oid, 'pg_proc') is not null
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = any(%s)""",
        OURS,
    )
    assert len(rows) > 30
    for function, settings, described in rows:
        # pg_temp last: where it is not named it comes first, and the caller's types win.
        # A time limit of its own is what a function called over REST may have besides.
        others = [each for each in settings or [] if not each.startswith("statement_timeout=")]
        assert others == ["search_path=pg_catalog, pg_temp"], function
        assert described, f"{function} has no comment"


def test_public_holds_the_api_and_nothing_else(any_world: World) -> None:
    assert {r[0] for r in any_world.sql(RELATIONS, ["public"])} == {f"public.{v}" for v in VIEWS}
    assert {r[0] for r in any_world.sql(FUNCTIONS, ["public"])} == DOORS | DESKS
    definers = any_world.sql(
        "select proname from pg_proc where pronamespace = 'public'::regnamespace and not prosecdef"
    )
    assert definers == []


def test_views_read_with_the_rights_of_the_reader(any_world: World) -> None:
    rows = any_world.sql(
        """select c.relname, c.reloptions, obj_description(c.oid, 'pg_class') is not null
             from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'"""
    )
    assert {row[0] for row in rows} == VIEWS
    for name, options, described in rows:
        assert options == ["security_invoker=true"], name
        assert described, name


@pytest.mark.parametrize("view", sorted(PLAN))
def test_the_columns_of_the_plan_come_first(world: World, view: str) -> None:
    rows = world.sql(
        """select attname::text, format_type(atttypid, atttypmod) from pg_attribute
            where attrelid = %s::regclass and attnum > 0 order by attnum""",
        f"public.{view}",
    )
    assert rows[: len(PLAN[view])] == PLAN[view]


# --- who may what --------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["anon", "authenticated", "ifc_worker"])
def test_nobody_has_rights_that_pass_by_the_policies(any_world: World, role: str) -> None:
    reached = any_world.sql(
        """select c.oid::regclass::text, p from pg_class c
             join pg_namespace n on n.oid = c.relnamespace,
                  unnest(array['truncate', 'references', 'trigger']) p
            where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v')
              and has_table_privilege(%s, c.oid, p)""",
        OURS, role,
    )  # fmt: skip
    assert reached == []
    sequences = any_world.sql(
        """select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = any(%s)
              and case when c.relkind = 'S'
                       then has_sequence_privilege(%s, c.oid, 'usage, select, update') end""",
        OURS, role,
    )  # fmt: skip
    assert sequences == []
    schemas = any_world.sql(
        "select s from unnest(%s::text[]) s where has_schema_privilege(%s, s, 'create')", OURS, role
    )
    assert schemas == []


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("anon", set()),
        ("authenticated", DESKS),
        ("ifc_worker", DOORS),
        ("service_role", DOORS | DESKS),
    ],
)
def test_only_workers_and_the_service_write_results_and_people_decide(
    any_world: World, role: str, allowed: set[str]
) -> None:
    rows = any_world.sql(
        """select p.oid::regprocedure::text from pg_proc p
            where p.pronamespace = 'public'::regnamespace
              and has_function_privilege(%s, p.oid, 'execute')""",
        role,
    )
    assert {row[0] for row in rows} == allowed


def test_the_owner_may_become_every_role_it_made(any_world: World) -> None:
    """Since Postgres 16 making a role gives membership without the right to SET ROLE."""
    for role in ("anon", "authenticated", "service_role", "ifc_worker"):
        any_world.sql(f"set role {role}")
        assert any_world.value("select current_user::text") == role
        any_world.sql("reset role")


def test_claims_are_read_as_postgrest_sets_them(any_world: World) -> None:
    user = "b6f1d6a0-3f6c-4b9e-9d35-6c1f1c1f1c1f"
    read = "select auth.uid()::text, auth.role(), auth.jwt() ->> 'aud'"
    assert any_world.sql(read) == [(None, None, None)]
    claim = "select set_config('request.jwt.claims', %s, true)"
    any_world.sql(claim, f'{{"sub":"{user}","role":"authenticated","aud":"here"}}')
    assert any_world.sql(read) == [(user, "authenticated", "here")]
    any_world.sql(claim, "")
    assert any_world.sql(read) == [(None, None, None)], "an empty setting is no claim"


# --- a database that is a Supabase already -------------------------------------------------------

FRAME = """
create schema auth;
create schema storage;
create schema extensions;
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
create function auth.role() returns text language sql stable as 'select null::text';
create function auth.jwt() returns jsonb language sql stable as 'select ''{"theirs": true}''::jsonb';
grant usage on schema auth to public;
grant usage on schema auth, storage, extensions to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on sequences to anon, authenticated, service_role;
"""
FRAME_STATE = """
select 'schema ' || nspname, nspowner::regrole::text, nspacl::text from pg_namespace
 where nspname in ('auth', 'storage', 'extensions')
union all
select p.oid::regprocedure::text, p.proowner::regrole::text, p.prosrc || coalesce(p.proacl::text, '')
  from pg_proc p where p.pronamespace = 'auth'::regnamespace
union all
select 'role ' || r.rolname,
       r.rolcanlogin::text || r.rolinherit::text || r.rolbypassrls::text,
       (select coalesce(s.setconfig::text, '') from pg_db_role_setting s
         where s.setrole = r.oid and s.setdatabase = 0)
  from pg_roles r where r.rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
union all
select 'member ' || m.roleid::regrole::text, m.member::regrole::text, m.admin_option::text
  from pg_auth_members m
 where m.roleid::regrole::text in ('anon', 'authenticated', 'service_role')
 order by 1, 2
"""


def test_supabases_frame_is_used_and_left_as_it_is(any_server: Server, any_world: World) -> None:
    """``any_world`` made the roles of the cluster; this database gets its frame from a superuser."""
    with any_server.database() as database:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute(FRAME)
            before = admin.execute(FRAME_STATE).fetchall()
            assert migrate(database.dsn)
            assert admin.execute(FRAME_STATE).fetchall() == before
            assert {row[1] for row in before if row[0].startswith("schema")} == {"ifcbase_admin"}
        world = World(database.dsn)
        try:
            # Supabase's default privileges hand everything in public to everybody.
            for role in ("anon", "authenticated"):
                for view in VIEWS:
                    assert not world.value(
                        "select has_table_privilege(%s, %s, 'insert, update, delete, truncate')",
                        role, f"public.{view}",
                    )  # fmt: skip
                for door in DOORS:
                    assert not world.value(
                        "select has_function_privilege(%s, %s, 'execute')", role, f"public.{door}"
                    )
            assert world.value("select auth.jwt() ->> 'theirs'") == "true"
            world.sql(
                "insert into public.diff_results (old_file, new_file, diff_count, diff_data) "
                "values ('a', 'b', 0, '{}')"
            )
        finally:
            world.close()
