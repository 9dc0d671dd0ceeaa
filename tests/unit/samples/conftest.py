"""Sample buildings that several tests read."""

from __future__ import annotations

import pytest

from ifcbase.samples import Sample, build


@pytest.fixture(scope="session")
def revision_a(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return build(tmp_path_factory.mktemp("a"), bays=(2, 2), revision="A")


@pytest.fixture(scope="session")
def revision_b(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return build(tmp_path_factory.mktemp("b"), bays=(2, 2), revision="B")
