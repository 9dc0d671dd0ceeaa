"""A database with something in every table of three projects, and callers of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString

from ifcbase.ledger.interface import Writer
from ifcbase.ledger.postgres import PostgresLedger
from tests.integration.ledger.ids_series import Rule, Series
from tests.integration.world import (
    Job,
    World,
    coverage,
    element,
    footer,
    header,
    inventory,
    sha,
    sightings,
    start,
)

PROJECTS = ("own", "foreign", "open")
USERS = {
    name: f"00000000-0000-4000-8000-00000000000{i}"
    for i, name in enumerate(("stranger", "viewer", "editor", "admin", "other"))
}
WALLS = [element(f"wall-{i}") for i in range(4)]
PIPES = [element(f"pipe-{i}", ifc_class="IfcPipeSegment") for i in range(4)]


class Filled(World):
    """Projects ``own``, ``foreign`` and ``open`` (public); the users are members of ``own``."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.ids: dict[str, int] = {}
        self.results: dict[str, int] = {}

    def claims(self, caller: str) -> tuple[str, Mapping[str, Any] | None]:
        """The database role and the claims of a caller, by the page's names."""
        own = self.ids["own"]
        match caller:
            case "anon":
                return "anon", {"role": "anon"}
            case "key read":
                return "authenticated", {"ifcbase_project": own, "ifcbase_verbs": ["read"]}
            case "key write":
                return "authenticated", {"ifcbase_project": own, "ifcbase_verbs": ["read", "write"]}
            case "worker":
                return "ifc_worker", {"sub": "worker-own", "jti": "worker-own"}
            case "service":
                return "service_role", {"role": "service_role"}
        return "authenticated", {"sub": USERS[caller], "role": "authenticated"}

    @contextmanager
    def acting(self, caller: str, claims: Mapping[str, Any] | None = None) -> Iterator[None]:
        """Act as PostgREST would for this caller; everything is undone afterwards."""
        role, usual = self.claims(caller)
        with self.connection.transaction(force_rollback=True):
            self.sql(
                "select set_config('request.jwt.claims', %s, true)",
                json.dumps(usual if claims is None else claims),
            )
            self.sql(f"set local role {role}")
            outside, self.within = self.within, True
            try:
                yield
            finally:
                self.within = outside

    def names(self, projects: set[int]) -> set[str]:
        """The names of those of the three projects that are among these."""
        return {name for name, project in self.ids.items() if project in projects}


def fill(world: Filled) -> None:
    """Something in every table for each project, of a finished result and of one being written."""
    world.sql("insert into core.revoked_tokens (jti) values ('gone') on conflict do nothing")
    store = PostgresLedger(world.dsn)
    try:
        for name in PROJECTS:
            world.ids[name] = world.value(
                "insert into core.projects (name, public) values (%s, %s) returning id",
                name, name == "open",
            )  # fmt: skip
            _fill_project(world, store, name)
    finally:
        store.close()
    for role in ("viewer", "editor", "admin"):
        world.sql(
            "insert into core.members values (%s, %s, %s)", world.ids["own"], USERS[role], role
        )


