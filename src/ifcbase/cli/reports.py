"""`--report FILE`: the outcome of a check in the format its name ends in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ifcbase.cli.output import check_output, console, errors_console
from ifcbase.errors import RequestInvalid
from ifcbase.files.naming import stream_name

if TYPE_CHECKING:
    from ifcbase.clash.report import ClashReport
    from ifcbase.exchange.bcf.topics import Version
    from ifcbase.exchange.report import Report

ReportOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--report", help="Write a report for people: FILE.html, .xlsx, .csv, .bcf or .md; repeat."
    ),
]
BcfOption = Annotated[str, typer.Option("--bcf", help="Version of .bcf reports: 2.1 or 3.0.")]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Report files that were asked for."""

    paths: tuple[Path, ...]
    bcf: Version


@dataclass(frozen=True, slots=True)
class Written:
    """A report file and how many of the findings are in it."""

    path: Path
    listed: int
    total: int


def wanted(paths: Sequence[Path] | None, bcf: str, taken: Iterable[Path | None]) -> Wanted:
    """Check the files before the work whose outcome goes into them; ``taken`` are files that must
    not be overwritten. Raises RequestInvalid, FileUnwritable."""
    if not paths and bcf == "2.1":
        return Wanted((), "2.1")
    # Here and not above: most checks write no report, and need not wait for what writes them.
    from ifcbase.exchange.formats import bcf_version, check_suffix

    found = Wanted(tuple(paths or ()), bcf_version(bcf))
    others = [each for each in taken if each is not None]
    seen: set[Path] = set()
    for path in found.paths:
        check_suffix(path)
        check_output(path, others)
        where = path.resolve()
        if where in seen or where in {other.resolve() for other in others}:
            raise RequestInvalid(f"{path} is named twice", hint="Give each report its own file.")
        seen.add(where)
    return found


def refuse_with_submit(asked: Wanted, hint: str = "") -> None:
    """A report of a submitted check is made from what the ledger keeps. Raises RequestInvalid."""
    if asked.paths:
        raise RequestInvalid(
            "--report goes with a direct run, not with --submit",
            hint=hint or f"Submit without it, then `ifcbase export RESULT -o {asked.paths[0]}`.",
        )


def write_clash(report: ClashReport, asked: Wanted, min_coverage: float) -> list[Written]:
    """Write a clash report; ids of topics go by the models' names, not by their revisions."""
    if not asked.paths:
        return []
    # Here and not above: it loads numpy, and not only clash writes reports.
    from ifcbase.exchange.from_clash import from_clash

    names = {file.name: stream_name(Path(file.name).name) for file in report.files}
    if len(set(names.values())) < len(names):
        # Two files that look like one model's revisions are told apart by their whole names.
        names = {}
    made = from_clash(report, datetime.now(UTC), min_coverage=min_coverage, models=names)
    return write_all(made, asked)


def write_all(report: Report, asked: Wanted) -> list[Written]:
    """Write a report into every file that was asked for. Raises FileUnwritable."""
    if not asked.paths:
        return []
    from ifcbase.exchange.formats import write

    return [Written(path, write(report, path, asked.bcf), report.total) for path in asked.paths]


def say(written: Iterable[Written]) -> None:
    """Name the files; what one of them has no room for is said on stderr too."""
    for each in written:
        none = "" if each.total else ", with no findings"
        console().say(f"report written to {each.path}{none}")
        if each.listed < each.total:
            errors_console().say(
                f"note: {each.path} lists {each.listed} of {each.total} findings; "
                ".xlsx and .csv list all"
            )
