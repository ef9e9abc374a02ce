//! The edge between the protocol and whoever has tools.

use std::sync::{Arc, mpsc};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::watch;

use crate::{CallError, Catalog};

/// Hears the number of the newest catalogue.
pub type Changes = watch::Receiver<u64>;

/// Somebody who has tools.
///
/// # Security
/// Everything in here is called for a model. Nothing of it may grant, approve or widen anything: what a
/// tool can reach was settled before the registry was made.
pub trait Registry: Send + Sync + 'static {
    /// Returns what there is now. Cheap: it is asked with every request.
    fn catalog(&self) -> Arc<Catalog>;

    /// Returns what changes when the catalogue does; nothing when it never will.
    fn changes(&self) -> Option<Changes>;

    /// Makes one call. The input fits the schema of the tool already.
    ///
    /// # Cancellation
    /// Dropping the future withdraws the call: nothing of it goes on.
    fn call(&self, call: Call) -> BoxFuture<'_, Result<Outcome, CallError>>;

    /// Returns the contents of a resource.
    ///
    /// # Cancellation
    /// As [`Registry::call`].
    fn read(&self, uri: String) -> BoxFuture<'_, Result<Vec<Part>, CallError>> {
        async move { Err(CallError::NoResource { uri }) }.boxed()
    }

    /// Returns a prompt filled in.
    ///
    /// # Cancellation
    /// As [`Registry::call`].
    fn prompt(&self, call: PromptCall) -> BoxFuture<'_, Result<PromptOutcome, CallError>> {
        async move { Err(CallError::NoPrompt { prompt: call.prompt }) }.boxed()
    }

    /// Returns how the value of a prompt's argument may go on.
    fn complete(
        &self,
        prompt: String,
        argument: String,
        begun: String,
    ) -> BoxFuture<'_, Result<Vec<String>, CallError>> {
        let _ = (prompt, argument, begun);
        async { Ok(Vec::new()) }.boxed()
    }
}

/// One call of one tool.
pub struct Call {
    /// The name in the catalogue.
    pub tool: String,
    /// The input.
    pub input: Value,
    /// What was answered to the questions of the call before this one, when it had some.
    pub answers: Option<Answers>,
    /// Hears what the tool says while it runs.
    pub listener: Arc<dyn Listener>,
    /// When whoever called stops waiting.
    pub deadline: Instant,
    /// Puts questions of the host to the person at the client, where that can be asked.
    pub person: Option<Arc<dyn Person>>,
}

/// The longest question a person at a client is asked, in bytes: what a form can show.
pub const MAX_CONFIRM: usize = 48 * 1024;

/// The person at the client of a call, for questions of the host: whether something may be done.
///
/// # Security
/// Never handed to a tool: what a tool asks is an [`Outcome::Asks`], in which the host names who asks.
pub trait Person: Send + Sync + 'static {
    /// Puts a question of at most [`MAX_CONFIRM`] bytes that is answered with yes or no. The answer is heard once; an end without one is a
    /// no, and so is everything but the one word for yes.
    fn confirm(&self, message: String) -> mpsc::Receiver<bool>;
}

/// One request for a prompt.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "servers build it")]
pub struct PromptCall {
    /// The name in the catalogue.
    pub prompt: String,
    /// The arguments by name.
    pub arguments: Vec<(String, String)>,
    /// What was answered to its questions, when it had some.
    pub answers: Option<Answers>,
}

/// Hears what a tool says while it runs. Nothing here waits: what comes too fast is dropped.
pub trait Listener: Send + Sync + 'static {
    /// Hears that `done` steps of `total` are finished, and what is being done.
    fn progress(&self, done: f64, total: Option<f64>, note: &str);

    /// Hears one message.
    fn message(&self, severity: Severity, text: &str);
}

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "each is sent under its own name")]
pub enum Severity {
    /// Detail for the author of the tool.
    Debug,
    /// Normal progress worth keeping.
    Info,
    /// Something is odd, the result is still good.
    Warning,
    /// Something went wrong.
    Error,
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct Quiet;

impl Listener for Quiet {
    fn progress(&self, _: f64, _: Option<f64>, _: &str) {}

