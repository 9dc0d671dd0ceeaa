"""The access tests that a Supabase project can run itself, in pgTAP."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from ifcbase.stack.binaries import find_binaries
from tests.integration.migrated import Template
from tests.integration.servers import Servers

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "script", sorted((ROOT / "supabase" / "tests").glob("*.sql")), ids=lambda path: path.stem
)
def test_pgtap(script: Path, servers: Servers, template: Template) -> None:
    with servers[15].database(template(servers[15])) as database:
        try:
            with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
                connection.execute("create extension pgtap")
        except psycopg.errors.FeatureNotSupported:
            reason = "pgTAP is not installed (Debian: postgresql-15-pgtap)"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        done = subprocess.run(
            [find_binaries(15).tool("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", script,
             database.dsn],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert not [line for line in lines if re.match(r"not ok|# Looks", line)], done.stdout
    assert sum(line.startswith("ok") for line in lines) > 10
