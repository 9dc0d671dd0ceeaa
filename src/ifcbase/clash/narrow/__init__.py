"""The narrow phase: which pairs of elements meet, how, and how deep or how far apart.

Meshes in, contacts out. Every outcome is defined in docs/explanation/clash-semantics.md.
"""

from __future__ import annotations

from ifcbase.clash.narrow.contacts import (
    CONTACT_BAND,
    MEASURE_VERSION,
    PairContacts,
    Undecided,
    detect_pairs,
    warm_up,
)
from ifcbase.clash.narrow.solids import Solids, build

__all__ = [
    "CONTACT_BAND",
    "MEASURE_VERSION",
    "PairContacts",
    "Solids",
    "Undecided",
    "build",
    "detect_pairs",
    "warm_up",
]
