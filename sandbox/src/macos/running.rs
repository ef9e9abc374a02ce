//! A program that runs under `sandbox-exec`, and the process group it is killed with.
//!
//! The leader is reaped last: as long as it is not, its number and that of its group cannot be
//! given to another process. Not verified on this system, see [`super`].

use std::io;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::SandboxError;
use crate::executor::{Exit, Killer, Running};

/// A started program with its group.
pub(super) struct MacosRunning {
    child: Child,
    group: Arc<Group>,
    exit: Option<Exit>,
    listener: Option<TcpListener>,
}

/// The process group of a run; signals reach it only while its leader is not reaped.
struct Group {
    leader: Pid,
    phase: Mutex<Phase>,
    changed: Condvar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Running,
    TimedOut,
    Ended,
}

impl MacosRunning {
    /// Watches a child that leads its own group, and kills the group at the deadline.
    pub(super) fn new(
        mut child: Child,
        deadline: Option<Duration>,
        listener: Option<TcpListener>,
    ) -> Result<Self, SandboxError> {
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let Some(leader) = leader else {
            let _ = child.kill();
            let _ = child.wait();
            return Err(wait(io::Error::from(io::ErrorKind::InvalidData)));
        };
        let phase = Mutex::new(Phase::Running);
        let group = Arc::new(Group { leader, phase, changed: Condvar::new() });
        let running = Self { child, group: Arc::clone(&group), exit: None, listener };
        if let Some(until) = deadline.and_then(|after| Instant::now().checked_add(after)) {
            // Ends with the run at the latest: `end` wakes it. When it cannot be started, dropping
            // `running` kills what was.
            let watch = thread::Builder::new().name("deadline".to_owned());
            watch.spawn(move || group.watch(until)).map_err(wait)?;
        }
        Ok(running)
    }

    /// Kills what is left of the group, then reaps the leader.
    fn end(&mut self) -> Result<Exit, SandboxError> {
        let mut phase = self.group.lock();
        let _ = rustix::process::kill_process_group(self.group.leader, Signal::KILL);
        let status = self.child.wait().map_err(wait)?;
        let timed_out = *phase == Phase::TimedOut;
        *phase = Phase::Ended;
        self.group.changed.notify_all();
        let code = || status.code().and_then(|code| u8::try_from(code).ok());
        let exit = match status.signal() {
            _ if timed_out => Exit::TimedOut,
            Some(signal) => Exit::Signal(signal),
            None => Exit::Code(code().unwrap_or(u8::MAX)),
        };
        self.exit = Some(exit);
        Ok(exit)
    }
}

impl Running for MacosRunning {
    fn wait(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        // Without reaping: the group must still be there to be killed.
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let ended = rustix::io::retry_on_intr(|| {
            rustix::process::waitid(WaitId::Pid(self.group.leader), how)
        });
        let exit = self.end()?;
        ended.map_err(|error| wait(error.into()))?;
        Ok(exit)
    }

    fn kill(&self) -> Result<(), SandboxError> {
        self.group.send(Signal::KILL).map_err(wait)
    }

    fn signal(&self, number: i32) -> Result<(), SandboxError> {
        self.group.send_number(number).map_err(wait)
    }

    fn take_listener(&mut self) -> Option<TcpListener> {
        self.listener.take()
    }

    fn killer(&self) -> Result<Box<dyn Killer>, SandboxError> {
        Ok(Box::new(GroupKiller(Arc::clone(&self.group))))
    }
}

impl Drop for MacosRunning {
    fn drop(&mut self) {
        if self.exit.is_none() {
            let _ = self.end();
        }
    }
}

struct GroupKiller(Arc<Group>);

impl Killer for GroupKiller {
    fn kill(&self) {
        let _ = self.0.send(Signal::KILL);
    }

    fn signal(&self, number: i32) {
        let _ = self.0.send_number(number);
    }
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let phase = self.lock();
        if *phase == Phase::Ended {
            return Ok(());
        }
        match rustix::process::kill_process_group(self.leader, signal) {
            // The leader is a zombie that nobody reaped yet; there is nobody else.
            Ok(()) | Err(rustix::io::Errno::SRCH | rustix::io::Errno::PERM) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn send_number(&self, number: i32) -> io::Result<()> {
        let signal = Signal::from_named_raw(number);
        self.send(signal.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?)
    }

    /// Kills the group when the time comes first.
    fn watch(&self, until: Instant) {
        let mut phase = self.lock();
        while *phase == Phase::Running {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                *phase = Phase::TimedOut;
                let _ = rustix::process::kill_process_group(self.leader, Signal::KILL);
                return;
            }
            let waited = self.changed.wait_timeout(phase, left);
            phase = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn wait(source: io::Error) -> SandboxError {
    SandboxError::Wait { source }
}
