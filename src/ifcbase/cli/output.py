"""How the command line shows things: tables for people, JSON for machines, progress on stderr.

What draws them (``screen``) is loaded when something is drawn.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ifcbase.errors import FileUnwritable, RequestInvalid
from ifcbase.progress import Progress, silent

if TYPE_CHECKING:
    from rich.table import Table

    from ifcbase.cli.screen import Output

#: Wider than any table, so that none of its cells is folded.
PIPE_WIDTH = 1000

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def console() -> Output:
    """Where results go. Piped output is as wide as it needs to be."""
    from ifcbase.cli.screen import Output

    return Output(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def errors_console() -> Output:
    """Where errors and progress go."""
    from ifcbase.cli.screen import Output

    return Output(stderr=True, highlight=False)


def say_error(message: str, hint: str) -> None:
    """A failure as every command shows it."""
    errors_console().say(f"error: {message}", style="bold red")
    errors_console().say(f"hint: {hint}", style="dim")


def check_output(path: Path | None, inputs: Iterable[Path] = ()) -> None:
    """Refuse a place for a report before the work whose result would not fit there.

    ``inputs`` are what the report must not take the place of. Raises FileUnwritable,
    RequestInvalid."""
    if path is None:
        return
    for given in inputs:
        # The same file by whichever name: a link, another way to the folder.
        if path.exists() and given.exists() and path.samefile(given):
            raise RequestInvalid(
                f"-o {path} is the same file as the input {given}, which it would overwrite",
                hint="Name another file for the report.",
            )
    if path.is_dir():
        raise FileUnwritable(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileUnwritable(f"{path} cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise FileUnwritable(f"{path} cannot be written: permission denied")


def put_in_place(source: Path, target: Path) -> None:
    """Copy a finished file to where it was asked for: there whole, or not at all.

    Into a device, a pipe, or a folder that takes no other file, it is copied as it goes. Raises
    FileUnwritable."""
    try:
        # A link stays one: what it points to is replaced.
        place = target.resolve()
        beside = place.parent
        if (place.exists() and not place.is_file()) or not os.access(beside, os.W_OK):
            with source.open("rb") as made, place.open("wb") as stream:
                shutil.copyfileobj(made, stream)
            return
        with tempfile.TemporaryDirectory(dir=beside, prefix=f".{place.name[:100]}-") as folder:
            draft = Path(folder) / "draft"
            shutil.copyfile(source, draft)
            if place.exists():
                shutil.copymode(place, draft)
            draft.replace(place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileUnwritable(f"{target} cannot be written: {reason}") from error


def wants_json() -> bool:
    """Whether this command was called with --json (an error is then JSON too)."""
    return "--json" in sys.argv


def print_json(document: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"not JSON: {type(value).__name__}")


def shortened(text: str, width: int = 60) -> str:
    """A name as a table has room for it: its beginning and its end."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[: width - 1 - half]}…{text[-half:]}"


def verdict_text(verdict: str | None) -> str:
    """A verdict; rows that no check of ours wrote have none."""
    return verdict or "no verdict (inserted from outside)"


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()
) -> Table:
    """A table of plain values; nothing in them is read as markup."""
    from ifcbase.cli import screen

    return screen.table(title, columns, rows, right)


def when(moment: datetime | None) -> str:
    """A moment in local time, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def millimetres(metres: float) -> str:
    """A length as people in the field say it."""
    return f"{metres * 1000:.1f} mm"


def counted(number: int, thing: str) -> str:
    """ "1 clash", "2 clashes"."""
    plural = thing + ("es" if thing.endswith(("sh", "s")) else "s")
    return f"{number} {thing if number == 1 else plural}"


def percent(share: float | None) -> str:
    """A share; never rounded up to 100."""
    if share is None:
        return ""
    return "100 %" if share >= 1 else f"{min(share * 100, 99.9):.1f} %"


def set_line(name: str, clashes: int, verdict: str) -> str:
    """What a clash set came to, computed here or by a worker."""
    return f"{name}: {counted(clashes, 'clash')}, {verdict}"


def partly_tested(coverage: float) -> str:
    """Why a result may have missed clashes."""
    return f"only {percent(coverage)} of the elements with geometry were tested"


@contextmanager
def progress_line() -> Iterator[Progress]:
    """A progress bar with phase, share and the time left; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield silent
        return
    from ifcbase.cli.screen import progress_bar

    with progress_bar(errors_console()) as line:
        yield line


def left_out_text(reasons: Mapping[str, int]) -> str:
    """ "3 no geometry, 1 no representation"."""
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
