"""What a child cannot see or do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ifcbase import settings
from ifcbase.jobs import process
from ifcbase.jobs.sandbox import Sandbox
from tests.integration.sandbox.conftest import RUNS, job, result_of

SECRETS = {
    "DATABASE_URL": "postgresql://secret",
    "SUPABASE_URL": "https://secret",
    "SUPABASE_SERVICE_KEY": "secret",
    "SUPABASE_WORKER_JWT": "secret",
    "REDIS_URL": "redis://secret",
    "PGPASSWORD": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "IFCBASE_HOME": "/secret",
    "IFCBASE_SOMETHING_KEY": "secret",
    "SOMEBODY_ELSES": "secret",
    "LD_PRELOAD_NOT": "secret",
}
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="a limit that only Linux has")


def test_the_environment_is_an_allow_list_without_secrets(
    sandbox: Sandbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("IFCBASE_JOB_MEMORY_MB", "777")
    sandbox.run(job("environment", folder))
    found = result_of(folder)["environment"]
    assert "secret" not in " ".join(found.values())
    assert set(found) <= process.PASSED_ON | set(process.THREAD_COUNTS) | {
        "HOME",
        "TMPDIR",
        "PYTHONPATH",
        "LC_ALL",
        "LC_CTYPE",
        "IFCBASE_JOB_MEMORY_MB",
    } | {name for name in os.environ if name.startswith("LC_")}
    assert found["IFCBASE_JOB_MEMORY_MB"] == "777"
    assert found["HOME"] == found["TMPDIR"]
    assert not Path(found["HOME"]).exists()


@pytest.mark.parametrize(
    "name", ["IFCBASE_DSN", "IFCBASE_API_KEY", "IFCBASE_X_FILE", "IFCBASE_URL"]
)
def test_a_setting_with_a_secretive_name_is_never_passed_on(
    monkeypatch: pytest.MonkeyPatch, name: str, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, "secret")
    # Even if somebody forgets to declare it secret.
    monkeypatch.setattr(settings, "variable_of", lambda _: name)
    assert name not in process.child_environment(tmp_path, 1)


def test_limits_are_applied_before_the_check_runs(sandbox: Sandbox, folder: Path) -> None:
    result = sandbox.run(job("environment", folder, memory_mb=600))
    found = result_of(folder)
    assert found["umask"] == 0o077
    assert found["session"]
    assert not Path(found["cwd"]).exists()
    assert found["limits"]["Max core file size"] == "0"
    assert int(found["limits"]["Max open files"]) <= 1024
    assert int(found["limits"]["Max file size"]) == 8192 << 20
    assert int(found["limits"]["Max address space"]) == (2 * 600 + 8192) << 20
    assert result.limits["memory"] == str((2 * 600 + 8192) << 20)
    assert (folder / "result.json").stat().st_mode & 0o077 == 0


def test_the_child_inherits_only_its_own_descriptors(sandbox: Sandbox, folder: Path) -> None:
    with ExitStack() as held:
        for _ in range(20):
            each = held.enter_context(Path(__file__).open("rb"))
            os.set_inheritable(each.fileno(), True)
        sandbox.run(job("environment", folder))
    # Standard ones, two pipes, the claimed core, the listing itself.
    assert len(result_of(folder)["descriptors"]) <= 7


@linux_only
def test_a_child_keeps_to_the_cores_it_was_given(work: Path, folder: Path) -> None:
    available = os.cpu_count() or 1
    with Sandbox([RUNS], work_folder=work, memory_mb=512, cores=1, spare=False) as sandbox:
        result = sandbox.run(job("environment", folder))
    found = result_of(folder)
    assert found["cores"] == 1
    assert found["environment"]["OMP_NUM_THREADS"] == "1"
    if available > 1:
        assert result.limits["cores"].startswith("cores ")
    with Sandbox([RUNS], work_folder=work, memory_mb=512, cores=512, spare=False) as sandbox:
        sandbox.run(job("environment", folder))
    assert result_of(folder)["cores"] == len(os.sched_getaffinity(0))


@linux_only
@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs two cores",
)
def test_two_children_do_not_share_a_core(work: Path, tmp_path: Path) -> None:
    inner: list[str] = []
    with Sandbox([RUNS], work_folder=work, memory_mb=512, spare=False) as sandbox:

        def run_another(phase: str, fraction: float, note: str = "") -> None:
            if not inner:
                inner.append("")
                inner[0] = sandbox.run(job("environment", tmp_path / "b")).limits["cores"]
                (tmp_path / "a" / "go").touch()

        outer = sandbox.run(job("wait_for_file", tmp_path / "a"), on_progress=run_another)
    assert inner[0] != outer.limits["cores"]


@linux_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_child_of_root_has_no_network(sandbox: Sandbox, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass
        result = sandbox.run(job("connect", folder, port=port))
    assert result.limits["network"] == "cut"
    assert not result_of(folder)["connected"]


AS_ORDINARY_USER = """
import codecs, ctypes, json, os, socket
from ifcbase.jobs import limits

for name in ("ascii", "idna"):
    codecs.lookup(name)  # loaded while their files may be read
server = socket.create_server(("127.0.0.1", 0))
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as after an exec: /proc/self belongs to the user
facts = limits.apply(limits.Limits(memory_mb=512), os.getppid())
try:
    socket.create_connection(server.getsockname(), timeout=2).close()
    connected = True
except OSError:
    connected = False
print(json.dumps({"facts": facts, "connected": connected, "user": os.getuid()}))
"""


@linux_only
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_an_ordinary_user_is_told_whether_the_network_is_cut() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_ORDINARY_USER],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Where the kernel lets ordinary users have namespaces it is cut; else the facts say so.
    network = found["facts"]["network"]
    assert network == "cut" or network.startswith("open: ")
    assert found["connected"] == (network != "cut")
    assert found["user"] == 65534
