"""The discipline of a model: guessed from its elements once, and whatever a person says then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from ifcbase.cli.app import app
from ifcbase.errors import NotFound, RequestInvalid
from ifcbase.settings import get_settings
from tests.integration.ledger.chain_fixtures import chain
from tests.integration.ledger.chains import Chain
from tests.integration.world import World

__all__ = ["chain"]


def look(chain: Chain, model: str, *classes: str) -> None:
    """A new revision of a model with elements of these classes."""
    names = [f"{model[0]}{number}" for number in range(1, len(classes) + 1)]
    for name, ifc_class in zip(names, classes, strict=True):
        chain.looks[f"{model}/{name}"] = {"ifc_class": ifc_class}
    chain.revise(model, names)


def disciplines(chain: Chain) -> dict[str, Any]:
    return {
        name: (found, source)
        for name, found, source in chain.world.sql(
            "select name, discipline, discipline_source from core.models"
        )
    }


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (["IfcWall", "IfcDoor", "IfcWindow", "IfcColumn"], "architecture"),
        (["IfcBeam", "IfcColumn", "IfcStairFlight", "IfcSlab"], "structure"),
        (["IfcPipeSegment", "IfcDuctFitting", "IfcFlowTerminal", "IfcWall"], "services"),
        (["IfcBeamStandardCase", "IfcReinforcingBar"], "structure"),
        (["IfcWall", "IfcSlab", "IfcMember", "IfcBuildingElementProxy"], None),
        (["IfcColumn", "IfcDoor"], None),
        (["IfcColumn"] + ["IfcWall"] * 10, None),
        (["IfcColumn"] + ["IfcWall"] * 9, "structure"),
        # Names that begin alike and are something else.
        (["IfcFastener", "IfcCivilElement", "IfcPlate"], None),
    ],
)
def test_a_discipline_is_guessed_from_what_the_elements_are(
    chain: Chain, classes: list[str], expected: str | None
) -> None:
    look(chain, "arc", *classes)
    chain.run([])
    assert disciplines(chain)["arc"] == (expected, "guessed")


def test_a_guess_stays_and_what_could_not_be_guessed_is_tried_again(chain: Chain) -> None:
    look(chain, "arc", "IfcWall")
    look(chain, "mep", "IfcPipeSegment")
    chain.run([])
    assert disciplines(chain) == {"arc": (None, "guessed"), "mep": ("services", "guessed")}
    look(chain, "arc", "IfcWall", "IfcDoor")
    look(chain, "mep", "IfcBeam")
    chain.run([])
    assert disciplines(chain) == {
        "arc": ("architecture", "guessed"), "mep": ("services", "guessed"),
    }  # fmt: skip


def test_every_class_of_a_discipline_is_of_that_discipline_alone(world: World) -> None:
    for expected, classes in {
        "structure": "Beam Column Footing Pile ReinforcingMesh Tendon TendonAnchor Bearing",
        "services": "AirTerminal AirTerminalBox CableCarrierSegment DistributionChamberElement "
        "DuctSegment EnergyConversionDevice FlowController LightFixture Outlet PipeFitting Pump "
        "SanitaryTerminal Sensor Tank UnitaryEquipment Valve",
        "architecture": "Covering CurtainWall Door FurnishingElement Furniture Railing Ramp Roof "
        "Stair StairFlight Window",
        None: "Wall WallStandardCase Slab Plate Member BuildingElementProxy OpeningElement Space "
        "BuildingStorey Fastener MechanicalFastener Assembly",
    }.items():
        for each in classes.split():
            found = world.value("select core.discipline_of(%s)", f"Ifc{each}")
            assert found == expected, each


def test_a_person_corrects_a_discipline(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", chain.world.dsn)
    get_settings.cache_clear()

    def run(*words: str) -> Any:
        done = CliRunner().invoke(app, ["models", *words])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    try:
        assert "no models yet" in run("list")
        look(chain, "mep", "IfcPipeSegment", "IfcPipeFitting")
        chain.run(["arc/w1 mep/m1"])
        listed = json.loads(run("list", "--json"))
        assert [(m["model"], m["discipline"], m["source"]) for m in listed] == [
            ("arc", None, "guessed"), ("mep", "services", "guessed"),
        ]  # fmt: skip
        assert "unknown" in run("list")
        (said,) = [json.loads(run("discipline", "mep", "plumbing", "--json"))]
        assert (said["discipline"], said["source"]) == ("plumbing", "given")
        found = "select discipline, open from core.open_by_discipline order by 1"
        assert chain.world.sql(found) == [("plumbing", 1), (None, 1)]
        # A revision does not guess it away.
        look(chain, "mep", "IfcDuctSegment", "IfcDuctFitting")
        chain.run([])
        assert disciplines(chain)["mep"] == ("plumbing", "given")
        assert "services" in run("discipline", "mep", "--guess")
        assert disciplines(chain)["mep"] == ("services", "guessed")
        for wrong in (["mep"], ["mep", "x", "--guess"], ["mep", " "]):
            with pytest.raises(RequestInvalid):
                run("discipline", *wrong)
        with pytest.raises(NotFound, match="no model 'nobody'"):
            run("discipline", "nobody", "structure")
    finally:
        get_settings.cache_clear()
