//! Trying each mechanism once, in a child that does nothing else.

use super::filter::{self, Surface};
use super::prepared::Stage;
use super::sys::{self, Answer, Errno, process};
use super::{child, prepared, rights};
use crate::{Feature, Probed};
use libc::c_int;
use rustix::process::{WaitId, WaitIdOptions};
use std::ffi::CString;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::OnceLock;

/// What the child needs, made before it exists.
struct Trials {
    maps: [Vec<u8>; 2],
    stage: Stage,
    filter: Vec<libc::sock_filter>,
    report: RawFd,
}

/// What a child does: it makes system calls only.
type Trial = fn(&Trials) -> !;

/// What came of one trial: the feature's place in [`Feature::ALL`] and the error number or 0.
type Line = [i32; 2];

/// The line about process numbers, which no feature stands for.
const PIDS: i32 = 1000;

/// The namespaces that every mechanism together needs.
const ALL_NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;

/// Tells whether the number of processes can be bounded for root. Every question to root asks this,
/// so nothing else is tried: making and ending a network namespace alone takes longer.
pub(super) fn bounds_pids() -> bool {
    static BOUNDS: OnceLock<bool> = OnceLock::new();
    let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWPID;
    let bounds = || run(namespaces, try_pids).is_ok_and(|lines| lines.contains(&[PIDS, 0]));
    *BOUNDS.get_or_init(bounds)
}

/// Tries every mechanism.
pub(crate) fn probe() -> Vec<Probed> {
    let lines = match run(ALL_NAMESPACES, try_all) {
        Ok(lines) => lines,
        Err(source) => {
            return vec![Probed {
                feature: Feature::Namespaces,
                missing: Some(("new namespaces", source)),
            }];
        }
    };
    let features = Feature::ALL.into_iter().filter(|feature| *feature != Feature::BackEnd);
    features.map(|feature| probed(feature, &lines)).collect()
}

fn probed(feature: Feature, lines: &[Line]) -> Probed {
    let missing = match lines.iter().find(|line| line[0] == place(feature)) {
        Some([_, 0]) => None,
        Some([_, errno]) => Some(("try it", io::Error::from_raw_os_error(*errno))),
        None => Some(("reach it", io::Error::from(io::ErrorKind::Interrupted))),
    };
    Probed { feature, missing }
}

fn place(feature: Feature) -> i32 {
    let place = Feature::ALL.iter().position(|one| *one == feature);
    place.and_then(|place| i32::try_from(place).ok()).unwrap_or(-1)
}

/// Returns what a child in these namespaces said before it ended.
fn run(namespaces: c_int, trial: Trial) -> io::Result<Vec<Line>> {
    let (mut reader, writer) = io::pipe()?;
    let trials = Trials {
        maps: prepared::Owner::new().maps,
        stage: Stage { layers: ["l", "u", "w"].map(name), in_parts: false },
        filter: filter::compile(Surface::least()),
        report: writer.as_raw_fd(),
    };
    let process = launch(&trials, namespaces, trial);
    let process = process.map_err(|errno| io::Error::from_raw_os_error(errno.0))?;
    drop(writer);
    let mut bytes = Vec::new();
    let read = reader.by_ref().take(4096).read_to_end(&mut bytes);
    let alive = process::kill_descriptor(process.as_raw_fd(), libc::SIGKILL);
    let ended = rustix::process::waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED);
    read?;
    let mut lines: Vec<Line> = bytes
        .chunks_exact(8)
        .map(|line| [0, 4].map(|at| i32::from_ne_bytes([0, 1, 2, 3].map(|i| line[at + i]))))
        .collect();
    lines.push([place(Feature::Namespaces), 0]);
    // The child may be gone before the signal: that answer shows the descriptor works, too.
    let works = ended.is_ok() && matches!(alive, Ok(()) | Err(Errno(libc::ESRCH)));
    lines.push([place(Feature::ProcessDescriptors), if works { 0 } else { libc::ENOSYS }]);
    Ok(lines)
}

