//! The rows of the list that other rooms hold: each names the test that does, which must exist.

use std::collections::BTreeSet;
use std::path::Path;

/// Rows with the file and the test that hold them.
const HELD: &[(u8, &str, &str)] = &[
    (31, PROXY_ADDRESSES, "every_spelling_of_an_inside_address_is_refused"),
    (31, PROXY_REQUESTS, "an_address_that_can_be_read_in_two_ways_is_refused"),
    (
        32,
        PROXY_ADDRESSES,
        "a_granted_name_that_leads_inside_is_refused_and_reached_with_the_protection_off",
    ),
    (32, PROXY_ADDRESSES, "a_name_is_resolved_once_so_a_second_answer_changes_nothing"),
    (33, PLAN, "a_plan_never_reaches_more_than_the_grants"),
    (33, PROXY_REQUESTS, "a_refused_request_is_told_why_recorded_and_never_sent"),
    (34, PROXY_FRAMING, "a_request_behind_another_is_checked_as_one_of_its_own"),
    (
        34,
        PROXY_TUNNELS,
        "tls_for_another_host_than_the_tunnel_s_is_refused_before_the_server_sees_a_byte",
    ),
    (36, PROXY_TUNNELS, "a_tunnel_that_no_grant_to_write_covers_is_refused"),
    (36, PROXY_REQUESTS, "a_read_over_tls_is_made_by_the_host_and_a_write_needs_its_grant"),
    (48, "host/policy/tests/commands.rs", "the_lower_profiles_let_no_interpreter_through"),
    (56, "tests/escape/tests/escape/features.rs", "without_namespaces_nothing_starts"),
    (57, "tests/escape/tests/escape/trust.rs", "no_helper_is_looked_for_on_the_path"),
    (58, PLAN, "paths_that_would_widen_a_plan_are_refused"),
    (58, "tests/escape/tests/escape/trust.rs", "a_start_outside_of_the_grants_is_refused"),
    (59, "tests/escape/tests/escape/trust.rs", "a_program_that_was_swapped_does_not_start"),
    (59, BROKER, "a_program_that_was_swapped_after_it_was_approved_is_refused"),
    (59, BROKER, "a_start_that_was_changed_after_it_was_approved_is_refused"),
    (61, STAGING, "what_changes_while_the_program_runs_is_named"),
    (61, STAGING, "a_program_cannot_forge_the_marks_of_the_overlay"),
    (61, STAGING, "the_same_attack_succeeds_against_a_copy_that_follows_links"),
    (
        64,
        "tests/escape/tests/escape/ends.rs",
        "nothing_survives_a_host_that_is_killed_and_nothing_is_left_in_the_workspace_or_in_tmp",
    ),
    (
        63,
        "host/cli/tests/outside/messages.rs",
        "noise_between_messages_is_passed_over_and_a_flood_of_it_ends_the_talk",
    ),
    (63, "host/cli/tests/outside/frozen.rs", "a_way_out_is_there_only_while_a_call_is_under_way"),
    (63, "host/cli/tests/outside/attacks.rs", "what_a_server_starts_ends_with_it"),
];

const PROXY_ADDRESSES: &str = "host/interfaces/tests/proxy/addresses.rs";
const PROXY_FRAMING: &str = "host/interfaces/tests/proxy/framing.rs";
const PROXY_REQUESTS: &str = "host/interfaces/tests/proxy/requests.rs";
const PROXY_TUNNELS: &str = "host/interfaces/tests/proxy/tunnels.rs";
const PLAN: &str = "sandbox/src/plan/tests.rs";
const BROKER: &str = "host/approval/tests/approval/broker.rs";
const STAGING: &str = "sandbox/src/staging/tests/hostile.rs";

/// Rows without a test, each with the reason.
const NOTHING_TO_HOLD: &[(u8, &str)] = &[
    (60, "no layer but the host's own adds authority: held by the tests of the room policy"),
    (62, "no denial is read from what a program writes, so none can be forged"),
];

#[test]
fn every_row_of_the_list_is_an_attack_or_names_its_test() {
    let attacks = ringfence_sandbox::attack::attacks();
    let mut rows: BTreeSet<u8> = attacks.iter().map(|attack| attack.number).collect();
    rows.extend(HELD.iter().map(|(row, _, _)| *row));
    rows.extend(NOTHING_TO_HOLD.iter().map(|(row, _)| *row));
    let missing: Vec<u8> = (1..=64).filter(|row| !rows.contains(row)).collect();
    assert_eq!(missing, Vec::<u8>::new());
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (row, file, test) in HELD {
        let text = std::fs::read_to_string(root.join(file)).unwrap();
        assert!(text.contains(&format!("fn {test}(")), "row {row}: {file} has no {test}");
    }
}
