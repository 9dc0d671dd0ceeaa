"""The migrations runner on real servers of every major, always as the role that is no superuser."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from ifcbase.errors import LedgerUnavailable, ProgramOutdated, SchemaOutdated, StackError
from ifcbase.stack.migrations import (
    MigrationStatus,
    Timeouts,
    discover,
    head,
    migrate,
    require_head,
    status,
)
from tests.integration.servers import Database

Sql = Callable[..., list[tuple[object, ...]]]
HISTORY = "supabase_migrations.schema_migrations"
FIRST = "20260101000000_first.sql"
SECOND = "20260102000000_second.sql"
THIRD = "20260103000000_third.sql"


class Folder:
    """A folder of migrations that a test writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path)
    found.write(
        FIRST,
        """-- Wände: 100 % of them; a comment with a ; in it
CREATE SCHEMA app;
CREATE TABLE app.walls (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE FUNCTION app.grow() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.name := NEW.name || ';$x$';
  RETURN NEW;
END
$body$;
CREATE TRIGGER grow BEFORE INSERT ON app.walls FOR EACH ROW EXECUTE FUNCTION app.grow();
INSERT INTO app.walls (name) VALUES ('Wand ä'), ('100%');
""",
    )
    found.write(
        SECOND,
        """ALTER TABLE app.walls ENABLE ROW LEVEL SECURITY;
CREATE POLICY owner ON app.walls USING (name <> 'secret');
SET search_path = app;
SET statement_timeout = '1ms';
""",
    )
    return found


# --- applying ------------------------------------------------------------------------------------


