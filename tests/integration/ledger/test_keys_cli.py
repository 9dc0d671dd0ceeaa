"""`ifcbase keys revoke-worker` and `ifcbase db buckets` against a real database, as commands."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.ledger.test_projects_cli import Command, command, owned
from tests.integration.ledger.test_storage_policies import STORAGE
from tests.integration.world import World

__all__ = ["command", "owned"]


def test_the_token_in_a_file_is_revoked_once(
    owned: World, command: Command, tmp_path: Path
) -> None:
    file = str(tmp_path / ".env")
    made = json.loads(command("keys", "generate", "--file", file, "--json").stdout)
    done = command("keys", "revoke-worker", "--file", file, "--reason", "host sold", "--json")
    assert json.loads(done.stdout) == {"worker_token": made["worker_token"], "revoked_now": True}
    again = command("keys", "revoke-worker", made["worker_token"])
    assert (again.returncode, again.stdout) == (0, f"{made['worker_token']} was revoked before\n")
    ((reason, known),) = owned.sql(
        "select reason, expires_at is not null from core.revoked_tokens where jti = %s",
        made["worker_token"],
    )
    assert (reason, known) == ("host sold", True)


def test_a_file_without_a_token_is_told(command: Command, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SUPABASE_WORKER_JWT=\n")
    done = command("keys", "revoke-worker", "--file", str(file))
    assert done.returncode == 2
    assert "holds no worker's token" in done.stderr


def test_buckets_are_made_where_storage_is(owned: World, command: Command) -> None:
    early = command("db", "buckets")
    assert early.returncode == 1
    assert "there is no Storage in this database (yet)" in early.stdout
    owned.sql(STORAGE)
    done = command("db", "buckets", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"problems": []})
    assert command("db", "buckets").stdout.startswith("the buckets are there, private")
    assert owned.value("select count(*) from storage.buckets where not public") == 5
