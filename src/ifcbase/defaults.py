"""What holds where no setting is given, for those who need no more than that.

The settings themselves check everything and take long to load; a small check is done by then.
"""

from __future__ import annotations

import os
from pathlib import Path

PREFIX = "IFCBASE_"
HOME_VARIABLE = PREFIX + "HOME"
HOME = Path("~/.ifcbase")
JOB_TIMEOUT_S = 3600.0
JOB_MEMORY_MB = 6144


def variables() -> set[str]:
    """The variables of the environment that are settings of ours, or claim to be; not the home."""
    return {name for name in os.environ if name.startswith(PREFIX) and name != HOME_VARIABLE}


def cache_folder() -> Path:
    """The cache under ``IFCBASE_HOME``, for who needs no other setting: none is read or judged."""
    return Path(os.environ.get(HOME_VARIABLE) or HOME).expanduser().absolute() / "cache"
