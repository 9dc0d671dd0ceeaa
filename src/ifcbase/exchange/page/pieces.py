"""Pieces of an HTML page: everything that comes from a model is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ifcbase.exchange.text import cell, line


def table_of(
    heads: Sequence[str], rows: Iterable[Sequence[str]], identity: str | None = None
) -> Iterator[str]:
    """A table of cells that are HTML already; a heading that ends in * is of numbers."""
    made = "".join(
        f'<th scope="col" class="n">{head[:-1]}</th>' if head.endswith("*")
        else f'<th scope="col">{head}</th>'
        for head in heads
    )  # fmt: skip
    mark = f' id="{identity}" class="sortable"' if identity else ""
    yield f'<div class="wide"><table{mark}>\n<thead><tr>{made}</tr></thead>\n<tbody>\n'
    for row in rows:
        yield f"<tr>{''.join(row)}</tr>\n"
    yield "</tbody>\n</table></div>\n"


def bar_of(*parts: tuple[float, str]) -> str:
    """A bar of shares. Widths are attributes, for the page's policy forbids styles."""
    rects, start = ['<rect class="all" width="100" height="10"/>'], 0.0
    for share, name in parts:
        width = round(100 * share, 2)
        rects.append(f'<rect class="{name}" x="{start:g}" width="{width:g}" height="10"/>')
        start += width
    return (
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(rects)}</svg>"
    )


def worded(word: str | None, reason: str | None) -> str:
    """A cell of a word with its reason below it."""
    small = f'<div class="small">{safe(reason)}</div>' if reason else ""
    return f"<td>{safe(word or '')}{small}</td>"


def td(value: object) -> str:
    """A cell of text."""
    return f"<td>{safe(value)}</td>"


def numeric(value: float, shown: str) -> str:
    """A cell of a number that sorts by its value."""
    return f'<td class="n" data-v="{value!r}">{safe(shown)}</td>'


def spaced(number: int) -> str:
    """A whole number in groups of three, as no language misreads it."""
    return f"{number:,}".replace(",", " ")


def plural(word: str, number: int) -> str:
    """The word for so many."""
    return word if number == 1 or word == "series" else word + "s"


def safe(value: object, *, keep_lines: bool = False) -> str:
    """Any value as escaped text, on one line unless its lines are kept."""
    return escape(cell(value) if keep_lines else line(value))
