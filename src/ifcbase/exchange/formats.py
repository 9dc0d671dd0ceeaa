"""Which file format a report is written in: its name decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ifcbase.errors import FileUnwritable, RequestInvalid
from ifcbase.exchange.bcf.topics import Version
from ifcbase.exchange.bcf.write import write_bcf
from ifcbase.exchange.csv import write_csv
from ifcbase.exchange.html import write_html
from ifcbase.exchange.markdown import write_markdown
from ifcbase.exchange.report import Report
from ifcbase.exchange.xlsx import write_xlsx

_WRITERS: dict[str, Callable[[Report, Path], int]] = {
    ".html": write_html,
    ".htm": write_html,
    ".xlsx": write_xlsx,
    ".csv": write_csv,
    ".md": write_markdown,
}
BCF_SUFFIXES = (".bcf", ".bcfzip")
SUFFIXES = (".html", ".xlsx", ".csv", ".bcf", ".md")
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "bcf": "application/octet-stream",
    "md": "text/markdown; charset=utf-8",
}
BCF_VERSIONS: tuple[Version, ...] = ("2.1", "3.0")


def check_suffix(path: Path) -> None:
    """Refuse a file name whose format nobody writes. Raises RequestInvalid."""
    suffix = path.suffix.lower()
    if suffix not in _WRITERS and suffix not in BCF_SUFFIXES:
        raise RequestInvalid(
            f"{path.name}: no report is written as {suffix or 'a file without an ending'}",
            hint=f"Let the name end in one of {', '.join(SUFFIXES)}.",
        )


def media_type(form: str) -> str:
    """The media type of a format, named by its ending without the dot. Raises RequestInvalid."""
    found = _MEDIA_TYPES.get(form)
    if found is None:
        raise RequestInvalid(
            f"no report is written as {form}", hint=f"Choose one of {', '.join(_MEDIA_TYPES)}."
        )
    return found


def bcf_version(text: str) -> Version:
    """The version of BCF that a text names. Raises RequestInvalid."""
    for version in BCF_VERSIONS:
        if text in (version, version.removesuffix(".0")):
            return version
    raise RequestInvalid(
        f"BCF {text} is not written", hint=f"Choose one of {', '.join(BCF_VERSIONS)}."
    )


def write(report: Report, path: Path, bcf: Version = "2.1") -> int:
    """Write a report in the format its name ends in and give the number of findings in the file.

    The file appears whole or not at all. Raises RequestInvalid, FileUnwritable.
    """
    check_suffix(path)
    draft = path.with_name(f".{path.name}.part")
    try:
        try:
            if path.suffix.lower() in BCF_SUFFIXES:
                listed = write_bcf(report, draft, bcf)
            else:
                listed = _WRITERS[path.suffix.lower()](report, draft)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise FileUnwritable(f"{path} cannot be written: {error.strerror or error}") from error
    return listed
