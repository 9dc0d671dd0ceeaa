"""`ifcbase rules`: what is decided by itself, without a person."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ifcbase.cli import context
from ifcbase.cli.output import JsonOption, console, millimetres, print_json, table
from ifcbase.errors import RequestInvalid
from ifcbase.ledger import chains, rules

app = typer.Typer(help="Decision rules: add, list, off, on.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Name of the rule.")]
ProjectOption = Annotated[str | None, typer.Option(help="Project.")]
ActionOption = Annotated[str, typer.Option(help="What it decides: reviewed, approved or ignored.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why it ignores.")]
CommentOption = Annotated[str | None, typer.Option(help="A text to go with it.")]
ClassesOption = Annotated[
    str | None, typer.Option(help="Classes of the two, as IfcWall,IfcPipeSegment.")
]
KindOption = Annotated[str | None, typer.Option(help="Only this contact kind.")]
MinDepthOption = Annotated[float | None, typer.Option(help="Only from this depth on (m).")]
MaxDepthOption = Annotated[float | None, typer.Option(help="Only up to this depth (m).")]
GroupOption = Annotated[
    str | None,
    typer.Option(help="Only pairs of this group (element, class, storey or model)."),
]
ACTIONS = ("reviewed", "approved", "ignored")


def document(
    connection: chains.Connection,
    *,
    name: str,
    action: str,
    set_id: int | None,
    reason: str | None,
    comment: str | None,
    classes: str | None,
    kind: str | None,
    min_depth: float | None,
    max_depth: float | None,
    group: str | None,
) -> dict[str, Any]:
    """A rule as the ledger takes it, from the options of a command. Raises RequestInvalid."""
    if action not in ACTIONS:
        raise RequestInvalid(
            f"a rule cannot decide {action!r}", hint=f"One of {', '.join(ACTIONS)}."
        )
    if group is not None and group.partition("/")[0] == "near":
        raise RequestInvalid(
            f"a rule cannot be about {group!r}: such a group belongs to one result",
            hint="Decide about the group itself with `ifcbase decide --group`.",
        )
    one, _, other = (classes or "").partition(",")
    return {
        "name": name, "action": action, "reason": reason, "comment": comment, "set_id": set_id,
        "one_class": one.strip() or None, "other_class": other.strip() or None,
        "kind": chains.kind_number(connection, kind) if kind else None,
        "min_distance": min_depth, "max_distance": max_depth, "group_name": group,
    }  # fmt: skip


@app.command("add")
def add(
    name: NameArgument,
    action: ActionOption,
    clash_set: Annotated[str | None, typer.Option("--set", help="Only in this clash set.")] = None,
    reason: ReasonOption = None,
    comment: CommentOption = None,
    classes: ClassesOption = None,
    kind: KindOption = None,
    min_depth: MinDepthOption = None,
    max_depth: MaxDepthOption = None,
    group: GroupOption = None,
    project: ProjectOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a rule; it decides from the next result on. `ifcbase plan` tries one first."""
    with context.ledger_connection() as (settings, connection):
        where = context.project_name(connection, settings, project)
        set_id = chains.set_named(connection, where, clash_set)["id"] if clash_set else None
        rule = document(
            connection, name=name, action=action, set_id=set_id, reason=reason, comment=comment,
            classes=classes, kind=kind, min_depth=min_depth, max_depth=max_depth, group=group,
        )  # fmt: skip
        rules.add_rule(connection, where, rule)
        found = rules.rule_named(connection, where, name)
    if as_json:
        print_json(found)
        return
    console().say(f"rule {name}: {_does(found)} {_applies(found)}, from the next result on")


@app.command("list")
def list_(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """The rules in their order: of several that fit a pair the first decides."""
    with context.ledger_connection() as (settings, connection):
        found = rules.list_rules(connection, context.project_name(connection, settings, project))
    if as_json:
        print_json(found)
        return
    if not found:
        console().say("no rules yet")
        return
    rows = [
        (
            u["name"],
            "on" if u["active"] else "off",
            _does(u),
            _applies(u),
            u["decided"],
            u["comment"],
        )
        for u in found
    ]
    columns = ["rule", "", "decides", "about", "pairs", "comment"]
    console().print(table("Rules", columns, rows, right=["pairs"]))


@app.command("off")
def off(name: NameArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Switch a rule off: the next result takes back what it decided."""
    _switch(name, project, as_json, active=False)


@app.command("on")
def on(name: NameArgument, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Switch a rule on again: it decides from the next result on."""
    _switch(name, project, as_json, active=True)


def _switch(name: str, project: str | None, as_json: bool, *, active: bool) -> None:
    with context.ledger_connection() as (settings, connection):
        where = context.project_name(connection, settings, project)
        rules.switch_rule(connection, where, name, active=active)
        found = rules.rule_named(connection, where, name)
    if as_json:
        print_json(found)
        return
    console().say(f"rule {name} is {'on' if active else 'off'}, from the next result on")


def _does(rule: dict[str, Any]) -> str:
    return str(rule["action"]) + (f": {rule['reason']}" if rule["reason"] else "")


def _applies(rule: dict[str, Any]) -> str:
    """Which pairs a rule is about, in words."""
    words = []
    if rule["one_class"] or rule["other_class"]:
        words.append(f"{rule['one_class'] or 'anything'} and {rule['other_class'] or 'anything'}")
    if rule["kind"]:
        words.append(str(rule["kind"]))
    if rule["min_distance"] is not None:
        words.append(f"from {millimetres(rule['min_distance'])} on")
    if rule["max_distance"] is not None:
        words.append(f"up to {millimetres(rule['max_distance'])}")
    if rule["group_name"]:
        words.append(f"group {rule['group_name']}")
    if rule["set"]:
        words.append(f"set {rule['set']}")
    return ", ".join(words) or "every pair"
