"""The numbers of ``ifcbase.clash.report`` that the kernels write; a test holds them together.

They are repeated because compiled code wants plain integers, and because the narrow phase needs
neither the report nor anything that reads IFC.
"""

from __future__ import annotations

APART = 0  # no contact; never leaves the narrow phase
PROTRUSION, PIERCE, COLLISION, CLEARANCE, CONTAINED, DUPLICATE, TOUCHING = range(1, 8)

EXACT, BOUND = 2, 3
