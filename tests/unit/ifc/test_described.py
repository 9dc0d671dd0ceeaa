"""Models as a child hands them over: whole, or refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ifcbase.errors import ReportInvalid
from ifcbase.ifc.described import ARRAYS, WORDS, DescribedModel, read_models, write_models
from ifcbase.ifc.inventory import Inventory
from ifcbase.ifc.signatures import MEASURES, Shapes, Traits, sign
from tests.integration.world import element, inventory

HELD = inventory([element("w1", name="Ünø"), element("w1", n=1), element("p", storey=None)])


def described(name: str = "a.ifc", *, signed: bool = True) -> DescribedModel:
    traits = Traits(np.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [np.nan] * 3]), np.arange(3))
    signatures = sign(HELD, traits, Shapes.none(3)) if signed else None
    return DescribedModel(name, "ab" * 32, HELD, signatures)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written = [described(), described("b.ifc", signed=False)]
    write_models(written, tmp_path)
    first, second = read_models(tmp_path)
    assert (first.name, first.sha256, second.signatures) == ("a.ifc", "ab" * 32, None)
    assert first.inventory.elements == second.inventory.elements == HELD.elements
    assert first.signatures is not None
    assert written[0].signatures is not None
    for name in MEASURES:
        np.testing.assert_array_equal(
            getattr(first.signatures, name), getattr(written[0].signatures, name)
        )


Change = Callable[[dict[str, Any]], object]
DAMAGES: list[Change] = [
    lambda d: d.update(format=2),
    lambda d: d.update(models={}),
    lambda d: d["models"].append(3),
    lambda d: d["models"].append(d["models"][0] | {"signed": False}),
    lambda d: d["models"].clear(),
    lambda d: d["models"][0].update(name=""),
    lambda d: d["models"][0].update(name="a\0"),
    lambda d: d["models"][0].update(sha256="AB" * 32),
    lambda d: d["models"][0].update(sha256=None),
    lambda d: d["models"][0].update(signed=False),
    lambda d: d["models"][0].update(inventory=None),
    lambda d: d["models"][0]["inventory"].update(step_id=[3, 2, 1]),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_does_not_hold_together_is_refused(tmp_path: Path, damage: Change) -> None:
    write_models([described()], tmp_path)
    document = json.loads((tmp_path / WORDS).read_text(encoding="ascii"))
    damage(document)
    (tmp_path / WORDS).write_text(json.dumps(document), encoding="ascii")
    with pytest.raises(ReportInvalid):
        read_models(tmp_path)


@pytest.mark.parametrize("name", [WORDS, ARRAYS])
@pytest.mark.parametrize("length", [0, 10, 200])
def test_cut_or_missing_files_are_refused(tmp_path: Path, name: str, length: int) -> None:
    write_models([described()], tmp_path)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[:length])
    with pytest.raises(ReportInvalid):
        read_models(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ReportInvalid):
        read_models(tmp_path)


def test_signatures_of_another_inventory_are_refused(tmp_path: Path) -> None:
    write_models([described()], tmp_path)
    document = json.loads((tmp_path / WORDS).read_text(encoding="ascii"))
    fewer = Inventory("IFC4", 1.0, HELD.elements[:1]).to_document()
    document["models"][0]["inventory"] = fewer
    (tmp_path / WORDS).write_text(json.dumps(document), encoding="ascii")
    with pytest.raises(ReportInvalid):
        read_models(tmp_path)
