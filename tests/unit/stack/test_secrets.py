"""Secrets that are made are good, and every bad one is told by name, never by value."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ifcbase.errors import Conflict, FileMissing, RequestInvalid
from ifcbase.stack import secrets_check, secrets_file
from ifcbase.stack.secrets_generate import Addresses, Line, Section, sections
from ifcbase.stack.secrets_tokens import WORKER_DAYS, key_token, read_token, worker_token

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Values = dict[str, str]


@pytest.fixture(scope="module")
def text() -> str:
    return secrets_file.render(sections(Addresses(), worker_days=90, now=NOW))


@pytest.fixture
def file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / ".env"
    secrets_file.write_new(path, text)
    return path


def problems(path: Path, values: Values, **more: float) -> list[tuple[str, str, str]]:
    found = secrets_check.check(path, values, now=NOW, **more)
    return [(each.variable, each.problem, each.severity) for each in found]


# --- making ---------------------------------------------------------------------------------------


def test_a_new_file_has_nothing_to_complain_about(file: Path) -> None:
    assert problems(file, secrets_file.read(file)) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_every_variable_is_explained(text: str) -> None:
    lines = text.splitlines()
    variables = [n for n, line in enumerate(lines) if re.match(r"[A-Z]", line)]
    assert len(variables) > 50
    assert all(re.fullmatch(r"# .*[.;]", lines[n - 1]) for n in variables)


def test_the_plans_variables_have_the_values_they_need(file: Path) -> None:
    values = secrets_file.read(file)
    assert values["SITE_URL"] == "http://localhost:3000"
    assert values["SUPABASE_PUBLIC_URL"] == "http://localhost:8000"
    assert values["API_EXTERNAL_URL"] == "http://localhost:8000/auth/v1"
    assert (values["POSTGRES_HOST"], values["POSTGRES_PORT"]) == ("db", "5432")
    assert values["POOLER_TENANT_ID"] == "ifcbase"
    assert values["SUPABASE_URL"] == "http://supabase-kong:8000"
    assert values["DISABLE_SIGNUP"] == "true"


def test_a_shell_and_compose_read_the_same_values(file: Path) -> None:
    """Supabase's scripts source the file; Compose and we parse it."""
    values = secrets_file.read(file)
    shell = subprocess.run(
        [shutil.which("sh") or "sh", "-c", f"set -a; . {file}; env -0"],
        capture_output=True, check=True, env={},
    ).stdout.decode()  # fmt: skip
    seen = dict(line.split("=", 1) for line in shell.split("\0") if line)
    assert {name: seen[name] for name in values} == values


