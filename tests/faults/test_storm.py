"""A short storm over each combination; `make test-faults` runs the long one."""

from __future__ import annotations

import pytest

from tests.faults.storm import storm
from tests.faults.storm_stand import COMBINATIONS
from tests.integration.rest.stack import nginx_binary, postgrest_binary
from tests.integration.servers import open_folder

pytestmark = pytest.mark.long


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_accepted_job_ends_once_with_one_result_or_a_typed_error(combination: str) -> None:
    if combination.startswith("REST"):
        postgrest_binary()
        nginx_binary()
    with open_folder() as folder:
        report = storm(combination, folder, jobs=14, kills=7, seed=7)
    print(report)  # noqa: T201 (shown when it fails)
    assert report.faults() == []
    assert sum(report.killed.values()) == 7
    assert report.counts["finished"] >= 10, "most of them have their result in spite of it"
