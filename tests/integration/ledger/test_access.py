"""docs/reference/access.md is true: every cell is tried as that caller on a filled database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, ObjectNotInPrerequisiteState

from tests.integration.ledger.filled import PROJECTS, ROWS, USERS, Filled, fill
from tests.integration.servers import Server

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "access.md"
SCHEMAS = ["core", "clash", "conversion", "tester", "diff", "public"]
NEVER = (InsufficientPrivilege, ObjectNotInPrerequisiteState)

Cells = dict[str, dict[str, str]]


def table_of(heading: str) -> Cells:
    """The cells of a section's table: by object, then by column."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    columns = [cell.strip() for cell in lines[0].strip("|").split("|")]
    found: Cells = {}
    for line in lines[2:]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == len(columns), line
        for name in re.findall(r"`([^`]+)`", cells[0]):
            assert name not in found, f"{name} is on the page twice"
            found[name] = dict(zip(columns[1:], cells[1:], strict=True))
    return found


RELATIONS = table_of("Tables and views")
FUNCTIONS = table_of("Functions")
CALLERS = [column for column in next(iter(RELATIONS.values())) if column != "rows"]
USERS_OF_OWN = {"viewer", "editor", "admin"}


@pytest.fixture(scope="module")
def filled(any_server: Server, template: Callable[[Server], str]) -> Iterator[Filled]:
    """Three projects on each major version; tests undo what they do."""
    with any_server.database(template(any_server)) as database:
        world = Filled(database.dsn)
        try:
            fill(world)
            yield world
        finally:
            world.close()


# --- the page ------------------------------------------------------------------------------------


def test_the_page_names_every_table_and_view_and_nothing_else(filled: Filled) -> None:
    there = filled.sql(
        """select n.nspname || '.' || c.relname from pg_class c
             join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = any(%s) and c.relkind in ('r', 'p', 'v', 'm', 'f')""",
        SCHEMAS,
    )
    assert set(RELATIONS) == {row[0] for row in there}


def test_the_page_names_every_function_and_nothing_else(filled: Filled) -> None:
    there = filled.sql(
        """select n.nspname || '.' || p.proname from pg_proc p
             join pg_namespace n on n.oid = p.pronamespace where n.nspname = any(%s)""",
        SCHEMAS,
    )
    assert set(FUNCTIONS) == {row[0] for row in there}


def test_the_page_speaks_of_these_callers() -> None:
    assert CALLERS == [
        "anon", "stranger", "viewer", "editor", "admin", "key read", "key write", "worker", "service",
    ]  # fmt: skip
    assert {tuple(cells) for cells in FUNCTIONS.values()} == {tuple(CALLERS)}
    assert {cell for cells in FUNCTIONS.values() for cell in cells.values()} == {"x", "–"}
    assert {cells["rows"] for cells in RELATIONS.values()} == {"public", "members", "words"}


# --- tables and views ----------------------------------------------------------------------------

#: Tables without a project column: where their rows' project is found.
PROJECT_OF = {
    "clash.left_out": "select project_id from clash.results r where r.id = t.result_id",
    "clash.sightings": "select project_id from clash.results r where r.id = t.result_id",
    "clash.seen_pairs": "select project_id from clash.results r where r.id = t.result_id",
    "clash.sighting_rows": "select project_id from clash.results r where r.id = t.result_id",
    "conversion.left_out": "select project_id from conversion.results r where r.id = t.result_id",
    "clash.result_elements": "select project_id from clash.results r where r.id = t.result_id",
    "clash.result_selections": "select project_id from clash.results r where r.id = t.result_id",
    "core.selection_elements": "select project_id from core.selections s where s.id = t.selection_id",
    "diff.changes": "select project_id from diff.results r where r.id = t.result_id",
    "diff.matches": "select project_id from diff.results r where r.id = t.result_id",
    "diff.not_compared": "select project_id from diff.results r where r.id = t.result_id",
    "tester.seen_failures": "select project_id from tester.results r where r.id = t.result_id",
    "diff.seen_changes": "select project_id from diff.results r where r.id = t.result_id",
    "core.saves": "select project_id from core.attempts a where a.id = t.attempt_id",
    "core.parcels": "select project_id from core.attempts a where a.id = t.attempt_id",
    "core.incoming_elements": "select project_id from core.attempts a where a.id = t.attempt_id",
    "core.fresh_links": "select project_id from core.links l where l.id = t.link_id",
    "core.projects": "select t.id",
    "tester.failures": "select project_id from tester.results r where r.id = t.result_id",
    "tester.left_out": "select project_id from tester.results r where r.id = t.result_id",
    "tester.result_elements": "select project_id from tester.results r where r.id = t.result_id",
}


