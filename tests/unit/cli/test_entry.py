"""The entry point and what it makes of a bad environment."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder

import psycopg
import pytest

from ifcbase.cli import main
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
