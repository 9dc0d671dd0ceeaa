"""What benchmarks of the ledger share: a clock, and the words that say where a number comes from."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]


class Clock:
    """Seconds of wall time between entering and leaving."""

    seconds = 0.0

    def __enter__(self) -> Clock:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._began


def server_cpu(connection: Connection) -> float:
    """CPU seconds that the server's process behind a connection has used so far; 0 where it runs on
    another machine or the system does not tell (Linux does, in hundredths)."""
    stat = Path(f"/proc/{connection.info.backend_pid}/stat")
    try:
        fields = stat.read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


#: The page all measurements are written to, each into its own section.
RESULTS = Path(__file__).with_name("RESULTS.md")


def surroundings(connection: Connection) -> list[str]:
    """Machine, versions, date and load in a line each: what numbers are to be read with."""
    row = connection.execute("select current_setting('server_version')").fetchone()
    assert row is not None
    return machine({"Postgres": row[0], "psycopg": psycopg.__version__})


def machine(versions: dict[str, str]) -> list[str]:
    """The same of what was measured without a database."""
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    known = {"Python": platform.python_version(), **versions}
    named = ", ".join(f"{name} {each}" for name, each in known.items())
    return [
        f"Date: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        f"Machine: {_processor()}, {os.cpu_count()} threads, {_memory():.0f} GB",
        f"Versions: {named}",
        f"Load at the end (1/5/15 min): {load}",
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def write_section(path: Path, heading: str, lines: list[str]) -> None:
    """Put a section of a Markdown page in the place of the one with the same heading."""
    text = path.read_text(encoding="utf-8") if path.exists() else "# Measurements\n"
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if line.startswith("## "):
            inside = line == f"## {heading}"
        if not inside:
            kept.append(line)
    body = "\n".join(kept).rstrip() + f"\n\n## {heading}\n\n" + "\n".join(lines) + "\n"
    path.write_text(body, encoding="utf-8")
