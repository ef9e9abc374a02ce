//! Starting a program through `sandbox-exec`, waiting for it, and killing what it started.
//!
//! Not verified on this system: type-checked only, see [`super`].

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Child};

use rustix::process::{Resource, Rlimit};

use super::enforcement::enforcement;
use super::profile::{Contents, Outbound, SeatbeltProfile, seatbelt_profile};
use super::running::MacosRunning;
use crate::executor::{Command, Enforcement, Running, SandboxExecutor, Stdio};
use crate::plan::{Network, ProcessLimits, SandboxPlan};
use crate::{Program, SandboxError};

/// The system's own program, on its sealed volume; never looked up on a path.
const SANDBOX_EXEC: &str = "/usr/bin/sandbox-exec";

/// Descriptors above the highest known one that are closed to the program as well: another thread
/// may open some between the look and the fork.
const DESCRIPTOR_MARGIN: RawFd = 256;

/// Variables that name the host's proxy, in every spelling programs look for.
const PROXY_VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Starts programs under a Seatbelt profile.
#[derive(Debug, Default, Clone, Copy)]
pub struct MacosExecutor;

impl SandboxExecutor for MacosExecutor {
    fn enforcement(&self, plan: &SandboxPlan) -> Vec<Enforcement> {
        enforcement(plan)
    }

    fn spawn(
        &self,
        plan: &SandboxPlan,
        command: Command,
    ) -> Result<Box<dyn Running>, SandboxError> {
        check_paths(plan)?;
        check_environment(plan, &command.environment)?;
        let (listener, outbound) = match plan.network() {
            Network::Absent => (None, Outbound::Nothing),
            Network::Proxy => {
                let (listener, port) = listen().map_err(setup("proxy listener"))?;
                (Some(listener), Outbound::Loopback(port))
            }
        };
        let profile = seatbelt_profile(&Contents {
            system: plan.baseline().paths,
            files: plan.files(),
            protected: plan.protected(),
            profile: plan.profile(),
            programs: &programs(&command.program)?,
            outbound,
        })?;
        let deadline = command.deadline;
        let child = start(plan, command, &profile, outbound)?;
        Ok(Box::new(MacosRunning::new(child, deadline, listener)?))
    }
}

fn start(
    plan: &SandboxPlan,
    command: Command,
    profile: &SeatbeltProfile,
    outbound: Outbound,
) -> Result<Child, SandboxError> {
    let mut starter = process::Command::new(SANDBOX_EXEC);
    starter.arg("-p").arg(&profile.text);
    for (name, path) in &profile.parameters {
        let mut value = OsString::from(format!("{name}="));
        value.push(path);
        starter.arg("-D").arg(value);
    }
    starter.arg("--").args(words(&command)?);
    starter.env_clear().envs(command.environment).current_dir(plan.working_directory());
    if let Outbound::Loopback(port) = outbound {
        starter.envs(PROXY_VARIABLES.map(|name| (name, format!("http://127.0.0.1:{port}"))));
    }
    let [input, output, error] = command.stdio;
    starter.stdin(leads(input)).stdout(leads(output)).stderr(leads(error));
    let limits = *plan.limits();
    let highest = highest_descriptor().map_err(setup("list of descriptors"))?;
    // SAFETY: the closure runs between fork and exec. It makes system calls only: it takes no lock,
    // allocates nothing and touches no memory but its own two copied values.
    unsafe {
        starter.pre_exec(move || prepare(&limits, highest));
    }
    // Last before the start, so that little time is left to replace the file at the path.
    command.program.verify()?;
    check_unmoved(&command.program)?;
    starter.spawn().map_err(setup("start of sandbox-exec"))
}

/// Returns the program's path and its arguments without the first, which is the path on macOS; a
/// script follows its interpreter.
fn words(command: &Command) -> Result<Vec<OsString>, SandboxError> {
    let arguments = command.argv.get(1..).ok_or(refused("there is no argument list"))?;
    let mut words = Vec::with_capacity(arguments.len() + 3);
    words.push(command.program.executed().path.clone().into_os_string());
    if let Some((script, interpreter)) = command.program.script() {
        words.extend(interpreter.argument.clone());
        words.push(script.path.clone().into_os_string());
    }
    words.extend_from_slice(arguments);
    Ok(words)
}

