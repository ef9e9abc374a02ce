//! Attacks on the sandbox of macOS and of Windows, each with its twin: the same attack by a program
//! outside the sandbox must succeed, or the test would show nothing.
//!
//! These run on machines of those systems only; elsewhere they are type-checked.
#![cfg(any(target_os = "macos", windows))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[cfg(target_os = "macos")]
mod macos;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringfence_capability::{Capability, Grant, GrantSet, Origin, PathScope, Profile};
use ringfence_sandbox::{
    Command, Exit, PlanContext, ProcessLimits, Program, SandboxExecutor, SandboxPlan, Stdio,
    WriteMode,
};

/// How long an attack may take before the run counts as failed.
const DEADLINE: Duration = Duration::from_mins(1);

/// A workspace, a directory beside it, and a server on the loopback interface.
struct Scene {
    _dir: tempfile::TempDir,
    workspace: PathBuf,
    outside: PathBuf,
    port: u16,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = real(dir.path());
        let (workspace, outside) = (root.join("workspace"), root.join("outside"));
        for place in [&workspace, &outside] {
            fs::create_dir(place).unwrap();
            fs::write(place.join("file"), "text").unwrap();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // Ends with the process: each test has one of its own.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
        });
        Self { _dir: dir, workspace, outside, port }
    }

    /// Returns the script with the places of this scene.
    fn fill(&self, script: &str) -> String {
        script
            .replace("WORKSPACE", self.workspace.to_str().unwrap())
            .replace("OUTSIDE", self.outside.to_str().unwrap())
            .replace("PORT", &self.port.to_string())
    }

    fn plan(&self, profile: Profile) -> SandboxPlan {
        let scope = || PathScope::workspace(".", "/").unwrap();
        let mut wanted = vec![Capability::FsRead(scope())];
        // Protected names and writes exclude each other on Windows.
        let writes = profile >= Profile::WorkspaceWrite;
        if writes {
            wanted.push(Capability::FsWrite(scope()));
        }
        let protected = if writes && cfg!(windows) { Vec::new() } else { vec![".git".to_owned()] };
        let grants = wanted.into_iter().map(|wanted| Grant::new(wanted, Origin::BuiltIn));
        let context = PlanContext {
            profile,
            workspace: self.workspace.clone(),
            working_directory: self.workspace.clone(),
            protected,
            write: WriteMode::Direct,
            environment: Vec::new(),
            limits: ProcessLimits::default(),
        };
        SandboxPlan::from_grants(&GrantSet::new(grants.collect()), &context).unwrap()
    }
}

/// Runs a shell under the plan and returns how it ended.
fn inside(
    executor: &impl SandboxExecutor,
    plan: &SandboxPlan,
    shell: &[&str],
    script: &str,
    deadline: Duration,
) -> Exit {
    let program = Program::open(Path::new(shell[0])).unwrap();
    let words = shell.iter().copied().chain([script]).map(OsString::from);
    let mut command = Command::new(program, words.collect());
    command.stdio = [Stdio::Null, Stdio::Inherit, Stdio::Inherit];
    command.deadline = Some(deadline);
    executor.spawn(plan, command).unwrap().wait().unwrap()
}

/// Runs the same shell outside and tells whether it succeeded.
fn outside(shell: &[&str], script: &str, start: &Path) -> bool {
    let mut command = std::process::Command::new(shell[0]);
    command.args(&shell[1..]).arg(script).current_dir(start);
    command.stdin(std::process::Stdio::null()).status().unwrap().success()
}

/// Each attack must fail inside, in a scene of its own, and succeed outside.
fn check(executor: &impl SandboxExecutor, profile: Profile, shell: &[&str], attacks: &[&str]) {
    for attack in attacks {
        let scene = Scene::new();
        let script = scene.fill(attack);
        let exit = inside(executor, &scene.plan(profile), shell, &script, DEADLINE);
        assert!(matches!(exit, Exit::Code(1..)), "{profile:?}: `{attack}` ended with {exit:?}");
        assert!(outside(shell, &script, &scene.workspace), "the twin of `{attack}` fails");
    }
}

/// Each of these must work inside.
fn works(executor: &impl SandboxExecutor, profile: Profile, shell: &[&str], scripts: &[&str]) {
    for script in scripts {
        let scene = Scene::new();
        let exit = inside(executor, &scene.plan(profile), shell, &scene.fill(script), DEADLINE);
        assert_eq!(exit, Exit::Code(0), "{profile:?}: `{script}`");
    }
}

fn real(path: &Path) -> PathBuf {
    let real = fs::canonicalize(path).unwrap();
    let text = real.to_str().unwrap();
    PathBuf::from(text.strip_prefix(r"\\?\").unwrap_or(text))
}
