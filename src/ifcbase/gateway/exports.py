"""What the ledger keeps, as files in other people's formats."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ifcbase.exchange.formats import bcf_version, write
from ifcbase.exchange.from_findings import from_clash_result, from_findings
from ifcbase.exchange.report import Comment, Report, grouped
from ifcbase.gateway.caller import Caller
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import export as ledger
from ifcbase.ledger import findings, reading

Format = Literal["html", "xlsx", "csv", "bcf", "md"]


def of_result(connection: Connection, project: str, result: int) -> Report:
    """A clash result as a report. Raises NotFound."""
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


def of_findings(connection: Connection, project: str, **chosen: Any) -> Report:
    """Findings of all checks as a report; ``chosen`` as for ``list_findings``."""
    rows = findings.list_findings(connection, project, **chosen)
    return from_findings(
        rows,
        datetime.now(UTC),
        project=project,
        namespace=ledger.project_identity(connection, project),
        comments=_comments(connection, [row["finding_id"] for row in rows]),
    )


def written(caller: Caller, report: Report, form: Format, bcf: str, by_group: bool) -> Path:
    """The report as a temporary file, which the one who sends it removes.

    Raises RequestInvalid for a version of BCF nobody writes."""
    version = bcf_version(bcf)
    folder = caller.gateway.settings.work_folder / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, suffix=f".{form}", delete=False) as stream:
        path = Path(stream.name)
    try:
        write(grouped(report) if by_group else report, path, version)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _comments(connection: Connection, numbers: Sequence[int]) -> Mapping[int, Sequence[Comment]]:
    found: dict[int, list[Comment]] = {}
    for row in ledger.decisions(connection, numbers):
        author = f"rule {row['rule']}" if row["rule"] else row["decided_by"] or "unknown"
        what: str = {"assigned": f"assigned to {row['assigned_to'] or 'nobody'}",
                "due": f"due {row['due'] or 'at no date'}",
                "comment": ""}.get(str(row["action"]), str(row["action"]))  # fmt: skip
        reason = f" ({row['reason']})" if row["reason"] else ""
        text = ": ".join(part for part in (what + reason, row["comment"] or "") if part)
        found.setdefault(row["finding_id"], []).append(Comment(row["created_at"], author, text))
    return found
