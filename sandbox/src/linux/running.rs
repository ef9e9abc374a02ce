//! The host's side of a sandbox: start it, hear from it, wait for it, kill it.

use super::base::Base;
use super::child;
use super::danger::{Protection, Without};
use super::prepare::{self, Ready};
use super::prepared::Prepared;
use super::protected::Protected;
use super::rights;
use super::step::Step;
use super::sys::{Answer, Errno, process};
use super::terminal::Terminal;
use super::wire::{self, Asked, Message};
use crate::{Command, Exit, Killer, MadeProtected, Running, SandboxError, SandboxPlan};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustix::process::{WaitId, WaitIdOptions};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A started sandbox.
pub(super) struct LinuxRun {
    handle: Arc<Handle>,
    listener: Option<TcpListener>,
    terminal: Option<Terminal>,
    deadline: Option<Instant>,
    exit: Option<Exit>,
    protected: Protected,
}

/// The first process of a sandbox and the socket to it. Dropping it ends the process.
#[derive(Debug)]
pub(super) struct Handle {
    process: OwnedFd,
    socket: OwnedFd,
}

/// A sandbox that is set up, or is being, and waits for the word to start its program. Dropping it
/// ends it.
pub(super) struct Standing {
    handle: Handle,
    terminal: Option<Terminal>,
    time: Option<Duration>,
    protected: Protected,
    /// The host paths of the mounts, for errors.
    sources: Vec<PathBuf>,
    program: PathBuf,
}

/// Sets a sandbox up, in the first process that was forked ahead if there is one.
pub(super) fn set_up<'b>(
    plan: &SandboxPlan,
    command: Command,
    base: impl FnOnce() -> &'b Base,
    without: Without,
    ahead: Option<Handle>,
) -> Result<Standing, SandboxError> {
    if !without.has(Protection::Landlock) {
        rights::check()?;
    }
    let terminal = Terminal::to_lend(&command.stdio);
    let time = command.deadline;
    let program = command.program.path().to_owned();
    let ready = prepare::prepare(plan, command, without, terminal.as_ref())?;
    let Ready { script, carried, sources, held, protected } = ready;
    let handle = if let Some(handle) = ahead {
        let lent = terminal.as_ref().map(Terminal::as_fd);
        let handed: Vec<_> = held.iter().map(OwnedFd::as_fd).chain(lent).collect();
        let sent = wire::encode_script(&script)
            .and_then(|bytes| wire::send_script(handle.socket.as_fd(), &bytes, &carried, &handed));
        match sent {
            // It is gone: what it said before that tells why.
            Ok(()) | Err(Errno(libc::EPIPE | libc::ECONNRESET)) => handle,
            Err(errno) => return Err(unheard(errno.0)),
        }
    } else {
        let (ours, theirs) = socket_pair()?;
        let mut prepared = Prepared::new(theirs.as_raw_fd(), carried);
        prepared.ground = base().ground(&prepared.owner)?;
        prepared.script = script;
        let process = launch(&mut prepared, child::run)
            .map_err(|errno| Step::Clone.failed(errno).into_error(&sources, program.clone()))?;
        Handle::new(process, ours)
    };
    sweep();
    Ok(Standing { handle, terminal, time, protected, sources, program })
}

impl Standing {
    /// Starts the program.
    pub(super) fn start(self) -> Result<LinuxRun, SandboxError> {
        let Self { handle, terminal, time, protected, sources, program } = self;
        // Where it is gone already, what it said before that tells why.
        handle.ask(Asked::Start).map_err(|errno| unheard(errno.0))?;
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        let mut listener = None;
        let started = loop {
            match handle.hear() {
                Ok(Some((Message::Started, _))) => break Ok(()),
                Ok(Some((Message::Listener, carried))) => listener = carried.map(TcpListener::from),
                Ok(Some((Message::Failed(failed), _))) => {
                    break Err(failed.into_error(&sources, program));
                }
                Ok(Some((Message::Ended(_) | Message::Expired, _))) => {
                    break Err(unheard(libc::EPROTO));
                }
                Ok(None) => break Err(unheard(libc::ECONNRESET)),
                Err(errno) => break Err(unheard(errno.0)),
            }
        };
        if let Err(error) = started {
            // The program's process takes it before it executes anything.
            if let Some(terminal) = terminal {
                terminal.take_back(true);
            }
            return Err(error);
        }
        Ok(LinuxRun {
            handle: Arc::new(handle),
            listener,
            terminal,
            deadline,
            exit: None,
            protected,
        })
    }
}

/// Returns the host's end and the first process's.
pub(super) fn socket_pair() -> Result<(OwnedFd, OwnedFd), SandboxError> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
    rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)
        .map_err(|errno| SandboxError::Setup { step: "make a socket pair", source: errno.into() })
}

fn unheard(errno: i32) -> SandboxError {
    let source = io::Error::from_raw_os_error(errno);
    SandboxError::Setup { step: "hear from the sandbox", source }
}

/// Makes the sandbox's first process. No signal is handled in the copy before it has forgotten the
/// host's handlers. `run` keeps to the rules of [`process::clone_process`], but for what holds only
/// in a host with more than one thread.
pub(super) fn launch(prepared: &mut Prepared, run: fn(&mut Prepared) -> !) -> Answer<OwnedFd> {
    let before = process::block_signals(process::ALL_SIGNALS)?;
    let mut descriptor = -1;
    // SAFETY: in the copy only `run` is called, which keeps to the rules and never returns.
    let cloned = unsafe { process::clone_process(Prepared::FIRST, &mut descriptor) };
    if cloned == Ok(0) {
        run(prepared);
    }
    let restored = process::block_signals(before);
    cloned?;
    // SAFETY: the kernel just gave this process the descriptor: nobody else owns it.
    let process = unsafe { OwnedFd::from_raw_fd(descriptor) };
    restored.map(|_| process)
}

