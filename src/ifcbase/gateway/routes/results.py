"""Results of all checks: headers, what they found, documents, exports."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, LiteralString

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.background import BackgroundTask

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.exchange import recorded
from ifcbase.gateway import exports
from ifcbase.gateway.caller import Caller, Reader
from ifcbase.gateway.paging import IfNoneMatch, Limit, Number, Page, Start, page, unchanged, window
from ifcbase.gateway.problems import responses
from ifcbase.gateway.responding import FILE
from ifcbase.gateway.routes.jobs import CheckName
from ifcbase.gateway.state import rows
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import findings, reading, results
from ifcbase.sqlfiles import queries

router = APIRouter(prefix="/v1", tags=["results"])
_SQL = queries("ifcbase.gateway", "results.sql")
SetName = Annotated[str | None, Query(alias="set", max_length=255, description="A clash set.")]
Part = Literal[
    "contacts", "left_out", "series", "specifications", "failures", "changes", "matches",
    "not_compared",
]  # fmt: skip
Bcf = Annotated[Literal["2.1", "3.0"], Query(description="Version of BCF.")]
FormatQuery = Annotated[exports.Format, Query(alias="format", description="What to write.")]
ByGroup = Annotated[bool, Query(description="One entry per group of clashes.")]


class Result(BaseModel):
    """What a check found, and how much it tested. Some fields are of one check only."""

    model_config = ConfigDict(extra="allow")

    check: str = Field(examples=["clash"])
    id: int
    verdict: str | None = Field(
        description="clean, found, passed, failed, changed, unchanged, converted or inconclusive.",
        examples=["found"],
    )
    coverage: float | None = Field(
        description="How much of what should have been tested was: 0 to 1.", examples=[1.0]
    )
    warnings: Any
    job_id: str | None
    created_at: datetime
    finished_at: datetime | None


_READ, _IDS = queries("ifcbase.ledger", "read.sql"), queries("ifcbase.ledger", "ids.sql")
_DIFFS = queries("ifcbase.ledger", "diffs.sql")
#: What a result has rows of: contacts of a clash result, failures of an IDS check, …
PARTS: dict[tuple[str, str], LiteralString] = {
    **{("clash", part): _READ[part] for part in ("contacts", "left_out")},
    **{
        ("tester", part): _IDS[part]
        for part in ("series", "specifications", "failures", "left_out")
    },
    **{("diff", part): _DIFFS[part] for part in ("changes", "matches", "not_compared")},
    ("conversion", "left_out"): queries("ifcbase.ledger", "conversions.sql")["left_out"],
}


def header_of(caller: Caller, connection: Connection, check: str, number: int) -> dict[str, Any]:
    """A result's header. Raises NotFound."""
    if check == "clash":
        return {"check": "clash"} | reading.show_result(connection, caller.project, number)
    return results.show_other(connection, caller.project, check, number)


@router.get("/results", responses=responses(401, 403, 404, 422, 429, 503))
def list_results(
    caller: Reader,
    check: CheckName | None = None,
    clash_set: SetName = None,
    start: Start = 0,
    limit: Limit = 50,
) -> Page[Result]:
    """The results of the project, latest first."""
    if clash_set is not None and check not in (None, "clash"):
        raise RequestInvalid("set: only clash results have one")
    given = {"project": caller.project_id, "check": check, "set": clash_set, "start": start,
             "limit": limit + 1}  # fmt: skip
    with caller.transaction() as connection:
        found = rows(connection, _SQL["page"], given)
    return Page[Result](items=found[:limit], next=start + limit if len(found) > limit else None)


@router.get(
    "/results/{check}/{number}", response_model=Result,
    responses={304: {"description": "Not changed"}, **responses(401, 403, 404, 422, 429, 503)},
)  # fmt: skip
def show_result(
    response: Response, caller: Reader, check: CheckName, number: Number,
    if_none_match: IfNoneMatch = None,
) -> Result | Response:  # fmt: skip
    """One result: what was found in sum, what was tested, with which engine."""
    with caller.transaction() as connection:
        found = header_of(caller, connection, check, number)
    return unchanged(response, found, if_none_match) or Result(**found)


