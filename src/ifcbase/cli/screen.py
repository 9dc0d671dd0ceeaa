"""The console, tables and progress bars themselves, as Rich makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text


class Output(Console):
    """A console that can also say a line as it is: no markup, not broken to the width."""

    def say(self, text: str = "", *, style: str = "") -> None:
        """Print one line; a reader or a program behind a pipe finds it whole."""
        self.print(Text(text, style=style), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Leave the reader's going to the entry point, which knows our exit codes."""
        raise BrokenPipeError


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str]
) -> Table:
    """A table of plain values; nothing in them is read as markup."""
    made = Table(
        title=escape(title), title_justify="left", header_style="bold", box=None, pad_edge=False
    )
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*("" if value is None else escape(str(value)) for value in row))
    return made


class ProgressLine:
    """Shows a ``Progress`` as one bar ."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("starting", total=1.0)

    def __call__(self, phase: str, fraction: float, note: str = "") -> None:
        text = f"{phase} {note}".strip()
        self._progress.update(self._task, description=escape(text), completed=fraction)


@contextmanager
def progress_bar(console: Output) -> Iterator[ProgressLine]:
    """A progress bar with phase, share and the time left."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        yield ProgressLine(bar)
