"""Texts of models made safe for the places reports put them into."""

from __future__ import annotations

from datetime import UTC, datetime

from ifcbase.ifc.text import clean

#: Longer cells are cut: nothing a person reads in a table is longer. Excel's own limit is 32,767.
MAX_CELL = 2000
CUT = " … (cut)"
#: What spreadsheet programs take for the start of a formula or a command.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cell(value: object, limit: int = MAX_CELL) -> str:
    """A value as text for a cell: printable, and visibly cut where it is longer than ``limit``."""
    text = clean("" if value is None else str(value))
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


def is_formula(text: str) -> bool:
    """Whether a spreadsheet program might run the text instead of showing it.

    Blanks in front do not help: some programs drop them when they read a file.
    """
    return text.startswith(_FORMULA) or text.lstrip(" \u00a0\ufeff").startswith(_FORMULA)


def inert(text: str) -> str:
    """The text with an apostrophe in front where it could be taken for a formula."""
    return "'" + text if is_formula(text) else text


def line(value: object, limit: int = MAX_CELL) -> str:
    """A value as one line: every run of blanks and line breaks is one blank."""
    return cell(" ".join(clean("" if value is None else str(value)).split()), limit)


def moment(value: datetime) -> str:
    """A moment as people read it, in UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def millimetres(metres: float) -> str:
    """A length as people in the field say it."""
    return f"{metres * 1000:.1f} mm"


def percent(share: float | None, nothing: str) -> str:
    """A share in words; never rounded up to 100 %, and ``nothing`` where there is none."""
    if share is None:
        return nothing
    return "100 %" if share >= 1 else f"{min(share * 100, 99.9):.1f} %"
