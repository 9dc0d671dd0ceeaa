"""Postgres' own client programs, of the server's major version, and how they are run.

A dump is read and written by ``pg_dump``, ``pg_restore`` and ``psql`` of one major version, the
server's: a newer one writes what the older server does not understand when it comes back.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg
from psycopg import conninfo

from ifcbase.errors import BackupFailed, StackError
from ifcbase.stack.binaries import PROVIDERS, install_hint

_PROGRAMS = ("pg_dump", "pg_dumpall", "pg_restore", "psql")
#: What libpq takes from the environment instead of the command line, where others could read it.
_HIDDEN = {"password": "PGPASSWORD", "passfile": "PGPASSFILE"}
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class Tools:
    """The client programs of one major version, for one database."""

    bindir: Path
    major: int
    dsn: str = field(repr=False)

    def command(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program for the database, without its password."""
        shown = {k: v for k, v in conninfo.conninfo_to_dict(self.dsn).items() if k not in _HIDDEN}
        target = conninfo.make_conninfo("", **shown)
        return [str(self.bindir / program), *arguments, "-d", target]

    def environment(self) -> dict[str, str]:
        """What the programs find in their environment; the password is only here."""
        known = conninfo.conninfo_to_dict(self.dsn)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") or k == "PGPASSFILE"}
        kept |= {"LC_ALL": "C", "PGCLIENTENCODING": "UTF8", "PGCONNECT_TIMEOUT": "15"}
        kept |= {
            variable: str(known[name]) for name, variable in _HIDDEN.items() if known.get(name)
        }
        return kept

    @contextmanager
    def reading(self, program: str, *arguments: str) -> Iterator[IO[bytes]]:
        """What a program prints, as it prints it. Raises BackupFailed at the end if the program
        failed, with what it said; it is ended if the reader fails first."""
        with (
            _errors_file() as errors,
            subprocess.Popen(
                self.command(program, *arguments),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            ) as process,
        ):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            try:
                yield process.stdout
            except BaseException:
                process.kill()
                raise
            if process.wait() != 0:
                raise failed(program, process.returncode, _said(errors))


def failed(program: str, code: int, said: str) -> BackupFailed:
    """A failure of a program in a sentence: its last words."""
    lines = [line for line in said.splitlines() if line.strip()]
    cause = next((line for line in lines if "error:" in line.lower()), lines[-1] if lines else "")
    ended = f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"
    return BackupFailed(
        f"{program} {ended}: {cause.strip()}" if cause else f"{program} {ended}",
        detail=said[-4000:] or None,
    )


@contextmanager
def _errors_file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as found:
        yield found


def _said(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace")


def tools_for(dsn: str, major: int) -> Tools:
    """The client programs of the server's major version. Raises StackError saying what to install
    where there are only others."""
    others: list[str] = []
    for bindir in _folders():
        found = _major(bindir)
        if found == major:
            return Tools(bindir, major, dsn)
        if found is not None:
            others.append(f"{found} in {bindir}")
    raise StackError(
        f"the server is Postgres {major}, and the programs pg_dump, pg_restore and psql of "
        f"Postgres {major} are not on this machine"
        + (f" (only those of {', '.join(others)})" if others else ""),
        hint=_hint(major),
    )


def server_major(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """The server's major version."""
    return connection.info.server_version // 10000


def _hint(major: int) -> str:
    if major in (17, 18):
        return install_hint(major)
    return f"Install them (on Debian: apt install postgresql-client-{major})."


def _folders() -> Iterator[Path]:
    """Folders that may hold client programs, each once."""
    seen: set[Path] = set()
    on_path = shutil.which("pg_dump")
    for bindir in [
        *(each.bindir for provider in PROVIDERS for each in provider.candidates()),
        *([Path(on_path).parent] if on_path else []),
    ]:
        if bindir not in seen:
            seen.add(bindir)
            yield bindir


def _major(bindir: Path) -> int | None:
    """The major version of the programs of a folder; None if one is missing or does not run."""
    if not all(os.access(bindir / program, os.X_OK) for program in _PROGRAMS):
        return None
    try:
        answer = subprocess.run(
            [str(bindir / "pg_dump"), "--version"],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):  # does not run here: the next folder is tried
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(version[1]) if version and answer.returncode == 0 else None


def pieces(stream: IO[bytes]) -> Iterator[bytes]:
    """What a stream gives, a mebibyte at a time."""
    while piece := stream.read(_PIECE):
        yield piece


def joined(names: Sequence[str], most: int = 5) -> str:
    """Names as a sentence has room for them."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
