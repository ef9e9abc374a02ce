//! From a command and options to a plan: what is asked, what policy says, what the sandbox becomes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringfence_capability::{
    ArgvPattern, Capability, Grant, GrantSet, Kind, Name, Origin, OutsideScope, PathScope, Request,
};
use ringfence_policy::{
    Answers, Explanation, LayerKind, Policy, ProtectedNames, Remedy, Verdict, Vote,
};
use ringfence_sandbox::{PlanContext, Program, SandboxExecutor, SandboxPlan, WriteMode};

use super::toolchains::{Needed, Toolchains};
use super::{ExecError, ExecOptions, ExecPlan};
use crate::{Host, RunError, RunOptions, places, prepared};

/// The search path inside the sandbox, behind what a toolchain puts in front.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Host {
    /// Returns what running `program` with `argv` would need and reach: `program` is where it was
    /// found, an absolute path, and `argv` begins with the name it was called by. Nothing is
    /// recorded and nothing runs.
    ///
    /// # Errors
    /// When policy forbids it, something else it needs was not approved, the program cannot be
    /// opened, a granted place cannot be shown, or no sandbox plan can be made.
    pub fn plan_exec(
        &self,
        program: &Path,
        argv: Vec<OsString>,
        options: ExecOptions,
    ) -> Result<ExecPlan, RunError> {
        let mut layers = self.layers.clone();
        layers.extend(options.layers.iter().cloned());
        let policy = Policy::new(options.profile, layers);
        let exec = match &options.server {
            None => command(&policy, program, &argv)?,
            Some(server) => outside(&policy, program, &argv, &server.name)?,
        };
        let opened = Program::open(program).map_err(ExecError::from)?;
        let needed = needed(program, &options)?;
        let verdicts = match &options.grants {
            Some(grants) => super::plugin::given(grants),
            None => policy.grant(&requests(&options, &needed)?, &answers(&options, &needed)),
        };
        if let Some(refusal) = verdicts.refusal() {
            return Err(refusal.into());
        }
        for grant in verdicts.granted.iter() {
            self.places.check(&grant.capability)?;
        }
        let addresses =
            RunOptions { addresses: options.addresses.clone(), ..RunOptions::default() };
        let addresses = prepared::addresses(&addresses)?;
        let environment = environment(&options, &needed, &verdicts.granted);
        let sandbox = self.sandbox(&verdicts.granted, &environment, &options)?;
        let executor = options.executor.clone().map_or_else(system_executor, Ok)?;
        let notes = notes(program, &opened, &options, &needed, &sandbox);
        Ok(ExecPlan {
            program: opened,
            argv,
            sandbox,
            exec,
            verdicts,
            environment,
            addresses,
            notes,
            toolchains: needed.names,
            executor,
            options,
        })
    }

    /// Makes the sandbox plan from what was granted.
    fn sandbox(
        &self,
        granted: &GrantSet,
        environment: &[(String, OsString)],
        options: &ExecOptions,
    ) -> Result<SandboxPlan, RunError> {
        let workspace = self.places.workspace().to_owned();
        let working_directory = match &options.working_directory {
            Some(path) => places::real(path, "working directory")?,
            None => workspace.clone(),
        };
        let context = PlanContext {
            profile: options.profile,
            workspace,
            working_directory,
            protected: ProtectedNames::built_in().iter().map(|(name, _)| name.to_owned()).collect(),
            write: options.write,
            environment: environment.iter().map(|(name, _)| name.clone()).collect(),
            limits: options.limits,
        };
        let sandbox = SandboxPlan::from_grants(granted, &context).map_err(ExecError::from)?;
        if sandbox.is_staged() && !cfg!(target_os = "linux") {
            return Err(ExecError::NoStaging.into());
        }
        Ok(sandbox)
    }

    /// As [`Host::plan_exec`], and a refusal is recorded.
    ///
    /// # Errors
    /// As [`Host::plan_exec`], and when a refusal cannot be recorded.
    pub fn prepare_exec(
        &self,
        program: &Path,
        argv: Vec<OsString>,
        options: ExecOptions,
    ) -> Result<ExecPlan, RunError> {
        let about = super::record::About::of(&options);
        let planned = self.plan_exec(program, argv, options);
        if let Err(error) = &planned {
            about.not_started(&*self.log, program, error)?;
        }
        planned
    }
}

