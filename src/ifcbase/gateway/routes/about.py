"""The description of the API for people: plain pages that load nothing from anywhere."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from ifcbase.errors import IfcbaseError, NotFound, error_classes
from ifcbase.gateway import pages
from ifcbase.gateway.problems import problem_type, responses

router = APIRouter(tags=["about"])
#: Nothing but the page itself: no script, no other address.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class ProblemType(BaseModel):
    """What a type of problem means."""

    type: str = Field(examples=["/problems/not-found"])
    code: str = Field(examples=["not-found"])
    title: str
    status: int
    hint: str = Field(description="What to do about it, if the problem does not say better.")
    retryable: bool


def described(cls: type[IfcbaseError]) -> ProblemType:
    """A type of problem."""
    return ProblemType(
        type=problem_type(cls.code), code=cls.code, title=cls.title, status=cls.http_status,
        hint=cls.default_hint, retryable=cls.retryable,
    )  # fmt: skip


@router.get("/docs", response_class=HTMLResponse)
def docs(request: Request) -> HTMLResponse:
    """The routes on a page; the same for programs is /openapi.json."""
    page = pages.description(request.app.openapi())
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})


@router.get("/problems")
def problem_types() -> list[ProblemType]:
    """All types of problems."""
    return [described(cls) for _, cls in sorted(error_classes().items())]


@router.get("/problems/{code}", responses=responses(404, 422))
def show_problem_type(code: Annotated[str, Path(max_length=100)]) -> ProblemType:
    """One type of problem."""
    cls = error_classes().get(code)
    if cls is None:
        raise NotFound(f"there is no problem type {code!r}", hint="See /problems.")
    return described(cls)
