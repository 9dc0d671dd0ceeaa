"""Other servers: an older major version, and one that looks like Supabase's."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import Conflict, StackError
from ifcbase.stack.backup import tools
from ifcbase.stack.backup.folder import Folder
from ifcbase.stack.backup.making import make_backup
from ifcbase.stack.backup.restoring import plan, restore
from ifcbase.stack.backup.source import Deployment
from ifcbase.stack.backup.verifying import verify
from ifcbase.stack.migrations import migrate
from tests.integration.backup.conftest import deployment
from tests.integration.migrated import Template
from tests.integration.servers import Servers

ROWS = "insert into core.projects (name, public) select 'p' || n, n % 2 = 0 from generate_series(1, 9) n"


def test_postgres_15_backs_up_and_its_backup_comes_back_on_18(
    servers: Servers, template: Template, tmp_path: Path
) -> None:
    folder = Folder(tmp_path / "backups")
    with servers[15].database(template(servers[15])) as old, servers[18].database() as new:
        with psycopg.connect(old.dsn) as connection:
            connection.execute(ROWS)
        made = make_backup(Deployment(old.dsn, tmp_path / "files"), folder)
        assert made.manifest.major == 15
        verify(folder, made.name, old.dsn)
        restore(folder, made.name, deployment(new, tmp_path / "files"))
        with psycopg.connect(new.dsn) as connection:
            assert connection.execute("select count(*) from core.projects").fetchone() == (10,)
        newer = make_backup(deployment(new, tmp_path / "files"), folder)
        with pytest.raises(Conflict, match="older server"):
            restore(folder, newer.name, Deployment(old.dsn, tmp_path / "files"), replace=True)


def test_missing_programs_are_named_with_their_version(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StackError, match=r"Postgres 99.*only those of \d+") as caught:
        tools.tools_for("host=x", 99)
    assert "postgresql-client-99" in caught.value.hint


#: What Supabase's services make before anything of ours: schemas of a superuser's, with rows of
#: their own, a trigger of the user's, and rights that new tables in public get by default.
SERVICES = """
create schema auth; create schema storage;
create table auth.schema_migrations (version text primary key);
insert into auth.schema_migrations values ('1');
create table auth.users (id uuid primary key, email text, confirmed boolean
  generated always as (email is not null) stored);
create table storage.migrations (id int primary key);
insert into storage.migrations values (1);
create table storage.buckets (id text primary key, name text, public boolean default false);
create table storage.objects (id int primary key, bucket_id text references storage.buckets, name text);
create function auth.uid() returns uuid language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create function auth.jwt() returns jsonb language sql stable as
  $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb $$;
create function auth.role() returns text language sql stable as
  $$ select nullif(current_setting('request.jwt.claim.role', true), '') $$;
create function auth.greet() returns trigger language plpgsql as
  $$ begin raise exception 'the trigger of new users ran'; end $$;
grant usage on schema auth, storage to postgres, anon, authenticated, service_role;
grant select on all tables in schema auth, storage to postgres;
alter default privileges for role postgres in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
  grant all on functions to anon, authenticated, service_role;
"""


def test_a_supabase_comes_back_beside_what_its_services_made(
    servers: Servers, template: Template, tmp_path: Path
) -> None:
    server = servers[18]
    # The roles must be there first, as they are on Supabase.
    template(server)
    folder = Folder(tmp_path / "backups", "a passphrase")
    with server.database() as old, server.database() as new:
        for database in (old, new):
            with psycopg.connect(database.admin_dsn) as connection:
                connection.execute(SERVICES)
        migrate(old.dsn)
        with psycopg.connect(old.admin_dsn) as connection:
            connection.execute(ROWS)
            connection.execute(
                "insert into auth.users select md5(n::text)::uuid, n || '@example.org'"
                " from generate_series(1, 20) n"
            )
            connection.execute(
                "insert into storage.buckets values ('models') on conflict do nothing"
            )
            connection.execute("insert into storage.objects values (1, 'models')")
        made = make_backup(Deployment(old.admin_dsn, tmp_path / "files"), folder)
        assert made.manifest.owner == "postgres"
        assert "rows auth.users" in made.manifest.managed
        verify(folder, made.name, old.admin_dsn)

        with psycopg.connect(new.admin_dsn) as connection:
            connection.execute("insert into auth.users values (md5('1')::uuid, 'kept@example.org')")
            connection.execute(
                "create trigger greet before insert on auth.users"
                " for each row execute function auth.greet()"
            )
        # Its postgres is no superuser: it is told who can, instead of failing halfway.
        found = plan(folder, made.name, Deployment(new.dsn, tmp_path / "files"))
        assert "supabase_admin" in found.obstacles[0]
        restore(folder, made.name, Deployment(new.admin_dsn, tmp_path / "files"))

        rights = (
            "select relname, grantee::regrole::text, privilege_type from pg_class,"
            " aclexplode(relacl) where relnamespace = 'public'::regnamespace order by 1, 2, 3"
        )
        defaults = "select count(*), min(array_length(defaclacl, 1)) from pg_default_acl"
        with (
            psycopg.connect(old.admin_dsn) as before,
            psycopg.connect(new.admin_dsn) as after,
        ):
            assert after.execute(rights).fetchall() == before.execute(rights).fetchall()
            assert after.execute(defaults).fetchall() == before.execute(defaults).fetchall()
            assert after.execute(
                "select count(*), count(*) filter (where email like 'kept%') from auth.users"
            ).fetchall() == [(20, 1)]
            assert after.execute("select count(*) from storage.objects").fetchone() == (1,)
            assert after.execute("select * from auth.schema_migrations").fetchall() == [("1",)]
            # Functions that run with their owner's rights must not belong to a superuser.
            assert (
                after.execute(
                    "select p.oid::regprocedure from pg_proc p join pg_roles r on r.oid = p.proowner"
                    " where r.rolsuper and p.prosecdef and p.pronamespace in"
                    " ('core'::regnamespace, 'public'::regnamespace, 'clash'::regnamespace)"
                ).fetchall()
                == []
            )