def _fill_project(world: Filled, store: PostgresLedger, name: str) -> None:
    project = world.project = world.ids[name]
    if name != "own":
        world.sql("insert into core.members values (%s, %s, 'admin')", project, USERS["other"])
    job = world.job({"A": f"{name} A", "B": f"{name} B"})
    with store.writing(start(store, job).token) as writer:
        _describe(writer, job)
        result = _write_rows(writer, "A x B")
        world.results[name] = writer.finish_result(result, footer(1, related_left_out=1))
        writer.add_output("0" * 64, 1, "out.json")
        writer.finish_job({}, {})
    world.sql(
        "update core.attempts set started_by = %s where job_id = %s", _principal(name), job.id
    )

    _fill_ids(world, store, name)
    _fill_diff(world, store, name)
    unfinished = world.job({"A": f"{name} A2", "B": f"{name} B"})
    attempt = start(store, unfinished)
    with store.writing(attempt.token) as writer:
        _write_rows(writer, "unfinished")
    world.sql(
        "insert into core.incoming_elements values (%s, %s, 'x', 0, 'IfcWall', null, null, true, true)",
        attempt.attempt_id, unfinished.versions["A.ifc"],
    )  # fmt: skip
    world.sql("insert into core.saves values (%s, gen_random_uuid())", attempt.attempt_id)
    world.sql(
        "insert into core.document_keys values (gen_random_uuid(), %s, %s)",
        project, world.results[name],
    )  # fmt: skip
    world.sql("insert into core.parcels values (%s, 'rows', 0)", attempt.attempt_id)
    a, b = (row[0] for row in world.sql(
        "select id from core.elements where project_id = %s order by id limit 2", project
    ))  # fmt: skip
    world.sql(
        "insert into core.links (project_id, from_element, to_element, verdict, method, confidence)"
        " values (%s, %s, %s, 'different', 'person', 1)", project, a, b,
    )  # fmt: skip
    world.sql("insert into core.identities values (%s, %s, %s)", b, a, project)
    world.sql(
        "insert into core.decision_rules (project_id, name, active, action)"
        " values (%s, 'unused', false, 'reviewed')", project,
    )  # fmt: skip
    world.sql(
        "insert into core.decisions (project_id, finding_id, action, comment)"
        " select project_id, id, 'comment', 'a word' from core.findings where project_id = %s", project,
    )  # fmt: skip
    _fill_gateway(world, name)
    world.sql(
        "insert into clash.seen select result_id, %s, array_agg(pair_id) from clash.sightings"
        " where result_id = %s group by result_id", project, world.results[name],
    )  # fmt: skip
    world.sql(
        "insert into tester.seen select r.id, r.project_id, array_agg(f.finding_id)"
        " from tester.results r join tester.failures f on f.result_id = r.id"
        " where r.project_id = %s and r.state = 'finished' group by r.id", project,
    )  # fmt: skip
    world.sql(
        "insert into diff.seen select r.id, r.project_id, array_agg(c.finding_id),"
        " array_agg(diff.digest(c.after)) from diff.results r join diff.changes c"
        " on c.result_id = r.id where r.project_id = %s and r.state = 'finished' group by r.id", project,
    )  # fmt: skip
    world.sql(
        "insert into core.reports (project_id, since, document) values (%s, now(), '{}')", project
    )
    world.sql("insert into core.operations (kind) values ('report')")
    for view, columns in ROWS.items():
        names = ", ".join(columns)
        world.sql(
            f"insert into public.{view} ({names}, project_id"
            + (") " if view == "clash_results" else ", job_id) ")
            + f"values ({', '.join(columns.values())}, %s"
            + (")" if view == "clash_results" else ", %s)"),
            *((project,) if view == "clash_results" else (project, job.id)),
        )
    world.sql(
        "insert into conversion.left_out (result_id, element_id, reason)"
        " select r.id, %s, 'no geometry' from conversion.results r where r.project_id = %s",
        a, project,
    )  # fmt: skip


def _fill_gateway(world: Filled, name: str) -> None:
    """A key, a note, an upload, a link and an answer."""
    project, given = world.project, sha(f"{name} A")
    prefix = sha(name)[:12]
    world.sql(
        "select core.add_api_key(%s, 'a key', %s, %s, array['read'], null)", project, prefix, given
    )
    world.sql("select core.note(%s, 'look', 'here')", project)
    world.sql("select core.note_upload(%s, 'uploads/a.ifc', %s, 10)", project, given)
    world.sql("select core.add_download_link(%s, %s, %s, 'a.ifc', 60)", project, sha(prefix), given)
    hook = world.value(
        "select core.add_webhook(%s, 'https://a.test/', null, null, 'whsec_aaaa')", project
    )
    world.sql(
        "insert into core.deliveries (project_id, outbox_id, seconds) values (%s, %s, 1)",
        project, world.value("select core.ping_webhook(%s)", hook),
    )  # fmt: skip
    world.sql("select core.note_answer(%s, 'a key', 'a fingerprint', 200, '{}')", project)


