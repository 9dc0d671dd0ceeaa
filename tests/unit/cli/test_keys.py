"""`ifcbase keys`: what is written, what is said, and that no secret is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ifcbase.stack import secrets_file
from ifcbase.stack.secrets_tokens import read_token
from tests.unit.cli.calling import Caller

SECRET = (
    "JWT_SECRET", "ANON_KEY", "SERVICE_ROLE_KEY", "SUPABASE_WORKER_JWT", "POSTGRES_PASSWORD",
    "DATABASE_URL", "REDIS_PASSWORD", "DASHBOARD_PASSWORD", "SECRET_KEY_BASE", "VAULT_ENC_KEY",
)  # fmt: skip


def test_generate_then_check(ifcbase: Caller, tmp_path: Path) -> None:
    made = ifcbase("keys", "generate")
    assert made.code == 0, made.err
    values = secrets_file.read(tmp_path / ".env")
    told = ifcbase("keys", "check")
    assert (told.code, told.out) == (0, ".env: nothing to complain about\n")
    machine = ifcbase("keys", "check", "--json")
    assert json.loads(machine.out) == {"file": ".env", "refused": 0, "findings": []}
    said = made.out + made.err + told.out + machine.out
    assert [name for name in SECRET if values[name] in said] == []


def test_generate_twice_is_refused_unless_forced(ifcbase: Caller, tmp_path: Path) -> None:
    ifcbase("keys", "generate")
    first = secrets_file.read(tmp_path / ".env")
    again = ifcbase("keys", "generate")
    assert again.code == 2
    assert "error: .env exists" in again.err
    assert secrets_file.read(tmp_path / ".env") == first
    forced = ifcbase("keys", "generate", "--force", "--json")
    kept = json.loads(forced.out)["kept"]
    assert secrets_file.read(tmp_path / kept) == first
    assert secrets_file.read(tmp_path / ".env") != first


def test_check_ends_with_1_for_what_is_refused_and_3_for_what_ends_soon(
    ifcbase: Caller, tmp_path: Path
) -> None:
    ifcbase("keys", "generate")
    soon = ifcbase("keys", "check", "--soon", "100")
    assert soon.code == 3
    assert "SUPABASE_WORKER_JWT" in soon.out
    secrets_file.set_value(tmp_path / ".env", "DISABLE_SIGNUP", "false")
    refused = ifcbase("keys", "check", "--json", "--soon", "100")
    assert refused.code == 1
    document = json.loads(refused.out)
    assert document["refused"] == 1
    assert {(e["variable"], e["severity"]) for e in document["findings"]} == {
        ("DISABLE_SIGNUP", "refused"), ("SUPABASE_WORKER_JWT", "soon"),
    }  # fmt: skip
    missing = ifcbase("keys", "check", "--file", "nowhere")
    assert missing.code == 2


def test_a_renewed_token_is_another_one_signed_alike(ifcbase: Caller, tmp_path: Path) -> None:
    ifcbase("keys", "generate", "--days", "30")
    before = secrets_file.read(tmp_path / ".env")
    renewed = ifcbase("keys", "renew-worker", "--name", "host-2", "--json")
    after = secrets_file.read(tmp_path / ".env")
    old, new = (
        read_token(values["SUPABASE_WORKER_JWT"], values["JWT_SECRET"])
        for values in (before, after)
    )
    assert new.problem is None
    assert (new.claims["sub"], new.days) == ("host-2", 90)
    told = json.loads(renewed.out)
    assert told["old_worker_token"] == old.claims["jti"]
    assert told["worker_token"] == new.claims["jti"] != old.claims["jti"]
    assert {k: v for k, v in after.items() if k != "SUPABASE_WORKER_JWT"} == {
        k: v for k, v in before.items() if k != "SUPABASE_WORKER_JWT"
    }
    assert ifcbase("keys", "check").code == 0


def test_a_token_is_revoked_by_one_name(ifcbase: Caller) -> None:
    assert ifcbase("keys", "revoke-worker").code == 2
    assert ifcbase("keys", "revoke-worker", "id", "--file", ".env").code == 2


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_config_show_never_shows_a_secret(
    ifcbase: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    """With the whole file in the environment, as Compose gives it to the containers."""
    ifcbase("keys", "generate")
    values = secrets_file.read(tmp_path / ".env")
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    shown = ifcbase("config", "show", *form)
    assert shown.code == 0, shown.err
    assert "DATABASE_URL" in shown.out
    assert [name for name in SECRET if values[name] in shown.out + shown.err] == []


def test_an_error_about_the_database_holds_no_password(
    ifcbase: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ifcbase("keys", "generate")
    values = secrets_file.read(tmp_path / ".env")
    address = values["DATABASE_URL"].replace("supabase-db:5432", "127.0.0.1:1")
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("LOG_LEVEL", "DEBUG")
    for command in (("jobs", "list"), ("db", "status"), ("keys", "revoke-worker", "some-id")):
        failed = ifcbase(*command)
        assert failed.code == 2
        assert "cannot be reached" in failed.err
        assert values["POSTGRES_PASSWORD"] not in failed.err + failed.out
