//! A job, and a program that runs in one.
//!
//! The job is the run: ending it ends every process in it, also those that nobody waited for, and
//! closing its last handle does the same, which happens when the host is killed. Not verified on
//! this system, see [`super`].

use std::io;
use std::net::TcpListener;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{INVALID_HANDLE_VALUE, WAIT_OBJECT_0, WAIT_TIMEOUT};
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, GetQueuedCompletionStatus};
use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOBOBJECT_ASSOCIATE_COMPLETION_PORT, JOBOBJECT_BASIC_ACCOUNTING_INFORMATION,
    JOBOBJECT_BASIC_UI_RESTRICTIONS, JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECTINFOCLASS,
    JobObjectAssociateCompletionPortInformation, JobObjectBasicAccountingInformation,
    JobObjectBasicUIRestrictions, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, INFINITE, WaitForSingleObject};

use super::grants::Grants;
use super::job::JobLimits;
use super::sys;
use crate::SandboxError;
use crate::executor::{Exit, Killer, Running};

/// How long the processes of an ended job may take to be gone; the kernel only has to free them.
const ENDING: Duration = Duration::from_secs(10);

/// What a killed process reports.
const KILLED: u32 = 137;

/// The number of the signal that asks a program to end.
const TERMINATE: i32 = 15;

/// A job with its limits set, and the port that hears when it is empty.
#[derive(Debug)]
pub(super) struct Job {
    job: OwnedHandle,
    events: OwnedHandle,
}

