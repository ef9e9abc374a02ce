//! The set-up inside the new namespaces, in its order. Only system calls from here on.
//!
//! (beside it a helper makes the network: namespace, loopback and listener) namespaces → identity
//! map → the ground: copies of the system's mounts, restricted while still detached, `/proc`, while
//! the host's is still there, and a root in memory with them → on it, the same with the granted
//! mounts → the stage → everything attached → `pivot_root`, old root dropped → root read-only →
//! Landlock rules → program opened and compared → limits → capabilities → `no_new_privs` → Landlock →
//! non-dumpable → filter → init, which waits for the word of the host. A process that was forked
//! ahead gets as far as the ground before there is a plan.

use super::danger::Protection;
use super::prepared::{From, Ground, Mount, Piece, Prepared, Script, Stage};
use super::step::{Failed, Step};
use super::sys::{self, Errno, process};
use super::wire::{self, Message};
use super::{helper, init, rights};
use libc::{O_DIRECTORY, O_PATH};
use std::ffi::CStr;
use std::os::fd::RawFd;

type Done<T = ()> = Result<T, Failed>;

/// Where the whole stage is attached while parts of it are taken.
const STAGE: &CStr = c".stage";

/// Runs the child to its end.
pub(super) fn run(prepared: &mut Prepared) -> ! {
    let done = set_up(prepared);
    finish(prepared, done)
}

/// Starts the program in what was set up, or says what failed.
pub(super) fn finish(prepared: &mut Prepared, done: Done<(RawFd, RawFd)>) -> ! {
    let failed = match done {
        Ok((program, events)) => init::run(prepared, program, events),
        Err(failed) => failed,
    };
    let _ = wire::tell(prepared.socket, Message::Failed(failed), None);
    sys::exit(1)
}

/// Returns the opened program and the descriptor that tells of ended children.
fn set_up(prepared: &mut Prepared) -> Done<(RawFd, RawFd)> {
    close_others(prepared)?;
    let ruleset = helper::beside(prepared, |prepared| {
        own_namespaces()?;
        map_identity(prepared)?;
        let root = lay_ground(prepared)?;
        build(prepared, root)
    })?;
    enclose(prepared, ruleset)
}

/// The first half, for a process that waits for its script: the namespaces and the ground, which
/// `ground` describes.
pub(super) fn begin(
    prepared: &mut Prepared,
    ground: impl FnOnce(&mut Prepared) -> Done,
) -> Done<Option<RawFd>> {
    close_others(prepared)?;
    helper::beside(prepared, |prepared| {
        own_namespaces()?;
        map_identity(prepared)?;
        ground(prepared)?;
        lay_ground(prepared)
    })
}

/// The second half, when it has its script.
pub(super) fn go_on(prepared: &mut Prepared, root: Option<RawFd>) -> Done<(RawFd, RawFd)> {
    helper::open_network(prepared.script.listener_port, prepared.socket)?;
    let ruleset = build(prepared, root)?;
    enclose(prepared, ruleset)
}

fn close_others(prepared: &Prepared) -> Done {
    if prepared.has(Protection::Descriptors) {
        for &(first, last) in &prepared.gaps {
            sys::close_range(first, last).map_err(|errno| Step::Descriptors.failed(errno))?;
        }
    }
    Ok(())
}

fn own_namespaces() -> Done {
    process::unshare(Prepared::OWN).map_err(|errno| Step::Own.failed(errno))
}

fn map_identity(prepared: &Prepared) -> Done {
    let map = || {
        // `/proc/self` belongs to root while a process is not dumpable; this copy may be.
        sys::control(libc::PR_SET_DUMPABLE, 1)?;
        sys::write_file(c"/proc/self/setgroups", b"deny")?;
        sys::write_file(c"/proc/self/uid_map", &prepared.owner.maps[0])?;
        sys::write_file(c"/proc/self/gid_map", &prepared.owner.maps[1])
    };
    map().map_err(|errno| Step::IdentityMap.failed(errno))
}

/// Builds what the plan asks for on the ground, and returns the Landlock rules for all of it.
fn build(prepared: &mut Prepared, root: Option<RawFd>) -> Done<Option<RawFd>> {
    if let Some(most) = &prepared.script.most_pids
        && prepared.has(Protection::Limits)
    {
        // Before Linux 6.14 the number is the whole system's and this is refused; the plan's
        // enforcement says so.
        let _ = sys::write_file(c"/proc/sys/kernel/pid_max", most);
    }
    let ruleset = make_ruleset(prepared)?;
    if let Some(root) = root {
        build_root(prepared, root, ruleset)?;
    }
    Ok(ruleset)
}