#: What tells the rows of a view without a project column apart.
KEY_OF = {
    "clash.sightings": "result_id || ' ' || pair_id",
    "clash.seen_pairs": "result_id || ' ' || pair_id",
    "tester.seen_failures": "result_id || ' ' || finding_id",
    "diff.seen_changes": "result_id || ' ' || finding_id",
}


def rows_by_project(world: Filled, relation: str) -> dict[str, int]:
    """Project of every row, as the owner sees it, by a key that every reader can select."""
    project = PROJECT_OF.get(relation)
    if project is None or relation == "core.projects":
        return {}
    key = KEY_OF.get(relation, "ctid::text")
    return dict(world.sql(f"select {key}, ({project}) from {relation} t"))


def reads(world: Filled, caller: str, relation: str) -> set[str] | None:
    """Projects whose rows a caller sees; None if it is refused."""
    projects = rows_by_project(world, relation)
    column = "id" if relation == "core.projects" else "project_id"
    if projects:
        column = KEY_OF.get(relation, "ctid::text")
    with world.acting(caller):
        try:
            seen = {row[0] for row in world.sql(f"select distinct {column} from {relation}")}
        except InsufficientPrivilege:
            return None
    return world.names({projects[key] for key in seen} if projects else seen)


def expected_reads(caller: str, relation: str) -> set[str] | None:
    """What the page promises."""
    cells = RELATIONS[relation]
    if cells[caller] == "–":
        return None
    if cells[caller] == "0":
        return set()
    if caller == "service":
        return set(PROJECTS)
    own = set() if caller in {"anon", "stranger"} else {"own"}
    keyed = caller in {"key read", "key write", "worker"}
    return own | ({"open"} if cells["rows"] == "public" and not keyed else set())


SCOPED = sorted(name for name, cells in RELATIONS.items() if cells["rows"] != "words")


@pytest.mark.parametrize("relation", SCOPED)
def test_who_reads_which_rows(filled: Filled, relation: str) -> None:
    if RELATIONS[relation]["service"] == "–":
        there = {row[0] for row in filled.sql(f"select project_id from {relation}")}
        assert filled.names(there) == set(PROJECTS), "rows of all three are needed"
    else:
        assert reads(filled, "service", relation) == set(PROJECTS), "rows of all three are needed"
    found = {caller: reads(filled, caller, relation) for caller in CALLERS}
    assert found == {caller: expected_reads(caller, relation) for caller in CALLERS}


@pytest.mark.parametrize("relation", sorted(set(RELATIONS) - set(SCOPED)))
def test_who_reads_words(filled: Filled, relation: str) -> None:
    everything = filled.value(f"select count(*) from {relation}")
    assert everything > 0
    for caller in CALLERS:
        with filled.acting(caller):
            if RELATIONS[relation][caller] == "–":
                with pytest.raises(InsufficientPrivilege):
                    filled.sql(f"select 1 from {relation}")
            else:
                assert filled.value(f"select count(*) from {relation}") == everything


def inserted(relation: str, project: int) -> str:
    """A statement that inserts a good row into a project."""
    if relation == "core.members":
        return f"insert into core.members (project_id, user_id, role) values ({project}, gen_random_uuid(), 'viewer')"
    schema, name = relation.split(".")
    row = ROWS.get(name if schema == "public" else f"{schema}_{name}")
    if row is None or relation == "clash.results":
        return f"insert into {relation} default values"
    return (
        f"insert into {relation} ({', '.join(row)}, project_id) "
        f"values ({', '.join(row.values())}, {project}) returning project_id"
    )


