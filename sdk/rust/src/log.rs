//! Messages for the operator of the host.
//!
//! They are bounded and never interpreted. Nothing secret belongs in them.

use std::fmt::Display;

pub use crate::bindings::ringfence::host::log::Level;

/// Writes a message for the author of the plugin.
pub fn debug(message: impl Display) {
    write(Level::Debug, message, &[]);
}

/// Writes a message about normal progress.
pub fn info(message: impl Display) {
    write(Level::Info, message, &[]);
}

/// Writes a message about something odd that does not spoil the result.
pub fn warn(message: impl Display) {
    write(Level::Warn, message, &[]);
}

/// Writes a message about something that went wrong.
pub fn error(message: impl Display) {
    write(Level::Error, message, &[]);
}

/// Writes a message with name and value pairs that belong to it.
pub fn write(level: Level, message: impl Display, fields: &[(&str, &str)]) {
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    imp(level, &message.to_string(), &fields);
}

#[cfg(target_family = "wasm")]
fn imp(level: Level, message: &str, fields: &[(String, String)]) {
    crate::bindings::ringfence::host::log::write(level, message, fields);
}

#[cfg(not(target_family = "wasm"))]
fn imp(_level: Level, _message: &str, _fields: &[(String, String)]) {}
