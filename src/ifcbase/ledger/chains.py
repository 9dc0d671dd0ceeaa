"""Reading clash sets over time, deciding about their pairs, and verifying them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ifcbase.errors import Conflict, NotFound, RequestInvalid
from ifcbase.ledger.connect import MAX_NUMBER, translated
from ifcbase.sqlfiles import queries

_SQL = queries("ifcbase.ledger", "chains.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


def list_sets(connection: Connection, project: str) -> list[Row]:
    """The clash sets of a project with the states after their last results."""
    return _rows(connection, "sets", project=project, set=None)


def set_named(connection: Connection, project: str, name: str) -> Row:
    """One of them. Raises NotFound."""
    rows = _rows(connection, "sets", project=project, set=name)
    if not rows:
        raise NotFound(
            f"there is no clash set {name!r} in project {project!r}",
            hint="List them with `ifcbase sets list`.",
        )
    return rows[0]


def describe_set(connection: Connection, set_id: int) -> Row:
    """Versions, reasons of untested pairs, pairs by class, time to close."""
    return {
        "versions": _rows(connection, "versions", set=set_id),
        "untested": _rows(connection, "reasons", set=set_id),
        "by_class": _rows(connection, "breakdown", set=set_id, key="class"),
        "time_to_close": _rows(connection, "time_to_close", set=set_id)[0],
    }


def list_pairs(
    connection: Connection,
    set_id: int,
    *,
    state: str | None = None,
    review: str | None = None,
    discipline: str | None = None,
    storey: str | None = None,
    pairs: Sequence[int] | None = None,
    remeasured: bool | None = None,
    limit: int | None = None,
) -> list[Row]:
    """Pairs with detection state, review state and their last contact, deepest first. A discipline
    or storey means either element's, in any case of letters."""
    chosen = None if pairs is None else list(pairs)
    return _rows(
        connection,
        "pairs",
        set=set_id,
        state=state,
        review=review,
        discipline=discipline,
        storey=storey,
        pairs=chosen,
        remeasured=remeasured,
        limit=limit,
    )


def show_pair(connection: Connection, project: str, pair: int) -> Row:
    """All that is known of a pair: states, sightings, decisions. Raises NotFound."""
    found = []
    if abs(pair) <= MAX_NUMBER:
        found = _rows(connection, "set_of_pair", pair=pair, project=project)
    if not found:
        raise NotFound(
            f"there is no pair {pair} in project {project!r}",
            hint="List them with `ifcbase pairs list`.",
        )
    lasting = found[0]["pair_id"]
    rows = list_pairs(connection, found[0]["set_id"], pairs=[lasting])
    if not rows:
        raise NotFound(f"pair {pair} was never seen in a finished result")
    return rows[0] | {
        "history": _rows(connection, "history", pair=lasting),
        "sightings": _rows(connection, "sightings", pair=lasting),
        "decisions": _rows(connection, "decisions", pair=lasting),
    }


def results_to_compare(
    connection: Connection, set_id: int, since_s: float | None
) -> tuple[int, int]:
    """The last result of a set and the one before it, or the last of ``since_s`` seconds ago.

    Raises Conflict if there are no two results.
    """
    ids = [row["id"] for row in _rows(connection, "last_two", set=set_id)]
    if ids and since_s is not None:
        ids = [_rows(connection, "result_before", set=set_id, seconds=since_s)[0]["id"], ids[-1]]
    if len(set(ids)) < 2:
        raise Conflict("the set has no two results to compare", hint="Run its check once more.")
    return ids[0], ids[1]


def compare(connection: Connection, a: int, b: int) -> Row:
    """Two results pair by pair. Raises NotFound, and Conflict if they are of different sets."""
    headers = _rows(connection, "comparable", a=a, b=b)
    if not headers:
        raise NotFound(f"results {a} and {b} are not both there")
    if not headers[0]["same_set"]:
        raise Conflict(
            f"results {a} and {b} are of different clash sets",
            hint="Compare two of one set: `ifcbase results list --set NAME`, or `compare --set NAME`.",
        )
    return {"a": a, "b": b, **headers[0], "pairs": _rows(connection, "compare", a=a, b=b)}


def trend(connection: Connection, set_id: int) -> list[Row]:
    """How many pairs were in each state after each result, in the order of the chain."""
    return _rows(connection, "trend", set=set_id)


def decide(
    connection: Connection,
    project: str,
    pairs: Sequence[int],
    action: str,
    *,
    reason: str | None = None,
    comment: str | None = None,
    assigned_to: str | None = None,
    due: str | None = None,
) -> None:
    """Append one decision about each pair, or finding of another check.

    Raises NotFound, RequestInvalid, Conflict."""
    for pair in pairs:
        if abs(pair) > MAX_NUMBER or not _rows(
            connection, "finding", finding=pair, project=project
        ):
            raise NotFound(f"there is no pair {pair} in project {project!r}")
    _rows(
        connection,
        "decide",
        pairs=list(pairs),
        action=action,
        reason=reason,
        comment=comment,
        assigned_to=assigned_to,
        due=due,
    )


def plan_rule(connection: Connection, result: int, rule: Mapping[str, Any]) -> list[Row]:
    """What a rule would decide about the pairs of a result; changes nothing."""
    return _rows(connection, "plan_rule", result=result, rule=Jsonb(rule))


def plan_tolerance(connection: Connection, result: int, metres: float) -> list[Row]:
    """What another tolerance would leave of a result; changes nothing."""
    return _rows(connection, "plan_tolerance", result=result, metres=metres)


def kind_number(connection: Connection, word: str) -> int:
    """The number of a contact kind. Raises RequestInvalid."""
    rows = _rows(connection, "kind", word=word)
    if not rows:
        raise RequestInvalid(f"{word!r} is no contact kind")
    return int(rows[0]["kind"])


def verify(connection: Connection, set_id: int, *, repair: bool = False) -> list[Row]:
    """Derive the states of a set anew and list every difference; kept only if ``repair``."""
    with connection.transaction(force_rollback=not repair):
        return _rows(connection, "verify", set=set_id)


def sweep(connection: Connection) -> None:
    """Free what deriving states anew left behind: rows replaced in every table of states."""
    with translated():
        connection.execute(_SQL["sweep"])


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
