//! What holds for every refusal.

use ringfence_capability::Diagnostic;
use std::error::Error;

/// The longest a refusal may be, causes and hint included, whatever the input was.
const MAX_TOLD_BYTES: usize = 8 * 1024;

/// Asserts that a person gets something short to read, and returns it.
pub(crate) fn told(error: &impl Diagnostic) -> String {
    assert!(error.code().contains("::"), "a code names its room: {}", error.code());
    let mut lines = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push(error.to_string());
        cause = Error::source(error);
    }
    lines.extend(error.hint());
    assert!(lines.iter().all(|line| !line.trim().is_empty()), "an empty message: {lines:?}");
    let text = lines.join("\n");
    assert!(text.len() <= MAX_TOLD_BYTES, "a message of {} bytes", text.len());
    text
}

/// Asserts that `text` holds no control character but the end of a line.
pub(crate) fn plain(text: &str) {
    let hidden = text.chars().find(|c| c.is_control() && *c != '\n');
    assert!(hidden.is_none(), "{hidden:?} in {text:?}");
}