def updated(world: Filled, relation: str) -> str:
    """A statement that changes what may be changed, or else anything."""
    if relation == "core.members":
        return "update core.members set role = 'editor' returning project_id"
    if relation == "core.projects":
        return "update core.projects set title = 'new' returning id"
    column = world.value(
        "select attname::text from pg_attribute where attrelid = %s::regclass and attnum = 1",
        relation,
    )
    return f"update {relation} set {column} = {column}"


def deleted(relation: str) -> str:
    returning = {"core.members": " returning project_id", "core.projects": " returning id"}
    return f"delete from {relation}{returning.get(relation, '')}"


def touches(world: Filled, caller: str, statement: str) -> set[str] | None:
    """Projects of the rows a statement touched; None if it was refused or touched none.

    The service's statements may fail for other reasons than rights (a row that others need)."""
    with world.acting(caller):
        try:
            with world.connection.transaction():
                cursor = world.connection.execute(statement.encode())
                found = {row[0] for row in cursor.fetchall()} if cursor.description else set()
                return world.names(found) if cursor.rowcount else None
        except NEVER:
            return None
        except psycopg.Error:
            if caller != "service":
                raise
            return set(PROJECTS)


@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_who_writes_which_rows(filled: Filled, relation: str) -> None:
    for caller in CALLERS:
        can = ""
        if touches(filled, caller, inserted(relation, filled.ids["own"])) is not None:
            can += "i"
        for letter, statement in (("u", updated(filled, relation)), ("d", deleted(relation))):
            touched = touches(filled, caller, statement)
            if touched is not None:
                can += letter
                assert caller == "service" or touched == {"own"}, (caller, statement)
        promised = RELATIONS[relation][caller].translate(str.maketrans("", "", "–0r"))
        assert can == promised, (caller, relation)
        if caller != "service":
            for project in ("foreign", "open"):
                assert touches(filled, caller, inserted(relation, filled.ids[project])) is None


# --- functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_who_executes(filled: Filled, function: str) -> None:
    schema, name = function.split(".")
    calls = filled.sql(
        """select format('select %%I.%%I(%%s)', %s::text, proname,
                  (select string_agg('null::' || format_type(t, null), ', ')
                     from unnest(proargtypes::oid[]) t))
             from pg_proc where pronamespace = %s::regnamespace and proname = %s""",
        schema, schema, name,
    )  # fmt: skip
    assert calls
    for (call,) in calls:
        for caller in CALLERS:
            with filled.acting(caller):
                try:
                    filled.sql(call)
                    executed = True
                except psycopg.Error as error:
                    executed = not str(error).startswith("permission denied for ")
            assert executed is (FUNCTIONS[function][caller] == "x"), (caller, call)


# --- single columns ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column", ["token", "worker", "host", "lease_until", "lease_s", "facts", "started_by"]
)
def test_users_see_no_token_and_no_host_of_an_attempt(filled: Filled, column: str) -> None:
    for caller in ("viewer", "admin", "key write"):
        with filled.acting(caller), pytest.raises(InsufficientPrivilege):
            filled.sql(f"select {column} from core.attempts")
    assert f"`{column}`" in PAGE.read_text(encoding="utf-8")


def test_viewers_see_themselves_and_editors_all_members(filled: Filled) -> None:
    for caller, count in (("viewer", 1), ("editor", 3), ("admin", 3)):
        with filled.acting(caller):
            users = {str(row[0]) for row in filled.sql("select user_id from core.members")}
        assert len(users) == count
        assert USERS[caller] in users


def test_admins_change_title_and_public_of_their_project_and_no_more(filled: Filled) -> None:
    with filled.acting("admin"):
        assert filled.sql("update core.projects set public = true, title = 't' returning id") == [
            (filled.ids["own"],)
        ]
        for column, value in (("name", "'x'"), ("id", "9")):
            with pytest.raises(InsufficientPrivilege):
                filled.sql(f"update core.projects set {column} = {value}")


def test_an_admin_moves_no_member_into_another_project(filled: Filled) -> None:
    with filled.acting("admin"):
        with pytest.raises(InsufficientPrivilege):
            filled.sql("update core.members set project_id = %s", filled.ids["foreign"])
        with pytest.raises(InsufficientPrivilege):
            filled.sql("update core.members set user_id = %s", USERS["other"])


