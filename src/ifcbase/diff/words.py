"""A change in a few words, for lists that people read."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ifcbase.diff.facets import Facet


def in_words(facet: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What happened to a facet, from its values before and after; empty for a whole element."""
    if facet in (Facet.ADDED, Facet.DELETED):
        return ""
    if facet == Facet.PLACEMENT and "moved_by" in after:
        by = after["moved_by"]
        turned = f", turned by {after['turned']:g}°" if "turned" in after else ""
        distance = f"{1000 * math.hypot(*by):.1f} mm"
        return f"moved by {distance} ({', '.join(f'{v:g}' for v in by)}){turned}"
    if facet == Facet.GEOMETRY and "volume" in before and "volume" in after:
        return f"volume {before['volume']:g} to {after['volume']:g} m³"
    names = list(dict.fromkeys([*before, *after]))
    return "; ".join(f"{n}: {_told(before.get(n))} to {_told(after.get(n))}" for n in names)


def _told(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict) and "global_id" in value:
        return str(value.get("name") or value.get("class"))
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
