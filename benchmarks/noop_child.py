"""What the child of the no-op check loads, as much as a clash check's, and does."""

from __future__ import annotations

import ifcbase.clash.run as _  # noqa: F401 (a child as large as the real one)
from benchmarks.noop import run as run