def test_from_empty_on_every_major_without_superuser(
    any_database: Database, folder: Folder, run_sql: Sql
) -> None:
    dsn = any_database.dsn
    assert run_sql(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    assert [item.applied for item in status(dsn, folder=folder.path)] == [False, False]
    assert run_sql(dsn, f"SELECT to_regclass('{HISTORY}')") == [(None,)], "status changes nothing"
    with pytest.raises(SchemaOutdated, match=f"2 of 2 .* {FIRST}"):
        require_head(dsn, folder=folder.path)
    # A third file that would fail under what the second one sets for its session.
    folder.write(THIRD, "SELECT pg_sleep(0.1); CREATE TABLE here (n int);")
    steps: list[tuple[float, str]] = []
    applied = migrate(
        dsn,
        folder=folder.path,
        progress=lambda _phase, fraction, note="": steps.append((fraction, note)),
    )
    assert [migration.path.name for migration in applied] == [FIRST, SECOND, THIRD]
    assert [note for _, note in steps] == [FIRST, SECOND, THIRD]
    assert [fraction for fraction, _ in steps] == sorted(fraction for fraction, _ in steps)
    assert migrate(dsn, folder=folder.path) == []
    require_head(dsn, folder=folder.path)
    assert run_sql(dsn, "SELECT name FROM app.walls ORDER BY id") == [
        ("Wand ä;$x$",),
        ("100%;$x$",),
    ]
    assert run_sql(dsn, "SELECT to_regclass('public.here') IS NOT NULL") == [(True,)]
    assert run_sql(dsn, f"SELECT version, name, statements FROM {HISTORY} ORDER BY version") == [
        (path.name[:14], path.stem[15:], [path.read_text(encoding="utf-8")])
        for path in sorted(folder.path.glob("*.sql"))
    ]


def test_an_edited_migration_is_noticed(
    database: Database, folder: Folder, caplog: pytest.LogCaptureFixture, run_sql: Sql
) -> None:
    dsn = database.dsn
    migrate(dsn, folder=folder.path)
    first = (folder.path / FIRST).read_text(encoding="utf-8")
    # Other line ends are what a checkout makes of the same file.
    folder.write(FIRST, first.rstrip("\n").replace("\n", "\r\n"))
    migrate(dsn, folder=folder.path)
    assert caplog.records == []
    assert [item.edited for item in status(dsn, folder=folder.path)] == [False, False]
    folder.write(FIRST, first.replace("'100%'", "'99%'"))
    assert [item.edited for item in status(dsn, folder=folder.path)] == [True, False]
    folder.write(THIRD, "CREATE TABLE app.more (n int);")
    assert [migration.path.name for migration in migrate(dsn, folder=folder.path)] == [THIRD]
    warned = [record.getMessage() for record in caplog.records]
    assert warned == [
        f"{FIRST} was edited after it was applied; the database has what it said before"
    ]
    # Statement by statement, or not at all, as other programs record: nothing can be said.
    for statements in ("ARRAY['CREATE SCHEMA app', 'x']", "NULL", "ARRAY[]::text[]"):
        run_sql(dsn, f"UPDATE {HISTORY} SET statements = {statements} WHERE name = 'first'")
        assert not any(item.edited for item in status(dsn, folder=folder.path))


def test_the_history_has_the_supabase_clis_columns(
    database: Database, folder: Folder, run_sql: Sql
) -> None:
    migrate(database.dsn, folder=folder.path)
    rows = run_sql(
        database.dsn,
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute "
        f"WHERE attrelid = '{HISTORY}'::regclass AND attnum > 0 ORDER BY attnum",
    )
    assert rows == [
        ("version", "text", True),
        ("statements", "text[]", False),
        ("name", "text", False),
    ]
    assert run_sql(
        database.dsn,
        f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{HISTORY}'::regclass "
        "AND contype = 'p'",
    ) == [("PRIMARY KEY (version)",)]


def test_a_history_the_supabase_cli_began_is_continued(
    database: Database, folder: Folder, run_sql: Sql
) -> None:
    """Old versions of it made the table with one column only."""
    run_sql(database.dsn, "CREATE SCHEMA supabase_migrations")
    run_sql(database.dsn, f"CREATE TABLE {HISTORY} (version text NOT NULL PRIMARY KEY)")
    run_sql(database.dsn, f"INSERT INTO {HISTORY} VALUES ('20260101000000')")
    run_sql(database.dsn, "CREATE SCHEMA app")
    run_sql(database.dsn, "CREATE TABLE app.walls (name text)")
    assert [item.applied for item in status(database.dsn, folder=folder.path)] == [True, False]
    assert [m.path.name for m in migrate(database.dsn, folder=folder.path)] == [SECOND]
    assert run_sql(database.dsn, f"SELECT version, name FROM {HISTORY} ORDER BY 1") == [
        ("20260101000000", None),
        ("20260102000000", "second"),
    ]


def test_up_to_a_version(database: Database, folder: Folder) -> None:
    assert len(migrate(database.dsn, to="20260101000000", folder=folder.path)) == 1
    assert migrate(database.dsn, to="20260101000000", folder=folder.path) == []
    with pytest.raises(SchemaOutdated, match="1 of 2"):
        require_head(database.dsn, folder=folder.path)
    with pytest.raises(StackError, match="no migration 2026"):
        migrate(database.dsn, to="2026", folder=folder.path)
    assert len(migrate(database.dsn, to="20260102000000", folder=folder.path)) == 1


def test_a_role_set_by_a_file_does_not_write_the_history(
    database: Database, folder: Folder, run_sql: Sql
) -> None:
    run_sql(database.dsn, f"CREATE ROLE {database.name}_r NOLOGIN")
    run_sql(database.dsn, f"GRANT {database.name}_r TO postgres")
    try:
        folder.write(THIRD, f"SET ROLE {database.name}_r;")
        assert len(migrate(database.dsn, folder=folder.path)) == 3
    finally:
        run_sql(database.dsn, f"DROP ROLE {database.name}_r")


# --- failing -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("CREATE TABLE app.a (n int);\n\nSELEC 1;\n", 3, "syntax error"),
        ("CREATE TABLE app.a (n int);\n\n\nSELECT nothing\nFROM app.a;\n", 4, "nothing"),
        # These two come without a position: the line is that of the statement.
        (
            "CREATE TABLE app.a (n int);\n-- ;\nCREATE TABLE\n app.walls (n int);\n",
            3,
            "already exists",
        ),
        (
            (
                "DO $$ BEGIN PERFORM 1; END $$;\n/* ; */ SELECT ';';\n"
                "DO $$\nBEGIN\n  RAISE EXCEPTION 'not ''today''';\nEND $$;\n"
            ),
            3,
            "not 'today'",
        ),
        ("CREATE INDEX CONCURRENTLY ON app.walls (name);\n", 1, "CONCURRENTLY"),
        ("COPY app.walls (name) FROM stdin;\n", 0, "COPY"),
    ],
)
def test_a_failing_file_rolls_back_whole_and_is_named_with_its_line(
    database: Database, folder: Folder, run_sql: Sql, text: str, line: int, message: str
) -> None:
    folder.write(THIRD, text)
    with pytest.raises(StackError) as caught:
        migrate(database.dsn, folder=folder.path)
    assert THIRD in caught.value.message
    assert message in caught.value.message
    if line:
        assert f"line {line}:" in caught.value.message
    assert run_sql(database.dsn, "SELECT to_regclass('app.a')") == [(None,)]
    assert [item.applied for item in status(database.dsn, folder=folder.path)] == [
        True,
        True,
        False,
    ]
    folder.write(THIRD, "CREATE TABLE app.a (n int);")
    assert [m.path.name for m in migrate(database.dsn, folder=folder.path)] == [THIRD]


