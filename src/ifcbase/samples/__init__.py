"""Sample buildings with known clashes, in revisions, and generated ones for load tests."""

from ifcbase.samples.building import build
from ifcbase.samples.generator import Generated, generate
from ifcbase.samples.rules import RuleTruth, rules_truth, write_rules
from ifcbase.samples.truth import (
    APART_M,
    Change,
    ChangeKind,
    ContactKind,
    Planted,
    Revision,
    Sample,
    Schema,
    Unit,
)

__all__ = [
    "APART_M",
    "Change",
    "ChangeKind",
    "ContactKind",
    "Generated",
    "Planted",
    "Revision",
    "RuleTruth",
    "Sample",
    "Schema",
    "Unit",
    "build",
    "generate",
    "rules_truth",
    "write_rules",
]
