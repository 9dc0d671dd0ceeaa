"""A short storm over each combination; `make test-faults` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.storm import COMBINATIONS, storm
from tests.integration.servers import open_folder

pytestmark = pytest.mark.long


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_accepted_job_ends_once_with_one_result_or_a_typed_error(combination: str) -> None:
    with open_folder() as folder:
        report = storm(combination, Path(folder), jobs=12, kills=6, seed=7)
    print(report)  # noqa: T201 (shown when it fails)
    assert report.faults(12) == []
    assert sum(report.killed.values()) == 6
    assert report.finished >= 10, "most of them have their result in spite of it"
