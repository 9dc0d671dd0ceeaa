"""Each of these breakages is named by doctor, with its cure."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import psycopg
import pytest

from ifcbase.cli import examine, examine_services
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.ledger.connect import connect
from ifcbase.settings import Settings, get_settings, load_settings
from ifcbase.stack.backup.source import connected
from ifcbase.stack.doctor import database, machine
from ifcbase.stack.doctor.checks import Check, Finding, State, run
from tests.integration.files.standin import KEY, running
from tests.integration.jobs.brokers import Broker
from tests.integration.servers import Database
from tests.unit.cli.calling import Caller

Patch = pytest.MonkeyPatch
SECRET = "a-key-of-this-test-that-is-long-enough"


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


@contextmanager
def answering(statuses: dict[str, int]) -> Iterator[str]:
    """A REST door that answers with a status by the schema asked for; gives its address."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses[self.headers["Accept-Profile"]])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token(role: str, days: float = 100, **claims: object) -> str:
    given = {"role": role, "exp": datetime.now(UTC) + timedelta(days=days), **claims}
    return jwt.encode(given, SECRET, algorithm="HS256")


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
    ("public secret", env(JWT_SECRET="your-super-secret-jwt-token-with-at-least-32-characters"),
     "keys", "JWT_SECRET is a public default", "ifcbase keys generate"),
    ("demo key", env(SUPABASE_ANON_KEY=token("anon", iss="supabase-demo")), "keys",
     "public demo key", "ifcbase keys generate"),
    ("key of another secret", env(SUPABASE_SERVICE_KEY=token("service_role"), JWT_SECRET="o" * 40),
     "keys", "not signed with JWT_SECRET", "ifcbase keys generate"),
    ("key of another role", env(SUPABASE_SERVICE_KEY=token("anon")), "keys",
     "not a token of the role service_role", "ifcbase keys generate"),
    ("expired token", env(SUPABASE_WORKER_JWT=token("ifc_worker", days=-1)), "keys",
     "SUPABASE_WORKER_JWT expired on", "ifcbase keys renew-worker"),
    ("public password", env(REDIS_URL="redis://:changeme@127.0.0.1:1/0", IFCBASE_PRODUCTION="1"),
     "passwords", "REDIS_URL is a public default", "another one"),
    ("no Redis", env(REDIS_URL="redis://:p@127.0.0.1:1/0"), "redis", "cannot be reached",
     "REDIS_URL"),
    ("no Redis address", env(REDIS_URL="http://127.0.0.1:1"), "redis", "not the address",
     "redis://:password@host"),
    ("no gateway of Supabase", env(SUPABASE_URL="http://127.0.0.1:1",
     SUPABASE_SERVICE_KEY="sb_secret_x"), "rest door", "cannot be reached", "SUPABASE_URL"),
    ("no Storage", env(SUPABASE_URL="http://127.0.0.1:1", SUPABASE_SERVICE_KEY="sb_secret_x",
     IFCBASE_FILES_BACKEND="supabase"), "storage", "could not", "Supabase"),
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
    allowed |= {"redis"} if check == "passwords" else set()
    # Both are behind the same gateway.
    allowed |= {"rest door"} if check == "storage" else set()
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


#: What the REST door answers for public and for the others, and what is said of it.
DOORS: list[tuple[int, int, State, str]] = [
    (200, 406, State.OK, "public only"),
    (200, 200, State.WRONG, "exposes core, clash, auth, storage"),
    # Exposed, and the key has no rights to the table.
    (200, 403, State.WRONG, "exposes core"),
    (401, 401, State.WRONG, "refuses the key"),
    (404, 406, State.WRONG, "answers with 404"),
]


@pytest.mark.parametrize(("public", "inner", "state", "sentence"), DOORS)
def test_the_rest_door_is_asked_what_it_shows(
    monkeypatch: Patch, public: int, inner: int, state: State, sentence: str
) -> None:
    inside = dict.fromkeys(("core", "clash", "auth", "storage"), inner)
    with answering({"public": public, **inside}) as url:
        monkeypatch.setenv("SUPABASE_URL", url)
        monkeypatch.setenv("SUPABASE_SERVICE_KEY", token("service_role"))
        found = examine_services.rest_door(load_settings())
    assert found[0] is state
    assert sentence in found[1]
    assert bool(found[2]) is (state is State.WRONG)


