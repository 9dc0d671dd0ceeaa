"""The report of a period as Markdown and as an HTML page: new, solved, open, untested."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from ifcbase.exchange.page.pieces import numeric, safe, spaced, table_of, td
from ifcbase.exchange.text import line

_COUNTS = ("new", "solved", "open", "untested")
_CHECKS = {"clash": "clashes", "tester": "IDS failures", "diff": "changes"}
_MEANING = (
    "Solved: both elements were tested again and it was not found, or an element is gone. "
    "Untested: nobody looked this time, so that nothing is known."
)


def write_period(document: Mapping[str, Any], folder: Path) -> tuple[Path, Path]:
    """Write both forms of a report into a folder; gives the paths. Each is there whole or not."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{document['project']}-{str(document['until'])[:10]}"
    written = []
    for suffix, pieces in (("md", markdown(document)), ("html", html(document))):
        path = folder / f"{stem}.{suffix}"
        held = path.with_name(f".{path.name}.part")
        held.write_text("".join(pieces), encoding="utf-8")
        held.replace(path)
        written.append(path)
    return written[0], written[1]


def markdown(document: Mapping[str, Any]) -> Iterator[str]:
    """The report as Markdown."""
    yield f"# {line(document['project'], 100)}: {_period(document)}\n\n{_summary(document)}\n"
    if not document["checks"]:
        yield "\nNothing was found so far, by no check.\n"
        return
    yield "\n## By check\n\n| | new | solved | open | untested |\n|---|---|---|---|---|\n"
    for row in document["checks"]:
        yield f"| {_CHECKS[row['check_name']]} | {_cells(row)} |\n"
    yield "\n## By discipline\n\n| discipline | | new | solved | open | untested |\n"
    yield "|---|---|---|---|---|---|\n"
    for row in document["disciplines"]:
        name = line(row["discipline"], 60).replace("|", "\\|")
        yield f"| {name} | {_CHECKS[row['check_name']]} | {_cells(row)} |\n"
    yield f"\nA finding between two disciplines counts for both. {_MEANING}\n"


def html(document: Mapping[str, Any]) -> Iterator[str]:
    """The report as a page that needs nothing but itself."""
    style = (resources.files("ifcbase.exchange") / "page" / "style.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = f"{document['project']}: {_period(document)}"
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        f"'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{safe(title)}</h1>\n<p>{safe(_summary(document))}</p>\n"
    )
    heads = [f"{name}*" for name in _COUNTS]
    if document["checks"]:
        yield "<h2>By check</h2>\n"
        yield from table_of(
            ["", *heads],
            ([td(_CHECKS[row["check_name"]]), *_numbers(row)] for row in document["checks"]),
        )
        yield "<h2>By discipline</h2>\n"
        yield from table_of(
            ["discipline", "", *heads],
            (
                [td(row["discipline"]), td(_CHECKS[row["check_name"]]), *_numbers(row)]
                for row in document["disciplines"]
            ),
        )
        yield f"<p>A finding between two disciplines counts for both. {safe(_MEANING)}</p>\n"
    else:
        yield "<p>Nothing was found so far, by no check.</p>\n"
    yield "</main>\n</body>\n</html>\n"


def _period(document: Mapping[str, Any]) -> str:
    return f"{str(document['since'])[:10]} to {str(document['until'])[:10]}"


def _summary(document: Mapping[str, Any]) -> str:
    said = f"{document['results']} results"
    if document["inconclusive"]:
        said += f", {document['inconclusive']} of them inconclusive"
    if document["failed_jobs"]:
        said += f"; {document['failed_jobs']} jobs failed and gave none"
    if not document["results"]:
        said += ": nothing was checked, and what is open may have changed since"
    return said + "."


def _cells(row: Mapping[str, Any]) -> str:
    return " | ".join(str(row[name]) for name in _COUNTS)


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [numeric(row[name], spaced(row[name])) for name in _COUNTS]
