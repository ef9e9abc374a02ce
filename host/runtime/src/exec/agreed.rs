//! Who agreed to a commit of staged changes.

/// Who agreed to what is written into the workspace; the log says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever commits must know which of the two it was")]
pub enum AgreedBy {
    /// A person who was shown these changes.
    Person,
    /// A rule given before the program ran, such as `--commit all`: nobody looked at these changes.
    Rule,
}

impl AgreedBy {
    /// Returns the reason that stands in the log.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only stages are committed"))]
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Person => "a person approved the changes",
            Self::Rule => "a rule given ahead commits the changes",
        }
    }
}
