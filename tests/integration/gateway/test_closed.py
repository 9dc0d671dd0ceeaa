"""What was open once: request ids to the result, pages cut in the database, links that end with who
made them, the audit, exports of every check, private addresses of webhooks."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ifcbase.ledger.connect import connect
from tests.integration.gateway.conftest import Served, token
from tests.integration.ledger.filled import USERS, Filled


def test_a_request_id_reaches_the_worker_and_the_result(
    served: Served, building: Path, worker: None, home: Path
) -> None:
    request = f"trace-{uuid.uuid4().hex}"
    made = served.client.post(
        "/ifctester", headers=served.headers() | {"X-Request-Id": request},
        json={"ifc_filename": "walls.ifc", "ids_filename": "rules.ids"},
    )  # fmt: skip
    job = made.json()["job_id"]
    deadline = time.monotonic() + 180
    while (shown := served.client.get(f"/v1/jobs/{job}", headers=served.headers()).json())[
        "state"
    ] not in {"finished", "failed"}:
        assert time.monotonic() < deadline, shown
        time.sleep(0.2)
    assert (shown["state"], shown["request_id"]) == ("finished", request), shown
    log = (home / "worker.log").read_text(encoding="utf-8")
    about = [line for line in log.splitlines() if f"[request {request}]" in line]
    assert any("attempt 1 of check tester" in line for line in about), log
    assert any("stored" in line for line in about), log
    assert served.sql("select request_id from tester.results where job_id = %s", job) == [
        (request,)
    ]
    result = shown["outcome"]["db_id"]
    for form in ("html", "xlsx", "csv", "bcf", "md"):
        answer = served.client.get(
            f"/v1/results/tester/{result}/export?format={form}", headers=served.headers("viewer")
        )
        assert answer.status_code == 200, answer.text
        assert int(answer.headers["X-Findings"]) == int(answer.headers["X-Findings-Listed"]) > 0
        assert "attachment" in answer.headers["content-disposition"]


def test_a_conversion_is_no_report(served: Served, filled: Filled) -> None:
    rows = served.sql("select id from conversion.results where project_id = %s",
                      served.projects["own"])  # fmt: skip
    answer = served.client.get(
        f"/v1/results/conversion/{rows[0][0] if rows else 1}/export?format=csv",
        headers=served.headers("own viewer"),
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")


def test_pages_are_cut_in_the_database(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand rows were read for the last of them."""
    project = served.projects["beta"]
    served.sql(
        "insert into core.models (project_id, name)"
        " select %s, 'paged ' || lpad(n::text, 5, '0') from generate_series(1, 2000) n", project,
    )  # fmt: skip
    try:
        from ifcbase.gateway import paging, state

        fetched: list[int] = []
        rows = state.rows

        def counted(*given: Any) -> list[dict[str, Any]]:
            found = rows(*given)
            fetched.append(len(found))
            return found

        monkeypatch.setattr(paging, "rows", counted)
        page = served.client.get(
            "/v1/models?start=1990&limit=5", headers=served.headers("other")
        ).json()
        assert [each["name"] for each in page["items"]] == [
            f"paged {n:05}" for n in range(1991, 1996)
        ]
        assert page["next"] == 1995
        assert fetched == [6]
        last = served.client.get(
            "/v1/models?start=1995&limit=5", headers=served.headers("other")
        ).json()
        assert (len(last["items"]), last["next"]) == (5, None)
    finally:
        served.sql(
            "delete from core.models where project_id = %s and name like 'paged %%'", project
        )


def link_of(served: Served, headers: dict[str, str]) -> str:
    made = served.client.post(
        "/create_download_link", json={"file_path": "walls.ifc"}, headers=headers
    )
    assert made.status_code == 200, made.text
    return f"/download/{made.json()['token']}"


@pytest.mark.parametrize("end", ["revoked_at", "expires_at"])
def test_a_link_ends_with_the_key_that_made_it(served: Served, building: Path, end: str) -> None:
    made = served.client.post(
        "/v1/keys", json={"name": "short", "verbs": ["read"]}, headers=served.headers("admin")
    ).json()
    link = link_of(served, {"X-API-Key": made["key"]})
    assert served.client.get(link).status_code == 200
    if end == "revoked_at":
        served.client.delete(f"/v1/keys/{made['id']}", headers=served.headers("admin"))
    else:
        served.sql("update core.api_keys set expires_at = now() where id = %s", made["id"])
    assert served.client.get(link).status_code == 404


def test_a_link_ends_with_the_membership_of_who_made_it(served: Served, filled: Filled) -> None:
    user, project = str(uuid.uuid4()), served.projects["own"]
    served.sql("insert into core.members values (%s, %s, 'viewer')", project, user)
    link = link_of(served, {"Authorization": f"Bearer {token(user)}"})
    assert served.client.get(link).status_code == 200
    served.sql("delete from core.members where user_id = %s", user)
    assert served.client.get(link).status_code == 404


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("viewer", {"make download link"}),
        ("editor", {"make download link", "submit clash", "decide ignored", "add rule"}),
    ],
)
def test_nobody_notes_what_he_may_not_do(
    served: Served, filled: Filled, role: str, may: set[str]
) -> None:
    """A reader could write a history of his own into the audit."""
    refused = set()
    actions = {"make download link", "submit clash", "decide ignored", "add rule", "revoke API key"}
    for action in actions:
        with connect(served.dsn) as connection, connection.transaction(force_rollback=True):
            claims = f'{{"role": "authenticated", "sub": "{USERS[role]}"}}'
            connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
            connection.execute("set local role authenticated")
            try:
                connection.execute(
                    "select core.note(%s, %s, 'x')", [served.projects["own"], action]
                )
            except psycopg.Error as error:
                refused.add((action, "needs the verb" in str(error)))
    assert refused == {(action, True) for action in actions - may}


@pytest.mark.parametrize("path", ["/v1/findings?", "/v1/export?format=csv&"])
def test_a_discipline_nobody_has_is_no_empty_list(
    served: Served, filled: Filled, path: str
) -> None:
    """A gate that misspells it would be green for ever."""
    project = served.projects["own"]
    served.sql("insert into core.models (project_id, name, discipline, discipline_source)"
               " values (%s, 'of a discipline', 'Structure', 'given')", project)  # fmt: skip
    viewer = served.headers("own viewer")
    try:
        assert served.client.get(f"{path}discipline=structure", headers=viewer).status_code == 200
        answer = served.client.get(f"{path}discipline=nonsense", headers=viewer)
        assert (answer.status_code, answer.json()["code"]) == (422, "request-invalid")
        assert "Structure" in answer.json()["hint"]
    finally:
        served.sql("delete from core.models where name = 'of a discipline'")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "[::1]", "[fd00::1]", "[::ffff:10.0.0.1]",
     "2130706433", "127.1", "0x7f000001", "localhost", "a.localhost"],
)  # fmt: skip
def test_a_webhook_that_leads_behind_our_wall_is_refused_at_once(served: Served, host: str) -> None:
    answer = served.client.post(
        "/v1/webhooks", json={"url": f"http://{host}/hook"}, headers=served.headers("admin")
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "url-refused"), answer.text
    assert "network" in answer.json()["detail"]