fn name(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn launch(trials: &Trials, namespaces: c_int, trial: Trial) -> Answer<OwnedFd> {
    let before = process::block_signals(process::ALL_SIGNALS)?;
    let mut descriptor = -1;
    // SAFETY: in the copy only a trial runs, which makes system calls only and exits.
    let cloned = unsafe { process::clone_process(namespaces, &mut descriptor) };
    if cloned == Ok(0) {
        trial(trials);
    }
    let _ = process::block_signals(before);
    cloned?;
    // SAFETY: the kernel just gave this process the descriptor: nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Tries the bound on process numbers.
fn try_pids(trials: &Trials) -> ! {
    say(trials, place(Feature::IdentityMap), map(trials));
    say(trials, PIDS, bound_pids());
    sys::exit(0)
}

fn say(trials: &Trials, place: i32, answer: Answer) {
    let errno = answer.err().map_or(0, |Errno(errno)| errno);
    let mut line = [0; 8];
    line[..4].copy_from_slice(&place.to_ne_bytes());
    line[4..].copy_from_slice(&errno.to_ne_bytes());
    let _ = sys::write(trials.report, &line);
}

fn bound_pids() -> Answer {
    sys::write_file(c"/proc/sys/kernel/pid_max", b"400")
}

/// Tries everything in an order in which one trial makes room for the next.
fn try_all(trials: &Trials) -> ! {
    let say = |place, answer| say(trials, place, answer);
    let tell = |feature, answer| say(place(feature), answer);
    tell(Feature::IdentityMap, map(trials));
    say(PIDS, bound_pids());
    tell(Feature::CloseRange, sys::close_range(100_000, 100_001));
    tell(Feature::Loopback, process::raise_loopback());
    tell(Feature::MountApi, copy_root());
    let proc = child::mount_proc();
    tell(Feature::Proc, proc.map(drop));
    let root = enter_memory();
    tell(Feature::Tmpfs, root.map(drop));
    tell(Feature::Overlay, root.and_then(|root| overlay(root, &trials.stage)));
    tell(Feature::PivotRoot, process_root(root));
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "the constant is signed in one C library and unsigned in another"
    )]
    let core = libc::RLIMIT_CORE as u32;
    tell(Feature::Limits, sys::limit(core, 0));
    tell(Feature::Capabilities, child::drop_capabilities());
    tell(Feature::NoNewPrivileges, sys::control(libc::PR_SET_NO_NEW_PRIVS, 1).map(drop));
    tell(Feature::LandlockFiles, landlock(rights::ALL_FILES, 0, 0));
    tell(Feature::LandlockNetwork, landlock(0, rights::ALL_NETWORK, 0));
    tell(Feature::LandlockScopes, landlock(0, 0, rights::ALL_SCOPES));
    tell(Feature::Seccomp, sys::seccomp(&trials.filter));
    sys::exit(0)
}

fn map(trials: &Trials) -> Answer {
    sys::control(libc::PR_SET_DUMPABLE, 1)?;
    sys::write_file(c"/proc/self/setgroups", b"deny")?;
    sys::write_file(c"/proc/self/uid_map", &trials.maps[0])?;
    sys::write_file(c"/proc/self/gid_map", &trials.maps[1])
}

fn copy_root() -> Answer {
    let root = sys::open(libc::AT_FDCWD, c"/dev/null", libc::O_PATH, 0)?;
    let tree = sys::clone_tree(root)?;
    sys::restrict_tree(tree, sys::ATTR_RDONLY | sys::ATTR_NOSUID)
}

fn enter_memory() -> Answer<RawFd> {
    let memory = child::mount_memory(c"1m", c"1024", c"755", sys::ATTR_NOSUID | sys::ATTR_NODEV)?;
    let old = sys::open(libc::AT_FDCWD, c"/", libc::O_PATH | libc::O_DIRECTORY, 0)?;
    sys::attach(memory, old)?;
    sys::change_dir_to(memory)?;
    Ok(memory)
}

fn overlay(root: RawFd, stage: &Stage) -> Answer {
    for layer in &stage.layers {
        sys::make_dir(root, layer, 0o755)?;
    }
    child::mount_stage(stage).map(drop).map_err(|failed| failed.errno)
}

fn process_root(root: Answer<RawFd>) -> Answer {
    sys::change_dir_to(root?)?;
    sys::pivot_here()?;
    sys::detach(c".")?;
    sys::change_dir(c"/")
}

fn landlock(files: u64, network: u64, scopes: u64) -> Answer {
    sys::landlock_restrict(sys::landlock_ruleset(files, network, scopes)?)
}
