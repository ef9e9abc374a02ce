//! What a program sees and changes of the host's files.

use crate::setup::{Case, held_by};
use ringfence_capability::{Capability, PathScope, Profile};
use ringfence_sandbox::SandboxExecutor;
use ringfence_sandbox::danger::Protection;
use ringfence_sandbox::{Exit, SandboxError, Status};
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn the_home_directories_and_secrets_of_the_system_do_not_exist() {
    let case = Case::new();
    let output = case.sh("ls -A / /etc /home /root 2>/dev/null");
    let seen: Vec<&str> = output.output.lines().collect();
    // The directories that lead to the workspace are there, and nothing else in them.
    let workspace = case.home.path();
    let leads_there = |name: &str| workspace.components().any(|part| part.as_os_str() == name);
    let closed = ["opt", "root", "srv", "sys", "run", "boot", "mnt", "shadow", "ssh", "hostname"];
    for name in closed.into_iter().filter(|name| !leads_there(name)) {
        assert!(!seen.contains(&name), "{name} is visible: {seen:?}");
    }
    for name in [".ssh", ".bashrc", ".profile", ".config"] {
        assert!(!seen.contains(&name), "{name} is visible: {seen:?}");
    }
    for name in ["usr", "proc", "dev", "tmp", "passwd"] {
        assert!(seen.contains(&name), "{name} is missing: {seen:?}");
    }
}

#[test]
fn a_file_outside_the_workspace_is_not_read() {
    let make = Case::new;
    held_by(make, Protection::Files, |case| {
        let secret = case.home.path().join("secret");
        std::fs::write(&secret, "treasure").unwrap();
        // Landlock would hold as well: two walls, so the twin leaves this one out, too.
        let case_sh = |line: &str| {
            let mut twin = Case { without: case.without.clone(), ..Case::new() };
            if !case.without.is_empty() {
                twin.without.push(Protection::Landlock);
            }
            twin.sh(line)
        };
        case_sh(&format!("cat {}", secret.display())).output.contains("treasure")
    });
}

#[test]
fn the_workspace_is_read_only_unless_the_profile_writes() {
    for profile in Profile::ALL {
        let case = Case::of(profile);
        std::fs::write(case.workspace().join("file"), "before").unwrap();
        let outcome = case.sh("cat file && echo after > file");
        let writes = profile >= Profile::WorkspaceWrite;
        assert_eq!(outcome.exit == Exit::Code(0), writes, "{profile}: {outcome:?}");
        let content = std::fs::read_to_string(case.workspace().join("file")).unwrap();
        assert_eq!(content, if writes { "after\n" } else { "before" }, "{profile}");
    }
}

#[test]
fn the_system_cannot_be_changed() {
    let case = Case::of(Profile::Trusted);
    for line in [
        "echo x > /usr/bin/ringfence-test",
        "chmod 777 /usr/bin/true",
        "touch -d 2001-01-01 /usr/bin/true",
        "echo x > /etc/passwd",
        "echo x > /ringfence-test",
        "mkdir /dev/ringfence-test",
        "rm /bin",
        "chmod 777 /dev/null",
        "mknod /tmp/device b 8 0",
    ] {
        assert_ne!(case.sh(line).exit, Exit::Code(0), "{line}");
    }
}

#[test]
fn a_planted_link_leads_nowhere() {
    let case = Case::of(Profile::WorkspaceWrite);
    std::fs::write(case.home.path().join("outside"), "before").unwrap();
    symlink(case.home.path().join("outside"), case.workspace().join("link")).unwrap();
    // Where the link leads, the sandbox has at most its own scratch space.
    case.sh("echo after > link");
    let content = std::fs::read_to_string(case.home.path().join("outside")).unwrap();
    assert_eq!(content, "before");
}

#[test]
fn a_grant_through_a_planted_link_is_refused() {
    let mut case = Case::of(Profile::WorkspaceWrite);
    std::fs::create_dir(case.home.path().join("outside")).unwrap();
    symlink(case.home.path().join("outside"), case.workspace().join("out")).unwrap();
    case.grants = vec![
        Capability::FsRead(PathScope::workspace(".", "/").unwrap()),
        Capability::FsWrite(PathScope::workspace("out/deeper", "/out").unwrap()),
    ];
    std::fs::create_dir(case.home.path().join("outside/deeper")).unwrap();
    let refused = case.start("/bin/true", &["true"]).err();
    assert!(matches!(refused, Some(SandboxError::Unreachable { .. })), "{refused:?}");
}

