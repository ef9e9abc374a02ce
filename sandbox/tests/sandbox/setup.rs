//! One way to run a program in a sandbox, for every test.

use ringfence_capability::{
    Capability, Grant, GrantSet, MethodClass, Origin, PathScope, Port, Profile,
};
use ringfence_sandbox::danger::{Protection, Without, executor_without};
use ringfence_sandbox::{
    Command, Exit, LinuxExecutor, MadeProtected, PlanContext, ProcessLimits, Program, Running,
    SandboxError, SandboxExecutor, SandboxPlan, StageDirs, Stdio, WriteMode,
};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A workspace, what is granted, and which protections are left out.
pub(crate) struct Case {
    pub(crate) home: TempDir,
    pub(crate) profile: Profile,
    pub(crate) write: WriteMode,
    pub(crate) grants: Vec<Capability>,
    pub(crate) without: Vec<Protection>,
    pub(crate) limits: ProcessLimits,
    pub(crate) deadline: Option<Duration>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) output: String,
}

impl Outcome {
    #[track_caller]
    pub(crate) fn succeeded(&self) -> &str {
        assert_eq!(self.exit, Exit::Code(0), "{}", self.output);
        self.output.trim_end()
    }
}

impl Case {
    /// Returns a workspace that may be read, under `Offline`.
    pub(crate) fn new() -> Self {
        Self::of(Profile::Offline)
    }

    /// Returns a workspace that may be read, and written where the profile writes.
    pub(crate) fn of(profile: Profile) -> Self {
        let home = tempfile::Builder::new().prefix("ringfence-test").tempdir_in(base()).unwrap();
        std::fs::create_dir(home.path().join("ws")).unwrap();
        let scope = PathScope::workspace(".", "/").unwrap();
        let grants = if profile >= Profile::WorkspaceWrite {
            vec![Capability::FsWrite(scope)]
        } else {
            vec![Capability::FsRead(scope)]
        };
        Self {
            home,
            profile,
            write: WriteMode::Direct,
            grants,
            without: Vec::new(),
            limits: ProcessLimits::default(),
            deadline: Some(Duration::from_mins(1)),
        }
    }

    pub(crate) fn without(mut self, protection: Protection) -> Self {
        self.without.push(protection);
        self
    }

    pub(crate) fn with_http(mut self) -> Self {
        self.grants.push(Capability::Http {
            host: "example.com".parse().unwrap(),
            port: Port::Default,
            methods: MethodClass::Read,
        });
        self
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.home.path().join("ws")
    }

    pub(crate) fn plan(&self) -> SandboxPlan {
        let grants = self.grants.iter().cloned().map(|one| Grant::new(one, Origin::BuiltIn));
        let context = PlanContext {
            profile: self.profile,
            workspace: self.workspace(),
            working_directory: self.workspace(),
            protected: vec![".git".to_owned(), ".envrc".to_owned()],
            write: self.write,
            environment: Vec::new(),
            limits: self.limits,
        };
        SandboxPlan::from_grants(&GrantSet::new(grants.collect()), &context).unwrap()
    }

    pub(crate) fn executor(&self) -> LinuxExecutor {
        executor_without(Without::these(&self.without))
    }

    /// Returns the stage, made when the plan needs one.
    pub(crate) fn stage(&self) -> Option<StageDirs> {
        self.plan().is_staged().then(|| {
            let make = |name: &str| {
                let path = self.home.path().join("stage").join(name);
                std::fs::create_dir_all(&path).unwrap();
                path
            };
            StageDirs { upper: make("upper"), work: make("work") }
        })
    }

    pub(crate) fn command(&self, path: &str, argv: &[&str]) -> Command {
        let program = Program::open(Path::new(path)).unwrap();
        let mut command = Command::new(program, argv.iter().map(Into::into).collect());
        command.stdio = [Stdio::Null, Stdio::Null, Stdio::Null];
        command.stage = self.stage();
        command.deadline = self.deadline;
        command
    }

    pub(crate) fn start(
        &self,
        path: &str,
        argv: &[&str],
    ) -> Result<Box<dyn Running>, SandboxError> {
        self.executor().spawn(&self.plan(), self.command(path, argv))
    }

    /// Runs a program to its end with its output and errors together.
    pub(crate) fn run(&self, path: &str, argv: &[&str]) -> Outcome {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(path, argv);
        command.stdio =
            [Stdio::Null, Stdio::Fd(writer.try_clone().unwrap().into()), Stdio::Fd(writer.into())];
        let mut run = self.executor().spawn(&self.plan(), command).unwrap();
        let mut output = Vec::new();
        reader.read_to_end(&mut output).unwrap();
        let exit = run.wait().unwrap();
        Outcome { exit, output: String::from_utf8_lossy(&output).into_owned() }
    }

    /// Runs a line of shell.
    pub(crate) fn sh(&self, line: &str) -> Outcome {
        self.run("/bin/sh", &["sh", "-c", line])
    }

    /// Runs a line of shell and returns what it made under protected names.
    pub(crate) fn made(&self, line: &str) -> MadeProtected {
        let mut run = self.start("/bin/sh", &["sh", "-c", line]).unwrap();
        assert_eq!(run.wait().unwrap(), Exit::Code(0), "{line}");
        run.made_protected().unwrap()
    }

    /// Runs a Python program; `None` where there is no Python.
    pub(crate) fn python(&self, text: &str) -> Option<Outcome> {
        let path = "/usr/bin/python3";
        Path::new(path).exists().then(|| self.run(path, &["python3", "-I", "-c", text]))
    }
}

/// Returns a directory outside `/tmp` that this user can write, as stages need one.
fn base() -> PathBuf {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let usable = tempfile::tempdir_in(&target).is_ok();
    if usable { target.canonicalize().unwrap() } else { PathBuf::from("/var/tmp") }
}

/// Checks that an attack fails in the sandbox and succeeds without the one protection.
#[track_caller]
pub(crate) fn held_by(
    make: impl Fn() -> Case,
    protection: Protection,
    attack: impl Fn(&Case) -> bool,
) {
    assert!(!attack(&make()), "the attack succeeded in the full sandbox");
    let twin = make().without(protection);
    assert!(attack(&twin), "the attack proves nothing: it fails without {protection:?} too");
}
