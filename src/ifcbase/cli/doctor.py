"""`ifcbase doctor`: is everything as it should be, and what to do where it is not."""

from __future__ import annotations

from typing import Annotated

import typer

from ifcbase.cli import examine
from ifcbase.cli.output import JsonOption, console, counted, print_json
from ifcbase.settings import get_settings
from ifcbase.stack.doctor.checks import State


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Without the self-test of the clash engine.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at machine, configuration, database, queue, files and backups; change nothing.

    Exit code: 0 all is well (there may be warnings), 2 something is wrong.
    """
    findings = examine.everything(get_settings(), self_test=not quick)
    wrong = [f for f in findings if f.state is State.WRONG]
    warned = [f for f in findings if f.state is State.WARNING]
    if as_json:
        print_json({"ok": not wrong, "checks": [f.to_dict() for f in findings]})
    else:
        out = console()
        for each in findings:
            out.say(f"{each.state.value:8} {each.name}: {each.sentence}", style=_STYLE[each.state])
            if each.cure:
                out.say(f"         {each.cure}")
        if wrong or warned:
            out.say(f"\n{counted(len(wrong), 'problem')}, {counted(len(warned), 'warning')}")
        else:
            out.say("\nall is well")
    raise typer.Exit(2 if wrong else 0)


_STYLE = {State.OK: "", State.WARNING: "yellow", State.WRONG: "bold red", State.SKIPPED: "dim"}
