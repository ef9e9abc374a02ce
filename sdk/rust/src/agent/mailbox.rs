//! Messages between an agent and its parent or its children.

use std::time::Duration;

pub use crate::bindings::ringfence::agent::mailbox::{Error, Message};

use super::{Failure, Part};

/// Sends a message to a child by its id and returns the name of the message.
///
/// # Errors
/// [`Error`]; with [`Error::Full`] nothing was sent, and a later try may succeed.
pub fn send(to: &str, topic: &str, parts: &[Part]) -> Result<String, Error> {
    imp::send(to, topic, None, parts)
}

/// Sends a message to whoever started this agent.
///
/// # Errors
/// As [`send`].
pub fn send_to_parent(topic: &str, parts: &[Part]) -> Result<String, Error> {
    imp::send("parent", topic, None, parts)
}

/// Answers a message of the parent or of a child.
///
/// # Errors
/// As [`send`].
pub fn answer(message: &Message, topic: &str, parts: &[Part]) -> Result<String, Error> {
    imp::send(&message.sender, topic, Some(&message.id), parts)
}

/// Returns the oldest message; nothing when none arrives in time.
///
/// # Errors
/// [`Error::Cancelled`], when the run is to end.
pub fn receive(timeout: Duration) -> Result<Option<Message>, Error> {
    imp::receive(None, super::control::millis(timeout))
}

/// Returns the oldest message about `topic`; nothing when none arrives in time.
///
/// # Errors
/// As [`receive`].
pub fn receive_about(topic: &str, timeout: Duration) -> Result<Option<Message>, Error> {
    imp::receive(Some(topic), super::control::millis(timeout))
}

impl Error {
    /// Returns it in words for a person.
    pub fn words(&self) -> String {
        match self {
            Self::NoSuchAgent => "there is no such agent, or it has ended".to_owned(),
            Self::Full => "the mailbox is full".to_owned(),
            Self::TooLarge(most) => format!("the message is larger than {most} bytes"),
            Self::Cancelled => "the run is to end".to_owned(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled => Self::Cancelled("the run is to end".to_owned()),
            error => Self::Other(error.words()),
        }
    }
}

#[cfg(target_family = "wasm")]
use crate::bindings::ringfence::agent::mailbox as imp;

#[cfg(not(target_family = "wasm"))]
mod imp {
    use super::{Error, Message, Part};

    pub(super) fn send(_: &str, _: &str, _: Option<&str>, _: &[Part]) -> Result<String, Error> {
        Err(Error::NoSuchAgent)
    }

    #[allow(clippy::unnecessary_wraps, reason = "the host's function can fail")]
    pub(super) fn receive(_: Option<&str>, _: u64) -> Result<Option<Message>, Error> {
        Ok(None)
    }
}
