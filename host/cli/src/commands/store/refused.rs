//! Refusals of the commands themselves, each with the command that would be allowed.

use ringfence::{Class, Diagnostic};

/// A refusal.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) code: &'static str,
    pub(super) text: String,
    pub(super) hint: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refused {}

impl Diagnostic for Refused {
    fn code(&self) -> &'static str {
        self.code
    }

    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}
