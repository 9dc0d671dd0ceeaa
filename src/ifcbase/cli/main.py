"""The entry point of the command `ifcbase`."""

from __future__ import annotations

import sys

#: What shells show for a program that was interrupted.
INTERRUPTED = 130


def run() -> None:
    """Run the command line. Ctrl-C ends it in silence, also before it has been loaded."""
    try:
        # Here and not above: loading takes a second, in which people change their minds.
        from ifcbase.cli import app

        sys.exit(app.run())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
