"""A ``.env`` of secrets: read as Compose reads it, written whole, for its owner's eyes only."""

from __future__ import annotations

import os
import re
import tempfile
import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from dotenv import dotenv_values

from ifcbase.errors import Conflict, FileMissing, FileUnreadable, FileUnwritable
from ifcbase.stack.secrets_generate import Section

_HEAD = """\
# Made by `ifcbase keys generate`. It holds every secret of this installation: keep it for yourself,
# keep a copy in a safe, never commit it. `ifcbase keys check` judges it.
"""
_PLAIN = re.compile(r"[A-Za-z0-9_./:@,+=-]*")


def read(path: Path) -> dict[str, str]:
    """The variables of a file. Raises FileMissing, FileUnreadable."""
    if not path.exists():
        raise FileMissing(
            f"{path} does not exist", hint="`ifcbase keys generate` writes a new one."
        )
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"{path} cannot be read: {error}") from error
    return {name: value or "" for name, value in found.items()}


def render(sections: Iterable[Section], example: Path | None = None) -> str:
    """The text of a file. Of ``example`` (Supabase's own) come the variables that we do not set."""
    parts = [_HEAD]
    known: set[str] = set()
    for section in sections:
        parts.append(f"\n# --- {section.title} ---\n")
        for line in section.lines:
            known.add(line.name)
            why = textwrap.fill(line.why, 98, initial_indent="# ", subsequent_indent="# ")
            parts.append(f"{why}\n{line.name}={_quoted(line.value)}\n")
    if example is not None:
        rest = {name: value for name, value in read(example).items() if name not in known}
        if rest:
            parts.append("\n# --- What else this release of Supabase reads, as it ships it ---\n")
            parts += [f"{name}={_quoted(value)}\n" for name, value in rest.items()]
    return "".join(parts)


def write_new(path: Path, text: str, *, force: bool = False) -> Path | None:
    """Write a file that is not there, mode 600. With ``force`` an older one is kept beside it, and
    its new name given. Raises Conflict, FileUnwritable."""
    kept = None
    if path.exists() or path.is_symlink():
        if not force:
            raise Conflict(
                f"{path} exists: its secrets are those of your database and of your tokens",
                hint="`ifcbase keys check` judges it. --force makes new ones and keeps the old "
                "file beside it.",
            )
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        kept = path.with_name(f"{path.name}.{stamp}")
    try:
        if kept is not None:
            path.rename(kept)
            kept.chmod(0o600)
        replace(path, text)
    except OSError as error:
        raise FileUnwritable(f"{path} cannot be written: {error.strerror or error}") from error
    return kept


def set_value(path: Path, name: str, value: str) -> None:
    """Change one variable (or add it), everything else stays as it is. Raises as ``read``."""
    read(path)
    text = path.read_text(encoding="utf-8")
    line = f"{name}={_quoted(value)}"
    found = re.compile(rf"^(?:export )?{re.escape(name)}=.*$", re.MULTILINE)
    changed, times = found.subn(lambda _: line, text)
    if not times:
        changed = f"{text.rstrip()}\n{line}\n"
    try:
        replace(path.resolve(), changed)
    except OSError as error:
        raise FileUnwritable(f"{path} cannot be written: {error.strerror or error}") from error


def replace(path: Path, text: str) -> None:
    """Put a file in place whole or not at all, readable by its owner alone from the first byte."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        os.fchmod(descriptor, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _quoted(value: str) -> str:
    """As Compose, Supabase's shell scripts and we read it alike: plain, else in single quotes (within
    which a quote of the value itself is what Compose and we understand, not the shell)."""
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
