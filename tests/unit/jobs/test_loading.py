"""What a worker loads before it serves, and what its children are told without any setting."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ifcbase.clash.narrow import native
from ifcbase.errors import ConfigError
from ifcbase.jobs import process, registry, worker
from ifcbase.jobs.procrastinate_engine import ProcrastinateEngine
from ifcbase.jobs.registry import CHECKS, Check
from ifcbase.settings import Settings, load_settings

#: A fresh process that asks one check to be loaded.
LOADED_BEFORE = """
import sys
from ifcbase.jobs.registry import CHECKS
check = CHECKS[sys.argv[1]]
modules = {each.where.partition(":")[0] for each in (check.parse, check.record)}
assert not modules & sys.modules.keys(), "nothing is left to load"
check.load()
assert modules <= sys.modules.keys()
"""


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_is_loaded_when_told_to_and_not_before(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BEFORE, name], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


NOWHERE = registry._Late("ifcbase.nowhere:it")


@pytest.mark.parametrize(
    "check",
    [replace(CHECKS["clash"], parse=NOWHERE), replace(CHECKS["clash"], record=NOWHERE)],
    ids=["parse", "record"],
)
def test_a_worker_whose_code_is_broken_never_serves(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took jobs, computed them, and failed each when its result was to be recorded."""
    monkeypatch.setattr(registry, "CHECKS", {**CHECKS, "broken": check})
    dsn = "postgresql://nobody@localhost:1/nothing"
    settings = Settings(home=tmp_path)
    stop = threading.Event()
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        worker.work(settings, dsn, ProcrastinateEngine(dsn), checks=["broken"], stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_child_finds_the_kernels_its_parent_made_whatever_else_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A strange variable of the parent made every child impossible to start."""
    monkeypatch.setenv("IFCBASE_SOMETHING_KEY", "secret")
    with pytest.raises(ConfigError):
        load_settings()
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    for home in (str(tmp_path / "home"), "", "~/elsewhere"):
        monkeypatch.setenv("IFCBASE_HOME", home)
        told = process.child_environment(tmp_path, 1)["NUMBA_CACHE_DIR"]
        assert Path(told) / "kernels" == native.folder()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert process.child_environment(tmp_path, 1)["NUMBA_CACHE_DIR"] == str(tmp_path)
