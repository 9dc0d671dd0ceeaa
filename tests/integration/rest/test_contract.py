"""What holds for the write API over Postgres holds over REST: the same tests, with the fixtures of this
folder. Left out is what transactions alone can do: the postgres transport stores all or nothing."""

from __future__ import annotations

from types import ModuleType

import pytest

from ifcbase.ledger.rest.ledger import RestLedger
from tests.integration.clash import test_record as clash_record
from tests.integration.conversion import test_record as conversion_record
from tests.integration.diff import test_record as diff_record
from tests.integration.ledger import test_checks as ledger_checks
from tests.integration.ledger import test_ids_states as ledger_ids_states
from tests.integration.ledger import test_write_api as ledger_write_api
from tests.integration.ledger.ids_series import Series
from tests.integration.matching import test_links as matching_links
from tests.integration.world import World

#: By module: its tests, and the fixtures they need of it.
SAME: dict[ModuleType, list[str]] = {
    clash_record: [
        "test_a_list_that_was_cut_resolves_nothing",
        "test_pairs_left_out_of_the_list_are_not_resolved",
    ],
    conversion_record: [
        "files",
        "left",
        "model",
        "test_a_conversion_is_stored_with_all_it_says",
        "test_a_job_that_stored_nothing_is_not_finished",
        "test_rows_of_elements_that_are_not_there_are_refused",
        "test_rows_sent_again_do_no_harm",
        "test_the_inventory_of_the_model_is_stored_once",
    ],
    ledger_checks: [
        "test_a_result_is_opened_finished_and_read",
        "test_a_second_attempt_gives_way_to_the_result_of_the_first",
        "test_an_output_made_again_is_the_later_one",
        "test_what_a_losing_attempt_began_goes",
    ],
    ledger_ids_states: [
        "test_a_late_result_is_put_in_its_place",
        "test_a_missing_element_is_a_finding_until_there_is_one",
        "test_new_persisting_resolved_reopened",
        "test_types_and_materials_are_followed_as_far_as_is_known",
        "test_what_could_not_be_judged_is_not_resolved",
    ],
    ledger_write_api: [
        "test_a_changed_definition_is_a_new_version_of_the_set",
        "test_a_count_that_does_not_match_is_refused",
        "test_a_failed_attempt_takes_what_it_had_begun_with_it",
        "test_a_heartbeat_renews_the_lease_and_tells_of_a_cancel",
        "test_a_job_does_not_end_while_a_result_is_open",
        "test_a_late_result_of_an_earlier_job_becomes_the_origin",
        "test_a_lease_must_end_some_day",
        "test_a_lease_that_lapsed_between_two_transactions_is_gone",
        "test_a_result_as_it_was_written",
        "test_a_result_must_say_what_it_tested",
        "test_an_unknown_job_is_nothing_to_take",
        "test_an_unknown_kind_of_rows_is_refused",
        "test_every_element_left_out_is_named",
        "test_everything_twice_is_everything_once",
        "test_one_job_has_one_result_per_set_even_with_two_finished_attempts",
        "test_only_the_attempts_own_results_are_written",
        "test_only_the_jobs_own_model_versions_are_described",
        "test_rows_about_what_nobody_knows_are_refused_not_dropped",
        "test_sides_are_kept_when_the_set_turns_them_round",
        "test_two_sets_of_one_job_are_two_results",
        "test_writing_renews_the_lease_as_well",
    ],
    matching_links: [
        "runs",
        "test_a_doubtful_element_is_never_removed_until_a_person_says_so",
        "test_an_element_that_went_to_another_model_is_the_same",
        "test_pairs_keep_their_identity_when_all_ids_are_reissued",
        "test_statements_must_be_about_the_versions_of_the_job",
    ],
    diff_record: [
        "desk",
        "test_a_diff_is_stored_with_its_rows_and_read_as_clients_do",
        "test_a_late_result_takes_its_place",
        "test_new_ids_are_matches_and_no_findings",
        "test_what_changes_again_is_open_again",
    ],
}
for module, names in SAME.items():
    for name in names:
        globals()[name] = getattr(module, name)


@pytest.fixture
def series(busy: World, store: RestLedger) -> Series:
    """An IDS asked of a model over REST."""
    made = Series(busy, store)
    made.revise(ledger_ids_states.ALL)
    return made
