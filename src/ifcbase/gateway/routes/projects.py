"""Projects, their members, and what was done in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from ifcbase.errors import NotFound
from ifcbase.gateway.caller import Admin, Identified, Identity, Reader, projects_of
from ifcbase.gateway.logs import request_id_of
from ifcbase.gateway.paging import Limit
from ifcbase.gateway.problems import responses
from ifcbase.gateway.state import Gateway, GatewayDep, rows
from ifcbase.ledger.connect import MAX_NUMBER
from ifcbase.sqlfiles import queries

router = APIRouter(prefix="/v1", tags=["projects"])
_SQL = queries("ifcbase.gateway", "projects.sql")
_AUDIT = queries("ifcbase.gateway", "audit.sql")
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f]*$")]


class Project(BaseModel):
    """A project the caller may read, and what it may do there."""

    id: int
    name: str = Field(examples=["default"])
    title: str | None
    public: bool = Field(description="Whether everybody may read it.")
    verbs: list[str] = Field(examples=[["read", "write", "decide"]])


class ProjectChange(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    title: Text | None = Field(default=None, examples=["School, Northern Street"])
    public: bool | None = None


class Member(BaseModel):
    """A user in the project."""

    user: str = Field(examples=["5b0f0a52-7c4a-4f0e-9d59-0c6d8cf0a001"])
    role: str = Field(examples=["editor"])
    created_at: datetime


class Role(BaseModel):
    """What a member may do."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["viewer", "editor", "admin"] = Field(examples=["editor"])


class Done(BaseModel):
    """A line of the audit."""

    id: int
    at: datetime
    request_id: str | None
    caller: str = Field(examples=["key:4k2m9x0ab1cd"])
    action: str = Field(examples=["submit clash"])
    object: str | None


class Audit(BaseModel):
    """Lines of the audit, latest first."""

    items: list[Done]
    next: int | None = Field(description="`before` of the next page.")


@router.get("/projects", responses=responses(401, 429, 503))
def list_projects(request: Request, gateway: GatewayDep, who: Identified) -> list[Project]:
    """The projects the caller may read."""
    return [Project(**each) for each in projects_of(gateway, who, request_id_of(request.scope))]


ProjectPath = Annotated[str, Path(max_length=63, description="The name of a project.")]


@router.get("/projects/{name}", responses=responses(401, 404, 422, 429, 503))
def show_project(
    request: Request, gateway: GatewayDep, who: Identified, name: ProjectPath
) -> Project:
    """One project."""
    return _project(gateway, who, request_id_of(request.scope), name)


def _project(gateway: Gateway, who: Identity, request_id: str, name: str) -> Project:
    for each in projects_of(gateway, who, request_id):
        if each["name"] == name:
            return Project(**each)
    raise NotFound(f"there is no project {name!r} for this caller")


@router.patch("/project", responses=responses(401, 403, 404, 422, 429, 503))
def change_project(caller: Admin, change: ProjectChange) -> Project:
    """Change the title of the caller's project, or who may read it."""
    with caller.transaction() as connection:
        given = change.model_dump() | {"project": caller.project_id}
        rows(connection, _SQL["change"], given)
        caller.note(connection, "change project", caller.project)
    who = Identity(caller.name, caller.claims)
    return _project(caller.gateway, who, caller.request_id, caller.project)


@router.get("/members", responses=responses(401, 403, 404, 422, 429, 503))
def list_members(caller: Reader) -> list[Member]:
    """The members of the project; a viewer sees itself only."""
    with caller.transaction() as connection:
        found = rows(connection, _SQL["members"], {"project": caller.project_id})
    return [Member(**each) for each in found]


@router.put("/members/{user}", status_code=204, responses=responses(401, 403, 404, 422, 429, 503))
def put_member(caller: Admin, user: UUID, role: Role) -> None:
    """Give a user a role in the project, instead of the one it has."""
    with caller.transaction() as connection:
        given = {"project": caller.project_id, "user": user, "role": role.role}
        rows(connection, _SQL["add_member"], given)
        caller.note(connection, f"make member {role.role}", user)


@router.delete(
    "/members/{user}", status_code=204, responses=responses(401, 403, 404, 422, 429, 503)
)
def remove_member(caller: Admin, user: UUID) -> None:
    """Take a user out of the project."""
    with caller.transaction() as connection:
        given = {"project": caller.project_id, "user": user}
        if not rows(connection, _SQL["remove_member"], given):
            raise NotFound(f"{user} is no member of the project")
        caller.note(connection, "remove member", user)


@router.get("/audit", responses=responses(401, 403, 404, 422, 429, 503))
def audit(
    caller: Admin,
    limit: Limit = 100,
    before: Annotated[
        int | None, Query(ge=1, le=MAX_NUMBER, description="Lines before it.")
    ] = None,
) -> Audit:
    """Who did what in the project, latest first."""
    with caller.transaction() as connection:
        given = {"project": caller.project_id, "before": before, "limit": limit + 1}
        found = rows(connection, _AUDIT["list"], given)
    shown = [Done(**each) for each in found[:limit]]
    return Audit(items=shown, next=shown[-1].id if len(found) > limit else None)