@pytest.mark.parametrize(
    "text",
    ["CREATE TABLE a (n int); COMMIT;", "COMMIT; CREATE TABLE a (n int); BEGIN;", "ROLLBACK;"],
)
def test_transaction_control_in_a_file_is_refused(
    database: Database, tmp_path: Path, text: str
) -> None:
    (tmp_path / FIRST).write_text(text)
    with pytest.raises(StackError, match="transaction itself"):
        migrate(database.dsn, folder=tmp_path)
    assert not status(database.dsn, folder=tmp_path)[0].applied


def test_a_table_in_use_is_waited_for_only_so_long(
    database: Database, folder: Folder, run_sql: Sql
) -> None:
    migrate(database.dsn, to="20260101000000", folder=folder.path)
    with psycopg.connect(database.dsn) as other:
        other.execute("LOCK TABLE app.walls")
        begun = time.monotonic()
        with pytest.raises(StackError, match=f"{SECOND}, line 1: .*lock timeout"):
            migrate(database.dsn, folder=folder.path, timeouts=Timeouts(lock_s=1))
        assert time.monotonic() - begun < 10
    assert len(migrate(database.dsn, folder=folder.path)) == 1


def test_a_statement_may_take_only_so_long(database: Database, tmp_path: Path) -> None:
    (tmp_path / FIRST).write_text("SELECT 1;\nSELECT pg_sleep(60);")
    with pytest.raises(StackError, match=r"line 2: .*statement timeout"):
        migrate(database.dsn, folder=tmp_path, timeouts=Timeouts(statement_s=1))


# --- order ---------------------------------------------------------------------------------------


def test_a_gap_is_refused(database: Database, folder: Folder) -> None:
    migrate(database.dsn, folder=folder.path)
    folder.write("20260101120000_late.sql", "CREATE TABLE late (n int);")
    with pytest.raises(StackError, match=r"20260101120000_late\.sql is older than 20260102000000"):
        migrate(database.dsn, folder=folder.path)
    assert [item.applied for item in status(database.dsn, folder=folder.path)] == [
        True,
        False,
        True,
    ]


def test_a_database_newer_than_the_program(database: Database, folder: Folder) -> None:
    folder.write(THIRD, "SELECT 1;")
    migrate(database.dsn, folder=folder.path)
    (folder.path / THIRD).unlink()
    for call in (migrate, require_head):
        with pytest.raises(ProgramOutdated, match=r"1 migrations .* 20260103000000"):
            call(database.dsn, folder=folder.path)
    assert status(database.dsn, folder=folder.path)[-1] == MigrationStatus(
        "20260103000000", "third", applied=True, known=False
    )