def test_no_two_files_share_a_secret(text: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    secrets_file.write_new(other, secrets_file.render(sections(Addresses(), worker_days=1)))
    mine = tmp_path / "mine"
    secrets_file.write_new(mine, text)
    first, second = secrets_file.read(mine), secrets_file.read(other)
    secret = [*secrets_check.LENGTHS, *secrets_check.OPTIONAL, *secrets_check.TOKENS]
    assert [name for name in secret if first[name] == second[name]] == []


def test_tokens_have_the_roles_and_ends_they_say(file: Path) -> None:
    values = secrets_file.read(file)
    for name, role in secrets_check.TOKENS.items():
        claims = jwt.decode(
            values[name], values["JWT_SECRET"], algorithms=["HS256"],
            options={"verify_exp": False, "verify_iat": False},
        )  # fmt: skip
        assert claims["role"] == role
    worker = read_token(values["SUPABASE_WORKER_JWT"], values["JWT_SECRET"])
    assert worker.days == WORKER_DAYS
    assert re.fullmatch(r"[0-9a-f-]{36}", worker.claims["jti"])


@pytest.mark.parametrize("days", [0, -1, 91, 10_000])
def test_a_worker_token_lives_at_most_90_days(days: int) -> None:
    with pytest.raises(RequestInvalid, match="1 to 90 days"):
        worker_token("s" * 32, "w", days, NOW)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://a", "http://", "http://a:8000/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RequestInvalid, match="no address"):
        Addresses(public=url)


def test_behind_a_proxy_the_gateway_keeps_its_port(tmp_path: Path) -> None:
    made = sections(Addresses(public="https://db.example.org"), worker_days=1)
    values = {line.name: line.value for section in made for line in section.lines}
    assert values["API_GW_HTTP_PORT"] == "8000"
    assert values["API_EXTERNAL_URL"] == "https://db.example.org/auth/v1"
    other = sections(Addresses(public="http://localhost:8100"), worker_days=1)
    assert [x.value for s in other for x in s.lines if x.name == "API_GW_HTTP_PORT"] == ["8100"]


# --- the file -------------------------------------------------------------------------------------


def test_secrets_that_exist_are_not_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(Conflict, match="exists"):
        secrets_file.write_new(file, "X=1\n")
    assert file.read_bytes() == before


def test_with_force_the_old_file_is_kept_beside(file: Path) -> None:
    before = file.read_bytes()
    file.chmod(0o644)
    kept = secrets_file.write_new(file, "X=1\n", force=True)
    assert kept is not None
    assert kept.read_bytes() == before
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert secrets_file.read(file) == {"X": "1"}
    assert sorted(file.parent.iterdir()) == sorted([file, kept])


def test_one_value_is_changed_and_nothing_else(file: Path) -> None:
    before = secrets_file.read(file)
    comments = [x for x in file.read_text().splitlines() if x.startswith("#")]
    secrets_file.set_value(file, "LOG_LEVEL", "DEBUG")
    secrets_file.set_value(file, "NEW_ONE", "a b'c$d")
    after = secrets_file.read(file)
    assert after == before | {"LOG_LEVEL": "DEBUG", "NEW_ONE": "a b'c$d"}
    assert [x for x in file.read_text().splitlines() if x.startswith("#")] == comments
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_only_supabases_example_sets_is_taken_over(tmp_path: Path, text: str) -> None:
    example = tmp_path / ".env.example"
    example.write_text("JWT_SECRET=your-super-secret\nNEW_SETTING=on\nNEW_TOKEN=your-token\n")
    made = sections(Addresses(), worker_days=90, now=NOW)
    path = tmp_path / ".env"
    secrets_file.write_new(path, secrets_file.render(made, example))
    values = secrets_file.read(path)
    assert (values["NEW_SETTING"], values["JWT_SECRET"]) == ("on", made[0].lines[0].value)
    # A release newer than this program brought a secret: it is found by its name.
    assert problems(path, values) == [("NEW_TOKEN", "is a public default", "refused")]


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileMissing) as caught:
        secrets_file.read(tmp_path / ".env")
    assert "keys generate" in caught.value.hint


@settings(deadline=None, max_examples=60, derandomize=True)
@given(value=st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), max_size=30))
def test_any_value_is_read_back_as_it_was_written(value: str) -> None:
    written = secrets_file.render([Section("x", (Line("VALUE", value, "Any."),))])
    from io import StringIO

    from dotenv import dotenv_values

    assert dotenv_values(stream=StringIO(written), interpolate=False) == {"VALUE": value}


# --- judging --------------------------------------------------------------------------------------

DEMO = key_token("super-secret-jwt-token-with-at-least-32-characters-long", "anon", NOW)


def _demo(values: Values) -> None:
    values["ANON_KEY"] = jwt.encode(
        {"role": "anon", "iss": "supabase-demo", "iat": 1641769200, "exp": 1799535600},
        values["JWT_SECRET"], algorithm="HS256",
    )  # fmt: skip
    values["SUPABASE_ANON_KEY"] = values["ANON_KEY"]


def _set(name: str, value: str) -> Callable[[Values], None]:
    def change(values: Values) -> None:
        values[name] = value

    return change


