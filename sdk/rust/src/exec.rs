//! Native programs, each run by the host in a sandbox after a person approved exactly that.
//!
//! The manifest asks for the commands, one pattern each, with the reason a person reads:
//!
//! ```toml
//! [[request]]
//! capability = "exec"
//! argv = [["cargo", "test", "-p", "*"]]
//! reason = "runs the tests of one package"
//! ```
//!
//! ```no_run
//! use ringfence_sdk::ToolError;
//! use ringfence_sdk::exec::{Command, Exit};
//!
//! fn tests(package: &str) -> Result<String, ToolError> {
//!     let done = Command::new("cargo").args(["test", "-p", package]).run()?;
//!     match done.exit {
//!         Exit::Code(0) => Ok(String::from_utf8_lossy(&done.stdout.bytes).into_owned()),
//!         _ => Err(ToolError::failed(String::from_utf8_lossy(&done.stderr.bytes))),
//!     }
//! }
//! ```
//!
//! A program reaches no more than the plugin itself: its directories, at their paths on the host, and
//! its hosts. It starts in the workspace where that was granted, so that relative paths mean the same
//! as for the operator. What it writes into the workspace is shown to a person when it ends, and is
//! there only if they approve it: look at [`Completed::changes`].
//!
//! Outside a host, in native tests, every program is [`Error::Unavailable`].

use std::time::Duration;

pub use crate::bindings::ringfence::host::exec::{
    Changes, Completed, Error, Exit, Kept, Output, Request,
};

use crate::ToolError;

/// One program with its arguments. Nothing runs before [`Command::run`].
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Command(Request);

impl Command {
    /// Returns the program `name`, a name or an absolute path, without arguments.
    pub fn new(name: impl Into<String>) -> Self {
        Self(Request { argv: vec![name.into()], stdin: None, timeout_ms: None })
    }

    /// Adds one argument. No shell reads it: it is passed on as it stands.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.0.argv.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.0.argv.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Gives it this to read on standard input; without it, it reads nothing.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.stdin = Some(bytes.into());
        self
    }

    /// Has it killed after this time. At most what is left of the call counts.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.0.timeout_ms = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Asks for approval, runs it and waits for its end. An exit code other than 0 is no error.
    ///
    /// # Errors
    /// [`Error`], when it did not run: nothing of it was done.
    pub fn run(&self) -> Result<Completed, Error> {
        imp(&self.0)
    }
}

#[cfg(target_family = "wasm")]
fn imp(request: &Request) -> Result<Completed, Error> {
    crate::bindings::ringfence::host::exec::run(request)
}

#[cfg(not(target_family = "wasm"))]
fn imp(_: &Request) -> Result<Completed, Error> {
    Err(Error::Unavailable("a host".to_owned()))
}

impl Completed {
    /// Tells whether it ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        matches!(self.exit, Exit::Code(0))
    }
}

impl From<Error> for ToolError {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(reason) => Self::Denied(reason),
            Error::NotFound => Self::not_found("there is no such program"),
            Error::Budget(what) => Self::Failed(what),
            Error::Timeout => Self::Timeout,
            Error::Unavailable(what) => Self::Unavailable(what),
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_list_of_words_and_no_shell_reads_it() {
        let command = Command::new("git").arg("log").args(["-n", "3; rm"]).stdin("x");
        let command = command.timeout(Duration::from_secs(2));
        assert_eq!(command.0.argv, ["git", "log", "-n", "3; rm"]);
        assert_eq!((command.0.stdin, command.0.timeout_ms), (Some(b"x".to_vec()), Some(2_000)));
    }

    #[test]
    fn outside_a_host_nothing_runs() {
        let refused = Command::new("true").run().map_err(ToolError::from);
        assert_eq!(refused, Err(ToolError::Unavailable("a host".to_owned())));
    }
}
