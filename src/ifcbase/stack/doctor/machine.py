"""Checks of this machine: Python, packages, processor, memory, disk, folders, configuration."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import secrets
import shutil
import sys
from pathlib import Path

import psutil

from ifcbase.settings import Settings
from ifcbase.stack.doctor.checks import Check, State, ok, warning, wrong

#: Minimum, and what production should have: memory and free disk in gibibytes, and cores.
MINIMUM = {"memory": 4, "disk": 2, "cores": 2}
PRODUCTION = {"memory": 8, "disk": 20, "cores": 4}
#: Their versions have to belong together, or answers differ without a word.
SET = {"ifcopenshell": "0.9.0", "ifctester": "0.9.0"}
_OLDEST_PYTHON = (3, 11)
_GIB = 2**30

Said = tuple[State, str, str]


def checks(settings: Settings) -> list[Check]:
    """The checks of this machine."""
    return [
        Check("python", python),
        Check("packages", packages),
        Check("processor", lambda: cores(os.cpu_count() or 1)),
        Check("memory", lambda: memory(psutil.virtual_memory().total, settings.job_memory_mb)),
        Check("disk", lambda: disk(settings.home)),
        Check("home", lambda: writable(settings.home, "IFCBASE_HOME")),
        Check("files folder", lambda: writable(settings.files_folder, "IFCBASE_HOME")),
        Check("leases", lambda: leases(settings)),
        Check("secrets", lambda: private(settings)),
    ]


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Said:
    """Whether this Python is new enough."""
    text = ".".join(map(str, version))
    if version[:2] < _OLDEST_PYTHON:
        return wrong(f"this is Python {text}", "Install ifcbase with Python 3.11 or newer.")
    return ok(f"{text} on {platform.machine()}")


def packages() -> Said:
    """Whether the libraries that decide answers are there and belong together."""
    strange = []
    for name, wanted in SET.items():
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            strange.append(f"{name} is missing")
            continue
        if not found.startswith(wanted):
            strange.append(f"{name} is {found}, not {wanted}")
    if strange:
        return wrong("; ".join(strange), "Install ifcbase again, as it comes: they move together.")
    return ok(", ".join(f"{name} {importlib.metadata.version(name)}" for name in SET))


def cores(found: int) -> Said:
    """Whether there are enough cores."""
    if found < MINIMUM["cores"]:
        return warning(
            f"{found} core; checks and the database share it",
            f"Give the machine at least {MINIMUM['cores']} cores, {PRODUCTION['cores']} in production.",
        )
    return ok(f"{found} cores")


def memory(total: int, job_memory_mb: int) -> Said:
    """Whether there is enough memory (bytes), and for one job beside the rest."""
    size = total / _GIB
    if size < MINIMUM["memory"] * 0.95:
        return wrong(
            f"{size:.1f} GiB of memory",
            f"Give the machine at least {MINIMUM['memory']} GiB, {PRODUCTION['memory']} in production.",
        )
    if job_memory_mb > total / 2**20 * 0.9:
        return warning(
            f"a job may use {job_memory_mb} MiB and the machine has {size:.1f} GiB",
            "Lower IFCBASE_JOB_MEMORY_MB, so that a job ends with an error instead of the machine.",
        )
    return ok(f"{size:.1f} GiB, of which a job may use {job_memory_mb / 1024:.1f}")


def disk(folder: Path) -> Said:
    """Whether there is room where the data lies."""
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / _GIB
    if free < MINIMUM["disk"]:
        return wrong(
            f"{free:.1f} GiB are free where {folder} lies",
            "Make room: `ifcbase schedules retention` and `ifcbase backup prune` show what can go.",
        )
    if free < PRODUCTION["disk"]:
        return warning(
            f"{free:.1f} GiB are free where {folder} lies",
            f"Production should have {PRODUCTION['disk']} GiB free; models and backups grow.",
        )
    return ok(f"{free:.0f} GiB free")


def writable(folder: Path, variable: str) -> Said:
    """Whether a file can be written and read where things are kept."""
    place = folder
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        return wrong(
            f"{place} cannot be written: it is no folder",
            f"Move the file away, or set {variable} to another folder.",
        )
    probe = place / f".doctor-{secrets.token_hex(6)}"
    try:
        probe.write_bytes(b"doctor")
        content = probe.read_bytes()
    except OSError as error:
        return wrong(
            f"{place} cannot be written: {error.strerror}",
            f"Give it to the user who runs ifcbase, or set {variable} to another folder.",
        )
    finally:
        probe.unlink(missing_ok=True)
    if content != b"doctor":
        return wrong(f"{place} gives back other bytes than it took", "Check the disk below it.")
    return ok(f"{folder} takes and gives bytes")


def leases(settings: Settings) -> Said:
    """Whether leases live longer than the time between two signs of life."""
    if settings.heartbeat_s * 3 > settings.lease_s:
        return wrong(
            f"a lease lives {settings.lease_s:g} s and is renewed every {settings.heartbeat_s:g} s: "
            "one late sign of life and a running job is given to another worker",
            "Set IFCBASE_LEASE_S to at least three times IFCBASE_HEARTBEAT_S.",
        )
    return ok(f"a lease of {settings.lease_s:g} s is renewed every {settings.heartbeat_s:g} s")


def private(settings: Settings) -> Said:
    """Whether files with passwords can be read by others."""
    known = [settings.home / "postgres" / "server.json"]
    known += [Path(value) for name, value in os.environ.items() if name.endswith("_FILE") and value
              and name.removesuffix("_FILE") in {"DATABASE_URL", "IFCBASE_BACKUP_PASSPHRASE"}]  # fmt: skip
    open_ones = [str(p) for p in known if p.is_file() and p.stat().st_mode & 0o077]
    if open_ones:
        return wrong(
            f"others can read {', '.join(open_ones)}, which holds a password",
            f"chmod 600 {' '.join(open_ones)}",
        )
    return ok("files with passwords are private")
