"""Each of these breakages is named by doctor, with its cure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from ifcbase.cli import examine
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, get_settings, load_settings
from ifcbase.stack.backup.source import connected
from ifcbase.stack.doctor import database, machine
from ifcbase.stack.doctor.checks import Check, Finding, State, run
from tests.integration.servers import Database
from tests.unit.cli.calling import Caller

Patch = pytest.MonkeyPatch


@pytest.fixture
def sound(ledger: Database, tmp_path: Path, monkeypatch: Patch) -> Iterator[Database]:
    """An installation in which all is well (but that tests' servers do not wait for their disk)."""
    with closing(connect(ledger.dsn)) as connection:
        ProcrastinateEngine(ledger.dsn).install(connection)
        source = tmp_path / "model.ifc"
        source.write_text("bytes")
        stored = LocalFiles(tmp_path / "files").put("default", source)
        connection.execute("select core.add_file(1, %s, 5, 'model.ifc')", [stored.sha256])
        connection.execute("insert into core.operations (kind) values ('backup'), ('verify')")
    monkeypatch.setenv("DATABASE_URL", ledger.dsn)
    monkeypatch.setenv("IFCBASE_HOME", str(tmp_path))
    monkeypatch.setitem(machine.MINIMUM, "memory", 0)
    monkeypatch.setitem(machine.MINIMUM, "disk", 0)
    monkeypatch.setitem(machine.PRODUCTION, "disk", 0)
    get_settings.cache_clear()
    yield ledger
    get_settings.cache_clear()


def findings(settings: Settings | None = None) -> dict[str, Finding]:
    found = examine.everything(settings or load_settings(), self_test=False)
    return {each.name: each for each in found}


def test_a_sound_installation_has_no_problem_but_the_servers_of_tests(sound: Database) -> None:
    found = findings()
    assert len(found) >= 20
    # Tests switch fsync off, which no installation should.
    assert {name for name, each in found.items() if each.state is State.WRONG} == {"server"}
    assert all(each.cure for each in found.values() if each.state in {State.WRONG, State.WARNING})


def sql(*statements: str, admin: bool = False) -> Callable[[Database, Path, Patch], None]:
    def breaks(database: Database, home: Path, patch: Patch) -> None:
        with psycopg.connect(database.admin_dsn if admin else database.dsn) as connection:
            for statement in statements:
                connection.execute(statement.format(name=database.name))

    return breaks


def env(**variables: str) -> Callable[[Database, Path, Patch], None]:
    def breaks(database: Database, home: Path, patch: Patch) -> None:
        for name, value in variables.items():
            patch.setenv(name, value)

    return breaks


def lost_files(database: Database, home: Path, patch: Patch) -> None:
    for path in home.glob("files/*/??/*"):
        path.unlink()


def open_secret(database: Database, home: Path, patch: Patch) -> None:
    path = home / "dsn"
    path.write_text(database.dsn)
    path.chmod(0o644)
    patch.setenv("DATABASE_URL_FILE", str(path))


def old_package(database: Database, home: Path, patch: Patch) -> None:
    patch.setitem(machine.SET, "ifctester", "0.8.4")


def small_disk(database: Database, home: Path, patch: Patch) -> None:
    patch.setitem(machine.MINIMUM, "disk", 10**9)


def small_memory(database: Database, home: Path, patch: Patch) -> None:
    patch.setitem(machine.MINIMUM, "memory", 10**9)


def file_for_home(database: Database, home: Path, patch: Patch) -> None:
    (home / "files").rename(home / "elsewhere")
    (home / "files").write_text("not a folder")


#: What is broken, how, the check that names it, words of its sentence, words of its cure.
BREAKAGES: list[tuple[str, Callable[[Database, Path, Patch], None], str, str, str]] = [
    ("no database", env(DATABASE_URL="postgresql://u:p@127.0.0.1:1/x"), "database",
     "cannot be reached", "DATABASE_URL"),
    ("old tables", sql("delete from supabase_migrations.schema_migrations where version ="
     " (select max(version) from supabase_migrations.schema_migrations)"), "migrations",
     "not applied", "ifcbase db migrate"),
    ("newer tables", sql("insert into supabase_migrations.schema_migrations (version, name)"
     " values ('29990101000000', 'newer')"), "migrations", "does not know", "Install"),
    ("edited migration", sql("update supabase_migrations.schema_migrations set statements ="
     " array['select 1'] where version = '20261122090100'"), "migrations", "edited", "new migrations"),
    ("row-level security off", sql("alter table core.members disable row level security"),
     "row-level security", "core.members", "ENABLE ROW LEVEL SECURITY"),
    ("everybody writes", sql("grant insert on clash.results to anon"), "rights", "clash.results",
     "REVOKE"),
    ("exposed schema", sql("alter role authenticator in database {name} set pgrst.db_schemas ="
     " 'public, core'", admin=True), "exposed schemas", "core", "pgrst.db_schemas"),
    ("no queue", sql("drop schema procrastinate cascade"), "queue", "missing", "db migrate"),
    ("nobody works", sql(
        "insert into core.jobs (project_id, check_name, request, timeout_s, memory_mb, delivered_at)"
        " values (1, 'clash', '{{}}', 60, 512, now() - interval '1 hour')"),
     "jobs", "no worker", "ifcbase worker"),
    ("lapsed leases", sql(
        "with j as (insert into core.jobs (project_id, check_name, request, timeout_s, memory_mb,"
        " state) values (1, 'clash', '{{}}', 60, 512, 'running') returning id) insert into"
        " core.attempts (project_id, job_id, number, worker, host, lease_s, lease_until)"
        " select 1, id, 1, 'w', 'h', 20, now() - interval '1 hour' from j"),
     "jobs", "lost their lease", "worker"),
    ("old backup", sql("update core.operations set at = at - interval '9 days'"), "backups",
     "9 days old", "ifcbase backup create"),
    ("lost files", lost_files, "stored files", "1 are not in", "ifcbase restore"),
    ("impatient leases", env(IFCBASE_LEASE_S="2", IFCBASE_HEARTBEAT_S="1"), "leases",
     "given to another worker", "IFCBASE_LEASE_S"),
    ("open password", open_secret, "secrets", "others can read", "chmod 600"),
    ("mixed packages", old_package, "packages", "ifctester is", "Install ifcbase again"),
    ("full disk", small_disk, "disk", "GiB are free", "Make room"),
    ("small machine", small_memory, "memory", "GiB of memory", "Give the machine"),
    ("a file for a folder", file_for_home, "files folder", "cannot be written", "IFCBASE_HOME"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("breaks", "check", "sentence", "cure"),
    [each[1:] for each in BREAKAGES],
    ids=[each[0] for each in BREAKAGES],
)
def test_each_breakage_is_named_with_its_cure(
    sound: Database,
    tmp_path: Path,
    monkeypatch: Patch,
    breaks: Callable[[Database, Path, Patch], None],
    check: str,
    sentence: str,
    cure: str,
) -> None:
    breaks(sound, tmp_path, monkeypatch)
    found = findings()
    assert found[check].state is State.WRONG, found[check]
    assert sentence in found[check].sentence
    assert cure in found[check].cure
    # What is wrong is told once, and not by everything that comes after it.
    others = {n for n, each in found.items() if each.state is State.WRONG} - {check, "server"}
    allowed = (
        {"jobs"} if check == "queue" else {"stored files"} if check == "files folder" else set()
    )
    if check not in {"migrations"}:
        assert others <= allowed


def test_strong_roles_and_clocks_are_told(sound: Database) -> None:
    with connected(sound.dsn) as connection:
        state, sentence, cure = database.clock(connection, datetime.now(UTC) + timedelta(minutes=5))
        assert state is State.WRONG
        assert "differ by" in sentence
        assert "time server" in cure
    with psycopg.connect(sound.admin_dsn) as connection:
        # Undone at the end: roles are the whole server's.
        connection.execute("alter role anon bypassrls")
        assert database.roles(connection)[0] is State.WRONG
        assert "anon" in database.roles(connection)[1]
        connection.rollback()
    with connected(sound.dsn) as connection:
        assert database.roles(connection)[0] is State.OK


def test_a_check_that_breaks_does_not_hide_the_others() -> None:
    def broken() -> tuple[State, str, str]:
        raise PermissionError(13, "Permission denied")

    def fine() -> tuple[State, str, str]:
        return State.OK, "fine", ""

    first, second = run([Check("one", broken), Check("two", fine)])
    assert (first.state, second.state) == (State.WRONG, State.OK)
    assert "Permission denied" in first.sentence


def test_the_command_tells_it_and_ends_with_2(
    sound: Database, monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = Caller(monkeypatch, capsys)
    told = call("doctor", "--quick")
    assert told.code == 2
    assert "fsync" in told.out
    assert "postgresql.conf" in told.out
    document = json.loads(call("doctor", "--quick", "--json").out)
    assert document["ok"] is False
    assert {"name", "state", "sentence", "cure"} == set(document["checks"][0])


@pytest.mark.slow
def test_the_engine_finds_what_is_planted_in_a_small_model() -> None:
    state, sentence, _ = examine.engine(load_settings())
    assert state is State.OK, sentence
