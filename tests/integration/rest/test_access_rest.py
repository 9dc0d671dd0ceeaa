"""docs/reference/access.md over REST: every table, view and function is tried with real tokens, as if
all our schemas were exposed. Each request is undone by PostgREST itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.ledger.filled import Filled, fill
from tests.integration.ledger.test_access import (
    FUNCTIONS,
    PROJECT_OF,
    RELATIONS,
    SCHEMAS,
    expected_reads,
)
from tests.integration.rest.stack import RestStack, minted, rest_stack
from tests.integration.servers import Server

#: Those who differ in what they may; the others are tried over SQL.
WHO = ("anon", "stranger", "viewer", "admin", "key write", "worker")
ROWS: dict[str, dict[str, Any]] = {
    "clash_results": {"clash_set_name": "x", "output_filename": "o", "clash_count": 0, "clash_data": []},
    "conversion_results": {"input_filename": "a", "output_filename": "o", "conversion_options": {}},
    "tester_results": {"ifc_filename": "a", "ids_filename": "r", "test_results": {}, "pass_count": 1,
                       "fail_count": 0},
    "diff_results": {"old_file": "a", "new_file": "b", "diff_count": 0, "diff_data": {}},
}  # fmt: skip


class Door:
    """The gateway for each caller, with the token that makes it that caller."""

    def __init__(self, world: Filled, stack: RestStack) -> None:
        self.world = world
        self.http = httpx.Client(base_url=f"{stack.url}/rest/v1/", timeout=60)
        self.tokens = {}
        for caller in WHO:
            role, claims = world.claims(caller)
            self.tokens[caller] = minted(
                role, **{k: v for k, v in (claims or {}).items() if k != "role"}
            )

    def ask(
        self, caller: str, method: str, schema: str, path: str, body: Any = None, prefer: str = ""
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {self.tokens[caller]}",
            "Accept-Profile": schema,
            "Content-Profile": schema,
            "Prefer": prefer,
        }
        return self.http.request(method, path, headers=headers, json=body)


@pytest.fixture(scope="module")
def door(server: Server, template: Callable[[Server], str], short_folder: Path) -> Iterator[Door]:
    with server.database(template(server)) as database:
        world = Filled(database.dsn)
        fill(world)
        # Over REST a worker is the gateway's login role and the subject of its token.
        world.sql("update core.attempts set started_by = replace(started_by, 'postgres/',"
                  " 'authenticator/')")  # fmt: skip
        with rest_stack(
            database,
            short_folder / "access",
            ("public", *sorted(set(SCHEMAS) - {"public"})),
            "rollback",
        ) as stack:
            made = Door(world, stack)
            yield made
            made.http.close()
        world.close()


def refused(answer: httpx.Response) -> bool:
    """Whether it is for lack of rights; nothing else may keep a caller out unnoticed."""
    if answer.is_success:
        return False
    document = answer.json()
    # 55000: a view that nobody can write into.
    return document["code"] in {"42501", "55000"}


def counted(answer: httpx.Response) -> int:
    return int(answer.headers["Content-Range"].rpartition("/")[2])


def all_of(tries: list[tuple[Any, ...]], attempt: Callable[..., str | None]) -> list[str]:
    """What went otherwise than the page says."""
    with ThreadPoolExecutor(4) as pool:
        return [each for each in pool.map(lambda args: attempt(*args), tries) if each]


def rows_of(world: Filled, relation: str) -> dict[str, int]:
    """By project: how many rows there are."""
    if RELATIONS[relation]["rows"] == "words":
        return {"all": world.value(f"select count(*) from {relation}")}
    project = PROJECT_OF.get(relation, "select t.project_id")
    names = {number: name for name, number in world.ids.items()}
    found = world.sql(
        f"select p, count(*) from (select ({project}) as p from {relation} t) x group by p"
    )
    return {names[number]: count for number, count in found if number in names}


def test_who_reads_what(door: Door) -> None:
    there = {relation: rows_of(door.world, relation) for relation in RELATIONS}
    names = {number: name for name, number in door.world.ids.items()}

    def attempt(relation: str, caller: str) -> str | None:
        schema, name = relation.split(".")
        cells = RELATIONS[relation]
        of_project = cells["rows"] != "words" and relation not in PROJECT_OF
        column = "project_id" if of_project else "*"
        answer = door.ask(caller, "GET", schema, f"{name}?select={column}", prefer="count=exact")
        if cells[caller] == "–":
            return None if refused(answer) else f"{caller} reads {relation}: {answer.status_code}"
        if not answer.is_success:
            return f"{caller} does not read {relation}: {answer.text}"
        seen = counted(answer)
        if cells["rows"] == "words":
            return (
                None if seen == there[relation]["all"] else f"{caller} reads {seen} of {relation}"
            )
        allowed = expected_reads(caller, relation) or set()
        if of_project:
            found = {names.get(row["project_id"], "default") for row in answer.json()}
            return None if found == allowed else f"{caller} reads {relation} of {found}"
        # What is of a result that is being written is nobody's to see yet.
        most = sum(there[relation].get(project, 0) for project in allowed)
        return None if bool(allowed) <= seen <= most else f"{caller} reads {seen} of {relation}"

    assert all_of(list(product(sorted(RELATIONS), WHO)), attempt) == []


def test_who_writes_what(door: Door) -> None:
    own = door.world.ids["own"]
    first = {
        relation: door.world.value(
            "select attname::text from pg_attribute where attrelid = %s::regclass and attnum = 1",
            relation,
        )
        for relation in RELATIONS
    }

    def inserted(relation: str) -> Any:
        if relation == "core.members":
            return {
                "project_id": own,
                "user_id": "00000000-0000-4000-8000-0000000000ff",
                "role": "viewer",
            }
        schema, name = relation.split(".")
        row = ROWS.get(name if schema == "public" else f"{schema}_{name}")
        return {} if row is None or relation == "clash.results" else row | {"project_id": own}

    def updated(relation: str) -> Any:
        return {"core.members": {"role": "editor"}, "core.projects": {"title": "new"}}.get(
            relation, {first[relation]: None}
        )

    def attempt(relation: str, caller: str) -> str | None:
        schema, name = relation.split(".")
        can = ""
        for letter, method, body in (
            ("i", "POST", inserted(relation)), ("u", "PATCH", updated(relation)), ("d", "DELETE", None)
        ):  # fmt: skip
            answer = door.ask(caller, method, schema, name, body, "return=minimal,count=exact")
            if answer.is_success:
                can += letter if letter == "i" or counted(answer) else ""
            elif not refused(answer):
                return f"{caller} {method} {relation}: {answer.text}"
        promised = re.sub("[–0r]", "", RELATIONS[relation][caller])
        return None if can == promised else f"{caller} can {can!r} {relation}, not {promised!r}"

    assert all_of(list(product(sorted(RELATIONS), WHO)), attempt) == []


def test_who_executes_what(door: Door) -> None:
    calls = door.world.sql(
        """select n.nspname::text, p.proname::text,
                  coalesce(p.proargnames[1:p.pronargs], '{}')::text[]
             from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where n.nspname = any(%s) and p.prorettype <> 'trigger'::regtype""",
        SCHEMAS,
    )
    assert len(calls) > 100

    def attempt(call: tuple[str, str, list[str]], caller: str) -> str | None:
        schema, name, arguments = call
        body = dict.fromkeys(arguments)
        answer = door.ask(caller, "POST", schema, f"rpc/{name}", body)
        promised = FUNCTIONS[f"{schema}.{name}"][caller] == "x"
        if not answer.is_success and answer.json()["code"].startswith("PGRST"):
            return f"{caller} {schema}.{name} was not tried: {answer.text}"
        said = "" if answer.is_success else str(answer.json()["message"])
        executed = not said.startswith("permission denied for ")
        return None if executed is promised else f"{caller} {schema}.{name}: {answer.text}"

    assert all_of(list(product(calls, WHO)), attempt) == []


def test_no_schema_is_left_out(door: Door) -> None:
    """Those that are tried here are all there are but Supabase's own and the runner's, which callers
    cannot even name objects of."""
    there = door.world.sql(
        """select nspname::text, has_schema_privilege('anon', oid, 'usage'),
                  has_schema_privilege('ifc_worker', oid, 'usage')
             from pg_namespace where nspname !~ '^(pg_|information_schema$)'"""
    )
    others = {name: rights for name, *rights in there if name not in SCHEMAS}
    assert set(SCHEMAS) <= {name for name, *_ in there}
    supabases = {"auth", "extensions", "storage", "realtime"}
    assert set(others) - supabases == {"supabase_migrations"}
    assert others["supabase_migrations"] == [False, False]


def test_only_public_is_exposed_as_supabase_is_set_up(stack: RestStack) -> None:
    headers = {"Accept-Profile": "core", "Authorization": f"Bearer {minted('service_role')}"}
    answer = httpx.get(f"{stack.url}/rest/v1/jobs", headers=headers, timeout=60)
    assert answer.json()["code"] == "PGRST106"


def test_a_worker_has_no_way_to_a_job_but_its_token(door: Door) -> None:
    """It starts what waits; what others hold, it can neither renew, write, nor end."""
    token = str(door.world.value("select gen_random_uuid()"))
    held: dict[str, dict[str, Any]] = {
        "heartbeat": {}, "fail_attempt": {"outcome": "failed", "error": {}, "may_retry": False},
        "finish_job": {"outcome": {}}, "open_result": {"header": {}},
        "begin_save": {"session": token}, "hold_attempt": {"silence_s": 9, "note": "x"},
    }  # fmt: skip
    for name, body in held.items():
        answer = door.ask("worker", "POST", "public", f"rpc/{name}", {"lease_token": token} | body)
        assert (answer.status_code, answer.json()["details"]) == (409, "lease-lost"), name
    answer = door.ask(
        "worker", "POST", "public", "rpc/claim_attempt", {"lease_token": token, "lease_s": 9}
    )
    assert answer.json()["state"] == "over"
    assert door.ask("worker", "GET", "public", "clash_results?select=clash_data").status_code == 403
