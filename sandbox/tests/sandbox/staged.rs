//! Staged writes land in the stage and nowhere else.

use crate::setup::Case;
use ringfence_capability::{Capability, PathScope, Profile};
use ringfence_sandbox::{Exit, SandboxError, SandboxExecutor, WriteMode};
use std::os::unix::fs::FileTypeExt;

fn staged() -> Case {
    let mut case = Case::of(Profile::WorkspaceWrite);
    case.write = WriteMode::Staged;
    std::fs::write(case.workspace().join("file"), "before").unwrap();
    case
}

#[test]
fn writes_go_into_the_stage_and_the_workspace_stays() {
    let case = staged();
    let line = "echo after > file && mkdir new && echo x > new/one && ln -s /etc/passwd link && \
                ln file hard && cat file new/one";
    assert_eq!(case.sh(line).succeeded(), "after\nx");
    assert_eq!(std::fs::read_to_string(case.workspace().join("file")).unwrap(), "before");
    assert_eq!(std::fs::read_dir(case.workspace()).unwrap().count(), 1);
    let upper = case.stage().unwrap().upper;
    assert_eq!(std::fs::read_to_string(upper.join("file")).unwrap(), "after\n");
    assert!(upper.join("new/one").exists() && upper.join("link").is_symlink());
}

#[test]
fn removing_leaves_a_mark_in_the_stage() {
    let case = staged();
    case.sh("rm file").succeeded();
    assert!(case.workspace().join("file").exists());
    let mark = std::fs::symlink_metadata(case.stage().unwrap().upper.join("file")).unwrap();
    assert!(mark.file_type().is_char_device());
}

#[test]
fn a_part_of_the_workspace_may_be_staged() {
    let mut case = staged();
    std::fs::create_dir_all(case.workspace().join("src/deep")).unwrap();
    case.grants = vec![
        Capability::FsRead(PathScope::workspace(".", "/").unwrap()),
        Capability::FsWrite(PathScope::workspace("src/deep", "/src").unwrap()),
    ];
    case.sh("echo x > src/deep/new").succeeded();
    assert_ne!(case.sh("echo x > src/new").exit, Exit::Code(0));
    assert!(!case.sh("ls -A /").output.contains("stage"));
    assert!(case.stage().unwrap().upper.join("src/deep/new").exists());
    assert!(!case.workspace().join("src/deep/new").exists());
}

#[test]
fn a_program_of_the_workspace_runs_from_the_stage() {
    let case = staged();
    let path = case.workspace().join("tool");
    std::fs::copy("/bin/echo", &path).unwrap();
    assert_eq!(case.run(path.to_str().unwrap(), &["tool", "hello"]).succeeded(), "hello");
    assert_eq!(case.sh("cp /bin/echo built && ./built hello").succeeded(), "hello");
}

#[test]
fn a_stage_that_is_missing_or_inside_the_workspace_is_refused() {
    let case = staged();
    let mut command = case.command("/bin/true", &["true"]);
    command.stage = None;
    let refused = case.executor().spawn(&case.plan(), command).err();
    assert!(matches!(refused, Some(SandboxError::Command { .. })), "{refused:?}");
    let mut command = case.command("/bin/true", &["true"]);
    if let Some(stage) = &mut command.stage {
        stage.upper = case.workspace().join("upper");
    }
    let refused = case.executor().spawn(&case.plan(), command).err();
    assert!(matches!(refused, Some(SandboxError::Command { .. })), "{refused:?}");
}