#[test]
fn a_part_of_the_workspace_is_written_and_the_rest_is_not() {
    let mut case = Case::of(Profile::WorkspaceWrite);
    std::fs::create_dir(case.workspace().join("out")).unwrap();
    case.grants = vec![
        Capability::FsRead(PathScope::workspace(".", "/").unwrap()),
        Capability::FsWrite(PathScope::workspace("out", "/out").unwrap()),
    ];
    case.sh("echo x > out/file").succeeded();
    assert_ne!(case.sh("echo x > file").exit, Exit::Code(0));
    assert!(case.workspace().join("out/file").exists());
}

#[test]
fn existing_protected_names_are_read_only_under_direct_writes() {
    let make = || {
        let case = Case::of(Profile::WorkspaceWrite);
        for directory in [".git/hooks", "nested/.git/hooks", "upper/.GIT"] {
            std::fs::create_dir_all(case.workspace().join(directory)).unwrap();
        }
        std::fs::write(case.workspace().join(".git/config"), "before").unwrap();
        case
    };
    for line in [
        "echo x > .git/config",
        "echo x > .git/hooks/pre-commit",
        "echo x > nested/.git/hooks/pre-commit",
        "echo x > upper/.GIT/config",
        "mv .git moved",
        "rm -rf .git",
        "chmod 700 .git/config",
    ] {
        held_by(make, Protection::ProtectedNames, |case| case.sh(line).exit == Exit::Code(0));
    }
    make().sh("echo x > ordinary && mkdir nested/other").succeeded();
}

#[test]
fn a_directory_above_a_protected_name_stays_where_it_is() {
    let make = || {
        let case = Case::of(Profile::WorkspaceWrite);
        std::fs::create_dir_all(case.workspace().join("a/b/.git/hooks")).unwrap();
        std::fs::create_dir_all(case.workspace().join("beside")).unwrap();
        case
    };
    for line in ["mv a moved", "mv a/b a/moved", "mv a/b beside/b", "rm -rf a/b"] {
        held_by(make, Protection::ProtectedNames, |case| {
            case.sh(line);
            !case.workspace().join("a/b/.git/hooks").is_dir()
        });
    }
    make().sh("echo x > a/file && mv a/file a/b/file && mv beside moved").succeeded();
}

#[test]
fn what_holds_a_directory_in_place_does_not_open_what_is_closed_below_it() {
    let mut case = Case::of(Profile::WorkspaceWrite);
    case.grants = vec![
        Capability::FsRead(PathScope::workspace(".", "/").unwrap()),
        Capability::FsWrite(PathScope::workspace("out", "/out").unwrap()),
    ];
    for directory in ["out/deep/.git", "closed/deep/.git"] {
        std::fs::create_dir_all(case.workspace().join(directory)).unwrap();
    }
    for line in ["echo x > closed/file", "echo x > closed/deep/file", "echo x > out/deep/.git/f"] {
        assert_ne!(case.sh(line).exit, Exit::Code(0), "{line}");
    }
    case.sh("echo x > out/deep/file").succeeded();
}

#[test]
fn protected_names_that_direct_writes_make_are_found() {
    let case = Case::of(Profile::WorkspaceWrite);
    std::fs::create_dir_all(case.workspace().join("kept/.git")).unwrap();
    std::fs::write(case.workspace().join("kept/.envrc"), "before").unwrap();
    let line = "mkdir -p new/.git sub && echo x > .envrc && ln -s /etc sub/.GIT. && echo x > plain";
    let made = case.made(line);
    let names = [".envrc", "new/.git", "sub/.GIT."].map(|name| case.workspace().join(name));
    assert_eq!(made.names, names);
    assert!(made.unseen.is_empty(), "{made:?}");
    // Without the protection nobody looks.
    let twin = Case::of(Profile::WorkspaceWrite).without(Protection::ProtectedNames);
    assert!(twin.made(line).names.is_empty());
}

