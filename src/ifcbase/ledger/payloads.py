"""Documents made fit for the database, whichever transport carries them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ifcbase.ifc.text import clean


def clean_payload(value: Any) -> Any:
    """A copy of a document in which texts and keys are clean (see ``ifc.text``) and every number
    that JSON does not have (NaN, infinity) is null. Raises RecursionError for endless nesting."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        found: dict[Any, Any] = {}
        for key, each in value.items():
            name = clean(key) if isinstance(key, str) else key
            while name in found:
                # Two keys that differ in what was replaced only: neither value may get lost.
                name = f"{name}\ufffd"
            found[name] = clean_payload(each)
        return found
    if isinstance(value, list | tuple):
        return [clean_payload(each) for each in value]
    return value