def test_storage_is_tried_with_a_small_file_and_asked_for_the_largest(monkeypatch: Patch) -> None:
    with running() as service:
        service.token = KEY
        service.objects["models", "other"] = b"of somebody else"
        monkeypatch.setenv("SUPABASE_URL", service.url)
        monkeypatch.setenv("IFCBASE_FILES_BACKEND", "supabase")
        monkeypatch.setenv("IFCBASE_UPLOAD_MAX_MB", "1000")
        state, sentence, _ = examine_services.storage(load_settings())
        assert state is State.WARNING
        assert "no service key" in sentence
        monkeypatch.setenv("SUPABASE_SERVICE_KEY", KEY)
        assert examine_services.storage(load_settings())[0] is State.OK
        # Nothing of it is left.
        assert list(service.objects) == [("models", "other")]
        assert service.uploads == {}

        def found() -> Finding:
            return run([Check("storage", lambda: examine_services.storage(load_settings()))])[0]

        monkeypatch.setenv("IFCBASE_UPLOAD_MAX_MB", "2000")
        too_large = found()
        assert too_large.state is State.WRONG
        assert "refuses a file of this size" in too_large.sentence
        assert "FILE_SIZE_LIMIT" in too_large.cure
        monkeypatch.setenv("IFCBASE_UPLOAD_MAX_MB", "1000")
        service.may_remove = False
        kept = found()
        assert kept.state is State.WRONG
        assert "did not remove" in kept.sentence
        assert "SUPABASE_SERVICE_KEY" in kept.cure


@pytest.mark.parametrize(
    ("appendonly", "production", "state"),
    [(True, "1", State.OK), (False, "0", State.WARNING), (False, "1", State.WRONG)],
)
def test_a_redis_that_forgets_is_told(
    monkeypatch: Patch, tmp_path: Path, appendonly: bool, production: str, state: State
) -> None:
    broker = Broker(tmp_path, appendonly=appendonly)
    broker.start()
    try:
        monkeypatch.setenv("REDIS_URL", broker.url)
        monkeypatch.setenv("IFCBASE_PRODUCTION", production)
        found = examine_services.redis(load_settings())
        assert found[0] is state
        assert ("--appendonly yes" in found[2]) is not appendonly
        monkeypatch.setenv("REDIS_URL", f"redis://:wrong@127.0.0.1:{broker.port}/0")
        refused = examine_services.redis(load_settings())
        assert refused[0] is State.WRONG
        assert "refuses us" in refused[1]
        assert "password" in refused[2]
    finally:
        broker.kill()


def test_keys_are_told_before_they_end_and_good_ones_are_good(monkeypatch: Patch) -> None:
    monkeypatch.setenv("JWT_SECRET", SECRET)
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", token("service_role"))
    monkeypatch.setenv("SUPABASE_WORKER_JWT", token("ifc_worker", days=30))
    assert examine_services.keys(load_settings())[0] is State.OK
    later = datetime.now(UTC) + timedelta(days=20)
    state, sentence, cure = examine_services.keys(load_settings(), later)
    assert state is State.WARNING
    assert "SUPABASE_WORKER_JWT expires on" in sentence
    assert "renew-worker" in cure


def test_another_program_on_our_port_is_told(monkeypatch: Patch) -> None:
    with socket.socket() as taken, socket.socket() as free:
        for each in (taken, free):
            each.bind(("127.0.0.1", 0))
        taken.listen(8)
        port, unused = taken.getsockname()[1], free.getsockname()[1]
        state, sentence, cure = examine_services.ports(load_settings(), port)
        assert state is State.WARNING
        assert str(port) in sentence
        assert "--port" in cure
        assert examine_services.ports(load_settings(), unused)[0] is State.OK
        monkeypatch.setenv("IFCBASE_METRICS_PORT", str(port))
        assert "IFCBASE_METRICS_PORT" in examine_services.ports(load_settings(), unused)[2]


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
