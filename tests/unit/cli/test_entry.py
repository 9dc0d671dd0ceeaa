"""The entry point and what it makes of a bad environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from ifcbase.cli import ending, main
from ifcbase.errors import ConfigError
from ifcbase.stack.address import parts, unreachable
from tests.unit.cli.calling import Caller


class Interrupting(MetaPathFinder):
    """Somebody presses Ctrl-C while a module is loaded."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "ifcbase.cli.app":
            raise KeyboardInterrupt


def test_ctrl_c_while_loading_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "ifcbase.cli.app", raising=False)
    monkeypatch.delattr(sys.modules["ifcbase.cli"], "app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 130
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_while_a_data_class_is_made_keeps_our_exit_code(tmp_path: Path) -> None:
    """`python -m` ended itself by SIGINT: code from text was interrupted, which Python remembers."""
    (tmp_path / "interrupted.py").write_text(
        "from ifcbase.cli import app, main\n"
        "def run():\n"
        "    try:\n"
        "        exec('raise KeyboardInterrupt')\n"
        "    except KeyboardInterrupt:\n"
        "        return main.INTERRUPTED\n"
        "app.run = run\n"
        "main.run()\n",
        encoding="utf-8",
    )
    source = Path(main.__file__).resolve().parents[2]
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(source)}, check=False,
    )  # fmt: skip
    assert ended.returncode == 130


@pytest.mark.parametrize(
    "dsn", ["nonsense", "postgresql://u:geheim@[h/x", "user=u password=gehe'im x"]
)
def test_no_connection_string_is_a_sentence_without_its_password(ifcbase: Caller, dsn: str) -> None:
    ifcbase.patch.setenv("DATABASE_URL", dsn)
    called = ifcbase("jobs", "list")
    assert called.code == 2
    assert "error: DATABASE_URL is not a connection string" in called.err
    assert "gehe" not in called.err
    assert "Traceback" not in called.err
    with pytest.raises(ConfigError):
        parts(dsn)


def test_a_server_that_is_not_there_is_named(ifcbase: Caller) -> None:
    ifcbase.patch.setenv("DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/d")
    called = ifcbase("jobs", "list")
    assert called.code == 2
    assert "127.0.0.1, port 9, cannot be reached: Connection refused" in called.err
    assert "geheim" not in called.err


def test_the_password_is_taken_out_of_a_cause() -> None:
    error = psycopg.OperationalError("FATAL: geheim is wrong")
    assert unreachable("postgresql://u:geheim@h/d", error) == (
        "the database at h, port 5432, cannot be reached: FATAL: *** is wrong"
    )


# --- output that nobody takes ---


def run_into(stdout: int, *arguments: str | bytes) -> subprocess.CompletedProcess[bytes]:
    """`ifcbase` in a process of its own, whose standard output is an open file."""
    return subprocess.run(
        [sys.executable, "-m", "ifcbase", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize(
    "arguments",
    [
        # Output that waits until the end, one that is an error itself, and one of --help.
        ["config", "show", "--json"],
        ["jobs", "show", "0", "--json"],
        ["jobs", "show", "0"],
        ["clash", "--help"],
    ],
)
def test_a_full_standard_output_is_a_failure_and_not_found_clashes(
    ifcbase: Caller, arguments: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_into(full.fileno(), *arguments)
    assert done.returncode == 2, done
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("arguments", [["config", "show", "--json"], ["clash", "--help"]])
def test_a_reader_that_has_gone_is_not_found_clashes(ifcbase: Caller, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = run_into(writer, *arguments)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_an_installation_that_does_not_load_is_a_failure_and_not_found_clashes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise ImportError("no such library")

    monkeypatch.setattr(sys.modules["ifcbase.cli"], "app", SimpleNamespace(run=run))
    with pytest.raises(SystemExit) as ended:
        main.run()
    assert ended.value.code == 2
    assert "no such library" in capsys.readouterr().err


def test_a_name_that_is_not_utf_8_is_called_so(ifcbase: Caller, tmp_path: Path) -> None:
    """It was "--name: Input should be a valid string", about an option nobody had given."""
    name = os.fsdecode(b"W\xe4nde.ifc")
    (tmp_path / name).write_bytes(b"")
    called = ifcbase("clash", "--a", name, "--json")
    assert called.code == 2
    error = json.loads(called.out)["error"]
    assert error["code"] == "request-invalid"
    assert error["message"] == "the name W\ufffdnde.ifc is not valid UTF-8"


# --- signals ---


def test_a_signal_ends_a_program_in_order_and_once() -> None:
    let_go = []
    with pytest.raises(SystemExit) as ended, ending.told_to_end(ending.leave):
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            # The second one does not cut this short.
            signal.raise_signal(signal.SIGTERM)
            let_go.append(True)
    assert ended.value.code == 128 + signal.SIGHUP
    assert let_go == [True]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_an_ignored_hangup_stays_ignored() -> None:
    """`nohup ifcbase up &` goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    told: list[int] = []
    try:
        with ending.told_to_end(told.append, interrupt=True):
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert told == [signal.SIGINT]