def test_an_unknown_version_that_is_not_newer_is_shown_and_left_alone(
    database: Database, folder: Folder, run_sql: Sql
) -> None:
    """A team's own migrations share the history."""
    migrate(database.dsn, folder=folder.path)
    run_sql(database.dsn, f"INSERT INTO {HISTORY} VALUES ('20250101000000', NULL, 'theirs')")
    folder.write(THIRD, "SELECT 1;")
    assert len(migrate(database.dsn, folder=folder.path)) == 1
    require_head(database.dsn, folder=folder.path)
    assert [(item.name, item.known) for item in status(database.dsn, folder=folder.path)] == [
        ("theirs", False),
        ("first", True),
        ("second", True),
        ("third", True),
    ]


def test_a_changed_name_is_reported(
    database: Database, folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(database.dsn, folder=folder.path)
    (folder.path / FIRST).rename(folder.path / "20260101000000_renamed.sql")
    assert [item.recorded_name for item in status(database.dsn, folder=folder.path)] == [
        "first",
        None,
    ]
    with caplog.at_level(logging.WARNING):
        assert migrate(database.dsn, folder=folder.path) == []
    assert "20260101000000_renamed.sql was applied under the name first" in caplog.text


# --- several runners -----------------------------------------------------------------------------


def test_runners_at_once_apply_each_file_once(
    any_database: Database, tmp_path: Path, run_sql: Sql
) -> None:
    for number in range(1, 9):
        (tmp_path / f"2026010{number}000000_step.sql").write_text(
            f"CREATE TABLE step_{number} (n int); SELECT pg_sleep(0.02);"
        )
    start = threading.Barrier(4)

    def run() -> list[str]:
        start.wait()
        return [m.version for m in migrate(any_database.dsn, folder=tmp_path)]

    with ThreadPoolExecutor(4) as pool:
        results = [future.result(timeout=60) for future in [pool.submit(run) for _ in range(4)]]
    applied = sorted(version for result in results for version in result)
    assert applied == [migration.version for migration in discover(tmp_path)]
    assert run_sql(any_database.dsn, f"SELECT count(*) FROM {HISTORY}") == [(8,)]


def test_a_runner_that_hangs_is_not_waited_for_forever(database: Database, folder: Folder) -> None:
    begun = threading.Event()
    (folder.path / FIRST).write_text("SELECT pg_sleep(3);")

    def slow() -> int:
        return len(
            migrate(
                database.dsn,
                to="20260101000000",
                folder=folder.path,
                progress=lambda *_: begun.set(),
            )
        )

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(slow)
        assert begun.wait(10)
        with pytest.raises(StackError, match="another run of the migrations"):
            migrate(database.dsn, folder=folder.path, timeouts=Timeouts(runner_s=1))
        assert other.result(timeout=30) == 1


# --- files and connections -----------------------------------------------------------------------


def test_an_unreachable_database(folder: Folder) -> None:
    dsn = "postgresql://postgres:secret@127.0.0.1:1/postgres"
    for call in (migrate, status, require_head):
        with pytest.raises(LedgerUnavailable) as caught:
            call(dsn, folder=folder.path)
        assert "secret" not in str(caught.value.to_dict())


def test_files_are_found_in_order_and_bad_names_are_not_skipped(tmp_path: Path) -> None:
    assert discover(tmp_path) == []
    assert head(tmp_path) is None
    for name in (SECOND, FIRST, "README.md", ".gitkeep"):
        (tmp_path / name).write_text("")
    assert [migration.name for migration in discover(tmp_path)] == ["first", "second"]
    assert head(tmp_path) == "20260102000000"
    (tmp_path / "20260101000000_twice.sql").write_text("")
    with pytest.raises(StackError, match="same version"):
        discover(tmp_path)
    (tmp_path / "20260101000000_twice.sql").unlink()
    for bad in ("2026_short.sql", "fix.sql", "20260104000000-dash.sql"):
        (tmp_path / bad).write_text("")
        with pytest.raises(StackError, match="not the name of a migration"):
            discover(tmp_path)
        (tmp_path / bad).unlink()


def test_a_file_with_a_byte_order_mark_and_an_empty_one(database: Database, tmp_path: Path) -> None:
    (tmp_path / FIRST).write_bytes("\ufeffCREATE TABLE a (n int);\r\n".encode())
    (tmp_path / SECOND).write_text("-- nothing yet\n")
    assert len(migrate(database.dsn, folder=tmp_path)) == 2
