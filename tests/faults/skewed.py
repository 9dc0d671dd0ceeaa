"""`python -m tests.faults.skewed worker`: the command line on a machine whose clock is off by as many
seconds as the file ``clock`` in its home says, now; it may be changed while the program runs.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_real = time.time
_file = Path(os.environ["IFCBASE_HOME"]) / "clock"


def shifted() -> float:
    """What the clock of this machine says."""
    return _real() + float(_file.read_text(encoding="ascii"))


if __name__ == "__main__":
    time.time = shifted
    from ifcbase.cli.main import run as command_line

    command_line()