/// Returns what policy says about the command, unless it is no.
fn command(policy: &Policy, program: &Path, argv: &[OsString]) -> Result<Explanation, RunError> {
    let wanted = asked(Capability::Exec(pattern(program, argv)?), "the command itself");
    let mut exec = policy.explain(&wanted, &Answers::default());
    // The person is asked anyway: no flag has to say so.
    exec.remedy.retain(|step| !matches!(step, Remedy::Approve { .. }));
    match exec.refusal() {
        Some(refusal) if exec.verdict == Verdict::Forbid => Err(refusal.into()),
        _ => Ok(exec),
    }
}

/// Returns what policy says about an outside server, unless it is no. What a layer besides the profile
/// forbids to run is forbidden to be a server too.
fn outside(
    policy: &Policy,
    program: &Path,
    argv: &[OsString],
    name: &Name,
) -> Result<Explanation, RunError> {
    let wanted = asked(Capability::Exec(pattern(program, argv)?), "the server's own command");
    let exec = policy.explain(&wanted, &Answers::default());
    let forbids =
        |vote: &Vote| vote.kind != LayerKind::Profile && vote.verdict == Some(Verdict::Forbid);
    if exec.votes.iter().any(forbids)
        && let Some(refusal) = exec.refusal()
    {
        return Err(refusal.into());
    }
    let wanted = asked(Capability::Mcp(OutsideScope::itself(name.clone())), "the server itself");
    let mut explained = policy.explain(&wanted, &Answers::default());
    explained.remedy.retain(|step| !matches!(step, Remedy::Approve { .. }));
    explained.warning = exec.warning;
    match explained.refusal() {
        Some(refusal) if explained.verdict == Verdict::Forbid => Err(refusal.into()),
        _ => Ok(explained),
    }
}

/// Returns the pattern that is decided about. The program goes by the name it was called by only
/// when that is the name of the file found.
fn pattern(program: &Path, argv: &[OsString]) -> Result<ArgvPattern, ExecError> {
    let name = argv.first().filter(|name| program.file_name() == Some(name));
    let word = name.map_or(program.as_os_str(), OsString::as_os_str);
    let words = std::iter::once(word).chain(argv.iter().skip(1).map(OsString::as_os_str));
    ArgvPattern::exactly(words.map(OsStr::as_encoded_bytes))
        .map_err(|source| ExecError::Command { source })
}

fn asked(capability: Capability, reason: &str) -> Request {
    Request::required(capability, reason, Origin::Flag("ringfence exec".to_owned()))
}

/// Returns everything that is asked for beside the command.
fn requests(options: &ExecOptions, needed: &Needed) -> Result<Vec<Request>, ExecError> {
    let whole = || PathScope::workspace(".", "/").map_err(|source| ExecError::Command { source });
    let read = asked(Capability::FsRead(whole()?), "the project it works on");
    let write = asked(Capability::FsWrite(whole()?), "the project it works on").optional();
    let all = [read, write].into_iter().chain(options.requests.iter().cloned());
    Ok(all.chain(needed.requests.iter().cloned()).collect())
}

/// Returns what was approved, and what the prompt about the command asks in the same breath.
fn answers(options: &ExecOptions, needed: &Needed) -> Answers {
    let by_prompt = needed
        .requests
        .iter()
        .map(|request| Grant::new(request.capability.clone(), request.origin.clone()));
    Answers::new(options.approved.iter().cloned().chain(by_prompt).collect())
}

