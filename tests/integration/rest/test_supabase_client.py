"""The module scripts of the origin plan import, and plain supabase-py code on its four tables."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from postgrest import CountMethod
from postgrest.exceptions import APIError
from supabase import Client

from ifcbase import supabase_client
from ifcbase.errors import ConfigError, LedgerError
from ifcbase.files.local import LocalFiles
from ifcbase.jobs.documents import WaitingDocuments
from ifcbase.jobs.flushing import Flusher
from ifcbase.ledger.rest import calls
from ifcbase.ledger.rest.client import Access, make_client
from ifcbase.ledger.spool import Spool
from ifcbase.settings import get_settings
from tests.integration.rest.faulty import FaultyProxy
from tests.integration.rest.stack import RestStack, minted
from tests.integration.world import World

DOCUMENT = [{"name": "A x B", "clashes": {"a-b": {"distance": 0.1, "type": "collision"}}}]
#: A row of each of the plan's tables, and the column its rows are told apart by here.
ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "clash_results": (
        {"clash_set_name": "x", "output_filename": "o.json", "clash_count": 1, "clash_data": DOCUMENT},
        "output_filename",
    ),
    "conversion_results": (
        {"input_filename": "a.ifc", "output_filename": "o.glb", "conversion_options": {"weld": True}},
        "output_filename",
    ),
    "tester_results": (
        {"ifc_filename": "a.ifc", "ids_filename": "r.ids", "test_results": {"x": [1, None]},
         "pass_count": 3, "fail_count": 1},
        "ids_filename",
    ),
    "diff_results": (
        {"old_file": "a.ifc", "new_file": "b.ifc", "diff_count": 2, "diff_data": {"added": ["x"]}},
        "new_file",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def client(stack: RestStack) -> Iterator[Client]:
    """What the plan's code makes: the address and the service key."""
    found, close = make_client(Access(stack.url, minted("service_role")))
    yield found
    close()


@pytest.mark.parametrize("table", sorted(ROWS))
def test_plain_client_code_inserts_selects_orders_and_filters(
    client: Client, busy: World, table: str
) -> None:
    row, told_by = ROWS[table]
    made: list[Any] = []
    for number in range(3):
        given = row | {told_by: f"{number} of {busy.project}", "project_id": busy.project}
        answer: Any = client.table(table).insert(given).execute()
        (record,) = answer.data
        assert {name: record[name] for name in given} == given
        made.append(record)
    ids = [each["id"] for each in made]
    assert ids == sorted(set(ids))
    ours = client.table(table).select("*").eq("project_id", busy.project)
    assert ours.order("id", desc=True).execute().data == made[::-1]
    one = client.table(table).select("id").eq(told_by, f"1 of {busy.project}").execute()
    assert one.data == [{"id": ids[1]}]
    among = client.table(table).select("id").in_("id", ids[:2]).gt("id", ids[0]).execute()
    assert among.data == [{"id": ids[1]}]
    latest = client.table(table).select("id").eq("project_id", busy.project)
    assert latest.order("created_at", desc=True).order("id", desc=True).limit(1).execute().data == [
        {"id": ids[2]}
    ]
    counted = (
        client.table(table).select("id", count=CountMethod.exact).eq("project_id", busy.project)
    )
    assert counted.execute().count == 3
    bulk = [row | {"project_id": busy.project} for _ in range(2)]
    assert len(client.table(table).insert(bulk).execute().data) == 2


@pytest.mark.parametrize("table", ["conversion_results", "diff_results", "tester_results"])
def test_the_service_corrects_and_removes_rows_of_the_three_plain_tables(
    client: Client, busy: World, table: str
) -> None:
    row, told_by = ROWS[table]
    made: Any = client.table(table).insert(row | {"project_id": busy.project}).execute().data[0]
    changed: Any = client.table(table).update({told_by: "new"}).eq("id", made["id"]).execute().data
    assert changed == [made | {told_by: "new"}]
    gone: Any = client.table(table).delete().eq("id", made["id"]).execute().data
    assert gone == changed
    assert client.table(table).select("id").eq("id", made["id"]).execute().data == []


