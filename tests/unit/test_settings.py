"""Settings: from the environment, from files for secrets, and never wrong in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ifcbase.errors import ConfigError
from ifcbase.settings import Settings, load_settings, variable_of


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine on which nothing is set."""
    for name in list(os.environ):
        if name.startswith(("IFCBASE_", "DATABASE_URL")) or name == "LOG_LEVEL":
            monkeypatch.delenv(name)


def test_every_setting_has_a_default_and_a_description() -> None:
    load_settings()
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert variable_of(name).isupper()


def test_values_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IFCBASE_HOME", str(tmp_path))
    monkeypatch.setenv("IFCBASE_LEASE_S", "33.5")
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hidden@h/d")
    found = load_settings()
    assert (found.home, found.lease_s, found.log_level) == (tmp_path, 33.5, "DEBUG")
    assert found.files_folder == tmp_path / "files"
    assert found.database_url is not None
    assert found.database_url.get_secret_value() == "postgresql://u:hidden@h/d"
    assert "hidden" not in repr(found)


def test_a_secret_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "dsn"
    path.write_text("postgresql://u:p@h/d\n", encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL_FILE", str(path))
    found = load_settings().database_url
    assert found is not None
    assert found.get_secret_value() == "postgresql://u:p@h/d"
    path.unlink()
    with pytest.raises(ConfigError, match="DATABASE_URL_FILE cannot be read"):
        load_settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("IFCBASE_LEASE_S", "0"),
        ("IFCBASE_LEASE_S", "soon"),
        ("IFCBASE_HEARTBEAT_S", "-1"),
        ("IFCBASE_JOB_ATTEMPTS", "0"),
        ("IFCBASE_JOB_ATTEMPTS", "21"),
        ("IFCBASE_JOB_MEMORY_MB", "10"),
        ("IFCBASE_EMBEDDED", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        load_settings()
    assert variable.removeprefix("IFCBASE_").lower() in raised.value.message.lower()


def test_a_misspelt_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IFCBASE_LEASES", "20")
    with pytest.raises(ConfigError, match="unknown setting IFCBASE_LEASES"):
        load_settings()
