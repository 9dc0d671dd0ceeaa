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

        sys.exit(app.run())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:  # noqa: BLE001 - nobody is left above; most likely it does not even load
        with suppress(OSError):
            traceback.print_exc()
        sys.exit(FAILED)
