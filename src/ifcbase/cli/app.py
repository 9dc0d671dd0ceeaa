"""The command `ifcbase`: one verb group per module; errors become a sentence and an exit code."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from ifcbase import __version__
from ifcbase.cli import ending, parameters
from ifcbase.cli.main import INTERRUPTED
from ifcbase.cli.verbs import Verbs
from ifcbase.errors import IfcbaseError, RequestInvalid, SystemRefused
from ifcbase.ifc.text import clean

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

parameters.lighten()


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
    with ending.told_to_end(ending.leave):
        code = _run()
    if code == INTERRUPTED:
        from ifcbase.cli.output import errors_console

        with suppress(OSError):
            errors_console().say("interrupted")
    return code


def _run() -> int:
    try:
        return _called()
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


def _called() -> int:
    _refuse_bytes(sys.argv[1:])
    # Without its own error handling, which ends with 1: here that means clashes were found.
    try:
        code = int(app(standalone_mode=False, prog_name="ifcbase") or 0)
    except SystemExit as ended:
        # Typer and Rich exit with 1 where a reader has gone.
        if isinstance(ended.__context__, BrokenPipeError):
            raise BrokenPipeError from ended
        raise
    # Here, where a failure is told and has its exit code; at the end of the program it has none.
    sys.stdout.flush()
    return code


def _failed(error: IfcbaseError) -> int:
    """Show an error; gives the exit code, also where there is nowhere to show it."""
    # Here and not above: most commands end without an error.
    from ifcbase.cli.output import say_error, wants_json

    shown = False
    try:
        if wants_json():
            sys.stdout.write(json.dumps({"error": error.to_dict()}) + "\n")
            shown = True
        sys.stdout.flush()
    except OSError:
        # Standard output is full or closed: what waits in it has nowhere to go.
        shown = False
        _forget_output()
    if not shown:
        with suppress(OSError):
            say_error(error.message, error.hint)
    return error.exit_code


def _refuse_bytes(arguments: list[str]) -> None:
    """Refuse names that are not text: neither JSON nor Postgres can hold them. Raises
    RequestInvalid."""
    for each in arguments:
        try:
            each.encode()
        except UnicodeEncodeError as error:
            raise RequestInvalid(
                f"the name {clean(each)} is not valid UTF-8",
                hint="Rename the file or folder; its name is in another encoding.",
            ) from error


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
    """Nobody takes our output any more; keep the interpreter from complaining when it flushes."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
