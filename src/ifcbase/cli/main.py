"""The entry point of the command `ifcbase`."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress

#: What shells show for a program that was interrupted.
INTERRUPTED = 130
#: What scripts take for a failure; the interpreter's own is 1, which means clashes were found.
FAILED = 2


def run() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, also before it has been loaded."""
    try:
        # Here and not above: loading takes a second, in which people change their minds.
        from ifcbase.cli import app

        code = app.run()
        _forget_interrupt()
        sys.exit(code)
    except KeyboardInterrupt:
        _forget_interrupt()
        sys.exit(INTERRUPTED)
    except Exception:  # noqa: BLE001 - nobody is left above; most likely it does not even load
        with suppress(OSError):
            traceback.print_exc()
        sys.exit(FAILED)


def _forget_interrupt() -> None:
    """Let our exit code hold. An interrupt that was raised in code made from text (a data class that
    is being made) stays on the interpreter's mind although it was handled: `python -m` then ends
    itself by the signal. Running any other text makes it forget."""
    eval("None")  # noqa: S307 - a text of ours
