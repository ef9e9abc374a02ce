//! What goes wrong between a client and a tool, and what keeps a server from starting.

use std::time::Duration;

use ringfence_capability::{Class, Diagnostic, text, with_causes};

/// Why a call has no answer. Its text reaches the client: it names the input and the way out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no such tool.
    #[error("there is no tool `{tool}`")]
    UnknownTool {
        /// What was asked for.
        tool: String,
    },
    /// There is no such resource.
    #[error("there is no resource `{uri}`")]
    NoResource {
        /// What was asked for.
        uri: String,
    },
    /// There is no such prompt.
    #[error("there is no prompt `{prompt}`")]
    NoPrompt {
        /// What was asked for.
        prompt: String,
    },
    /// The client does not say that it can answer what a tool asks.
    #[error("the tool asks what this client cannot answer: it needs `{capability}`")]
    MissingCapability {
        /// The capability of the client, such as `elicitation`.
        capability: &'static str,
    },
    /// A tool asks what the operator does not let tools ask.
    #[error("the tool asks the client's {whom}, which it may not here")]
    MayNotAsk {
        /// `person`, `model` or `roots`.
        whom: &'static str,
    },
    /// What a tool asks is no question.
    #[error("the tool asks in a form that nobody can answer: {why}")]
    BadQuestion {
        /// What is wrong.
        why: String,
    },
    /// The tool asks on and on.
    #[error("the tool asked {rounds} times and is not done")]
    TooManyQuestions {
        /// How often.
        rounds: u32,
    },
    /// The input does not fit the schema.
    #[error("the input does not fit: {}", problems.join("; "))]
    Input {
        /// What is wrong, place by place.
        problems: Vec<String>,
    },
    /// What the tool gave back does not fit its own schema.
    #[error("the tool gave back what its schema does not allow: {}", problems.join("; "))]
    Output {
        /// What is wrong, place by place.
        problems: Vec<String>,
    },
    /// The time was over.
    #[error("the call was not finished after {} s", .after.as_secs_f64())]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// Too many calls at once.
    #[error("too many calls run at once")]
    Busy,
    /// Whoever has the tool says no, or failed.
    #[error("{text}")]
    Registry {
        /// The code of the error.
        code: &'static str,
        /// What kind of failure it is.
        class: Class,
        /// What is said about it.
        text: String,
        /// How it can be put right.
        hint: Option<String>,
    },
}

impl CallError {
    /// Returns the error for a name nothing has.
    pub(crate) fn unknown_tool(name: &str) -> Self {
        Self::UnknownTool { tool: text::brief(name, 80) }
    }

    /// Returns what another room says, with what is behind it.
    pub fn of(error: &dyn Diagnostic) -> Self {
        let text = with_causes(error);
        Self::Registry { code: error.code(), class: error.class(), text, hint: error.hint() }
    }
}

impl Diagnostic for CallError {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownTool { .. } => "mcp::unknown-tool",
            Self::NoResource { .. } => "mcp::no-resource",
            Self::NoPrompt { .. } => "mcp::no-prompt",
            Self::MissingCapability { .. } => "mcp::missing-capability",
            Self::MayNotAsk { .. } => "mcp::may-not-ask",
            Self::BadQuestion { .. } => "mcp::bad-question",
            Self::TooManyQuestions { .. } => "mcp::too-many-questions",
            Self::Input { .. } => "mcp::input",
            Self::Output { .. } => "mcp::output",
            Self::TimedOut { .. } => "mcp::timed-out",
            Self::Busy => "mcp::busy",
            Self::Registry { code, .. } => code,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::UnknownTool { .. }
            | Self::NoResource { .. }
            | Self::NoPrompt { .. }
            | Self::MissingCapability { .. }
            | Self::Input { .. } => Class::BadInput,
            Self::MayNotAsk { .. } => Class::Refused,
            Self::Output { .. } | Self::BadQuestion { .. } => Class::PluginFailed,
            Self::TimedOut { .. } | Self::Busy | Self::TooManyQuestions { .. } => {
                Class::LimitReached
            }
            Self::Registry { class, .. } => *class,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownTool { .. } => Some("`tools/list` has the names".to_owned()),
            Self::NoResource { .. } => Some("`resources/list` has the names".to_owned()),
            Self::NoPrompt { .. } => Some("`prompts/list` has the names".to_owned()),
            Self::MissingCapability { .. } => Some("use a client that offers it".to_owned()),
            Self::MayNotAsk { whom } => {
                Some(format!("the operator allows it with `--let-ask {whom}`"))
            }
            Self::BadQuestion { .. } | Self::TooManyQuestions { .. } => {
                Some("tell the author of the tool".to_owned())
            }
            Self::Input { .. } => Some("correct the named places and call again".to_owned()),
            Self::Output { .. } => Some("tell the author of the tool".to_owned()),
            Self::TimedOut { .. } => Some("ask for less at once".to_owned()),
            Self::Busy => Some("wait for the others and call again".to_owned()),
            Self::Registry { hint, .. } => hint.clone(),
        }
    }
}

/// Why a server does not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum McpError {
    /// Two tools have one name.
    #[error("two tools are called `{tool}`")]
    TwoOfOneName {
        /// The name.
        tool: String,
    },
    /// Two plugins have one name: each would answer for the other.
    #[error("two of the plugins are called `{plugin}`")]
    TwoPlugins {
        /// The name.
        plugin: String,
    },
    /// A schema is not that of an object.
    #[error("the {what} schema of `{tool}` is not the schema of an object")]
    Schema {
        /// The tool.
        tool: String,
        /// `input` or `output`.
        what: &'static str,
    },
    /// The address cannot be listened at.
    #[error("`{address}` cannot be listened at")]
    Address {
        /// The address.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl Diagnostic for McpError {
    fn code(&self) -> &'static str {
        match self {
            Self::TwoOfOneName { .. } => "mcp::two-of-one-name",
            Self::TwoPlugins { .. } => "mcp::two-plugins",
            Self::Schema { .. } => "mcp::schema",
            Self::Address { .. } => "mcp::address",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::TwoOfOneName { .. } | Self::Schema { .. } => Class::Internal,
            Self::TwoPlugins { .. } | Self::Address { .. } => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TwoOfOneName { .. } => Some("serve one of the two".to_owned()),
            Self::TwoPlugins { .. } => Some(
                "serve one of them, or the other by a server of its own; `ringfence inspect` shows the \
                 name each has"
                    .to_owned(),
            ),
            Self::Schema { .. } => None,
            Self::Address { .. } => {
                Some("name a free port, or 0 for any: `127.0.0.1:0`".to_owned())
            }
        }
    }
}