impl Job {
    /// Makes a job with these limits.
    pub(super) fn new(limits: &JobLimits) -> io::Result<Self> {
        // SAFETY: without attributes and a name the call makes a job that only we hold.
        let job = sys::owned(unsafe { CreateJobObjectW(ptr::null(), ptr::null()) })?;
        // SAFETY: no file is associated; the call makes a port of its own.
        let events = sys::owned(unsafe {
            CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1)
        })?;
        let job = Self { job, events };
        let mut all = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        all.BasicLimitInformation.LimitFlags = limits.flags;
        all.BasicLimitInformation.ActiveProcessLimit = limits.processes;
        all.BasicLimitInformation.PerProcessUserTimeLimit = limits.cpu_ticks;
        all.ProcessMemoryLimit = limits.memory_bytes;
        job.set(JobObjectExtendedLimitInformation, &all)?;
        let ui = JOBOBJECT_BASIC_UI_RESTRICTIONS { UIRestrictionsClass: limits.ui };
        job.set(JobObjectBasicUIRestrictions, &ui)?;
        let port = JOBOBJECT_ASSOCIATE_COMPLETION_PORT {
            CompletionKey: ptr::null_mut(),
            CompletionPort: job.events.as_raw_handle(),
        };
        job.set(JobObjectAssociateCompletionPortInformation, &port)?;
        Ok(job)
    }

    /// Returns the handle that the attribute list of a process names.
    pub(super) fn raw(&self) -> windows_sys::Win32::Foundation::HANDLE {
        self.job.as_raw_handle()
    }

    fn set<T>(&self, class: JOBOBJECTINFOCLASS, value: &T) -> io::Result<()> {
        // SAFETY: the job is open; `value` is the structure of this class and is only read.
        let done = unsafe {
            let value = ptr::from_ref(value).cast();
            SetInformationJobObject(self.raw(), class, value, sys::size_of_value::<T>())
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn terminate(&self) -> io::Result<()> {
        // SAFETY: the job is open; ending one that is empty does nothing.
        let done = unsafe { TerminateJobObject(self.raw(), KILLED) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    fn active(&self) -> io::Result<u32> {
        let mut found = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the job is open; `found` is the structure of this class, and the length that is
        // written is not asked for.
        let done = unsafe {
            QueryInformationJobObject(
                self.raw(),
                JobObjectBasicAccountingInformation,
                (&raw mut found).cast(),
                sys::size_of_value::<JOBOBJECT_BASIC_ACCOUNTING_INFORMATION>(),
                ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(found.ActiveProcesses) }
    }

    /// Ends every process and returns when none is left.
    fn end(&self) -> io::Result<()> {
        self.terminate()?;
        let until = Instant::now() + ENDING;
        while self.active()? > 0 {
            let left = milliseconds(until.saturating_duration_since(Instant::now()));
            if left == 0 {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            // Messages only say when to look again; they are not promised, so each wait is short.
            let (mut message, mut key, mut overlapped) = (0, 0, ptr::null_mut());
            // SAFETY: the port is open; the three places are valid for the duration of the call.
            unsafe {
                GetQueuedCompletionStatus(
                    self.events.as_raw_handle(),
                    &raw mut message,
                    &raw mut key,
                    &raw mut overlapped,
                    left.min(100),
                );
            }
        }
        Ok(())
    }
}

/// A started program with its job and its entries in access lists.
pub(super) struct WindowsRunning {
    process: OwnedHandle,
    job: Arc<Job>,
    grants: Option<Grants>,
    until: Option<Instant>,
    exit: Option<Exit>,
}

impl WindowsRunning {
    /// Takes charge of a process that was started in `job`.
    pub(super) fn new(
        process: OwnedHandle,
        job: Job,
        grants: Grants,
        deadline: Option<Duration>,
    ) -> Self {
        let until = deadline.and_then(|after| Instant::now().checked_add(after));
        Self { process, job: Arc::new(job), grants: Some(grants), until, exit: None }
    }

    /// Waits for the program itself, and returns whether it ended before the deadline.
    fn ended_in_time(&self) -> io::Result<bool> {
        loop {
            let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
            let wait = left.map_or(INFINITE, milliseconds);
            // SAFETY: the handle of the process is open.
            match unsafe { WaitForSingleObject(self.process.as_raw_handle(), wait) } {
                WAIT_OBJECT_0 => return Ok(true),
                // A wait is shorter than a very long deadline.
                WAIT_TIMEOUT
                    if left.is_some_and(|left| left > Duration::from_millis(u64::from(wait))) => {}
                WAIT_TIMEOUT => return Ok(false),
                _ => return Err(io::Error::last_os_error()),
            }
        }
    }

    fn code(&self) -> io::Result<u32> {
        let mut code = 0;
        // SAFETY: the handle of the process is open; `code` is a place for one number.
        let done = unsafe { GetExitCodeProcess(self.process.as_raw_handle(), &raw mut code) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
    }

    fn finish(&mut self) -> io::Result<Exit> {
        let waited = self.ended_in_time();
        // Whatever came of the wait: first nothing is left, then the entries go.
        let ended = self.job.end();
        self.grants = None;
        let in_time = waited?;
        ended?;
        // A code beyond a byte must not become 0, which would read as success.
        let code = u8::try_from(self.code()?).unwrap_or(u8::MAX);
        Ok(if in_time { Exit::Code(code) } else { Exit::TimedOut })
    }
}

impl Running for WindowsRunning {
    fn wait(&mut self) -> Result<Exit, SandboxError> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let exit = self.finish().map_err(failed)?;
        self.exit = Some(exit);
        Ok(exit)
    }

    fn kill(&self) -> Result<(), SandboxError> {
        self.job.terminate().map_err(failed)
    }

    fn signal(&self, number: i32) -> Result<(), SandboxError> {
        match number {
            TERMINATE => self.kill(),
            // The console itself sends Ctrl-C to every program attached to it.
            _ => Err(failed(io::Error::from(io::ErrorKind::Unsupported))),
        }
    }

    fn take_listener(&mut self) -> Option<TcpListener> {
        None
    }

    fn killer(&self) -> Result<Box<dyn Killer>, SandboxError> {
        Ok(Box::new(JobKiller(Arc::clone(&self.job))))
    }
}

impl Drop for WindowsRunning {
    fn drop(&mut self) {
        if self.exit.is_none() {
            // The handle of the job may live on in a killer, so closing it is not enough.
            let _ = self.job.end();
        }
    }
}

struct JobKiller(Arc<Job>);

impl Killer for JobKiller {
    fn kill(&self) {
        let _ = self.0.terminate();
    }

    fn signal(&self, number: i32) {
        if number == TERMINATE {
            self.kill();
        }
    }
}

/// Returns a duration as calls take it, never the value that means for ever.
fn milliseconds(duration: Duration) -> u32 {
    // Rounded up: a wait that ends early would turn in circles.
    let millis = duration.as_nanos().div_ceil(1_000_000);
    u32::try_from(millis).unwrap_or(u32::MAX).min(INFINITE - 1)
}

fn failed(source: io::Error) -> SandboxError {
    SandboxError::Wait { source }
}
