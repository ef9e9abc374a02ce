//! Measures a direct start of `/bin/true` against one in the full sandbox, interleaved.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a tool")]

use ringfence_capability::{Capability, Grant, GrantSet, Origin, PathScope, Profile};
use ringfence_sandbox::{
    Command, LinuxExecutor, PlanContext, ProcessLimits, Program, SandboxExecutor, SandboxPlan,
    WriteMode,
};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(300);
    let directory = tempfile::tempdir().unwrap();
    let workspace = directory.path().canonicalize().unwrap();
    let scope = PathScope::workspace(".", "/").unwrap();
    let grants = GrantSet::new(vec![Grant::new(Capability::FsRead(scope), Origin::BuiltIn)]);
    let context = PlanContext {
        profile: Profile::Offline,
        workspace: workspace.clone(),
        working_directory: workspace,
        protected: vec![".git".to_owned()],
        write: WriteMode::Staged,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    let plan = SandboxPlan::from_grants(&grants, &context).unwrap();
    let executor = LinuxExecutor::new();
    let (mut direct, mut boxed, mut until_up) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begin = Instant::now();
        std::process::Command::new("/bin/true").status().unwrap();
        direct.push(begin.elapsed());
        let program = Program::open(Path::new("/bin/true")).unwrap();
        let begin = Instant::now();
        let mut run = executor.spawn(&plan, Command::new(program, vec!["true".into()])).unwrap();
        until_up.push(begin.elapsed());
        run.wait().unwrap();
        boxed.push(begin.elapsed());
    }
    show("plain", &mut direct);
    show("sandbox", &mut boxed);
    show("  until until_up", &mut until_up);
    let ratio =
        |at: fn(&[Duration]) -> Duration| at(&boxed).as_secs_f64() / at(&direct).as_secs_f64();
    println!("ratio p50 {:.2} p10 {:.2}", ratio(median), ratio(tenth));
}

fn show(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    println!(
        "{name:<16} p50 {:>9.3?} p10 {:>9.3?} least {:>9.3?}",
        median(times),
        tenth(times),
        times[0]
    );
}

fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

fn tenth(times: &[Duration]) -> Duration {
    times[times.len() / 10]
}
