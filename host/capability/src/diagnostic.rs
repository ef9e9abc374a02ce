//! How every room tells an error: what was refused, why, and how to fix it safely.

use std::error::Error;

/// An error a person reads: it has a stable code, a class that decides the exit code, and a hint.
///
/// The `Display` text says what was refused, `source()` says why, [`hint`](Diagnostic::hint) says
/// how to fix it without switching a protection off.
pub trait Diagnostic: Error + Send + Sync + 'static {
    /// Returns the stable code, such as `policy::forbidden`; never reused for another meaning.
    fn code(&self) -> &'static str;

    /// Returns what kind of failure it is.
    fn class(&self) -> Class;

    /// Returns how to fix it, when there is a safe way.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Returns what is behind an error, nearest first.
pub fn causes(error: &dyn Error) -> impl Iterator<Item = &dyn Error> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// Returns what an error says, and what each cause behind it says, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    causes(error).fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

/// The kind of a failure; each has its own exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the command line maps every class to an exit code")]
pub enum Class {
    /// The plugin ran and failed, or trapped: exit code 1.
    PluginFailed,
    /// Usage or an input is wrong: exit code 2.
    BadInput,
    /// Policy, trust or approval said no: exit code 3.
    Refused,
    /// A named limit was reached: exit code 4.
    LimitReached,
    /// A fault of the host or of the machine: exit code 70.
    Internal,
}

impl Class {
    /// Returns the process exit code of this class.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::PluginFailed => 1,
            Self::BadInput => 2,
            Self::Refused => 3,
            Self::LimitReached => 4,
            Self::Internal => 70,
        }
    }
}
