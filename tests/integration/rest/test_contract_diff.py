"""Diffs over REST: the tests of recorded diffs, with the fixtures of this folder."""

from __future__ import annotations

from tests.integration.diff.test_record import (
    desk,
    test_a_diff_is_stored_with_its_rows_and_read_as_clients_do,
    test_a_late_result_takes_its_place,
    test_new_ids_are_matches_and_no_findings,
    test_what_changes_again_is_open_again,
)

__all__ = [
    "desk",
    "test_a_diff_is_stored_with_its_rows_and_read_as_clients_do",
    "test_a_late_result_takes_its_place",
    "test_new_ids_are_matches_and_no_findings",
    "test_what_changes_again_is_open_again",
]
