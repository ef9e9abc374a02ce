//! From a plan and a command to everything the child needs. Runs in the host, before `clone`.

use super::danger::{Protection, Without};
use super::filter::{self, Surface};
use super::layout::{Layout, Shape, text};
use super::prepared::{Carried, Executable, From, Mount, Ruleset, Script, Stage, Strings};
use super::protected::Protected;
use super::sys::{self, ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY};
use super::terminal::Terminal;
use super::{PROXY_PORT, environment, rights};
use crate::program::Image;
use crate::{
    Access, Command, FileRule, Network, Program, SandboxError, SandboxPlan, StageDirs, Stdio,
};
use ringfence_capability::Profile;
use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

const WRITABLE: u64 = ATTR_NOSUID | ATTR_NODEV;
const READ_ONLY: u64 = ATTR_RDONLY | WRITABLE;

/// What is made ready for one start.
pub(super) struct Ready {
    pub(super) script: Script,
    pub(super) carried: Carried,
    /// The host paths of the mounts, for errors.
    pub(super) sources: Vec<PathBuf>,
    /// Descriptors the first process gets; the host closes them then.
    pub(super) held: Vec<OwnedFd>,
    pub(super) protected: Protected,
}

/// Makes everything ready.
pub(super) fn prepare(
    plan: &SandboxPlan,
    command: Command,
    without: Without,
    terminal: Option<&Terminal>,
) -> Result<Ready, SandboxError> {
    check(plan, &command)?;
    let Command { program, argv, environment, stdio, stage, deadline } = command;
    let protected = if without.has(Protection::ProtectedNames) {
        Protected::default()
    } else {
        Protected::look(plan)?
    };
    let layout = lay(plan, &program, terminal, &protected)?;
    let (stdio, held) = connect(stdio)?;
    let carried = Carried { stdio, terminal: terminal.map(Terminal::descriptor) };
    let script = Script {
        most_pids: most_pids(plan),
        listener_port: (plan.network() == Network::Proxy).then_some(PROXY_PORT),
        mounts: layout.mounts,
        stage: stage.map(|dirs| lay_stage(plan, &dirs)).transpose()?,
        layout: layout.pieces,
        ruleset: Ruleset {
            network: rights::network(plan),
            connect_port: (plan.network() == Network::Proxy).then_some(PROXY_PORT),
        },
        working_directory: text(plan.working_directory().as_os_str())?,
        program: executable(&program, argv, environment::made(plan, environment, without)?)?,
        limits: limits(plan),
        deadline,
        filter: filter::compile(Surface::of(plan)),
        without,
    };
    Ok(Ready { script, carried, sources: layout.sources, held, protected })
}

fn check(plan: &SandboxPlan, command: &Command) -> Result<(), SandboxError> {
    let refuse = |why| Err(SandboxError::Command { why });
    if command.argv.is_empty() {
        return refuse("it has no arguments, not even its own name");
    }
    match (&command.stage, plan.is_staged()) {
        (None, true) => refuse("its plan stages writes and there is no stage"),
        (Some(_), false) => refuse("it has a stage and its plan stages nothing"),
        (Some(StageDirs { upper, work }), true) => {
            let inside = |path: &PathBuf| !path.is_absolute() || path.starts_with(plan.workspace());
            if inside(upper) || inside(work) {
                return refuse("its stage lies inside the workspace");
            }
            Ok(())
        }
        (None, false) => Ok(()),
    }
}

fn lay(
    plan: &SandboxPlan,
    program: &Program,
    terminal: Option<&Terminal>,
    protected: &Protected,
) -> Result<Layout, SandboxError> {
    let mut layout = Layout::on(&plan.baseline());
    let size = plan.limits().scratch_bytes;
    let (attributes, extra) = if plan.profile() >= Profile::WorkspaceWrite {
        (WRITABLE, rights::READ)
    } else {
        (WRITABLE | ATTR_NOEXEC, 0)
    };
    layout.scratch(Path::new("/tmp"), size, attributes, rights::SCRATCH | extra)?;
    layout.scratch(Path::new("/dev/shm"), size, WRITABLE | ATTR_NOEXEC, rights::SCRATCH)?;
    for device in terminal.map(Terminal::devices).unwrap_or_default() {
        layout.bind_file(&device, ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC, rights::DEVICE, None)?;
    }
    lay_files(&mut layout, plan, protected)?;
    pin(&mut layout, plan, program)?;
    Ok(layout)
}

