//! Tools of other plugins, and of outside servers. Each runs with its own grants, cut down to those of
//! the agent that calls.

use std::time::Duration;

pub use crate::bindings::ringfence::agent::tools::{Error, Rail, Reply, Tool};

use super::Failure;

/// Returns the tools this agent may call.
pub fn list() -> Vec<Tool> {
    imp::list()
}

/// Calls a tool with `arguments`, a JSON text, and waits as long as the run lasts.
///
/// # Errors
/// [`Error`], when there is no answer. A tool that says that it failed is a [`Reply`] with `is_error`.
pub fn call(name: &str, arguments: &str) -> Result<Reply, Error> {
    imp::call(name, arguments, None)
}

/// Calls a tool and waits at most `timeout`.
///
/// # Errors
/// As [`call`].
pub fn call_within(name: &str, arguments: &str, timeout: Duration) -> Result<Reply, Error> {
    imp::call(name, arguments, Some(super::control::millis(timeout)))
}

impl Reply {
    /// Returns its text, what is no text left out.
    pub fn plain(&self) -> String {
        super::plain(&self.content)
    }
}

impl Error {
    /// Returns it in words for a person.
    pub fn words(&self) -> String {
        match self {
            Self::NotFound => "there is no such tool".to_owned(),
            Self::Denied(why) => format!("denied: {why}"),
            Self::InvalidArguments(why) => format!("invalid arguments: {why}"),
            Self::Timeout => "it took too long".to_owned(),
            Self::Cancelled => "the run is to end".to_owned(),
            Self::TooLarge(most) => format!("the answer is larger than {most} bytes"),
            Self::Budget => "no calls are left".to_owned(),
            Self::Failed(why) => why.clone(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Denied(why) => Self::Denied(why),
            Error::Cancelled => Self::Cancelled("the run is to end".to_owned()),
            Error::Budget => Self::Budget("tool-calls".to_owned()),
            error => Self::Tool(error.words()),
        }
    }
}

#[cfg(target_family = "wasm")]
use crate::bindings::ringfence::agent::tools as imp;

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::{Error, Reply, Tool};

    pub(super) fn list() -> Vec<Tool> {
        Vec::new()
    }

    pub(super) fn call(_: &str, _: &str, _: Option<u64>) -> Result<Reply, Error> {
        Err(Error::Denied(super::super::NO_HOST.to_owned()))
    }
}
