"""Every attack of the shared set is staged by a test, or waits for a feature, with the reason."""

import ast
from pathlib import Path

import pytest

from tests.security.attacks.cases import ALL

TESTS = Path(__file__).parents[2]
HERE = "security/attacks"
GUARDS = "engine/approvals/test_guards.py"
EGRESS = "test_egress.py"
ACCESS = "api/test_access.py"
AUTHZ = "security/test_authz.py"
USERS = "engine/people/test_users.py"
RESET = "views/test_password.py"
HOOKS = "views/test_hooks.py"
FAULTS = "engine/acting/test_ai_faults.py"
PASSED_ON = f"{FAULTS}::test_what_the_primary_model_fails_the_fallback_model_answers"
TOKENS = "engine/people/test_api_tokens.py"
BODIES = f"{HERE}/test_bodies.py"
BOMB = f"{BODIES}::test_a_bomb_is_refused_by_every_operation"

# All inputs of a category that are sent as they are.
LITERALS = {
    "expr": "engine/expressions/test_bounds.py"
    "::test_an_attack_is_refused_with_its_position_or_reads_nothing",
    "expr-dos": "engine/expressions/test_bounds.py"
    "::test_an_attack_is_refused_with_its_position_or_reads_nothing",
    "ssrf": f"{EGRESS}::test_no_form_of_an_internal_address_is_dialled",
    "xss": f"{HERE}/test_markup.py::test_stored_markup_stays_text_on_every_page",
    "htmx": f"{HERE}/test_markup.py::test_stored_markup_stays_text_on_every_page",
    "redirect": "views/test_sign_in.py::test_the_way_back_stays_on_this_origin",
    "jsonbomb": BOMB,
    "massassign": f"{BODIES}::test_a_field_of_the_server_is_refused_by_every_operation",
    "sqli": f"{HERE}/test_queries.py::test_a_list_reads_it_as_text",
    "crlf": f"{HERE}/test_texts.py::test_no_text_adds_a_header",
    "csv": f"{HERE}/test_texts.py::test_a_sheet_calculates_nothing",
    "path": f"{HERE}/test_texts.py::test_no_address_leaves_its_folder",
    "prompt": f"{HERE}/test_prompts.py::test_a_model_that_obeys_every_attack_reaches_nothing",
    "secret": f"{HERE}/test_secrets.py::test_a_secret_is_not_written",
}
# What is staged by a test of its own.
STAGED = {
    "sqli-11": f"{HERE}/test_queries.py::test_a_list_reads_it_as_text",
    **{f"jsonbomb-{number}": BOMB for number in (11, 12, 13, 14, 15, 22)},
    "jsonbomb-20": f"{HERE}/test_sockets.py"
    "::test_a_body_that_never_ends_is_cut_and_others_are_served",
    "jsonbomb-21": f"{HERE}/test_sockets.py::test_a_length_that_is_none_is_refused",
    "jsonbomb-19": f"{BODIES}::test_a_form_of_100_000_fields_is_refused",
    "jsonbomb-27": f"{BODIES}::test_a_number_of_twenty_digits_in_an_address_is_no_fault",
    "ssrf-dynamic-01": f"{EGRESS}"
    "::test_a_redirect_to_an_internal_address_is_refused_after_the_first_request",
    "ssrf-dynamic-03": f"{EGRESS}::test_an_effect_is_never_repeated_at_another_origin",
    "ssrf-dynamic-04": f"{EGRESS}::test_four_redirects_are_one_too_many",
    "ssrf-dynamic-05": f"{EGRESS}::test_no_credentials_go_to_another_origin",
    "ssrf-dynamic-06": f"{EGRESS}::test_a_name_that_rebinds_is_dialled_at_the_checked_address",
    "ssrf-dynamic-09": f"{EGRESS}::test_a_name_that_is_an_alias_of_this_machine_is_refused",
    "ssrf-dynamic-10": f"{EGRESS}::test_proxies_and_netrc_of_the_environment_are_not_used",
    "ssrf-dynamic-11": f"{EGRESS}::test_proxies_and_netrc_of_the_environment_are_not_used",
    "ssrf-dynamic-12": f"{EGRESS}::test_an_answer_that_drips_ends_at_the_deadline",
    "ssrf-dynamic-14": f"{EGRESS}::test_a_hostile_answer_is_bounded",
    "ssrf-dynamic-15": f"{EGRESS}::test_a_hostile_answer_is_bounded",
    "ssrf-dynamic-16": f"{EGRESS}::test_addresses_that_parsers_read_differently_are_refused",
    "ssrf-dynamic-17": f"{EGRESS}::test_headers_cannot_be_smuggled",
    "ssrf-dynamic-18": f"{EGRESS}::test_ports_that_are_not_of_the_web_are_refused",
    "authz-02": f"{HERE}/test_foreign.py::test_what_is_anothers_is_not_there",
    "authz-03": f"{HERE}/test_foreign.py::test_what_is_anothers_is_not_there",
    "authz-04": f"{HERE}/test_foreign.py::test_what_is_anothers_is_not_there",
    "authz-05": "views/test_sharing.py::test_who_was_granted_read_gets_403_for_every_press",
    "authz-07": f"{HERE}/test_foreign.py::test_what_is_anothers_is_not_there",
    "authz-11": f"{HERE}/test_foreign.py::test_what_is_anothers_is_not_there",
    "authz-09": "views/test_audit.py::test_only_administrators_read_it",
    "authz-12": f"{AUTHZ}::test_a_role_reaches_what_its_level_includes",
    "authz-13": f"{AUTHZ}::test_a_role_reaches_what_its_level_includes",
    "authz-14": f"{AUTHZ}::test_a_role_reaches_what_its_level_includes",
    "authz-15": f"{ACCESS}::test_a_token_does_what_its_scopes_name_and_nothing_else",
    "authz-17": f"{TOKENS}::test_revoked_expired_or_of_a_person_who_is_off_it_opens_nothing",
    "authz-18": f"{TOKENS}::test_revoked_expired_or_of_a_person_who_is_off_it_opens_nothing",
    "authz-19": f"{USERS}::test_sign_out_ends_the_session_and_may_be_repeated",
    "authz-21": "views/test_people.py::test_a_stream_ends_when_a_role_is_taken_away",
    "authz-23": f"{AUTHZ}::test_other_methods_are_refused_or_change_nothing",
    "authz-26": f"{RESET}::test_the_link_names_the_configured_host_whatever_a_request_says",
    "csrf-01": f"{AUTHZ}::test_no_unsafe_route_acts_without_the_token_of_the_session",
    "csrf-02": "web/test_security.py::test_another_sessions_token_is_refused",
    "csrf-04": f"{AUTHZ}::test_reading_changes_nothing",
    "csrf-05": f"{AUTHZ}::test_a_text_that_parses_as_json_is_no_form",
    "csrf-06": "web/test_requests.py::test_a_page_takes_no_json",
    "csrf-07": f"{AUTHZ}::test_no_unsafe_route_acts_without_the_token_of_the_session",
    "csrf-09": "web/test_security.py::test_a_form_of_another_site_is_refused_even_with_a_token",
    "csrf-11": "views/test_sign_in.py::test_a_link_signs_nobody_out",
    "csrf-12": f"{AUTHZ}::test_other_methods_are_refused_or_change_nothing",
    "auth-01": "views/test_sign_in.py"
    "::test_signing_in_gives_a_new_session_whatever_the_browser_brought",
    "auth-03": f"{USERS}::test_one_address_tries_thirty_times_a_minute_over_all_accounts",
    "auth-04": f"{USERS}::test_unknown_users_cost_the_same",
    "auth-06": "engine/people/test_passwords.py::test_every_character_of_a_long_password_counts",
    "auth-08": f"{RESET}::test_no_token_is_no_key",
    "auth-09": f"{RESET}::test_no_token_is_no_key",
    "auth-10": f"{RESET}::test_the_link_of_the_mail_sets_the_password_once",
    "auth-11": f"{RESET}::test_the_token_of_one_person_sets_nobody_elses_password",
    "auth-13": "engine/people/test_second_factor.py"
    "::test_password_and_code_sign_in_and_a_code_works_once",
    "auth-15": f"{USERS}::test_switching_a_person_off_ends_their_sessions",
    "auth-19": f"{HERE}/test_foreign.py::test_a_token_in_an_address_opens_nothing",
    "authz-22": "engine/secrets/test_connections.py"
    "::test_an_execution_opens_its_owners_connections_and_shared_ones_alone",
    "approval-02": f"{GUARDS}::test_an_expired_approval_is_gone_and_fails_the_step",
    "approval-03": f"{GUARDS}::test_fifty_pairs_of_approvers_at_the_same_instant_decide_once",
    "approval-04": "crash/test_people.py::test_of_fifty_presses_at_once_one_counts",
    "approval-05": "views/test_approval_links.py::test_the_link_of_one_approval_decides_no_other",
    "approval-07": f"{AUTHZ}::test_reading_changes_nothing",
    "approval-08": f"{GUARDS}::test_who_lost_the_role_meanwhile_decides_nothing",
    "approval-09": f"{GUARDS}::test_the_starter_is_not_asked_where_self_approval_is_off",
    "approval-10": f"{GUARDS}::test_a_cancelled_one_is_gone",
    "approval-11": "crash/test_people.py"
    "::test_a_press_that_dies_on_its_way_counts_once_when_it_is_repeated",
    "approval-13": "views/test_approvals.py::test_markdown_that_fakes_another_amount_stays_text",
    "prompt-16": "engine/generation/test_bad_drafts.py::test_no_bad_draft_is_offered",
    "prompt-19": "engine/generation/test_bad_drafts.py::test_no_bad_draft_is_offered",
    "prompt-17": "engine/running/test_decisions.py"
    "::test_an_action_that_the_agent_was_not_granted_is_not_offered_and_not_called",
    **{
        f"webhook-{number:02}": f"{HOOKS}::test_what_is_not_right_is_refused_and_starts_nothing"
        for number in (1, 2, 4, 7)
    },
    **{
        f"path-{number}": "views/test_portable.py"
        "::test_an_archive_is_refused_and_nothing_of_it_is_read"
        for number in (13, 14, 15, 16)
    },
    "webhook-05": f"{HOOKS}::test_the_same_id_twice_starts_one_and_names_it",
    "webhook-08": f"{HOOKS}"
    "::test_of_several_signatures_one_has_to_be_right_and_others_count_for_nothing",
    "webhook-09": f"{HOOKS}"
    "::test_of_several_signatures_one_has_to_be_right_and_others_count_for_nothing",
    "webhook-10": f"{HOOKS}::test_signatures_are_compared_in_constant_time_and_all_of_them",
    "secret-13": "engine/secrets/test_secret_handles.py"
    "::test_a_secret_goes_out_and_comes_back_nowhere",
    **{
        f"secret-{number}": f"{HERE}/test_secrets.py"
        "::test_a_stored_secret_is_not_written_in_any_form"
        for number in (14, 15)
    },
    "secret-16": "test_logs.py::test_lines_are_json_without_secrets_or_locals",
    **{f"llmproto-{number:02}": PASSED_ON for number in (3, 4, 7, 8, 9, 10, 15, 18, 19, 23)},
    "llmproto-05": "llm/providers/test_faults.py::test_a_port_where_nobody_listens_cost_nothing",
    "llmproto-14": f"{FAULTS}::test_an_answer_that_can_mean_one_thing_only_is_the_output",
    "llmproto-20": f"{FAULTS}::test_an_answer_that_can_mean_one_thing_only_is_the_output",
    "llmproto-21": f"{FAULTS}::test_an_answer_that_can_mean_one_thing_only_is_the_output",
    "llmproto-16": "engine/running/test_decisions.py"
    "::test_what_must_not_be_called_is_an_error_text_for_the_model_and_a_failed_step",
    "llmproto-17": "llm/providers/test_openai.py"
    "::test_parameters_that_are_no_good_json_stay_the_text_they_are",
    "llmproto-25": f"{FAULTS}::test_what_a_person_has_to_mend_is_the_error_of_the_step",
    "llmproto-27": "engine/acting/test_ai_steps.py"
    "::test_a_call_whose_step_ran_out_of_time_is_lost_at_its_worst",
    **{
        f"queue-{number:02}": "security/test_queue.py"
        "::test_foreign_jobs_are_dropped_audited_and_stop_nothing"
        for number in (2, 4, 6, 8)
    },
}
NO_OIDC = "OIDC is optional and not built."
NO_MEMORY = "Memory does not exist yet."
LATER = {
    **{f"auth-{number}": NO_OIDC for number in (16, 18)},
    "authz-08": NO_MEMORY,
}


@pytest.mark.capability(277)
def test_every_attack_is_claimed_exactly_once():
    claimed = [*STAGED, *LATER]
    claimed += [
        one["id"]
        for one in ALL
        if one["kind"] != "scenario" and one["category"] in LITERALS and one["id"] not in LATER
    ]
    assert sorted(claimed) == sorted(one["id"] for one in ALL)
    assert len(ALL) == 302


@pytest.mark.parametrize("claim", sorted({*LITERALS.values(), *STAGED.values()}))
def test_the_tests_that_claim_an_attack_exist(claim):
    file, _, name = claim.partition("::")
    tree = ast.parse((TESTS / file).read_text())
    assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}
