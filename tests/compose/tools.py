"""Docker and Compose, where they are; `make test-compose` sets TEST_COMPOSE and then they must be."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def missing(reason: str) -> NoReturn:
    """Skip; where this was asked for by name, fail."""
    if os.environ.get("TEST_COMPOSE"):
        pytest.fail(reason)
    pytest.skip(reason)


def compose_command() -> list[str]:
    """How Compose 2 is called here."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.strip().lstrip("v").startswith("2."):
            return command
    missing("Docker Compose 2 is not installed")


def run(
    *command: str, env: Mapping[str, str] | None = None, timeout_s: float = 600, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program; a failure shows what it said."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(env or {})},
    )
    if check and done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
