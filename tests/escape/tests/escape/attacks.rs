//! One test for each attack: held for the expected reason in every room and as every user, and its
//! twin escapes.

use crate::user::{skip, users};
use serde_json::Value;

/// Makes one test of each attack.
macro_rules! attacks {
    ($($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                check(stringify!($name));
            }
        )*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

attacks! {
    write_outside,
    write_through_a_planted_link,
    swap_a_link_in_while_mounting,
    hard_link_from_outside,
    write_through_a_hard_link_that_was_there,
    change_metadata_outside,
    change_a_workspace_that_may_only_be_read,
    write_hooks_and_configuration_of_git,
    rename_git_away_and_back,
    plant_a_hook_in_an_empty_directory_of_a_nested_repository,
    replace_a_nested_repository_by_renaming_its_parent,
    make_configuration_that_was_not_there,
    write_a_name_in_another_case,
    make_a_name_in_another_spelling,
    make_a_git_file_that_leads_outside,
    have_the_host_s_git_run_a_program,
    leave_a_set_id_program,
    leave_a_program_with_capabilities,
    leave_a_device,
    leave_a_pipe_or_a_socket,
    read_secrets,
    read_a_file_made_after_the_start,
    magic_links_of_proc,
    open_without_a_path_walk,
    open_by_handle,
    mount_an_alias,
    scratch_space_of_the_host,
    connect_to_the_host_s_loopback,
    send_datagrams_and_ask_for_names,
    connect_to_an_abstract_socket,
    connect_to_a_socket_in_the_workspace,
    connect_to_a_socket_outside,
    reach_the_hypervisor,
    make_sockets_of_odd_families,
    make_calls_through_io_uring,
    call_the_kernel_by_its_32_bit_entry,
    go_past_the_proxy,
    signal_a_process_of_the_host,
    read_a_process_of_the_host,
    take_over_the_first_process,
    kill_the_first_process,
    make_a_user_namespace,
    mount_and_unmount,
    read_a_key_of_the_host,
    use_shared_objects_of_the_host,
    use_weak_parts_of_the_kernel,
    load_a_program_into_the_kernel,
    answer_calls_in_the_kernel_s_place,
    type_for_the_person,
    run_a_program_from_memory,
    run_a_dropped_program_by_the_loader,
    run_a_dropped_script,
    use_an_inherited_descriptor,
    read_the_environment,
    be_handed_a_secret_variable,
    keep_capabilities,
    multiply_without_end,
    write_a_file_without_end,
    fill_scratch_space,
    fill_scratch_space_with_names,
    take_memory_without_end,
    take_shared_memory_without_end,
    leave_a_daemon,
    reach_the_workspace_past_the_stage,
}

/// Makes an attack everywhere. Every line of the program is about one room, or about the twin.
fn check(name: &str) {
    for user in users() {
        let lines = user.lines(&["attack", user.base().to_str().unwrap(), name]);
        assert!(lines.len() > 1, "{name} was made nowhere");
        for line in &lines {
            let at = format!("{name} as {} in {}", user.name, line["room"]);
            match line["kind"].as_str().unwrap() {
                "attack" => held(name, &at, line),
                _ => escaped(&at, line),
            }
        }
        let left = std::fs::read_dir(user.base()).unwrap().count();
        assert_eq!(left, 0, "{name} as {} left something behind", user.name);
    }
}

fn held(name: &str, at: &str, line: &Value) {
    let outcome = &line["outcome"];
    if let Some(why) = outcome["skipped"].as_str() {
        assert!(!why.starts_with("it did not run"), "{at}: {why}");
        return skip(name, why);
    }
    let admitted = outcome["admitted"].is_string() && ADMITTED.contains(&name);
    assert!(outcome["held"].is_array() || admitted, "{at}: {outcome}");
    assert_eq!(line["unexpected"], Value::Array(Vec::new()), "{at}: held for another reason");
}

/// Attacks that direct writes, or every profile, let through and say so.
const ADMITTED: [&str; 5] = [
    "write_through_a_hard_link_that_was_there",
    "make_configuration_that_was_not_there",
    "make_a_name_in_another_spelling",
    "make_a_git_file_that_leads_outside",
    "take_shared_memory_without_end",
];

fn escaped(at: &str, line: &Value) {
    let outcome = &line["outcome"];
    if let Some(why) = outcome["missing"].as_str() {
        let known = [
            "only root can make it",
            "without a namespace the attack would need a network beyond this machine",
            "the kernel keeps signals from inside away from the first process",
        ];
        return assert!(known.contains(&why), "{at}: {why}");
    }
    if outcome["skipped"].is_string() {
        return;
    }
    assert!(outcome["escaped"].is_string(), "{at}: the attack proves nothing: {outcome}");
}

#[test]
fn every_attack_of_the_battery_is_a_test_here() {
    let mut own: Vec<&str> = NAMES.to_vec();
    own.sort_unstable();
    let mut all: Vec<&str> =
        ringfence_sandbox::attack::attacks().iter().map(|attack| attack.name).collect();
    all.sort_unstable();
    assert_eq!(own, all);
}

#[test]
fn what_is_admitted_is_admitted_nowhere_but_where_it_was_said() {
    let attacks = ringfence_sandbox::attack::attacks();
    // The bound on root's processes depends on the kernel; this one has it or says so.
    let says = attacks.iter().filter(|attack| attack.admitted.is_some());
    let says = says.map(|attack| attack.name).filter(|name| *name != "multiply_without_end");
    let mut says: Vec<_> = says.collect();
    says.sort_unstable();
    let mut admitted = ADMITTED;
    admitted.sort_unstable();
    assert_eq!(says, admitted);
}

#[test]
fn the_battery_ran_as_root_and_as_an_ordinary_user() {
    if users().len() < 2 {
        skip(
            "the_battery_ran_as_root_and_as_an_ordinary_user",
            "only root can become somebody else",
        );
    }
}