@router.get(
    "/results/{check}/{number}/rows/{part}", responses=responses(401, 403, 404, 422, 429, 503)
)
def result_rows(
    caller: Reader, check: CheckName, number: Number, part: Part,
    start: Start = 0, limit: Limit = 100,
) -> Page[dict[str, Any]]:  # fmt: skip
    """What a result has rows of. clash: contacts (deepest first), left_out; tester: series,
    specifications, failures, left_out; diff: changes, matches, not_compared; conversion: left_out."""
    query = PARTS.get((check, part))
    if query is None:
        known = ", ".join(name for kind, name in PARTS if kind == check)
        raise NotFound(f"{check} results have no {part}", hint=f"They have {known}.")
    with caller.transaction() as connection:
        header_of(caller, connection, check, number)
        given = {"id": number, "limit": None, "pairs": None}
        found = window(connection, query, start, limit, given)
    return Page[dict[str, Any]](**page(found, start, limit))


@router.get("/results/{check}/{number}/document", responses=responses(401, 403, 404, 422, 429, 503))
def result_document(caller: Reader, check: CheckName, number: Number) -> Any:
    """The document of a result in the shape of the tool that others know for it: ifcclash's,
    IfcTester's, ifcdiff's; of a conversion its options."""
    with caller.transaction() as connection:
        header_of(caller, connection, check, number)
        if check == "clash":
            return reading.document(connection, number)
        return results.document(connection, check, number)


@router.get(
    "/results/{check}/{number}/export",
    response_class=FileResponse,
    responses={**FILE, **responses(401, 403, 404, 422, 429, 503)},
)
def export_result(
    caller: Reader, check: CheckName, number: Number, form: FormatQuery, bcf: Bcf = "2.1",
    by_group: ByGroup = False,
) -> FileResponse:  # fmt: skip
    """A result of a clash, IDS or diff check as HTML, XLSX, CSV, BCF or Markdown, as an attachment. A
    conversion's files are outputs of its job."""
    with caller.transaction() as connection:
        report = recorded.result_report(connection, caller.project, check, number)
    return _sent(exports.written(caller, report, form, bcf, by_group), f"{check}-{number}.{form}")


@router.get(
    "/export",
    response_class=FileResponse,
    responses={**FILE, **responses(401, 403, 404, 422, 429, 503)},
)
def export_findings(
    caller: Reader, form: FormatQuery, bcf: Bcf = "2.1", by_group: ByGroup = False,
    check: Literal["clash", "tester", "diff"] | None = None,
    discipline: Annotated[str | None, Query(max_length=200)] = None,
    review: Literal["open", "reviewed", "approved", "ignored"] = "open",
    assigned: Annotated[str | None, Query(max_length=200)] = None,
) -> FileResponse:  # fmt: skip
    """The findings of all checks that are there, open ones if nothing else is said, as a file."""
    with caller.transaction() as connection:
        findings.require_discipline(connection, caller.project, discipline)
        report = recorded.findings_report(
            connection, caller.project, check=check, discipline=discipline,
            states=findings.THERE, review=review, assigned=assigned,
        )  # fmt: skip
    return _sent(exports.written(caller, report, form, bcf, by_group), f"findings.{form}")


def _sent(exported: recorded.Exported, name: str) -> FileResponse:
    return FileResponse(
        exported.path,
        media_type="application/octet-stream",
        filename=name,
        content_disposition_type="attachment",
        # A list that was cut for a format's sake says so.
        headers={"X-Findings": str(exported.total), "X-Findings-Listed": str(exported.listed)},
        background=BackgroundTask(exported.path.unlink, missing_ok=True),
    )