/// Gives up everything but the program and what it may have.
fn enclose(prepared: &Prepared, ruleset: Option<RawFd>) -> Done<(RawFd, RawFd)> {
    sys::set_host_name(b"sandbox").map_err(|errno| Step::HostName.failed(errno))?;
    let program = open_program(prepared)?;
    sys::change_dir(&prepared.script.working_directory)
        .map_err(|errno| Step::WorkingDirectory.failed(errno))?;
    start_session(prepared)?;
    // Before the limits: one of them is the number of descriptors.
    let events = process::child_events().map_err(|errno| Step::Init.failed(errno))?;
    confine(prepared, ruleset)?;
    Ok((program, events))
}

fn make_ruleset(prepared: &Prepared) -> Done<Option<RawFd>> {
    if !prepared.has(Protection::Landlock) {
        return Ok(None);
    }
    let network = prepared.script.ruleset.network;
    let make = || {
        let ruleset = sys::landlock_ruleset(rights::ALL_FILES, network, rights::ALL_SCOPES)?;
        if let Some(port) = prepared.script.ruleset.connect_port
            && network != 0
        {
            sys::landlock_port(ruleset, port, rights::CONNECT)?;
        }
        Ok(Some(ruleset))
    };
    make().map_err(|errno| Step::Ruleset.failed(errno))
}

/// Mounts a root with what every plan has. Its Landlock rules come later, with the plan's.
fn lay_ground(prepared: &mut Prepared) -> Done<Option<RawFd>> {
    if !prepared.has(Protection::Files) {
        return Ok(None);
    }
    let Ground { mounts, layout } = &mut prepared.ground;
    let mut lay = || {
        copy_mounts(mounts)?;
        let proc = mount_proc().map_err(|errno| Step::Proc.failed(errno))?;
        let root = mount_root().map_err(|errno| Step::Root.failed(errno))?;
        for piece in layout.iter() {
            place(piece, mounts, &Fixed { root, proc, stage: None, ruleset: None })?;
        }
        Ok(Some(root))
    };
    // The plan's mounts are counted, not these.
    lay().map_err(|failed: Failed| Failed { index: u32::MAX, ..failed })
}

fn copy_mounts(mounts: &mut [Mount]) -> Done {
    for (index, mount) in mounts.iter_mut().enumerate() {
        if mount.from == From::Host {
            mount.tree = copy_mount(mount, index)?;
        }
    }
    Ok(())
}

fn build_root(prepared: &mut Prepared, root: RawFd, ruleset: Option<RawFd>) -> Done {
    copy_mounts(&mut prepared.script.mounts)?;
    let stage = prepared.script.stage.as_ref().map(mount_stage).transpose()?;
    if let (Some(stage), Some(Stage { in_parts: true, .. })) = (stage, &prepared.script.stage) {
        sys::make_dir(root, STAGE, 0o700).map_err(|errno| Step::Layout.failed(errno))?;
        attach(stage, root, STAGE, Step::Attach)?;
    }
    if let Some(ruleset) = ruleset {
        add_rule(ruleset, root, rights::VISIBLE)?;
        for mount in &prepared.ground.mounts {
            add_rule(ruleset, mount.tree, mount.rights)?;
        }
    }
    let Script { layout, mounts, .. } = &mut prepared.script;
    for piece in layout.iter() {
        place(piece, mounts, &Fixed { root, proc: -1, stage, ruleset })?;
    }
    swap_root(prepared, root)
}

/// Descriptors that are made once.
struct Fixed {
    root: RawFd,
    proc: RawFd,
    stage: Option<RawFd>,
    ruleset: Option<RawFd>,
}

fn copy_mount(mount: &Mount, index: usize) -> Done<RawFd> {
    let source = sys::open_beneath(libc::AT_FDCWD, &mount.source, O_PATH, sys::NO_SYMLINKS);
    let source = source.map_err(|errno| Step::Source.failed_at(index, errno))?;
    if let Some(expected) = mount.expected {
        let found = sys::identity(source).map_err(|errno| Step::Source.failed_at(index, errno))?;
        if found != expected {
            return Err(Step::Identity.failed_at(index, Errno(libc::ESTALE)));
        }
    }
    take(source, mount, index)
}

/// Returns a restricted, detached copy of what an open path shows.
fn take(source: RawFd, mount: &Mount, index: usize) -> Done<RawFd> {
    let tree = sys::clone_tree(source).map_err(|errno| Step::Tree.failed_at(index, errno))?;
    sys::close(source);
    sys::restrict_tree(tree, mount.attributes)
        .map_err(|errno| Step::Attributes.failed_at(index, errno))?;
    Ok(tree)
}

