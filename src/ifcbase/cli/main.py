"""The command `ifcbase`: one verb group per module; errors become a sentence and an exit code."""

from __future__ import annotations

import json
import logging
import sys
from typing import Annotated

import typer

from ifcbase import __version__
from ifcbase.cli import (
    clash,
    compare,
    config,
    db,
    decide,
    demo,
    jobs,
    ledger,
    links,
    pairs,
    plan,
    results,
    sets,
    trend,
    up,
    worker,
)
from ifcbase.cli.output import errors_console, wants_json
from ifcbase.errors import IfcbaseError

app = typer.Typer(
    name="ifcbase",
    help="An honest ledger of IFC model checks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("clash")(clash.clash)
app.command("demo")(demo.demo)
app.command("up")(up.up)
app.command("worker")(worker.worker)
app.command("compare")(compare.compare)
app.command("decide")(decide.decide)
app.command("plan")(plan.plan)
app.command("trend")(trend.trend)
app.add_typer(jobs.app, name="jobs")
app.add_typer(results.app, name="results")
app.add_typer(links.app, name="links")
app.add_typer(sets.app, name="sets")
app.add_typer(pairs.app, name="pairs")
app.add_typer(ledger.app, name="ledger")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")


def _version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"ifcbase {__version__}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Check IFC models and keep every answer."""


def run() -> None:
    """The entry point. Exit codes: 0 nothing found, 1 found, 2 bad input or failure, 3 inconclusive."""
    try:
        app()
    except IfcbaseError as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        if wants_json():
            sys.stdout.write(json.dumps({"error": error.to_dict()}) + "\n")
        else:
            errors_console().print(f"[bold red]error:[/] {_plain(error.message)}")
            errors_console().print(f"[dim]hint: {_plain(error.hint)}[/]")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


def _plain(text: str) -> str:
    """Text from outside must not be read as markup."""
    return text.replace("[", r"\[")
