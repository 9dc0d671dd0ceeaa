"""Groups of pairs, decisions about whole groups, and rules that decide by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.ledger.connect import translated
from ifcbase.sqlfiles import queries

#: The ways in which pairs are grouped: the first word of a group's name.
GROUPINGS = ("near", "element", "class", "storey", "model")

_SQL = queries("ifcbase.ledger", "groups.sql")
Connection = psycopg.Connection[tuple[Any, ...]]
Row = dict[str, Any]


def list_groups(connection: Connection, set_id: int, grouping: str, *, limit: int) -> list[Row]:
    """The groups of a clash set, most pairs first. Raises RequestInvalid for another grouping."""
    return _rows(connection, "groups", set=set_id, key=_known(grouping), limit=limit)


def pairs_of_group(connection: Connection, set_id: int, group: str) -> list[int]:
    """The pairs of a group. Raises RequestInvalid for what is no name of one, NotFound."""
    key = _known(group.partition("/")[0])
    found = [
        row["pair_id"] for row in _rows(connection, "members", set=set_id, key=key, group=group)
    ]
    if not found:
        raise NotFound(
            f"the clash set has no group {group!r}",
            hint=f"List them with `ifcbase pairs groups --by {key}`.",
        )
    return found


def decide_group(
    connection: Connection,
    set_id: int,
    group: str,
    action: str,
    *,
    reason: str | None = None,
    comment: str | None = None,
    assigned_to: str | None = None,
    due: str | None = None,
) -> list[int]:
    """Decide about each pair of a group; gives them. Raises NotFound, RequestInvalid, Conflict."""
    rows = _rows(
        connection,
        "decide_group",
        set=set_id,
        group=group,
        action=action,
        reason=reason,
        comment=comment,
        assigned_to=assigned_to,
        due=due,
    )
    return list(rows[0]["pairs"])


def list_rules(connection: Connection, project: str) -> list[Row]:
    """The decision rules of a project in the order in which they are tried."""
    return _rows(connection, "rules", project=project, name=None)


def rule_named(connection: Connection, project: str, name: str) -> Row:
    """One of them. Raises NotFound."""
    rows = _rows(connection, "rules", project=project, name=name)
    if not rows:
        raise NotFound(
            f"there is no rule {name!r} in project {project!r}",
            hint="List them with `ifcbase rules list`.",
        )
    return rows[0]


def add_rule(connection: Connection, project: str, rule: Mapping[str, Any]) -> int:
    """Add a rule, the last in order; it decides from the next result on.

    Raises RequestInvalid, NotFound, and Conflict for a name that is taken.
    """
    return int(_rows(connection, "add_rule", project=project, rule=Jsonb(rule))[0]["id"])


def switch_rule(connection: Connection, project: str, name: str, *, active: bool) -> None:
    """Switch a rule on or off; its words are taken back, or said, with the next result."""
    found = rule_named(connection, project, name)
    _rows(connection, "switch_rule", rule=found["id"], active=active)


def _known(grouping: str) -> str:
    if grouping not in GROUPINGS:
        raise RequestInvalid(
            f"pairs are not grouped by {grouping!r}",
            hint=f"They are by {', '.join(GROUPINGS)}.",
        )
    return grouping


def _rows(connection: Connection, query: str, **parameters: Any) -> list[Row]:
    with translated(), connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
