"""Who is calling, in which project, with which verbs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from ifcbase.errors import Forbidden, NotFound, RequestInvalid, TooManyFailures, Unauthenticated
from ifcbase.gateway.failures import neighbourhood
from ifcbase.gateway.logs import request_id_of
from ifcbase.gateway.state import Gateway, gateway_of, rows
from ifcbase.jobs.engine import Connection
from ifcbase.ledger import keys
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.gateway", "state.sql")
_AUDIT = queries("ifcbase.gateway", "audit.sql")
ROLE = "authenticated"

api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="An API key.")
bearer = HTTPBearer(
    auto_error=False, description="An API key, or a token of a user of the Supabase project."
)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: in words, and as claims the database understands."""

    name: str
    claims: Mapping[str, Any]
    #: The project of an API key, and what it may do there.
    project: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller in one project."""

    name: str
    claims: Mapping[str, Any]
    project_id: int
    project: str
    verbs: frozenset[str]
    request_id: str
    gateway: Gateway

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction under this caller's row-level security."""
        with self.gateway.acting(ROLE, self.claims, self.request_id) as connection:
            yield connection

    def note(self, connection: Connection, action: str, about: object = None) -> None:
        """Note in the audit what this caller does, in the transaction that does it."""
        rows(
            connection,
            _AUDIT["note"],
            {
                "project": self.project_id,
                "action": action,
                "object": None if about is None else str(about),
            },
        )


def identify(
    request: Request,
    key: Annotated[str | None, Security(api_key)],
    token: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> Identity:
    """Who sent the request. Raises Unauthenticated, TooManyFailures."""
    gateway = gateway_of(request)
    address = neighbourhood(request.client.host) if request.client else "unknown"
    if wait := gateway.failures.wait_s(address):
        refusal = TooManyFailures()
        refusal.retry_after_s = math.ceil(wait)
        raise refusal
    given = key if key is not None else (token.credentials if token else None)
    if given is None:
        raise Unauthenticated("the request carries no credentials")
    try:
        found = _known(gateway, given, only_keys=key is not None)
    except Unauthenticated:
        gateway.failures.add(address)
        raise
    request.scope["state"]["caller"] = found.name
    return found


def _known(gateway: Gateway, given: str, *, only_keys: bool) -> Identity:
    if not only_keys and not keys.looks_like_key(given):
        claims = gateway.tokens.claims(given)
        return Identity(f"user:{claims['sub']}", claims | {"role": ROLE})
    with gateway.connection() as connection:
        row = keys.recognise(connection, given)
    if row is None:
        raise Unauthenticated("the API key is not known, has expired or was revoked")
    claims = {
        "role": ROLE,
        "ifcbase_project": row["project_id"],
        "ifcbase_verbs": row["verbs"],
        "ifcbase_key": row["prefix"],
    }
    return Identity(f"key:{row['prefix']}", claims, row)


Identified = Annotated[Identity, Depends(identify)]
ProjectName = Annotated[
    str | None,
    Query(
        alias="project",
        max_length=63,
        pattern="^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Which of the caller's projects; an API key has one only.",
    ),
]


def in_project(request: Request, who: Identity, wanted: str | None) -> Caller:
    """A caller in the project it names, in its key's, or in its only one.

    Raises NotFound for projects it knows nothing of, RequestInvalid if it has several."""
    gateway, request_id = gateway_of(request), request_id_of(request.scope)
    if who.project is not None:
        name, number, verbs = (
            who.project["project"],
            who.project["project_id"],
            who.project["verbs"],
        )
        if wanted not in (None, name):
            raise NotFound(f"there is no project {wanted!r} for this key")
    else:
        found = projects_of(gateway, who, request_id)
        if wanted is not None:
            found = [each for each in found if each["name"] == wanted]
            if not found:
                raise NotFound(f"there is no project {wanted!r} for this caller")
        else:
            # What is only public is nobody's own project.
            found = [each for each in found if each["verbs"] != ["read"] or not each["public"]]
        if not found:
            raise Forbidden("the caller is in no project")
        if len(found) > 1:
            raise RequestInvalid(
                "the caller is in several projects",
                hint="Name one: ?project=" + " or ".join(each["name"] for each in found[:5]),
            )
        name, number, verbs = found[0]["name"], found[0]["id"], found[0]["verbs"]
    return Caller(who.name, who.claims, int(number), name, frozenset(verbs), request_id, gateway)


def projects_of(gateway: Gateway, who: Identity, request_id: str) -> list[dict[str, Any]]:
    """The projects a caller may read, and its verbs there."""
    with gateway.acting(ROLE, who.claims, request_id) as connection:
        return rows(connection, _SQL["projects"], ())


class May:
    """The dependency that gives the caller if it has a verb in the project."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __call__(
        self,
        request: Request,
        key: Annotated[str | None, Security(api_key)],
        token: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
        project: ProjectName = None,
    ) -> Caller:
        """Raises Unauthenticated, TooManyFailures, Forbidden."""
        # Called and not depended on: each dependency goes to a thread and back by itself.
        caller = in_project(request, identify(request, key, token), project)
        if self.verb not in caller.verbs:
            raise Forbidden(f"this needs the verb {self.verb} in the project {caller.project!r}")
        return caller


Reader = Annotated[Caller, Depends(May("read"))]
Submitter = Annotated[Caller, Depends(May("write"))]
Decider = Annotated[Caller, Depends(May("decide"))]
Admin = Annotated[Caller, Depends(May("admin"))]
