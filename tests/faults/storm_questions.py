"""What a storm asks: the four checks on small models, several of each, asked again and again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ifcbase import samples
from ifcbase.client import Client

_REAL = Path(__file__).resolve().parents[3] / "shared" / "models"


@dataclass(frozen=True)
class Question:
    """A request of a check; equal questions must have equal answers."""

    check: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class Models:
    """Files on this disk: two that clash, two versions of a third, and rules for them."""

    left: Path
    right: Path
    old: Path
    new: Path
    rules: Path
    #: What they are, for people.
    about: str


def models(folder: Path) -> Models:
    """Two small real models and two revisions of a third where they are at hand (IFCBASE_MODELS),
    else generated ones."""
    folder.mkdir(parents=True, exist_ok=True)
    rules = samples.write_rules(folder)
    real = Path(os.environ.get("IFCBASE_MODELS") or _REAL)
    if real.is_dir():
        scene, revisions = real / "pcert", real / "schependomlaan"
        name = "YTONG-Kavel_05.ifc"
        # Two versions of one model have names of their own among the uploads.
        old = shutil.copyfile(revisions / "earlier-revisions" / name, folder / "kavel-old.ifc")
        new = shutil.copyfile(revisions / "subcontractors" / name, folder / "kavel-new.ifc")
        left, right = scene / "Building-Architecture.ifc", scene / "Building-Structural.ifc"
        return Models(left, right, Path(old), Path(new), rules, "pcert and Schependomlaan")
    first = samples.build(folder / "a", storeys=1, bays=(1, 1)).files
    second = samples.build(folder / "b", storeys=1, bays=(1, 1), revision="B").files
    return Models(
        first["Architecture"], first["Services"], first["Structure"], second["Structure"], rules,
        "generated buildings",
    )  # fmt: skip


def questions(client: Client, given: Models) -> list[Question]:
    """Upload the models and name what can be asked about them."""
    left, right = client.upload(given.left), client.upload(given.right)
    rules = client.upload(given.rules)
    old, new = client.add_version("storm", given.old), client.add_version("storm", given.new)
    pair = {"a": [{"file": str(left)}], "b": [{"file": str(right)}]}
    clashes = [
        Question("clash", {"clash_sets": [{"name": name, **pair, **more}]})
        for name, more in (
            ("touching", {"mode": "collision", "allow_touching": True}),
            ("deep", {"mode": "intersection", "tolerance": 0.01}),
            ("near", {"mode": "clearance", "clearance": 0.05}),
        )
    ]
    several = [{"name": f"{name} too", **pair} for name in ("first", "second")]
    return [
        *clashes,
        Question("clash", {"clash_sets": several}),
        Question("diff", {"old_file": str(old), "new_file": str(new)}),
        Question("diff", {"old_file": str(new), "new_file": str(old)}),
        Question("tester", {"ifc_filename": str(left), "ids_filename": [str(rules)]}),
        Question("tester", {"ifc_filename": str(new), "ids_filename": [str(rules)]}),
        Question("conversion", {"input_filename": str(new), "output_filename": "kavel.glb"}),
        Question("conversion", {"input_filename": str(right), "output_filename": "right.csv"}),
    ]