/// Shows what was granted. Whatever lies above comes first: it would hide what is mounted below.
fn lay_files(
    layout: &mut Layout,
    plan: &SandboxPlan,
    protected: &Protected,
) -> Result<(), SandboxError> {
    let written = |path: &&Path| plan.access(path) == Some(Access::Write);
    let held = protected.above().into_iter().filter(written).map(|path| (path, None));
    let mut files: BTreeMap<&Path, Option<&FileRule>> = held.collect();
    files.extend(plan.files().iter().map(|rule| (rule.path.as_path(), Some(rule))));
    for (path, rule) in files {
        match rule {
            Some(rule) => lay_rule(layout, plan, rule)?,
            None => layout.bind_directory(path, WRITABLE, rights::of(Access::Write))?,
        }
    }
    for path in protected.paths() {
        layout.bind(path, shape(path)?, READ_ONLY, rights::READ, None)?;
    }
    Ok(())
}

fn lay_rule(layout: &mut Layout, plan: &SandboxPlan, rule: &FileRule) -> Result<(), SandboxError> {
    let path = &rule.path;
    let shape = match (shape(path), rule.access) {
        (Ok(shape), _) => shape,
        // What is not there cannot be read.
        (Err(SandboxError::Unreachable { source, .. }), Access::Read)
            if source.kind() == io::ErrorKind::NotFound =>
        {
            return Ok(());
        }
        (Err(error), _) => return Err(error),
    };
    let rights = rights::of(rule.access);
    match rule.access {
        Access::Read => layout.bind(path, shape, READ_ONLY, rights, None),
        Access::Write => layout.bind(path, shape, WRITABLE, rights, None),
        Access::Staged => {
            let part = path.strip_prefix(plan.workspace()).unwrap_or(Path::new(""));
            let whole = part.as_os_str().is_empty();
            let rights = if shape == Shape::File { rights & rights::FILE } else { rights };
            let mount = Mount {
                source: text(Path::new(".stage").join(part).as_os_str())?,
                from: if whole { From::Stage } else { From::PartOfStage },
                target: super::layout::relative(path)?,
                attributes: WRITABLE,
                rights,
                expected: None,
                tree: -1,
            };
            layout.mount(path, shape, mount)
        }
    }
}

/// Shows the program at its own path, read-only and only if it is the one that was hashed, where
/// the program could otherwise be another or not be there.
fn pin(layout: &mut Layout, plan: &SandboxPlan, program: &Program) -> Result<(), SandboxError> {
    let script = program.script().map(|(script, _)| script);
    if let Some(script) = script {
        bind_image(layout, script)?;
    }
    let executed = program.executed();
    match plan.access(&executed.path) {
        Some(Access::Read) => Ok(()),
        Some(Access::Staged | Access::Write) | None => bind_image(layout, executed),
    }
}

fn bind_image(layout: &mut Layout, image: &Image) -> Result<(), SandboxError> {
    let identity = image_identity(image)?;
    layout.bind_file(&image.path, READ_ONLY, rights::READ, Some(identity))
}

