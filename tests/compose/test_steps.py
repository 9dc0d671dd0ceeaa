"""`make stack-up`, step by step, with a Docker that only notes what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ifcbase.stack import secrets_file
from tests.compose.test_config import ENVOY, REPLICA
from tests.compose.tools import DEPLOY, ROOT, run

pytestmark = pytest.mark.long

DOCKER = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
  "compose version --short") echo "${COMPOSE_VERSION:-2.30.1}";;
  "network inspect"*) [ -e "$NOTES.network" ];;
  "network create"*) touch "$NOTES.network";;
  *"up --detach --wait"*) case "$*" in *"${BREAKS:-nothing}"*) exit 1;; esac;;
esac
"""


@dataclass
class Place:
    """A copy of ``deploy`` with a Supabase to bring in."""

    folder: Path

    @property
    def keys(self) -> Path:
        return self.folder / "deploy" / ".env"

    def stack(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Call the script; what Docker was asked for is in ``asked``."""
        (self.folder / "notes").write_text("")
        return run(
            str(self.folder / "deploy" / "stack.sh"), *arguments, check=False,
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "NOTES": str(self.folder / "notes"),
                "IFCBASE": str(self.folder / "bin" / "ifcbase"),
                "SUPABASE_SOURCE": f"file://{self.folder / 'source'}",
                "MIN_DISK_GB": "0", "CLASH_CPUS": "1.0", "PYTHONPATH": str(ROOT / "src"), **env,
            },
        )  # fmt: skip

    @property
    def asked(self) -> list[str]:
        return (self.folder / "notes").read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    ignored = shutil.ignore_patterns("wheels", "upstream*", "listeners.yaml", ".env*")
    shutil.copytree(DEPLOY, tmp_path / "deploy", ignore=ignored)
    docker = tmp_path / "source" / "docker"
    (docker / "volumes" / "api" / "envoy").mkdir(parents=True)
    shutil.copy(REPLICA, docker / "docker-compose.yml")
    (docker / ".env.example").write_text("JWT_SECRET=your-secret\nONLY_THERE=yes\n")
    (docker / "volumes" / "api" / "envoy" / "lds.template.yaml").write_text(ENVOY)
    git = ["git", "-C", str(tmp_path / "source"), "-c", "user.name=t", "-c", "user.email=t@x.org"]
    for command in (["init", "-q"], ["add", "-Af"], ["commit", "-qm", "x"],
                    ["tag", "self-hosted/v0.8.1"]):  # fmt: skip
        run(*git, *command)
    (tmp_path / "bin").mkdir()
    for name, text in (
        ("docker", DOCKER),
        ("ifcbase", f'#!/bin/sh\nexec {sys.executable} -m ifcbase "$@"\n'),
    ):
        program = tmp_path / "bin" / name
        program.write_text(text)
        program.chmod(0o755)
    return Place(tmp_path)


def test_all_steps_in_order_and_again(place: Place) -> None:
    done = place.stack("up")
    assert done.returncode == 0, done.stderr
    assert [line[:4] for line in done.stdout.splitlines() if "/7 " in line] == [
        f"{n}/7 " for n in range(1, 8)
    ]
    values = secrets_file.read(place.keys)
    assert values["ONLY_THERE"] == "yes"
    assert values["JWT_SECRET"] not in done.stdout + done.stderr
    upstream = place.folder / "deploy" / "supabase" / "upstream"
    assert secrets_file.read(upstream / ".env") == values
    starts = [line for line in place.asked if line.endswith("up --detach --wait")]
    assert ["docker-compose.ifc.yml" in line for line in starts] == [True, False]
    assert "network create ifc-pipeline-network" in place.asked
    again = place.stack("up")
    assert again.returncode == 0, again.stderr
    assert secrets_file.read(place.keys) == values
    assert "network create ifc-pipeline-network" not in place.asked


def test_a_step_that_fails_says_how_to_mend_it_and_how_to_go_on(place: Place) -> None:
    failed = place.stack("up", BREAKS="docker-compose.ifc.yml")
    assert failed.returncode == 1
    assert "step 5 (Supabase) failed" in failed.stderr
    assert "docker logs supabase-db" in failed.stderr
    assert "deploy/stack.sh up 5" in failed.stderr
    assert not any("migrate" in line for line in place.asked)
    done = place.stack("up", "5")
    assert done.returncode == 0, done.stderr
    assert "4/7" not in done.stdout


def test_bad_keys_stop_it_before_anything_starts(place: Place) -> None:
    assert place.stack("up").returncode == 0
    secrets_file.set_value(place.keys, "DISABLE_SIGNUP", "false")
    failed = place.stack("up")
    assert failed.returncode == 1
    assert "step 3 (keys) failed" in failed.stderr
    assert "DISABLE_SIGNUP" in failed.stdout
    assert not any(line.endswith("up --detach --wait") for line in place.asked)


@pytest.mark.parametrize("version", ["1.29.2", "2.17.0", "v2.24.3"])
def test_an_old_compose_is_refused(place: Place, version: str) -> None:
    failed = place.stack("up", COMPOSE_VERSION=version)
    assert failed.returncode == 1
    assert "2.24.4 or newer is needed" in failed.stderr
    assert not place.keys.exists()


def test_down_deletes_no_volume(place: Place) -> None:
    assert place.stack("up").returncode == 0
    done = place.stack("down")
    assert done.returncode == 0, done.stderr
    downs = [line for line in place.asked if " down" in line]
    assert len(downs) == 2
    assert not any("-v" in line.split() or "--volumes" in line for line in downs)