#[test]
fn a_directory_that_cannot_be_looked_into_is_told() {
    let case = Case::of(Profile::WorkspaceWrite);
    // Deeper than a path can say, which closes it for root, too. Two halves, because the shell
    // knows its directory by its whole path.
    let line = "ws=$PWD; n=$(printf '%0200d' 0); \
                down() { for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir $n && cd $n || exit; done; }; \
                mkdir a b && cd b && down && mkdir .git && cd $ws/a && down && \
                mv $(printf '../%.0s' 1 2 3 4 5 6 7 8 9 10 11 12 13)b .";
    let made = case.made(line);
    assert!(made.names.is_empty() && made.unseen.len() == 1, "{made:?}");
}

#[test]
fn what_direct_writes_do_not_hold_is_said() {
    let case = Case::of(Profile::WorkspaceWrite);
    let rules = case.executor().enforcement(&case.plan());
    let partial = rules.iter().filter(|rule| rule.rule.contains(".git")).collect::<Vec<_>>();
    assert!(matches!(partial[..], [rule] if matches!(rule.status, Status::Partial(_))));
    case.sh("mkdir -p fresh/.git/hooks").succeeded();
}

#[test]
fn a_protected_name_that_is_a_link_stops_a_direct_run() {
    let case = Case::of(Profile::WorkspaceWrite);
    symlink("elsewhere", case.workspace().join(".envrc")).unwrap();
    let refused = case.start("/bin/true", &["true"]).err();
    assert!(matches!(refused, Some(SandboxError::Path { .. })), "{refused:?}");
}

#[test]
fn no_set_id_file_can_be_left_behind() {
    let make = || Case::of(Profile::WorkspaceWrite);
    for line in ["cp /bin/true t && chmod u+s t", "cp /bin/true t && chmod 2755 t"] {
        held_by(make, Protection::Seccomp, |case| {
            use std::os::unix::fs::MetadataExt;
            case.sh(line);
            let file = std::fs::metadata(case.workspace().join("t"));
            file.is_ok_and(|file| file.mode() & 0o6000 != 0)
        });
    }
}

#[test]
fn two_sandboxes_share_no_scratch_space() {
    let first = Case::new();
    first.sh("echo x > /tmp/mark && echo x > /dev/shm/mark").succeeded();
    let outcome = Case::new().sh("ls -A /tmp /dev/shm");
    assert!(!outcome.output.contains("mark"), "{}", outcome.output);
}

#[test]
fn scratch_space_is_bounded_and_not_executable_offline() {
    let mut case = Case::new();
    case.limits.scratch_bytes = 1 << 20;
    assert_ne!(case.sh("head -c 2097152 /dev/zero > /tmp/big").exit, Exit::Code(0));
    for directory in ["/tmp", "/dev/shm"] {
        let line = format!("cp /bin/true {directory}/t && {directory}/t");
        assert_eq!(case.sh(&line).exit, Exit::Code(126), "{directory}");
        let loader = "/lib64/ld-linux-x86-64.so.2";
        if Path::new(loader).exists() {
            let line = format!("cp /bin/true {directory}/t && {loader} {directory}/t");
            assert_ne!(case.sh(&line).exit, Exit::Code(0), "{directory}");
        }
    }
    let developing = Case::of(Profile::WorkspaceWrite);
    developing.sh("cp /bin/true /tmp/t && /tmp/t").succeeded();
}

#[test]
fn the_limits_hold() {
    let mut case = Case::of(Profile::WorkspaceWrite);
    case.limits.file_size_bytes = 1 << 20;
    case.limits.open_files = 16;
    let outcome = case.sh("ulimit -f -n -c; head -c 2097152 /dev/zero > big; ls -l big");
    assert!(outcome.output.contains("1048576"), "{}", outcome.output);
    assert_eq!(case.sh("ulimit -n").succeeded(), "16");
    assert_eq!(case.sh("ulimit -c").succeeded(), "0");
}

#[test]
fn links_of_proc_lead_to_the_sandbox() {
    let case = Case::new();
    let outcome =
        case.sh("ls /proc/self/root/; ls /proc/1/root/ /proc/1/cwd/ /proc/sys /proc/kcore");
    assert!(
        !outcome.output.lines().any(|line| line == "boot" || line == "srv"),
        "{}",
        outcome.output
    );
    // The shell itself; the first process does not show itself.
    assert_eq!(case.sh("set -- /proc/[0-9]*; echo $#").succeeded(), "1");
}