pub(super) fn mount_stage(stage: &Stage) -> Done<RawFd> {
    let mount = || {
        let fs = sys::fs_open(c"overlay")?;
        let keys = [c"lowerdir", c"upperdir", c"workdir"];
        for (key, layer) in keys.into_iter().zip(&stage.layers) {
            let flags = O_PATH | O_DIRECTORY;
            let fd = sys::open_beneath(libc::AT_FDCWD, layer, flags, sys::NO_SYMLINKS)?;
            // Named by descriptor: a path would need escaping, and could change meanwhile.
            let mut text = [0; 32];
            sys::fs_option(fs, key, descriptor_path(fd, &mut text)?)?;
        }
        sys::fs_flag(fs, c"userxattr")?;
        sys::fs_flag(fs, c"volatile")?;
        sys::fs_mount(fs, sys::ATTR_NOSUID | sys::ATTR_NODEV)
    };
    mount().map_err(|errno| Step::Overlay.failed(errno))
}

/// Writes `/proc/self/fd/N` into `text`.
fn descriptor_path(fd: RawFd, text: &mut [u8; 32]) -> Result<&CStr, Errno> {
    const PREFIX: &[u8] = b"/proc/self/fd/";
    text[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut digits = [0_u8; 10];
    let mut rest = fd.unsigned_abs();
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let end = PREFIX.len() + digits.len() - first;
    text[PREFIX.len()..end].copy_from_slice(&digits[first..]);
    CStr::from_bytes_until_nul(text).map_err(|_| Errno(libc::EINVAL))
}

pub(super) fn mount_proc() -> Result<RawFd, Errno> {
    let fs = sys::fs_open(c"proc")?;
    sys::fs_option(fs, c"subset", c"pid")?;
    sys::fs_option(fs, c"hidepid", c"ptraceable")?;
    let attributes = sys::ATTR_RDONLY | sys::ATTR_NOSUID | sys::ATTR_NODEV | sys::ATTR_NOEXEC;
    sys::fs_mount(fs, attributes)
}

pub(super) fn mount_memory(
    size: &CStr,
    names: &CStr,
    mode: &CStr,
    attributes: u64,
) -> Result<RawFd, Errno> {
    let fs = sys::fs_open(c"tmpfs")?;
    sys::fs_option(fs, c"size", size)?;
    // An empty file takes no size, and memory of the kernel all the same.
    sys::fs_option(fs, c"nr_inodes", names)?;
    sys::fs_option(fs, c"mode", mode)?;
    sys::fs_mount(fs, attributes)
}

/// Mounts the new root over the old one, where nothing else is hidden by it.
fn mount_root() -> Result<RawFd, Errno> {
    let root = mount_memory(c"16m", c"65536", c"755", sys::ATTR_NOSUID | sys::ATTR_NODEV)?;
    let old = sys::open(libc::AT_FDCWD, c"/", O_PATH | O_DIRECTORY, 0)?;
    sys::attach(root, old)?;
    sys::close(old);
    Ok(root)
}

fn place(piece: &Piece, mounts: &mut [Mount], fixed: &Fixed) -> Done {
    let layout = |errno| Step::Layout.failed(errno);
    let root = fixed.root;
    match piece {
        Piece::Directory(at) => make_dir(root, at).map_err(layout),
        Piece::File(at) => make_file(root, at, &[]).map_err(layout),
        Piece::Text(at, text) => make_file(root, at, text).map_err(layout),
        Piece::Link { at, target } => sys::make_link(root, at, target).map_err(layout),
        Piece::Scratch { at, size, names, attributes, rights } => {
            let memory = mount_memory(size, names, c"1777", *attributes)
                .map_err(|errno| Step::Scratch.failed(errno))?;
            attach(memory, root, at, Step::Scratch)?;
            fixed.ruleset.map_or(Ok(()), |ruleset| add_rule(ruleset, memory, *rights))
        }
        Piece::Proc(at) => attach(fixed.proc, root, at, Step::Proc),
        Piece::Mount(index) => {
            let Some(mount) = mounts.get_mut(*index) else {
                return Err(Step::Target.failed_at(*index, Errno(libc::ENOENT)));
            };
            place_mount(mount, *index, fixed)
        }
    }
}

fn place_mount(mount: &mut Mount, index: usize, fixed: &Fixed) -> Done {
    match (mount.from, fixed.stage) {
        (From::Host, _) => {}
        (From::Stage, Some(stage)) => mount.tree = stage,
        (From::PartOfStage, Some(_)) => {
            let resolve = sys::NO_SYMLINKS | libc::RESOLVE_IN_ROOT;
            let source = sys::open_beneath(fixed.root, &mount.source, O_PATH, resolve);
            let source = source.map_err(|errno| Step::Source.failed_at(index, errno))?;
            mount.tree = take(source, mount, index)?;
        }
        (From::Stage | From::PartOfStage, None) => {
            return Err(Step::Overlay.failed(Errno(libc::ENOENT)));
        }
    }
    attach(mount.tree, fixed.root, &mount.target, Step::Attach)
        .map_err(|failed| Failed { index: u32::try_from(index).unwrap_or(u32::MAX), ..failed })?;
    fixed.ruleset.map_or(Ok(()), |ruleset| add_rule(ruleset, mount.tree, mount.rights))
}

/// Attaches a mount at a path below the root, through no link that someone could have planted.
fn attach(tree: RawFd, root: RawFd, at: &CStr, step: Step) -> Done {
    let resolve = sys::NO_SYMLINKS | libc::RESOLVE_IN_ROOT;
    let target =
        sys::open_beneath(root, at, O_PATH, resolve).map_err(|errno| Step::Target.failed(errno))?;
    sys::attach(tree, target).map_err(|errno| step.failed(errno))?;
    sys::close(target);
    Ok(())
}

/// Makes a directory, unless it is there.
fn make_dir(root: RawFd, at: &CStr) -> Result<(), Errno> {
    match sys::make_dir(root, at, 0o755) {
        Err(Errno(libc::EEXIST)) => Ok(()),
        made => made,
    }
}

fn make_file(root: RawFd, at: &CStr, text: &[u8]) -> Result<(), Errno> {
    let fd = sys::open(root, at, libc::O_WRONLY | libc::O_CREAT | libc::O_NOFOLLOW, 0o444)?;
    let written = if text.is_empty() { Ok(()) } else { sys::write(fd, text) };
    sys::close(fd);
    written
}

fn add_rule(ruleset: RawFd, at: RawFd, rights: u64) -> Done {
    sys::landlock_path(ruleset, at, rights).map_err(|errno| Step::Rule.failed(errno))
}

fn swap_root(prepared: &Prepared, root: RawFd) -> Done {
    let pivot = |errno| Step::Pivot.failed(errno);
    sys::change_dir_to(root).map_err(pivot)?;
    sys::pivot_here().map_err(pivot)?;
    // The old root lies on the new one now; `.` still names it.
    sys::detach(c".").map_err(|errno| Step::Detach.failed(errno))?;
    sys::change_dir(c"/").map_err(pivot)?;
    if prepared.script.stage.as_ref().is_some_and(|stage| stage.in_parts) {
        sys::detach(STAGE).map_err(|errno| Step::Detach.failed(errno))?;
        sys::remove_dir(root, STAGE).map_err(|errno| Step::Layout.failed(errno))?;
    }
    sys::restrict_mount(root, sys::ATTR_RDONLY).map_err(|errno| Step::ReadOnlyRoot.failed(errno))
}

fn open_program(prepared: &Prepared) -> Done<RawFd> {
    let program = &prepared.script.program;
    let failed = |errno| Step::Program.failed(errno);
    let fd = sys::open_beneath(libc::AT_FDCWD, &program.path, O_PATH, sys::NO_SYMLINKS)
        .map_err(failed)?;
    let found = sys::identity(fd).map_err(failed)?;
    if found != program.identity && prepared.has(Protection::Identity) {
        return Err(failed(Errno(libc::ESTALE)));
    }
    Ok(fd)
}

/// Cuts the sandbox off from the terminal's session, unless the program is to have the terminal.
fn start_session(prepared: &Prepared) -> Done {
    if prepared.carried.terminal.is_some() {
        return Ok(());
    }
    process::new_session().map_err(|errno| Step::Session.failed(errno))
}

fn confine(prepared: &Prepared, ruleset: Option<RawFd>) -> Done {
    if prepared.has(Protection::Limits) {
        for &(resource, most) in &prepared.script.limits {
            sys::limit(resource, most).map_err(|errno| Step::Limits.failed(errno))?;
        }
    }
    if prepared.has(Protection::Capabilities) {
        drop_capabilities().map_err(|errno| Step::Capabilities.failed(errno))?;
    }
    sys::control(libc::PR_SET_NO_NEW_PRIVS, 1)
        .map_err(|errno| Step::NoNewPrivileges.failed(errno))?;
    if let Some(ruleset) = ruleset {
        sys::landlock_restrict(ruleset).map_err(|errno| Step::Landlock.failed(errno))?;
    }
    if prepared.has(Protection::FirstProcess) {
        sys::control(libc::PR_SET_DUMPABLE, 0)
            .map_err(|errno| Step::NoNewPrivileges.failed(errno))?;
    }
    Ok(())
}

pub(super) fn drop_capabilities() -> Result<(), Errno> {
    // Root is nobody special, and nothing may change that.
    const SECURE: libc::c_long = 0b1110_1111;
    sys::control(libc::PR_SET_SECUREBITS, SECURE)?;
    for capability in 0..64 {
        match sys::control(libc::PR_CAPBSET_DROP, capability) {
            Ok(_) => {}
            // Past the last capability the kernel has.
            Err(Errno(libc::EINVAL)) if capability > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    sys::clear_ambient()?;
    sys::clear_capabilities()
}
