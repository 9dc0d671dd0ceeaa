"""IfcOpenShell without what a check that looks at no geometry never uses.

Loading it loads numpy, shapely and a parser generator too, which takes longer than an IDS check of a
small model. Call ``prepare`` before the first import of IfcOpenShell, in a process that is ours alone:
the modules that need those libraries are then loaded when something of them is used.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

#: Loaded at the first use of anything in them.
LATE = ("ifcopenshell.util.placement", "ifcopenshell.util.representation", "sqlite3")


def prepare() -> None:
    """Make the first import of IfcOpenShell a light one; nothing, if it has been imported."""
    if "ifcopenshell" in sys.modules:
        return
    _stand_in("ifcopenshell.sql", sqlite=_No, sqlite_entity=_No)
    _stand_in("ifcopenshell.stream", stream=_No, stream_entity=_No)
    # What IfcOpenShell itself does where the parser of model view definitions is not installed.
    _stand_in("ifcopenshell.util.mvd_info", LARK_AVAILABLE=False, MvdInfo=None)
    sys.meta_path.insert(0, _LateModules())


class _No:
    """Models in SQLite, or read as a stream: nothing is one, we read whole files in STEP form."""


def _stand_in(name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module


class _LateModules:
    """Finds the modules that are loaded late, and nothing else."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in LATE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec
