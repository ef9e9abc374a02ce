//! Without one feature of the kernel nothing starts, and the refusal names it.

use crate::user::users;
use serde_json::json;

fn check(missing: &str, feature: &str, step: &str) {
    for user in users() {
        for directory in ["ws", "stage/upper", "stage/work"] {
            user.make(directory);
        }
        let lines = user.lines(&["refuse", user.base().to_str().unwrap(), missing]);
        let expected = json!({ "feature": feature, "step": step });
        assert_eq!(lines, [expected], "without {missing} as {}", user.name);
    }
}

#[test]
fn without_namespaces_nothing_starts() {
    check("clone=EPERM", "namespaces", "new namespaces");
    check("clone", "namespaces", "new namespaces");
    check("namespaces", "namespaces", "new namespaces");
    check("net_namespaces", "namespaces", "new network and ipc namespaces");
    check("mnt_namespaces", "namespaces", "new mount, uts and cgroup namespaces");
    check("sethostname=EPERM", "namespaces", "name the host");
}

#[test]
fn without_a_mapped_user_nothing_starts() {
    // The kernel gives nobody a namespace who is nobody himself.
    check("identity", "namespaces", "new namespaces");
}

#[test]
fn without_mounts_by_descriptor_nothing_starts() {
    check("open_tree", "mount-api", "copy a mount");
    check("open_tree=EPERM", "mount-api", "copy a mount");
    check("mount_setattr", "mount-api", "restrict a mount");
    check("fsopen", "proc", "mount /proc");
    check("fsmount=EPERM", "proc", "mount /proc");
    check("move_mount", "tmpfs", "mount the root");
}

#[test]
fn with_a_masked_proc_nothing_starts() {
    check("masked_proc", "proc", "mount /proc");
}

#[test]
fn without_an_overlay_nothing_is_staged() {
    check("overlay=EPERM", "overlay", "mount the stage");
}

#[test]
fn without_a_new_root_nothing_starts() {
    check("pivot_root=EPERM", "pivot-root", "swap the root");
    check("umount2=EPERM", "pivot-root", "drop the old root");
}

#[test]
fn without_landlock_nothing_starts() {
    for missing in ["landlock_create_ruleset", "landlock_create_ruleset=EPERM"] {
        check(missing, "landlock-files", "ask for the Landlock version");
    }
    // A version of nothing: the kernel has it, and not the rights.
    check("landlock_create_ruleset=0", "landlock-files", "ask for the Landlock version");
    check("landlock_add_rule", "landlock-files", "add a Landlock rule");
    check("landlock_restrict_self", "landlock-files", "apply the Landlock ruleset");
}

#[test]
fn without_filters_nothing_starts() {
    check("seccomp", "seccomp", "apply the system call filter");
    check("seccomp=EPERM", "seccomp", "apply the system call filter");
}

#[test]
fn without_a_way_to_drop_privileges_nothing_starts() {
    check("capset=EPERM", "capabilities", "drop the capabilities");
    check("bounding_set=EPERM", "capabilities", "drop the capabilities");
    check("no_new_privs", "no-new-privileges", "set no_new_privs");
}

#[test]
fn without_limits_or_closed_descriptors_nothing_starts() {
    check("prlimit64=EPERM", "limits", "set the limits");
    check("close_range", "close-range", "close inherited descriptors");
}

#[test]
fn without_a_loopback_interface_nothing_gets_a_proxy() {
    check("loopback=EPERM", "loopback", "raise the loopback interface");
}