    fn message(&self, _: Severity, _: &str) {}
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "servers handle both")]
pub enum Outcome {
    /// It is done.
    Done(Answer),
    /// It has questions, and is to be called again with the answers.
    Asks(Asks),
}

/// What became of a request for a prompt.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "servers handle both")]
pub enum PromptOutcome {
    /// It is done.
    Done(PromptAnswer),
    /// It has questions, and is to be asked for again with the answers.
    Asks(Asks),
}

/// A prompt filled in.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct PromptAnswer {
    /// What it is for.
    pub description: Option<String>,
    /// Its messages.
    pub messages: Vec<(Speaker, Part)>,
}

/// Who says a message of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows these two")]
pub enum Speaker {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Answer {
    /// What a model reads.
    pub parts: Vec<Part>,
    /// What a program reads; it fits the output schema of the tool.
    pub structured: Option<Value>,
    /// Whether the tool failed.
    pub failed: bool,
}

/// One piece of an answer. Bytes are base64.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "servers send each in its own form")]
pub enum Part {
    /// Text.
    Text(String),
    /// A picture.
    Image {
        /// Its bytes.
        data: String,
        /// Its type, such as `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// Its bytes.
        data: String,
        /// Its type, such as `audio/wav`.
        mime_type: String,
    },
    /// A resource with its contents as text.
    TextDocument {
        /// Its name.
        uri: String,
        /// Its type.
        mime_type: Option<String>,
        /// Its contents.
        text: String,
    },
    /// A resource with its contents as bytes.
    BytesDocument {
        /// Its name.
        uri: String,
        /// Its type.
        mime_type: Option<String>,
        /// Its contents.
        data: String,
    },
    /// The name of a resource, without its contents.
    Link {
        /// Its name for programs.
        uri: String,
        /// Its name.
        name: String,
        /// What is in it.
        description: Option<String>,
        /// Its type.
        mime_type: Option<String>,
    },
}

impl Answer {
    /// Returns an answer of text alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self { parts: vec![Part::Text(text.into())], ..Self::default() }
    }

    /// Returns the answer of a tool that failed.
    pub fn failure(text: impl Into<String>) -> Self {
        Self { failed: true, ..Self::text(text) }
    }

    /// Returns an answer that is a value, with its text for models that read no structure.
    pub fn value(value: Value) -> Self {
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self { structured: Some(value), ..Self::text(text) }
    }
}

/// The questions of a call.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_structs, reason = "registries build it")]
pub struct Asks {
    /// Who asks, as a person should read it.
    pub asker: String,
    /// The questions by key. One that is optional is left out where nobody can answer it.
    pub questions: Vec<(String, Question, bool)>,
    /// What the tool gets back with the answers. Nobody else can read or change it unnoticed.
    pub state: Option<String>,
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "servers send each in its own form")]
pub enum Question {
    /// To the person at the client, as a form.
    Person {
        /// What is asked.
        message: String,
        /// What the answer must look like: an object of plain values.
        schema: Value,
    },
    /// To the model of the client.
    Model {
        /// What the model is told.
        prompt: String,
        /// The most tokens of the answer.
        max_tokens: u32,
    },
    /// Which directories the client works in.
    Roots,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Default)]
#[expect(clippy::exhaustive_structs, reason = "servers build it")]
pub struct Answers {
    /// The answers by the keys of the questions.
    pub given: Vec<(String, Given)>,
    /// What the tool put away with the questions.
    pub state: Option<String>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "registries hand each over in its own form")]
pub enum Given {
    /// The person filled the form in.
    Filled(Value),
    /// The person said no.
    Declined,
    /// The person did not answer.
    Cancelled,
    /// What the model said.
    Said(String),
    /// Directories as URIs.
    Roots(Vec<String>),
}
