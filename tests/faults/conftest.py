"""A Postgres for the session, a database and a home per test, two small models that clash once."""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import database, server, servers, stand, template
from tests.faults.whole import Boxes
from tests.ifc_builder import IfcBuilder

__all__ = ["database", "server", "servers", "stand", "template"]


@pytest.fixture(scope="session")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Boxes:
    """A wall, and a pipe through it."""
    folder = tmp_path_factory.mktemp("boxes")
    walls, pipes = IfcBuilder(), IfcBuilder()
    walls.box("W1", (0, 0, 0), (4, 0.2, 3), storey=walls.storey("Ground floor"))
    walls.write(folder / "walls.ifc")
    storey = pipes.storey("Ground floor")
    pipes.box("P1", (1, -1, 1), (0.1, 3, 0.1), "IfcPipeSegment", storey=storey)
    pipes.write(folder / "pipes.ifc")
    return Boxes(folder / "walls.ifc", folder / "pipes.ifc")