def test_a_clash_result_is_neither_changed_nor_removed(client: Client, busy: World) -> None:
    """Its rows, states and chain stand on it."""
    row = ROWS["clash_results"][0] | {"project_id": busy.project}
    made: Any = client.table("clash_results").insert(row).execute().data[0]
    for refused in (
        client.table("clash_results").update({"clash_count": 9}).eq("id", made["id"]),
        client.table("clash_results").delete().eq("id", made["id"]),
        client.table("clash_results").upsert(row | {"id": made["id"]}),
    ):
        with pytest.raises(APIError) as caught:
            refused.execute()
        assert caught.value.code
    kept: Any = client.table("clash_results").select("*").eq("id", made["id"]).execute().data
    assert kept == [made]


def test_the_chain_is_kept_for_plain_inserts(client: Client, busy: World) -> None:
    row = ROWS["clash_results"][0] | {"project_id": busy.project}

    def inserted(**more: Any) -> Any:
        return client.table("clash_results").insert(row | more).execute().data[0]

    first, second = inserted(), inserted()
    third = inserted(original_clash_id=second["id"], clash_set_name="other")
    assert first["original_clash_id"] is None
    assert second["original_clash_id"] == first["id"]
    assert third["original_clash_id"] == second["id"]


def test_what_the_database_refuses_is_an_error_with_its_code(client: Client) -> None:
    with pytest.raises(APIError) as missing:
        client.table("clash_results").insert({"clash_set_name": "x"}).execute()
    assert missing.value.code == "23502"
    with pytest.raises(APIError) as wrong:
        row = ROWS["clash_results"][0] | {"original_clash_id": 2**60}
        client.table("clash_results").insert(row).execute()
    assert wrong.value.code == "23503"


@pytest.fixture
def proxy(stack: RestStack) -> Iterator[FaultyProxy]:
    with FaultyProxy(stack.url).running() as found:
        yield found