impl Handle {
    pub(super) fn new(process: OwnedFd, socket: OwnedFd) -> Self {
        Self { process, socket }
    }

    fn hear(&self) -> Answer<Option<(Message, Option<OwnedFd>)>> {
        wire::hear(self.socket.as_fd())
    }

    fn kill(&self) -> Answer {
        match process::kill_descriptor(self.process.as_raw_fd(), libc::SIGKILL) {
            // It is gone already.
            Err(Errno(libc::ESRCH)) => Ok(()),
            other => other,
        }
    }

    fn signal(&self, number: i32) -> Answer {
        if !(1..=64).contains(&number) {
            return Err(Errno(libc::EINVAL));
        }
        self.ask(Asked::Forward(number))
    }

    fn ask(&self, asked: Asked) -> Answer {
        match wire::ask(self.socket.as_fd(), asked) {
            // It is gone already.
            Err(Errno(libc::EPIPE | libc::ECONNRESET)) => Ok(()),
            other => other,
        }
    }

    /// Waits until the first process is gone, and with it everything.
    fn reap(&self) {
        let options = WaitIdOptions::EXITED;
        let wait = || rustix::process::waitid(WaitId::PidFd(self.process.as_fd()), options);
        while matches!(wait(), Err(rustix::io::Errno::INTR)) {}
    }
}

/// First processes that had said everything but were not gone yet.
static LEAVING: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Collects the ones that are gone by now.
fn sweep() {
    LEAVING.lock().unwrap_or_else(PoisonError::into_inner).retain(|process| !is_gone(process));
}

fn is_gone(process: &OwnedFd) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    // An error means that somebody else has collected it.
    !matches!(rustix::process::waitid(WaitId::PidFd(process.as_fd()), options), Ok(None))
}

impl Drop for Handle {
    fn drop(&mut self) {
        if is_gone(&self.process) {
            return;
        }
        // What had said everything has nothing left to end.
        let _ = self.kill();
        if let Ok(process) = self.process.try_clone() {
            LEAVING.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
    }
}

/// A second hold on a run.
struct Remote(Arc<Handle>);

impl Killer for Remote {
    fn kill(&self) {
        let _ = self.0.kill();
    }

    fn signal(&self, number: i32) {
        let _ = self.0.signal(number);
    }

    fn freeze(&self) -> bool {
        self.0.ask(Asked::Freeze).is_ok()
    }

    fn thaw(&self) {
        let _ = self.0.ask(Asked::Thaw);
    }
}

impl LinuxRun {
    /// Waits until the sandbox says something; false at the deadline.
    fn ready(&self) -> Result<bool, SandboxError> {
        loop {
            let left = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let mut polled = [PollFd::new(&self.handle.socket, PollFlags::IN)];
            let timeout = left.map(timespec);
            match rustix::event::poll(&mut polled, timeout.as_ref()) {
                Ok(0) if left.is_some_and(|left| left.is_zero()) => return Ok(false),
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(errno) => return Err(SandboxError::Wait { source: errno.into() }),
            }
        }
    }

    fn listen(&mut self) -> Result<Exit, SandboxError> {
        let wait =
            |errno: Errno| SandboxError::Wait { source: io::Error::from_raw_os_error(errno.0) };
        if !self.ready()? {
            self.handle.kill().map_err(wait)?;
            self.deadline = None;
            self.handle.reap();
            return Ok(Exit::TimedOut);
        }
        match self.handle.hear().map_err(wait)? {
            // The first process collected everything before it said so; all it still does is to
            // go, and waiting for the kernel to take its namespaces apart helps nobody.
            Some((Message::Ended(status), _)) => Ok(exit(status)),
            Some((Message::Expired, _)) => Ok(Exit::TimedOut),
            Some(_) => Err(wait(Errno(libc::EPROTO))),
            // Killed from outside.
            None => {
                self.handle.reap();
                Ok(Exit::Signal(libc::SIGKILL))
            }
        }
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

fn exit(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        return Exit::Signal(libc::WTERMSIG(status));
    }
    Exit::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
}

impl Running for LinuxRun {
    fn wait(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let exit = self.listen();
        if exit.is_err() {
            let _ = self.handle.kill();
            self.handle.reap();
        }
        if let Some(terminal) = self.terminal.take() {
            terminal.take_back(!matches!(exit, Ok(Exit::Code(_))));
        }
        self.exit = Some(*exit.as_ref().unwrap_or(&Exit::Signal(libc::SIGKILL)));
        exit
    }

    fn kill(&self) -> Result<(), SandboxError> {
        self.handle
            .kill()
            .map_err(|errno| SandboxError::Wait { source: io::Error::from_raw_os_error(errno.0) })
    }

    fn signal(&self, number: i32) -> Result<(), SandboxError> {
        self.handle
            .signal(number)
            .map_err(|errno| SandboxError::Wait { source: io::Error::from_raw_os_error(errno.0) })
    }

    fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    fn made_protected(&self) -> Result<MadeProtected, SandboxError> {
        self.protected.made()
    }

    fn killer(&self) -> Result<Box<dyn Killer>, SandboxError> {
        Ok(Box::new(Remote(Arc::clone(&self.handle))))
    }
}

impl Drop for LinuxRun {
    fn drop(&mut self) {
        if self.exit.is_some() {
            sweep();
            return;
        }
        let _ = self.handle.kill();
        self.handle.reap();
        if let Some(terminal) = self.terminal.take() {
            terminal.take_back(true);
        }
    }
}
