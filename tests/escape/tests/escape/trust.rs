//! What the host itself could be led to trust: programs, paths, helpers.

use crate::user::users;
use ringfence_capability::{Capability, Grant, GrantSet, Origin, PathScope, Profile};
use ringfence_sandbox::danger::{Protection, Without, executor_without};
use ringfence_sandbox::{
    Command, Exit, LinuxExecutor, PlanContext, ProcessLimits, Program, SandboxError,
    SandboxExecutor, SandboxPlan, Stdio, WriteMode,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn plan(workspace: &Path, working_directory: PathBuf) -> Result<SandboxPlan, SandboxError> {
    let scope = PathScope::workspace(".", "/").unwrap();
    let grant = Grant::new(Capability::FsWrite(scope), Origin::BuiltIn);
    let context = PlanContext {
        profile: Profile::WorkspaceWrite,
        workspace: workspace.to_owned(),
        working_directory,
        protected: Vec::new(),
        write: WriteMode::Direct,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    SandboxPlan::from_grants(&GrantSet::new(vec![grant]), &context)
}

fn start(
    executor: &LinuxExecutor,
    workspace: &Path,
    program: Program,
) -> Result<Exit, SandboxError> {
    let mut command = Command::new(program, vec!["program".into()]);
    command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
    let plan = plan(workspace, workspace.to_owned()).unwrap();
    executor.spawn(&plan, command)?.wait()
}

#[test]
fn a_program_that_was_swapped_does_not_start() {
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    let workspace = home.path().canonicalize().unwrap();
    let path = workspace.join("tool");
    let swapped = |executor: &LinuxExecutor| {
        fs::copy("/bin/true", &path).unwrap();
        let program = Program::open(&path).unwrap();
        fs::copy("/bin/false", workspace.join("other")).unwrap();
        fs::rename(workspace.join("other"), &path).unwrap();
        start(executor, &workspace, program)
    };
    let refused = swapped(&LinuxExecutor::new());
    assert!(matches!(refused, Err(SandboxError::ProgramChanged { .. })), "{refused:?}");
    // The pinned mount compares as well: only without a private root is the path all there is.
    let without = [Protection::Identity, Protection::Files, Protection::Landlock];
    let twin = swapped(&executor_without(Without::these(&without)));
    assert!(matches!(twin, Ok(Exit::Code(1))), "the attack proves nothing: {twin:?}");
}

#[test]
fn a_program_that_was_written_over_is_found_when_it_is_looked_at_again() {
    let home = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = home.path().join("tool");
    fs::copy("/bin/true", &path).unwrap();
    let program = Program::open(&path).unwrap();
    program.verify().unwrap();
    fs::write(&path, "#!/bin/sh\n").unwrap();
    assert!(matches!(program.verify(), Err(SandboxError::ProgramChanged { .. })));
}

#[test]
fn a_start_outside_of_the_grants_is_refused() {
    let workspace = Path::new("/srv/project");
    let check = |directory: &str, expected: fn(&SandboxError) -> bool| {
        let refused = plan(workspace, PathBuf::from(directory)).err();
        assert!(refused.as_ref().is_some_and(expected), "{directory}: {refused:?}");
    };
    check("/srv", |error| matches!(error, SandboxError::WorkingDirectory { .. }));
    check("/srv/project2", |error| matches!(error, SandboxError::WorkingDirectory { .. }));
    check("/home/someone", |error| matches!(error, SandboxError::WorkingDirectory { .. }));
    check("/srv/project/../other", |error| matches!(error, SandboxError::Path { .. }));
    check("src", |error| matches!(error, SandboxError::Path { .. }));
    // Where a program starts never adds to what it reaches.
    let inside = plan(workspace, workspace.join("src")).unwrap();
    let root = plan(workspace, workspace.to_owned()).unwrap();
    assert_eq!(inside.files(), root.files());
}

#[test]
fn no_helper_is_looked_for_on_the_path() {
    for user in users() {
        let (workspace, planted) = (user.make("ws"), user.make("planted"));
        user.make("stage/upper");
        user.make("stage/work");
        let mark = user.base().join("ran");
        let script = format!("#!/bin/sh\necho > {}\n", mark.display());
        for name in ["bwrap", "unshare", "newuidmap", "newgidmap", "mount", "fusermount3", "socat"]
        {
            for directory in [&workspace, &planted] {
                fs::write(directory.join(name), &script).unwrap();
                let open = fs::Permissions::from_mode(0o755);
                fs::set_permissions(directory.join(name), open).unwrap();
            }
        }
        let base = user.base();
        let mut program = user.program(&["attack", base.to_str().unwrap(), "write_outside"]);
        let path = format!("{}:.:/usr/bin:/bin", planted.display());
        let done = program.env("PATH", path).current_dir(&workspace).output().unwrap();
        assert!(done.status.success() && !done.stdout.is_empty(), "{}", user.name);
        assert!(!mark.exists(), "{}: a planted helper ran", user.name);
    }
}
