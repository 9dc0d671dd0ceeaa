"""The command `ifcbase`: one verb group per module; errors become a sentence and an exit code."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Annotated

import typer

from ifcbase import __version__
from ifcbase.cli.main import INTERRUPTED
from ifcbase.cli.verbs import Verbs
from ifcbase.errors import IfcbaseError, RequestInvalid, SystemRefused

#: What shells show for a program whose reader has gone.
PIPE_CLOSED = 141

app = typer.Typer(
    name="ifcbase",
    cls=Verbs,
    help="An honest ledger of IFC model checks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def run() -> int:
    """Run one command. Exit codes: 0 nothing found, 1 found, 2 bad input or failure, 3 inconclusive."""
    try:
        # Without its own error handling, which ends with 1: here that means clashes were found.
        return int(app(standalone_mode=False, prog_name="ifcbase") or 0)
    except IfcbaseError as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        return _failed(error)
    except typer.TyperException as error:
        return _misused(error)
    except BrokenPipeError:
        _forget_output()
        return PIPE_CLOSED
    except OSError as error:
        logging.getLogger(__name__).debug("failed", exc_info=True)
        return _failed(SystemRefused(_reason(error)))
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        logging.getLogger(__name__).error("unexpected failure", exc_info=True)
        return _failed(IfcbaseError(f"unexpected failure ({type(error).__name__}: {error})"))


def _failed(error: IfcbaseError) -> int:
    """Show an error; gives the exit code."""
    # Here and not above: most commands end without an error.
    from ifcbase.cli.output import say_error, wants_json

    if wants_json():
        sys.stdout.write(json.dumps({"error": error.to_dict()}) + "\n")
    else:
        say_error(error.message, error.hint)
    return error.exit_code


def _misused(error: typer.TyperException) -> int:
    """A command line that is wrong in itself, or that names no command and wants help."""
    message = error.format_message().strip()
    if not message:
        # The help was shown instead: no command was given.
        return RequestInvalid.exit_code
    context = getattr(error, "ctx", None)
    hint = f"See `{context.command_path} --help`." if context is not None else None
    return _failed(RequestInvalid(message, hint=hint))


def _reason(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def _forget_output() -> None:
    """Who read our output has gone; keep the interpreter from complaining when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
