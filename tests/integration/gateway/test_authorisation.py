"""Who may call what: every route, every kind of caller. A route without a row fails the first test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from ifcbase.gateway.routes import ROUTERS
from tests.integration.gateway.conftest import Served, token
from tests.integration.ledger.filled import Filled


@dataclass(frozen=True)
class Row:
    """A route with a good request. ``foreign``: what an admin of another project gets for it: 404
    for things it names, 200 for lists of its own things."""

    method: str
    route: str
    verb: str | None  # None: open to everybody
    ok: int = 200
    foreign: int = 404
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    path: str = ""  # where the route has parameters; "{job}" and so on are of the project "own"

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}"


CLASH = {
    "clash_sets": [{"name": "auth", "a": [{"file": "walls.ifc"}], "b": [{"file": "pipes.ifc"}]}]
}
CONVERSION = {"input_filename": "walls.ifc", "output_filename": "auth.glb"}
TESTER = {"ifc_filename": "walls.ifc", "ids_filename": "rules.ids"}
DIFF = {"old_file": "walls.ifc", "new_file": "walls_v2.ifc"}
#: A form with a small file in it.
FORM = {"Content-Type": "multipart/form-data; boundary=b"}
FILE = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="auth.csv"\r\n\r\n'
    b"a;b\r\n--b--\r\n"
)
TUS = {"Tus-Resumable": "1.0.0"}
BEGIN = {"Upload-Length": "4", "Upload-Metadata": "filename YS5jc3Y=,kind Y3N2"}
PART = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
HOOK = {"url": "https://hooks.example.com/"}
WALLS = "/v1/uploads/models/auth?file_name=walls.ifc&sha256={walls}"

USER = "00000000-0000-4000-8000-0000000000aa"

ROWS = [
    # Open to everybody.
    Row("GET", "/healthz", None),
    Row("GET", "/readyz", None),
    Row("GET", "/health", None),
    Row("GET", "/docs", None),
    Row("GET", "/problems", None),
    Row("GET", "/problems/{code}", None, path="/problems/not-found"),
    Row("GET", "/download/{token}", None, path="/download/{link}"),
    Row("GET", "/metrics", None),
    Row("OPTIONS", "/v1/uploads", None, 204),
    # What existing clients call.
    Row("POST", "/upload/{file_type}", "write", foreign=200, headers=FORM, content=FILE,
        path="/upload/csv"),
    Row("POST", "/download-from-url", "write", 422, 422, {"url": "http://127.0.0.1/a.ifc"}),
    Row("POST", "/ifcclash", "write", json=CLASH),
    Row("POST", "/ifcconvert", "write", json=CONVERSION),
    Row("POST", "/ifctester", "write", json=TESTER),
    Row("POST", "/ifcdiff", "write", json=DIFF),
    Row("GET", "/jobs/{job_id}/status", "read", path="/jobs/{job}/status"),
    Row("POST", "/jobs/{job_id}/requeue", "write", path="/jobs/{cancelled}/requeue"),
    Row("POST", "/create_download_link", "read", json={"file_path": "walls.ifc"}),
    Row("GET", "/list_directories", "read", foreign=200),
    # Projects, members, keys.
    Row("GET", "/v1/projects", "read", foreign=200),
    Row("GET", "/v1/projects/{name}", "read", path="/v1/projects/own"),
    Row("PATCH", "/v1/project", "admin", json={"title": "T"}, foreign=200),
    Row("GET", "/v1/members", "read", foreign=200),
    Row("PUT", "/v1/members/{user}", "admin", 204, 204, {"role": "viewer"},
        path=f"/v1/members/{USER}"),
    Row("DELETE", "/v1/members/{user}", "admin", 204, path="/v1/members/{member}"),
    Row("GET", "/v1/audit", "admin", foreign=200),
    Row("GET", "/v1/keys", "admin", foreign=200),
    Row("POST", "/v1/keys", "admin", 201, 201, {"name": "made"}),
    Row("GET", "/v1/keys/{number}", "admin", path="/v1/keys/{key}"),
    Row("DELETE", "/v1/keys/{number}", "admin", 204, path="/v1/keys/{key}"),
    # Uploads.
    Row("GET", "/v1/uploads/known/{sha256}", "read", path="/v1/uploads/known/{walls}"),
    Row("POST", "/v1/uploads/models/{model}", "write", 201, 422, path=WALLS),
    Row("POST", "/v1/uploads", "write", 201, 201, headers=TUS | BEGIN),
    Row("GET", "/v1/uploads/{upload_id}", "write", path="/v1/uploads/{upload}"),
    Row("HEAD", "/v1/uploads/{upload_id}", "write", headers=TUS, path="/v1/uploads/{upload}"),
    Row("PATCH", "/v1/uploads/{upload_id}", "write", 204, headers=TUS | PART, content=b"a;b\n",
        path="/v1/uploads/{upload}"),
    Row("DELETE", "/v1/uploads/{upload_id}", "write", 204, headers=TUS,
        path="/v1/uploads/{upload}"),
    # Events and webhooks.
    Row("GET", "/v1/events", "read", foreign=200),
    Row("GET", "/v1/webhooks", "admin", foreign=200),
    Row("POST", "/v1/webhooks", "admin", 201, 201, HOOK),
    Row("GET", "/v1/webhooks/{webhook}", "admin", path="/v1/webhooks/{hook}"),
    Row("PATCH", "/v1/webhooks/{webhook}", "admin", json={"description": "D"},
        path="/v1/webhooks/{hook}"),
    Row("DELETE", "/v1/webhooks/{webhook}", "admin", 204, path="/v1/webhooks/{hook}"),
    Row("POST", "/v1/webhooks/{webhook}/secret", "admin", json={},
        path="/v1/webhooks/{hook}/secret"),
    Row("POST", "/v1/webhooks/{webhook}/ping", "admin", 202, path="/v1/webhooks/{hook}/ping"),
    Row("GET", "/v1/webhooks/{webhook}/deliveries", "admin",
        path="/v1/webhooks/{hook}/deliveries"),
    Row("POST", "/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver", "admin", 202,
        path="/v1/webhooks/{sent}/redeliver"),
    # Models, files, jobs.
    Row("GET", "/v1/models", "read", foreign=200),
    Row("GET", "/v1/models/{number}", "read", path="/v1/models/{model}"),
    Row("GET", "/v1/models/{number}/versions", "read", path="/v1/models/{model}/versions"),
    Row("POST", "/v1/versions", "write", 201, json={"file": "walls.ifc"}),
    Row("GET", "/v1/files", "read", foreign=200),
    Row("GET", "/v1/files/{path:path}", "read", path="/v1/files/uploads/walls.ifc"),
    Row("POST", "/v1/jobs/clash", "write", 202, json=CLASH),
    Row("POST", "/v1/jobs/conversion", "write", 202, json=CONVERSION),
    Row("POST", "/v1/jobs/tester", "write", 202, json=TESTER),
    Row("POST", "/v1/jobs/diff", "write", 202, json=DIFF),
    Row("GET", "/v1/jobs", "read", foreign=200),
    Row("GET", "/v1/jobs/{job_id}", "read", path="/v1/jobs/{job}"),
    Row("POST", "/v1/jobs/{job_id}/cancel", "write", path="/v1/jobs/{queued}/cancel"),
    Row("POST", "/v1/jobs/{job_id}/requeue", "write", path="/v1/jobs/{cancelled}/requeue"),
    # Results.
    Row("GET", "/v1/results", "read", foreign=200),
    Row("GET", "/v1/results/{check}/{number}", "read", path="/v1/results/clash/{result}"),
    Row("GET", "/v1/results/{check}/{number}/rows/{part}", "read",
        path="/v1/results/clash/{result}/rows/contacts"),
    Row("GET", "/v1/results/{check}/{number}/document", "read",
        path="/v1/results/clash/{result}/document"),
    Row("GET", "/v1/results/{check}/{number}/export", "read",
        path="/v1/results/clash/{result}/export?format=csv"),
    Row("GET", "/v1/export", "read", foreign=200, path="/v1/export?format=csv"),
    # Clash sets, findings, decisions.
    Row("GET", "/v1/sets", "read", foreign=200),
    Row("GET", "/v1/sets/{number}", "read", path="/v1/sets/{set}"),
    Row("GET", "/v1/sets/{number}/pairs", "read", path="/v1/sets/{set}/pairs"),
    Row("GET", "/v1/sets/{number}/groups", "read", path="/v1/sets/{set}/groups"),
    Row("GET", "/v1/sets/{number}/trend", "read", path="/v1/sets/{set}/trend"),
    Row("GET", "/v1/sets/{number}/comparison", "read", 409, path="/v1/sets/{set}/comparison"),
    Row("GET", "/v1/comparisons", "read", path="/v1/comparisons?a={result}&b={result}"),
    Row("GET", "/v1/findings", "read", foreign=200),
    Row("GET", "/v1/findings/open", "read", foreign=200),
    Row("GET", "/v1/findings/{number}", "read", path="/v1/findings/{pair}"),
    Row("GET", "/v1/pairs/{number}", "read", path="/v1/pairs/{pair}"),
    Row("POST", "/v1/findings/{number}/decisions", "decide", 201,
        json={"action": "reviewed"}, path="/v1/findings/{pair}/decisions"),
    Row("POST", "/v1/decisions", "decide", 201, json={"findings": ["{pair}"], "action": "open"}),
    Row("POST", "/v1/sets/{number}/decisions", "decide", 201,
        json={"group": "class/IfcPipeSegment+IfcWall", "action": "reviewed"},
        path="/v1/sets/{set}/decisions"),
    # Decision rules.
    Row("GET", "/v1/rules", "read", foreign=200),
    Row("POST", "/v1/rules", "decide", 404, 404,
        {"name": "n", "action": "reviewed", "set_id": 999999999}),
    Row("GET", "/v1/rules/{number}", "read", path="/v1/rules/{rule}"),
    Row("PATCH", "/v1/rules/{number}", "decide", json={"active": False}, path="/v1/rules/{rule}"),
]  # fmt: skip

VERBS = {
    "viewer": {"read"},
    "editor": {"read", "write", "decide"},
    "admin": {"read", "write", "decide", "admin"},
}


def routes() -> set[tuple[str, str]]:
    """Method and address of every route."""
    found = set()
    for router in ROUTERS:
        for each in router.routes:
            assert isinstance(each, APIRoute)
            found |= {(method, each.path) for method in each.methods or ()}
    return found


def test_every_route_has_a_row(served: Served) -> None:
    table = [(row.method, row.route) for row in ROWS]
    assert len(set(table)) == len(table)
    assert set(table) == routes()
    described = served.client.get("/openapi.json").json()["paths"]
    listed = {(m.upper(), path) for path, methods in described.items() for m in methods}
    assert listed == {(method, route.replace(":path", "")) for method, route in table}


class Things:
    """What the rows name, of the project "own", made afresh for each call."""

    def __init__(self, served: Served, filled: Filled) -> None:
        own = filled.ids["own"]

        def one(statement: Any) -> Any:
            return served.sql(statement, own)[0][0]

        self.result = filled.results["own"]
        self.job = one(
            "select job_id from clash.results where project_id = %s and job_id is not null"
        )
        self.set = one("select set_id from clash.results where project_id = %s order by id limit 1")
        self.pair = one("select pair_id from clash.pair_states where project_id = %s limit 1")
        self.model = one("select id from core.models where project_id = %s order by id limit 1")
        self._served, self._own = served, own

    def filled_in(self, value: Any) -> Any:
        """A path or document with its names replaced."""
        if isinstance(value, dict):
            return {name: self.filled_in(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.filled_in(each) for each in value]
        if not isinstance(value, str) or "{" not in value:
            return value
        name = value[value.index("{") + 1 : value.index("}")]
        thing = getattr(self, name)
        whole = value.replace("{" + name + "}", str(thing() if callable(thing) else thing))
        return int(whole) if whole.isdigit() else whole

    @property
    def walls(self) -> str:
        """A model of the project by its hash."""
        answer = self._served.client.get(
            "/v1/files?prefix=uploads/walls.ifc", headers=self._served.headers("own viewer")
        )
        return str(answer.json()["items"][0]["sha256"])

    def upload(self) -> str:
        answer = self._served.client.post(
            "/v1/uploads", headers={**self._served.headers("own editor"), **TUS, **BEGIN}
        )
        return answer.headers["Location"].rpartition("/")[2]

    def hook(self) -> str:
        self._served.sql("delete from core.webhooks where project_id = %s", self._own)
        answer = self._served.client.post(
            "/v1/webhooks", json=HOOK, headers=self._served.headers("own admin")
        )
        return str(answer.json()["id"])

    def sent(self) -> str:
        hook = self.hook()
        answer = self._served.client.post(
            f"/v1/webhooks/{hook}/ping", headers=self._served.headers("own admin")
        )
        return f"{hook}/deliveries/{answer.json()['delivery']}"

    def queued(self, state: str = "queued") -> Any:
        (row,) = self._served.sql(
            "insert into core.jobs (project_id, check_name, request, state, timeout_s, memory_mb)"
            " values (%s, 'clash', '{}', %s, 60, 512) returning id",
            self._own, state,
        )  # fmt: skip
        return row[0]

    def cancelled(self) -> Any:
        return self.queued("cancelled")

    def key(self) -> Any:
        (row,) = self._served.sql(
            "insert into core.api_keys (project_id, name, prefix, hash, verbs) values"
            " (%s, 'x', substr(md5(random()::text), 1, 12), repeat('0', 64), '{read}') returning id",
            self._own,
        )
        return row[0]

    def rule(self) -> Any:
        self._served.sql(
            "insert into core.decision_rules (project_id, name, active, action)"
            " values (%s, 'taken', false, 'reviewed') on conflict do nothing", self._own,
        )  # fmt: skip
        found = "select id from core.decision_rules where project_id = %s and name = 'taken'"
        return self._served.sql(found, self._own)[0][0]

    def member(self) -> Any:
        (row,) = self._served.sql(
            "insert into core.members values (%s, gen_random_uuid(), 'viewer') returning user_id",
            self._own,
        )
        return row[0]

    def link(self) -> str:
        answer = self._served.client.post(
            "/create_download_link", json={"file_path": "walls.ifc"},
            headers=self._served.headers("own viewer"),
        )  # fmt: skip
        return str(answer.json()["token"])


@pytest.fixture(scope="module")
def things(served: Served, filled: Filled) -> Iterator[Things]:
    before = {row[0] for row in served.sql("select id from core.jobs")}
    yield Things(served, filled)
    # Nobody is to work on what these tests submitted.
    made = [row[0] for row in served.sql("select id from core.jobs") if row[0] not in before]
    served.sql("update core.jobs set state = 'cancelled' where id = any(%s)", made)


def ask(served: Served, things: Things, row: Row, headers: dict[str, str]) -> httpx.Response:
    with served.client.stream(
        row.method, things.filled_in(row.path or row.route), json=things.filled_in(row.json),
        headers=row.headers | headers, content=row.content,
    ) as answer:  # fmt: skip
        # Events have no end.
        if not answer.is_success or row.route != "/v1/events":
            answer.read()
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert row.method == "HEAD" or answer.json()["status"] == answer.status_code
    return answer


BY_NAME = {row.name: row for row in ROWS}


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_who_may_call_it(served: Served, things: Things, name: str) -> None:
    row = BY_NAME[name]
    for headers in (
        {},
        {"X-API-Key": served.keys["wrong"]},
        {"X-API-Key": served.keys["own expired"]},
        {"Authorization": f"Bearer {token('admin', exp=1)}"},
    ):
        answer = ask(served, things, row, headers)
        assert answer.status_code == (row.ok if row.verb is None else 401), (headers, answer.text)
    if row.verb is None:
        return
    foreign = ask(served, things, row, served.headers("foreign admin"))
    assert foreign.status_code == row.foreign, foreign.text
    for role, verbs in VERBS.items():
        for headers in (
            served.headers(f"own {role}"),
            {"Authorization": f"Bearer {token(role)}"},
        ):
            answer = ask(served, things, row, headers)
            expected = row.ok if row.verb in verbs else 403
            assert answer.status_code == expected, (role, headers, answer.text)
    # A user who is in no project.
    if row.route not in {"/v1/projects", "/v1/projects/{name}"}:
        stranger = ask(served, things, row, {"Authorization": f"Bearer {token('stranger')}"})
        assert stranger.status_code == 403, stranger.text


@pytest.mark.parametrize(
    "row", [row for row in ROWS if row.foreign == 200], ids=lambda row: row.name
)
def test_lists_hold_nothing_of_another_project(served: Served, things: Things, row: Row) -> None:
    if row.method != "GET" or row.route in {"/v1/projects", "/v1/audit", "/v1/events"}:
        return
    own = ask(served, things, row, served.headers("own admin")).text
    foreign = ask(served, things, row, served.headers("foreign admin")).text
    assert own != foreign or row.route == "/v1/members"
    assert str(things.job) not in foreign
    for hidden in ("own rules", "walls.ifc", "made by", "own editor"):
        assert hidden not in foreign


def test_a_key_of_one_project_names_no_other(served: Served, filled: Filled) -> None:
    for project in ("foreign", "open", "beta", "nowhere"):
        answer = served.client.get(
            f"/v1/jobs?project={project}", headers=served.headers("own admin")
        )
        assert answer.status_code == 404
    assert served.client.get(
        "/v1/jobs?project=own", headers=served.headers("own viewer")
    ).is_success


def test_a_key_hands_on_no_verb_it_lacks(served: Served, filled: Filled) -> None:
    made = served.client.post(
        "/v1/keys", json={"name": "keeper", "verbs": ["admin"]}, headers=served.headers("own admin")
    ).json()
    answer = served.client.post(
        "/v1/keys", json={"name": "more", "verbs": ["admin", "write"]},
        headers={"X-API-Key": made["key"]},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_revoked_key_ends_with_its_next_request(served: Served, filled: Filled) -> None:
    admin = served.headers("own admin")
    made = served.client.post("/v1/keys", json={"name": "short"}, headers=admin).json()
    headers = {"X-API-Key": made["key"]}
    assert served.client.get("/v1/jobs", headers=headers).status_code == 200
    assert served.client.delete(f"/v1/keys/{made['id']}", headers=admin).status_code == 204
    assert served.client.get("/v1/jobs", headers=headers).status_code == 401
    shown = served.client.get(f"/v1/keys/{made['id']}", headers=admin).json()
    assert (shown["state"], "key" in shown) == ("revoked", False)
    assert shown["last_used_at"] is not None


def test_claims_in_a_users_token_open_nothing(served: Served, filled: Filled) -> None:
    """Whoever signs tokens for users does not hand out keys."""
    forged = token("stranger", ifcbase_project=filled.ids["own"], ifcbase_verbs=["read", "admin"])
    answer = served.client.get("/v1/jobs", headers={"Authorization": f"Bearer {forged}"})
    assert answer.status_code == 403


def test_every_change_is_noted_with_who_did_it(served: Served, things: Things) -> None:
    prefix = served.keys["own admin"].split("_")[1]
    for row in ROWS:
        if row.method in {"GET", "HEAD"} or row.verb is None or row.ok >= 400:
            continue
        before = served.sql("select coalesce(max(id), 0) from core.audit")[0][0]
        answer = ask(served, things, row, served.headers("own admin"))
        noted = served.sql(
            "select caller, request_id from core.audit where id > %s and caller = %s",
            before, f"key:{prefix}",
        )  # fmt: skip
        assert (f"key:{prefix}", answer.headers["X-Request-Id"]) in noted, row.name


def test_what_is_on_the_page_of_routes(served: Served) -> None:
    """The page names each route with the verb it needs."""
    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "http.md"
    text = page.read_text(encoding="utf-8")
    for row in ROWS:
        verb = row.verb or "everybody"
        line = f"| `{row.method} {row.route.replace(':path', '')}` | {verb} |"
        # Who calls needs no project to ask for its projects.
        if row.route in {"/v1/projects", "/v1/projects/{name}"}:
            line = line.replace("| read |", "| any key or token |")
        assert line in text, line