/// Runs in the child: a session of its own, limits, and no descriptor beyond the standard ones.
fn prepare(limits: &ProcessLimits, highest: RawFd) -> io::Result<()> {
    rustix::process::setsid()?;
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_seconds),
        (Resource::Fsize, limits.file_size_bytes),
        (Resource::Nproc, limits.processes),
        (Resource::Nofile, limits.open_files),
    ] {
        let allowed = rustix::process::getrlimit(resource).maximum;
        let most = Some(allowed.map_or(most, |allowed| most.min(allowed)));
        rustix::process::setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    for descriptor in 3..=highest {
        // SAFETY: the number is only handed to the kernel, which knows whether it is open; nothing
        // in the child uses the descriptor afterwards but the kernel's own exec.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        match rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC) {
            Ok(()) | Err(rustix::io::Errno::BADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Returns the highest open descriptor of this process and a margin.
fn highest_descriptor() -> io::Result<RawFd> {
    let mut highest = 2;
    for entry in std::fs::read_dir("/dev/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
        highest = highest.max(number.unwrap_or(2));
    }
    Ok(highest.saturating_add(DESCRIPTOR_MARGIN))
}

fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Refuses a path that leads elsewhere than it says: Seatbelt compares the path behind all links.
fn check_paths(plan: &SandboxPlan) -> Result<(), SandboxError> {
    let files = plan.files().iter().map(|rule| rule.path.as_path());
    for path in files.chain([plan.working_directory()]) {
        let real = std::fs::canonicalize(path)
            .map_err(|source| SandboxError::Unreachable { path: path.to_path_buf(), source })?;
        if real != path {
            let why = "it leads through a symbolic link or is spelled in another case";
            return Err(SandboxError::Path { path: path.to_path_buf(), why });
        }
    }
    Ok(())
}

/// Refuses variables beyond the plan, and those with which the loader puts other code into a
/// program than what was approved.
fn check_environment(
    plan: &SandboxPlan,
    variables: &[(OsString, OsString)],
) -> Result<(), SandboxError> {
    for (name, _) in variables {
        let text = name.to_string_lossy();
        let loader = ["DYLD_", "__XPC_DYLD_", "LD_"].iter().any(|start| text.starts_with(start));
        if loader {
            return Err(refused("a variable of the loader would change the approved program"));
        }
        if !plan.environment().iter().any(|known| OsStr::new(known) == name) {
            return Err(SandboxError::Environment { name: text.into_owned() });
        }
    }
    Ok(())
}

/// Checks that the paths still lead to the files that were opened and hashed.
fn check_unmoved(program: &Program) -> Result<(), SandboxError> {
    let script = program.script().map(|(script, _)| script);
    for image in script.into_iter().chain([program.executed()]) {
        let fail = |source| SandboxError::Program { path: image.path.clone(), source };
        let there = std::fs::symlink_metadata(&image.path).map_err(fail)?;
        let opened = image.file.metadata().map_err(fail)?;
        if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
            return Err(SandboxError::ProgramChanged { path: image.path.clone() });
        }
    }
    Ok(())
}

fn programs(program: &Program) -> Result<Vec<&str>, SandboxError> {
    let script = program.script().map(|(script, _)| script.path.as_path());
    let paths = script.into_iter().chain([program.executed().path.as_path()]);
    let mut all = Vec::new();
    for path in paths {
        let why = "it is not UTF-8";
        let refused = || SandboxError::Path { path: path.to_path_buf(), why };
        all.push(path.to_str().ok_or_else(refused)?);
    }
    Ok(all)
}

fn leads(stdio: Stdio) -> process::Stdio {
    match stdio {
        Stdio::Inherit => process::Stdio::inherit(),
        Stdio::Null => process::Stdio::null(),
        Stdio::Fd(descriptor) => File::from(descriptor).into(),
    }
}

fn refused(why: &'static str) -> SandboxError {
    SandboxError::Command { why }
}

fn setup(step: &'static str) -> impl FnOnce(io::Error) -> SandboxError {
    move |source| SandboxError::Setup { step, source }
}