@pytest.mark.parametrize("view", sorted(ROWS))
@pytest.mark.parametrize("column", ["id", "created_at", "job_id"])
def test_editors_choose_no_id_time_or_job(filled: Filled, view: str, column: str) -> None:
    """An id near the greatest would leave no id for anybody's next result."""
    value = {"id": "9223372036854775806", "created_at": "now()", "job_id": "gen_random_uuid()"}[
        column
    ]
    statement = inserted(f"public.{view}", filled.ids["own"])
    with_column = statement.replace("(", f"({column}, ", 1).replace(
        "values (", f"values ({value}, ", 1
    )
    with filled.acting("editor"):
        filled.sql(statement)
        with pytest.raises(InsufficientPrivilege):
            filled.sql(with_column)


def test_a_worker_reads_all_of_its_results_but_the_document(filled: Filled) -> None:
    columns = [row[0] for row in filled.sql(
        """select attname::text from pg_attribute
            where attrelid = 'public.clash_results'::regclass and attnum > 0"""
    )]  # fmt: skip
    with filled.acting("worker"):
        readable = ", ".join(c for c in columns if c != "clash_data")
        rows = filled.sql(f"select {readable} from public.clash_results")
        assert [row[0] for row in rows] == [filled.results["own"]]
        assert filled.value("select set_version from public.clash_results") == 1
        with pytest.raises(InsufficientPrivilege):
            filled.sql("select clash_data from public.clash_results")
        for view in sorted(set(ROWS) - {"clash_results"}):
            assert len(filled.sql(f"select * from public.{view}")) == 1


# --- rows ----------------------------------------------------------------------------------------


def test_what_is_of_an_unfinished_result_is_hidden_from_users_only(filled: Filled) -> None:
    tables = (
        "clash.results",
        "clash.coverage",
        "clash.left_out",
        "clash.sightings",
        "clash.sighting_rows",
    )
    for table in tables:
        key = "id" if table == "clash.results" else "result_id"
        unfinished = f"select count(*) from {table} where {key} in (%s, %s, %s)"
        ids = [row[0] for row in filled.sql("select id from clash.results where state = 'writing'")]
        assert len(ids) == 3
        for caller, hidden in (
            ("admin", True),
            ("anon", True),
            ("key write", True),
            ("service", False),
        ):
            with filled.acting(caller):
                assert (filled.value(unfinished, *ids) == 0) is hidden, (caller, table)


@pytest.mark.parametrize("caller", ["anon", "stranger", "viewer", "key read", "service"])
def test_documents_are_whole_for_whoever_may_read_them(filled: Filled, caller: str) -> None:
    """A document with rows missing for lack of rights would be a silent zero."""
    project = "open" if caller in {"anon", "stranger"} else "own"
    read = "select clash_data from public.clash_results where id = %s"
    whole = filled.value(read, filled.results[project])
    assert len(whole[0]["clashes"]) == 1
    with filled.acting(caller):
        assert filled.value(read, filled.results[project]) == whole
        if caller != "service":
            assert filled.sql(read, filled.results["foreign"]) == []
            assert filled.value("select clash.document(%s)", filled.results["foreign"]) is None


def test_a_project_is_public_only_while_the_switch_is_on(filled: Filled) -> None:
    count = "select count(*) from public.clash_results"
    with filled.connection.transaction(force_rollback=True):
        filled.sql("update core.projects set public = false")
        for caller in ("anon", "stranger"):
            with filled.acting(caller):
                assert filled.value(count) == 0
        with filled.acting("viewer"):
            assert filled.value(count) == 2


def test_anon_is_nobody_whatever_its_token_claims(filled: Filled) -> None:
    for claims in (
        {"sub": USERS["admin"]},
        {"ifcbase_project": filled.ids["own"], "ifcbase_verbs": ["read", "write", "admin"]},
    ):
        with filled.acting("anon", claims):
            assert filled.sql("select name from core.projects") == [("open",)]
            assert filled.sql("select core.own_projects('read')") == []


def test_a_worker_is_no_member_whatever_its_token_claims(filled: Filled) -> None:
    """On a DSN it could claim to be anybody."""
    with filled.acting("worker", {"sub": USERS["admin"], "role": "authenticated"}):
        for view in ROWS:
            assert filled.sql(f"select id from public.{view}") == []