fn image_identity(image: &Image) -> Result<(u64, u64), SandboxError> {
    let fail = |source| SandboxError::Program { path: image.path.clone(), source };
    let metadata = image.file.metadata().map_err(fail)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Returns whether a path is a directory or a file; anything else is refused.
fn shape(path: &Path) -> Result<Shape, SandboxError> {
    let fail = |source| SandboxError::Unreachable { path: path.to_owned(), source };
    let kind = fs::symlink_metadata(path).map_err(fail)?.file_type();
    if kind.is_dir() {
        Ok(Shape::Directory)
    } else if kind.is_file() {
        Ok(Shape::File)
    } else {
        let why = "it is neither a directory nor a plain file";
        Err(SandboxError::Path { path: path.to_owned(), why })
    }
}

fn lay_stage(plan: &SandboxPlan, dirs: &StageDirs) -> Result<Stage, SandboxError> {
    let layer = |path: &Path| text(path.as_os_str());
    forget_last_mount(&dirs.work);
    let whole = |rule: &FileRule| rule.access == Access::Staged && rule.path == plan.workspace();
    Ok(Stage {
        layers: [layer(plan.workspace())?, layer(&dirs.upper)?, layer(&dirs.work)?],
        in_parts: !plan.files().iter().any(whole),
    })
}

/// Removes the mark that forbids a second mount of a stage. It stands for writes that may not have
/// reached the disk when the machine stopped; here the stage is read by the machine that wrote it,
/// and one from before a crash is not mounted but finished or undone by its journal.
fn forget_last_mount(work: &Path) {
    let mut inner = work.to_owned();
    for name in ["work", "incompat", "volatile"] {
        inner.push(name);
        if !fs::symlink_metadata(&inner).is_ok_and(|inner| inner.is_dir()) {
            return;
        }
        // These directories forbid everything, even to their owner.
        let open: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let _ = fs::set_permissions(&inner, open);
    }
    // What cannot be removed is told by the mount, which then fails.
    let _ = fs::remove_dir_all(inner);
}

/// Returns the sources of the standard descriptors, each above 2 so that none overwrites another,
/// and what the host holds open for them.
fn connect(stdio: [Stdio; 3]) -> Result<([Option<RawFd>; 3], Vec<OwnedFd>), SandboxError> {
    let fail = |source| SandboxError::Setup { step: "connect the standard descriptors", source };
    let mut sources = [None; 3];
    let mut held = Vec::new();
    for (target, stdio) in stdio.into_iter().enumerate() {
        let fd = match stdio {
            Stdio::Inherit if is_open(target) => continue,
            Stdio::Inherit | Stdio::Null => {
                let file = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
                OwnedFd::from(file.map_err(fail)?)
            }
            Stdio::Fd(fd) => fd,
        };
        let fd = rustix::io::fcntl_dupfd_cloexec(&fd, 3).map_err(|errno| fail(errno.into()))?;
        sources[target] = Some(fd.as_raw_fd());
        held.push(fd);
    }
    Ok((sources, held))
}

fn is_open(target: usize) -> bool {
    // SAFETY: asking for the flags of a descriptor changes nothing, whether it is open or not.
    i32::try_from(target).is_ok_and(|fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0)
}

/// Returns the bound on process numbers for the one user whom the kernel's limit does not count.
fn most_pids(plan: &SandboxPlan) -> Option<Vec<u8>> {
    /// The least the kernel takes.
    const LEAST: u64 = 301;
    // SAFETY: the call only returns a number.
    let root = unsafe { libc::getuid() } == 0;
    root.then(|| plan.limits().processes.max(LEAST).to_string().into_bytes())
}

fn limits(plan: &SandboxPlan) -> Vec<(u32, u64)> {
    let limits = plan.limits();
    let wanted = [
        (libc::RLIMIT_NPROC, limits.processes.saturating_add(1)),
        (libc::RLIMIT_NOFILE, limits.open_files),
        (libc::RLIMIT_FSIZE, limits.file_size_bytes),
        (libc::RLIMIT_DATA, limits.memory_bytes),
        (libc::RLIMIT_CPU, limits.cpu_seconds),
        (libc::RLIMIT_CORE, 0),
    ];
    // What is lower already stays so: raising it is not this process's right.
    let bounded = wanted.map(|(resource, most)| {
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_sign_loss,
            reason = "the constants are signed in one C library and unsigned in another"
        )]
        let resource = resource as u32;
        (resource, sys::hard_limit(resource).map_or(most, |hard| most.min(hard)))
    });
    bounded.to_vec()
}

fn executable(
    program: &Program,
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
) -> Result<Executable, SandboxError> {
    let executed = program.executed();
    let mut arguments: Vec<OsString> = Vec::with_capacity(argv.len() + 2);
    let mut given = argv.into_iter();
    if let Some((script, interpreter)) = program.script() {
        // The script's own name is what the interpreter is told; the caller's name for it is not.
        given.next();
        arguments.push(interpreter.image.path.clone().into());
        arguments.extend(interpreter.argument.clone());
        arguments.push(script.path.clone().into());
    }
    arguments.extend(given);
    let pair = |(name, value): (OsString, OsString)| {
        let mut pair = name;
        pair.push(OsStr::new("="));
        pair.push(value);
        text(&pair)
    };
    let argv: Result<Vec<CString>, _> = arguments.iter().map(|one| text(one)).collect();
    let environment: Result<Vec<CString>, _> = environment.into_iter().map(pair).collect();
    Ok(Executable {
        path: text(executed.path.as_os_str())?,
        identity: image_identity(executed)?,
        argv: Strings::new(argv?),
        environment: Strings::new(environment?),
    })
}