def _fill_ids(world: Filled, store: PostgresLedger, name: str) -> None:
    """A finished and an unfinished IDS result, with an element of each kind."""
    series = Series(world, store, model=f"{name} rules")
    series.revise(["wall-1", "wall-2", "type-1"])
    applies = ("wall-1", "wall-2", "type-1")
    rule = Rule(applies, {"Fire=F90": ["wall-1", "type-1"]}, unjudged={"Fire=F90": ["wall-2"]})
    series.run(rule)
    series.begin(rule)


def _fill_diff(world: Filled, store: PostgresLedger, name: str) -> None:
    job = world.job({"A": f"{name} A", "B": f"{name} B"}, check="diff")
    key = {"side": "new", "global_id": "pipe-0", "n": 0}
    with store.writing(start(store, job).token) as writer:
        result = writer.open_result({"old_file": "A.ifc", "new_file": "B.ifc"})
        change = {"facet": "attributes", "before": {"Name": "x"}, "after": {"Name": "y"}}
        writer.append_rows(result, "changes", [key | change])
        match = {
            "side": "old",
            "global_id": "wall-0",
            "n": 0,
            "new_global_id": "pipe-1",
            "new_n": 0,
        }
        found = {"verdict": "same", "method": "content", "confidence": 1.0}
        writer.append_rows(result, "matches", [match | found])
        writer.append_rows(
            result, "not_compared", [key | {"facet": "geometry", "reason": "no mesh"}]
        )
        writer.finish_result(
            result, {"diff_count": 1, "document": {}, "verdict": "changed", "coverage": 0.5}
        )
        writer.finish_job({}, {})


def _principal(name: str) -> str:
    return f"postgres/worker-{name}"


def _describe(writer: Writer, job: Job) -> None:
    writer.inventory(job.versions["A.ifc"], inventory(WALLS))
    writer.inventory(job.versions["B.ifc"], inventory(PIPES))


def _write_rows(writer: Writer, clash_set: str) -> int:
    """A result but for its end: one contact, one element left out, one selection."""
    result = writer.open_result(header(clash_set))
    writer.append_rows(
        result, "selection", [{"input": "A.ifc", "selector": "IfcWall", "matched": [["wall-0", 0]]}]
    )
    sides = [coverage(0, "a", "A.ifc", 4, 3), coverage(1, "b", "B.ifc", 4)]
    writer.append_rows(result, "coverage", sides)
    refs = [
        {"ref": i, "input": "A.ifc", "global_id": e.global_id, "n": 0} for i, e in enumerate(WALLS)
    ]
    refs += [
        {"ref": 4 + i, "input": "B.ifc", "global_id": e.global_id, "n": 0}
        for i, e in enumerate(PIPES)
    ]
    writer.append_rows(result, "elements", refs)
    writer.append_rows(result, "left_out", [{"position": 0, "element": 2, "reason": "no geometry"}])
    writer.append_rows(result, "pairs_left_out", [{"a": 1, "b": 5, "reason": "related"}])
    writer.append_sightings(result, sightings([(0, 4)]))
    return result


#: A row of each of the plan's tables as SQL, by column.
ROWS: dict[str, dict[str, LiteralString]] = {
    "clash_results": {
        "clash_set_name": "'by hand'", "output_filename": "'o.json'", "clash_count": "0",
        "clash_data": "'[]'",
    },
    "conversion_results": {
        "input_filename": "'a.ifc'", "output_filename": "'a.glb'", "conversion_options": "'{}'",
    },
    "tester_results": {
        "ifc_filename": "'a.ifc'", "ids_filename": "'a.ids'", "test_results": "'{}'",
        "pass_count": "1", "fail_count": "0",
    },
    "diff_results": {
        "old_file": "'a.ifc'", "new_file": "'b.ifc'", "diff_count": "0", "diff_data": "'{}'",
    },
}  # fmt: skip
