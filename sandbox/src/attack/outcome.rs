//! What came of an attack.

use serde::{Deserialize, Serialize};
use std::io;

/// What came of an attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "whoever reports it must handle every outcome")]
pub enum Outcome {
    /// Nothing got through: what was tried, and the answer to it.
    Held(Vec<(String, String)>),
    /// Something got through.
    Escaped(String),
    /// Something got through, and the plan's enforcement says that it is not held.
    Admitted(String),
    /// It could not be tried on this machine.
    Skipped(String),
}

impl Outcome {
    /// Returns an outcome that is held for one reason.
    pub(super) fn held(what: &str, why: impl Into<String>) -> Self {
        Self::Held(vec![(what.to_owned(), why.into())])
    }

    /// Returns the answers that are not in `expected`, of an attack that was held.
    pub fn unexpected(&self, expected: &[&str]) -> Vec<String> {
        let Self::Held(answers) = self else { return Vec::new() };
        let odd = answers.iter().filter(|(_, why)| !expected.contains(&why.as_str()));
        odd.map(|(what, why)| format!("{what}: {why}")).collect()
    }

    /// Returns the outcome in one line.
    pub fn text(&self) -> String {
        match self {
            Self::Held(answers) => {
                let each = answers.iter().map(|(what, why)| format!("{what}: {why}"));
                each.collect::<Vec<_>>().join("; ")
            }
            Self::Escaped(what) | Self::Admitted(what) | Self::Skipped(what) => what.clone(),
        }
    }
}

/// What one attack tried inside, step by step.
#[derive(Debug, Default)]
pub(super) struct Tries {
    held: Vec<(String, String)>,
    through: Vec<String>,
}

impl Tries {
    /// Notes an attempt of the standard library.
    pub(super) fn io<T>(&mut self, what: &str, result: io::Result<T>) {
        match result {
            Ok(_) => self.through(what),
            Err(error) => self.held(what, &reason(&error)),
        }
    }

    /// Notes a system call.
    pub(super) fn call(&mut self, what: &str, result: Result<i64, i32>) {
        match result {
            Ok(_) => self.through(what),
            Err(errno) => self.held(what, errno_name(errno)),
        }
    }

    /// Notes what got through.
    pub(super) fn through(&mut self, what: &str) {
        self.through.push(what.to_owned());
    }

    /// Notes what did not.
    pub(super) fn held(&mut self, what: &str, why: &str) {
        self.held.push((what.to_owned(), why.to_owned()));
    }

    /// Notes whether a question was answered with yes.
    pub(super) fn check(&mut self, what: &str, through: bool, why: &str) {
        if through { self.through(what) } else { self.held(what, why) }
    }

    pub(super) fn outcome(self) -> Outcome {
        if self.through.is_empty() {
            Outcome::Held(self.held)
        } else {
            Outcome::Escaped(self.through.join(", "))
        }
    }
}

/// Returns the name of an error's number, or its kind.
pub(super) fn reason(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.kind().to_string(), |n| errno_name(n).to_owned())
}

/// Returns the name of an error number.
pub(super) fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EINTR => "EINTR",
        libc::EIO => "EIO",
        libc::EBADF => "EBADF",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::EXDEV => "EXDEV",
        libc::ENODEV => "ENODEV",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::EMFILE => "EMFILE",
        libc::ENOTTY => "ENOTTY",
        libc::EFBIG => "EFBIG",
        libc::ENOSPC => "ENOSPC",
        libc::EROFS => "EROFS",
        libc::ENOSYS => "ENOSYS",
        libc::ELOOP => "ELOOP",
        libc::ENOKEY => "ENOKEY",
        libc::ESTALE => "ESTALE",
        libc::EIDRM => "EIDRM",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ETIMEDOUT => "ETIMEDOUT",
        _ => "another error",
    }
}