fn needed(program: &Path, options: &ExecOptions) -> Result<Needed, ExecError> {
    let Some(home) = &options.home else { return Ok(Needed::default()) };
    let named = &options.toolchains;
    // A home directory reached through a link is granted by its real path.
    let real = places::real(home, "home directory").unwrap_or_else(|_| home.clone());
    let below = program.strip_prefix(home).map(|rest| real.join(rest));
    let below = below.unwrap_or_else(|_| program.to_owned());
    if named.is_empty() && !below.starts_with(&real) {
        return Ok(Needed::default());
    }
    Toolchains::built_in().needed(&below, named, &real)
}

/// Returns the variables the program gets: what the operator says wins over what a toolchain needs.
fn environment(
    options: &ExecOptions,
    needed: &Needed,
    granted: &GrantSet,
) -> Vec<(String, OsString)> {
    let baseline = ringfence_sandbox::Baseline::native().environment;
    let network = granted
        .iter()
        .any(|grant| matches!(grant.capability.kind(), Kind::HttpRead | Kind::HttpWrite));
    let offline = needed.offline.iter().filter(|_| !network);
    let mut all: std::collections::BTreeMap<String, OsString> = needed
        .environment
        .iter()
        .chain(offline)
        .map(|(name, value)| (name.clone(), value.into()))
        .collect();
    if !needed.path.is_empty() {
        all.insert("PATH".to_owned(), format!("{}:{SYSTEM_PATH}", needed.path.join(":")).into());
    }
    all.extend(options.environment.clone());
    let given = |name: &str| {
        let granted = |name: Name| granted.allows(&Capability::Env(name));
        baseline.contains(&name) || name.parse().is_ok_and(granted)
    };
    all.into_iter().filter(|(name, _)| given(name)).collect()
}

/// Returns what a person should know before saying yes.
fn notes(
    program: &Path,
    opened: &Program,
    options: &ExecOptions,
    needed: &Needed,
    plan: &SandboxPlan,
) -> Vec<String> {
    let mut notes = Vec::new();
    let missing: Vec<String> = needed
        .requests
        .iter()
        .filter_map(|request| match &request.capability {
            Capability::FsRead(scope) if plan.access(Path::new(scope.path())).is_none() => {
                Some(scope.path().to_owned())
            }
            _ => None,
        })
        .collect();
    if !missing.is_empty() {
        notes.push(format!(
            "policy does not show it its toolchain ({}); if it fails, run with `-p read-only` or more",
            missing.join(", ")
        ));
    }
    let real = opened.path();
    let home = options
        .home
        .as_deref()
        .is_some_and(|home| program.starts_with(home) || real.starts_with(home));
    if home && plan.access(real).is_none() && missing.is_empty() {
        let beside: PathBuf = real.parent().unwrap_or(real).to_owned();
        notes.push(format!(
            "of your home directory only the program file itself is there; if it needs what lies \
             beside it, add `--dir {}:ro`",
            beside.display()
        ));
    }
    if options.write == WriteMode::Direct {
        notes
            .push("writes go straight into the workspace, nothing shows or undoes them".to_owned());
    }
    notes
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "another system has no sandbox")]
fn system_executor() -> Result<Arc<dyn SandboxExecutor>, RunError> {
    Ok(Arc::new(ringfence_sandbox::LinuxExecutor::new()))
}

#[cfg(target_os = "macos")]
#[expect(clippy::unnecessary_wraps, reason = "another system has no sandbox")]
fn system_executor() -> Result<Arc<dyn SandboxExecutor>, RunError> {
    Ok(Arc::new(ringfence_sandbox::MacosExecutor))
}

#[cfg(windows)]
#[expect(clippy::unnecessary_wraps, reason = "another system has no sandbox")]
fn system_executor() -> Result<Arc<dyn SandboxExecutor>, RunError> {
    Ok(Arc::new(ringfence_sandbox::WindowsExecutor))
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn system_executor() -> Result<Arc<dyn SandboxExecutor>, RunError> {
    Err(RunError::NotOffered { capability: "exec".to_owned(), why: "this system has no sandbox" })
}
