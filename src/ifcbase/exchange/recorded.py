"""What the ledger keeps, as reports: one result of a check, or findings over all checks.

The command line and the gateway both export through here; neither knows the rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from ifcbase.errors import RequestInvalid
from ifcbase.exchange.bcf.topics import Version
from ifcbase.exchange.formats import media_type, write
from ifcbase.exchange.from_findings import from_clash_result, from_findings
from ifcbase.exchange.from_results import from_diff_result, from_ids_result
from ifcbase.exchange.report import Comment, Report, grouped
from ifcbase.ledger import diffs, findings, ids, reading, results
from ifcbase.ledger import export as ledger

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Exported:
    """A report as a file: how many of its findings it lists, and how many there are."""

    path: Path
    media_type: str
    listed: int
    total: int


def result_report(connection: Connection, project: str, check: str, result: int) -> Report:
    """One result of a check as a report. Raises NotFound, and RequestInvalid for a check whose
    results are files already."""
    made = _OF_RESULT.get(check)
    if made is None:
        raise RequestInvalid(
            f"{check} results are not exported",
            hint=f"Results of {', '.join(_OF_RESULT)} are; the files of a conversion are outputs "
            "of its job.",
        )
    return made(connection, project, result)


def findings_report(connection: Connection, project: str, **chosen: Any) -> Report:
    """Findings of all checks as a report; ``chosen`` as for ``list_findings``."""
    rows = findings.list_findings(connection, project, **chosen)
    return from_findings(
        rows,
        datetime.now(UTC),
        project=project,
        namespace=ledger.project_identity(connection, project),
        comments=_comments(connection, [row["finding_id"] for row in rows]),
    )


def write_report(
    report: Report, folder: Path, form: str, *, bcf: Version = "2.1", by_group: bool = False
) -> Exported:
    """Write a report into a new file of the folder, which the caller removes.

    ``form`` is a name's ending without its dot. Raises RequestInvalid, FileUnwritable.
    """
    media = media_type(form)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=f".{form}", delete=False) as stream:
        path = Path(stream.name)
    shown = grouped(report) if by_group else report
    try:
        listed = write(shown, path, bcf)
    except BaseException:
        # Also where the one who waits for it went away: nobody else knows the file.
        path.unlink(missing_ok=True)
        raise
    return Exported(path, media, listed, shown.total)


def decision_text(row: Mapping[str, Any]) -> str:
    """A decision as a line: "ignored (not a problem): as agreed on site"."""
    action = str(row["action"])
    what: str = {"assigned": f"assigned to {row['assigned_to'] or 'nobody'}",
                 "due": f"due {row['due'] or 'at no date'}",
                 "comment": ""}.get(action, action)  # fmt: skip
    reason = f" ({row['reason']})" if row["reason"] else ""
    return ": ".join(part for part in (what + reason, row["comment"] or "") if part)


def _clash(connection: Connection, project: str, result: int) -> Report:
    header = reading.show_result(connection, project, result)
    judged = ledger.judged(connection, result)
    return from_clash_result(
        header,
        reading.contacts(connection, result),
        datetime.now(UTC),
        judged=judged,
        left_out=reading.left_out(connection, result),
        comments=_comments(connection, [row["finding_id"] for row in judged.values()]),
        project=project,
        namespace=ledger.project_identity(connection, project),
    )


def _tester(connection: Connection, project: str, result: int) -> Report:
    header = results.show_other(connection, project, "tester", result)
    details = ids.read(connection, result, None)
    return from_ids_result(
        header, details, datetime.now(UTC), **_known(connection, project, "tester", result)
    )


def _diff(connection: Connection, project: str, result: int) -> Report:
    header = results.show_other(connection, project, "diff", result)
    details = diffs.show_changes(connection, result, None)
    return from_diff_result(
        header, details, datetime.now(UTC), **_known(connection, project, "diff", result)
    )


_OF_RESULT: dict[str, Callable[[Connection, str, int], Report]] = {
    "clash": _clash,
    "tester": _tester,
    "diff": _diff,
}


def _known(connection: Connection, project: str, check: str, result: int) -> dict[str, Any]:
    """What the ledger knows of the findings of an IDS or diff result beside its rows."""
    judged = ledger.judged_findings(connection, check, result)
    return {
        "judged": judged,
        "comments": _comments(connection, [row["lasting_id"] for row in judged.values()]),
        "project": project,
        "namespace": ledger.project_identity(connection, project),
    }


def _comments(connection: Connection, numbers: Sequence[int]) -> Mapping[int, Sequence[Comment]]:
    found: dict[int, list[Comment]] = {}
    for row in ledger.decisions(connection, numbers):
        author = f"rule {row['rule']}" if row["rule"] else row["decided_by"] or "unknown"
        comment = Comment(row["created_at"], author, decision_text(row))
        found.setdefault(row["finding_id"], []).append(comment)
    return found
