"""The cases of known truth, for tests that bring them another way."""

from __future__ import annotations

from ifcbase.clash.narrow.kinds import CLEARANCE, TOUCHING

from .test_cases import CASES, Case


def deep(case: Case) -> bool:
    """Whether the two overlap."""
    return case.kind not in (None, TOUCHING, CLEARANCE)


__all__ = ["CASES", "Case", "deep"]