def _drop(name: str) -> Callable[[Values], None]:
    def change(values: Values) -> None:
        del values[name]

    return change


def _worker(**claims: object) -> Callable[[Values], None]:
    def change(values: Values) -> None:
        made = {"role": "ifc_worker", "jti": "x", "iat": int(NOW.timestamp())}
        made["exp"] = int((NOW + timedelta(days=90)).timestamp())
        made = {k: v for k, v in (made | claims).items() if v is not None}
        values["SUPABASE_WORKER_JWT"] = jwt.encode(made, values["JWT_SECRET"], algorithm="HS256")

    return change


def _changed_secret(values: Values) -> None:
    """What the origin plan tells to do: a new JWT_SECRET under the old keys."""
    values["JWT_SECRET"] = "q" * 40


BAD: list[tuple[str, Callable[[Values], None], set[tuple[str, str]]]] = [
    ("new jwt secret", _changed_secret, {
        ("ANON_KEY", "is not signed with JWT_SECRET"),
        ("SERVICE_ROLE_KEY", "is not signed with JWT_SECRET"),
        ("SUPABASE_WORKER_JWT", "is not signed with JWT_SECRET")}),
    ("demo key", _demo, {("ANON_KEY", "is the public demo key")}),
    ("no worker", _drop("SUPABASE_WORKER_JWT"), {("SUPABASE_WORKER_JWT", "is missing")}),
    ("not a token", _set("SUPABASE_WORKER_JWT", "abc"),
     {("SUPABASE_WORKER_JWT", "is not a JSON Web Token")}),
    ("worker of service", _worker(role="service_role"),
     {("SUPABASE_WORKER_JWT", "is not a token of the role ifc_worker")}),
    ("worker without id", _worker(jti=None),
     {("SUPABASE_WORKER_JWT", "has no id and could not be revoked")}),
    ("worker without end", _worker(exp=None), {
        ("SUPABASE_WORKER_JWT", "never expires"),
        ("SUPABASE_WORKER_JWT", "is good for more than 90 days")}),
    ("long worker", _worker(exp=int(NOW.timestamp()) + 91 * 86400),
     {("SUPABASE_WORKER_JWT", "is good for more than 90 days")}),
    ("expired", _worker(iat=int(NOW.timestamp()) - 90 * 86400, exp=int(NOW.timestamp()) - 1),
     {("SUPABASE_WORKER_JWT", "expired on 2026-11-22")}),
    ("default database password",
     _set("POSTGRES_PASSWORD", "your-super-secret-and-long-postgres-password"), {
        ("POSTGRES_PASSWORD", "is a public default"),
        ("POSTGRES_PASSWORD", "has characters besides letters and digits"),
        ("DATABASE_URL", "has another password than POSTGRES_PASSWORD")}),
    ("default dashboard",
     _set("DASHBOARD_PASSWORD", "this_password_is_insecure_and_should_be_updated"),
     {("DASHBOARD_PASSWORD", "is a public default")}),
    ("default base", _set("SECRET_KEY_BASE",
        "UpNVntn3cDxHJpq99YMc1T1AQgQpc8kfYTuRgBiYa15BLrx8etQoXz3gZv1/u2oq"),
     {("SECRET_KEY_BASE", "is a public default")}),
    ("default realtime", _set("REALTIME_DB_ENC_KEY", "supabaserealtime"),
     {("REALTIME_DB_ENC_KEY", "is a public default")}),
    ("default vault", _set("VAULT_ENC_KEY", "your-32-character-encryption-key"),
     {("VAULT_ENC_KEY", "is a public default")}),
    ("default meta", _set("PG_META_CRYPTO_KEY", "your-encryption-key-32-chars-min"),
     {("PG_META_CRYPTO_KEY", "is a public default")}),
    ("default s3", _set("S3_PROTOCOL_ACCESS_KEY_ID", "625729a08b95bf1b7ff351a663f3a23c"),
     {("S3_PROTOCOL_ACCESS_KEY_ID", "is a public default")}),
    ("default minio", _set("MINIO_ROOT_PASSWORD", "secret1234"),
     {("MINIO_ROOT_PASSWORD", "is a public default")}),
    ("wrong length", _set("VAULT_ENC_KEY", "k" * 31), {("VAULT_ENC_KEY", "has 31 characters")}),
    ("short", _set("JWT_SECRET", "k" * 20), {
        ("JWT_SECRET", "has only 20 characters"),
        ("ANON_KEY", "is not signed with JWT_SECRET"),
        ("SERVICE_ROLE_KEY", "is not signed with JWT_SECRET"),
        ("SUPABASE_WORKER_JWT", "is not signed with JWT_SECRET")}),
    ("no secret", _drop("JWT_SECRET"), {("JWT_SECRET", "is missing")}),
    ("empty secret", _set("JWT_SECRET", ""), {("JWT_SECRET", "is missing")}),
    ("secret like a key file", _set("JWT_SECRET", "-----BEGIN PUBLIC KEY-----" + "k" * 20), {
        ("ANON_KEY", "is not signed with JWT_SECRET"),
        ("SERVICE_ROLE_KEY", "is not signed with JWT_SECRET"),
        ("SUPABASE_WORKER_JWT", "is not signed with JWT_SECRET")}),
    ("missing", _drop("REDIS_PASSWORD"), {
        ("REDIS_PASSWORD", "is missing"),
        ("REDIS_URL", "has another password than REDIS_PASSWORD")}),
    ("sign-up open", _set("DISABLE_SIGNUP", "false"),
     {("DISABLE_SIGNUP", "lets everybody make an account")}),
    ("the plan's public url", _set("SUPABASE_PUBLIC_URL", "http://supabase-kong:8000"),
     {("SUPABASE_PUBLIC_URL", "is a name inside the network, which no browser can resolve")}),
    ("the plan's site url", _set("SITE_URL", "http://localhost:8000"),
     {("SITE_URL", "is Supabase's own address")}),
    ("old issuer", _set("API_EXTERNAL_URL", "http://localhost:8000"),
     {("API_EXTERNAL_URL", "does not end in /auth/v1")}),
    ("another service key", _set("SUPABASE_SERVICE_KEY", "x"),
     {("SUPABASE_SERVICE_KEY", "is not the same as SERVICE_ROLE_KEY")}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_what_is_wrong_is_refused_by_name(
    file: Path, change: Callable[[Values], None], expected: set[tuple[str, str]]
) -> None:
    values = secrets_file.read(file)
    change(values)
    assert set(problems(file, values)) == {(*each, "refused") for each in expected}


def test_the_same_secret_twice_is_refused(file: Path) -> None:
    values = secrets_file.read(file)
    values["SECRET_KEY_BASE"] = values["PG_META_CRYPTO_KEY"] = "z" * 64
    assert problems(file, values) == [
        ("PG_META_CRYPTO_KEY", "is the same as SECRET_KEY_BASE", "refused")
    ]


def test_what_ends_soon_is_told_before_it_ends(file: Path) -> None:
    values = secrets_file.read(file)
    assert problems(file, values, soon_days=89) == []
    assert problems(file, values, soon_days=91) == [
        ("SUPABASE_WORKER_JWT", "expires on 2027-02-20", "soon")
    ]


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    file.chmod(0o640)
    assert problems(file, secrets_file.read(file)) == [
        (str(file), "can be read by others (mode 640)", "refused")
    ]


def test_no_finding_holds_a_value(file: Path) -> None:
    for _, change, _ in BAD:
        values = secrets_file.read(file)
        change(values)
        told = str(secrets_check.check(file, values, now=NOW))
        names = [*secrets_check.LENGTHS, *secrets_check.TOKENS, "DATABASE_URL", "REDIS_URL"]
        long = [values[n] for n in names if len(values.get(n, "")) >= 12]
        assert [value for value in long if value in told] == []