@pytest.fixture
def plan(
    proxy: FaultyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyProxy]:
    """The plan's environment variables, and a home of the test's own."""
    monkeypatch.setattr(calls, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setenv("SUPABASE_URL", proxy.url)
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", minted("service_role"))
    monkeypatch.setenv("IFCBASE_HOME", str(tmp_path))
    get_settings.cache_clear()
    supabase_client._made.cache_clear()
    supabase_client._shared()._patience_s = 0.2
    yield proxy
    supabase_client._shared().close()
    get_settings.cache_clear()
    supabase_client._made.cache_clear()


def stored(world: World, name: str) -> list[Any]:
    return world.sql(
        "select id, clash_data from public.clash_results where clash_set_name = %s", name
    )


def test_a_script_of_the_plan_works(plan: FaultyProxy, busy: World) -> None:
    name = f"plan {busy.project}"
    client = supabase_client.get_supabase_client()
    assert client is supabase_client.get_supabase_client(), "one per process"
    record = supabase_client.save_clash_result(name, "/output/o.json", 1, DOCUMENT)
    assert record["clash_data"] == DOCUMENT
    assert {"id", "original_clash_id", "clash_set_name", "output_filename", "clash_count",
            "created_at"} <= set(record)  # fmt: skip
    again = supabase_client.save_clash_result(name, "/output/o.json", 1, DOCUMENT, record["id"])
    assert again["original_clash_id"] == record["id"]
    assert stored(busy, name) == [(record["id"], DOCUMENT), (again["id"], DOCUMENT)]


def test_a_document_with_what_json_lacks_is_stored(plan: FaultyProxy, busy: World) -> None:
    """NaN was refused by the client, NUL by the database, half a character by neither's encoder."""
    name = f"unclean {busy.project}"
    given = [{"distance": float("nan"), "name": "a\x00b\ud800", "far": float("inf")}]
    supabase_client.save_clash_result(name, "o.json", 0, given)
    ((_, found),) = stored(busy, name)
    assert found[0]["distance"] is None
    assert found[0]["far"] is None
    assert found[0]["name"].startswith("a")


@pytest.mark.parametrize("fault", ["cut", "unheard", "503", "504 after"])
def test_an_answer_that_got_lost_makes_no_second_row(
    plan: FaultyProxy, busy: World, fault: str
) -> None:
    name = f"{fault} {busy.project}"
    plan.plan = lambda _, number: fault if number % 2 else "pass"
    record = supabase_client.save_clash_result(name, "o.json", 1, DOCUMENT)
    assert stored(busy, name) == [(record["id"], DOCUMENT)]


def test_what_cannot_be_stored_waits_and_goes_with_the_next(plan: FaultyProxy, busy: World) -> None:
    name = f"waits {busy.project}"
    plan.down()
    kept = supabase_client.save_clash_result(name, "o.json", 1, DOCUMENT)
    assert kept["id"] is None
    path = Path(kept["spooled"])
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(json.loads(path.read_text())["text"])["row"]["clash_data"] == DOCUMENT
    assert stored(busy, name) == []
    assert supabase_client.flush_documents() == 1
    plan.up()
    supabase_client.save_clash_result(f"next {busy.project}", "o.json", 0, [])
    assert [found for _, found in stored(busy, name)] == [DOCUMENT]
    assert not path.exists()
    assert supabase_client.flush_documents() == 0


def test_a_worker_of_the_host_stores_what_a_script_left(
    plan: FaultyProxy, busy: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to run a script again, or to know of `spool flush`."""
    monkeypatch.setattr(calls, "PATIENCE_S", 0.05)
    name = f"left {busy.project}"
    plan.down()
    path = Path(supabase_client.save_clash_result(name, "o.json", 1, DOCUMENT)["spooled"])
    documents = WaitingDocuments(get_settings())
    nobody: Any = None
    spool = Spool(tmp_path / "spool", 1)
    flusher = Flusher(nobody, LocalFiles(tmp_path / "files"), spool, 30.0, 600.0, documents.flush)
    stop, tried = threading.Event(), len(plan.calls)
    thread = threading.Thread(target=flusher.flush_until, args=(stop,), kwargs={"every_s": 0.05})
    thread.start()
    try:
        wait_until(lambda: len(plan.calls) > tried)
        assert stored(busy, name) == []
        plan.up()
        wait_until(lambda: not path.exists())
    finally:
        stop.set()
        thread.join()
        documents.close()
    assert [found for _, found in stored(busy, name)] == [DOCUMENT]


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_document_that_was_stored_unheard_is_flushed_to_the_same_row(
    plan: FaultyProxy, busy: World
) -> None:
    name = f"unheard twice {busy.project}"
    plan.plan = lambda _, __: "unheard"
    assert supabase_client.save_clash_result(name, "o.json", 1, DOCUMENT)["id"] is None
    plan.up()
    assert supabase_client.flush_documents() == 0
    assert len(stored(busy, name)) == 1


def test_a_document_that_is_damaged_or_refused_is_kept_aside(plan: FaultyProxy) -> None:
    plan.down()
    for _ in range(2):
        supabase_client.save_clash_result("damaged", "o.json", 1, DOCUMENT)
    first, second = supabase_client.document_spool().waiting()
    first.write_text(first.read_text().replace("damaged", "mended"))
    plan.up()
    assert supabase_client.flush_documents() == 0
    assert [each.name for each in first.parent.glob("*.refused.json")] == [
        first.name.replace(".document.", ".refused.")
    ]
    assert not second.exists()


def test_what_is_wrong_for_good_is_raised(plan: FaultyProxy) -> None:
    missing: Any = None
    with pytest.raises(LedgerError, match="must be given"):
        supabase_client.save_clash_result(missing, "o.json", 1, DOCUMENT)
    assert supabase_client.document_spool().waiting() == []


def test_without_a_key_it_says_so(plan: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan's function logged a warning and gave nothing."""
    supabase_client._made.cache_clear()
    monkeypatch.delenv("SUPABASE_SERVICE_KEY")
    get_settings.cache_clear()
    with pytest.raises(ConfigError, match="SUPABASE_SERVICE_KEY"):
        supabase_client.save_clash_result("x", "o.json", 0, [])
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", minted("service_role"))
    get_settings.cache_clear()


def test_a_key_is_nobody_elses(stack: RestStack, busy: World) -> None:
    """Whoever learns the key of a document reads nothing by it that he may not read."""
    user = "00000000-0000-4000-8000-00000000abcd"
    access = Access(stack.url, minted("service_role"))
    mine = calls.Calls(access)
    key = "11111111-0000-4000-8000-000000000001"
    row = ROWS["clash_results"][0] | {"project_id": busy.project}
    mine.call("insert_clash_document", {"key": key, "document": row})
    stranger = calls.Calls(
        replace(access, key=minted("anon"), token=minted("authenticated", sub=user))
    )
    with pytest.raises(LedgerError):
        stranger.call("insert_clash_document", {"key": key, "document": row})
    with pytest.raises(LedgerError):
        stranger.call("insert_clash_document", {"key": "2" + key[1:], "document": row})
    for each in (mine, stranger):
        each.close()
