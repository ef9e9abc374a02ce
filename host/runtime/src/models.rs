//! Which models there are: read from the operator's own file, each under the name plugins ask for it by.
//!
//! A workspace says nothing about models: whoever wrote it would choose where the key is sent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringfence_capability::{Capability, Class, Diagnostic, Name};
use ringfence_interfaces::http::SecretValue;
use ringfence_interfaces::model::{
    Api, Model, ModelConfig, ModelError, ModelTimeouts, TokensField,
};
use serde::Deserialize;

pub use ringfence_interfaces::model::Models;

/// The most models one file may name.
const MODELS: usize = 256;
/// The most tries after the first.
const RETRIES: u32 = 10;
/// The longest wait that can be set, in seconds.
const SECONDS: u64 = 3_600;

/// What a model may write to the operator, and how long it has.
const ASK_TOKENS: u32 = 256;
const ASK_TIME: Duration = Duration::from_mins(1);

/// Where a key comes from. The file that names models never holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever resolves keys handles each")]
pub enum KeySource {
    /// This variable of the environment.
    Env(String),
    /// This file.
    File(String),
}

/// One model as it is configured.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelEntry {
    /// Where it is and how it is spoken to, without the key.
    pub config: ModelConfig,
    /// Where the key comes from.
    pub key: Option<KeySource>,
    /// The file it was configured in.
    pub file: String,
}

/// A file of models cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the models file `{file}`: {why}")]
#[non_exhaustive]
pub struct ModelsError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub why: String,
}

impl Diagnostic for ModelsError {
    fn code(&self) -> &'static str {
        "runtime::models"
    }

    fn class(&self) -> Class {
        Class::BadInput
    }

    fn hint(&self) -> Option<String> {
        Some(
            "a model is a section such as `[model.fast]` with `base-url` and `model`, and `key = \
             \"env:NAME\"` or `\"file:PATH\"` where the server wants one"
                .to_owned(),
        )
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    model: BTreeMap<String, Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Section {
    #[serde(default)]
    api: ApiName,
    base_url: String,
    model: String,
    key: Option<String>,
    max_output_tokens: Option<u32>,
    tokens_field: Option<FieldName>,
    stream: Option<bool>,
    connect_seconds: Option<u64>,
    first_byte_seconds: Option<u64>,
    between_bytes_seconds: Option<u64>,
    retries: Option<u32>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum ApiName {
    #[default]
    OpenAi,
    Anthropic,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum FieldName {
    MaxTokens,
    MaxCompletionTokens,
}

/// Reads a file of models. Nothing is sent, and no key is read.
///
/// # Errors
/// [`ModelsError`], which names what is wrong.
pub fn read_models(file: &str, text: &str) -> Result<BTreeMap<String, ModelEntry>, ModelsError> {
    let fail = |why: String| ModelsError { file: file.to_owned(), why };
    let document: Document = toml::from_str(text).map_err(|error| fail(unread(text, &error)))?;
    if document.model.len() > MODELS {
        return Err(fail(format!("it names more than {MODELS} models")));
    }
    let mut entries = BTreeMap::new();
    for (name, section) in document.model {
        let of = |why: &str| fail(format!("model `{name}`: {why}"));
        name.parse::<Name>().map_err(|error| of(&error.to_string()))?;
        let entry = entry(&section, file).map_err(|why| of(&why))?;
        // Whether a key may go there is known without the key.
        let probe = entry.key.as_ref().map(|_| SecretValue::new("key"));
        let config = ModelConfig { key: probe, ..entry.config.clone() };
        Model::new(config).map_err(|error| of(&error.to_string()))?;
        entries.insert(name, entry);
    }
    Ok(entries)
}

/// Says where a file cannot be read and what should stand there, and nothing of what does: that may be a
/// key.
fn unread(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
    if text.parse::<toml::Table>().is_err() {
        return format!("line {line} is not TOML");
    }
    // What is expected comes last, and from the types here; what was found stands before it.
    let message = error.message();
    match message.rsplit_once("expected ") {
        Some((_, expected)) => format!("line {line}: expected {expected}"),
        None if message.starts_with("missing field `") => format!("line {line}: {message}"),
        None => format!("line {line} has a value that cannot stand there"),
    }
}

fn entry(section: &Section, file: &str) -> Result<ModelEntry, String> {
    let seconds = |given: Option<u64>, usual: Duration, what: &str| match given {
        None => Ok(usual),
        Some(seconds @ 1..=SECONDS) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(format!("`{what}` is from 1 to {SECONDS}")),
    };
    if section.model.trim().is_empty() {
        return Err("`model` is empty".to_owned());
    }
    let usual = ModelConfig::new(section.base_url.trim(), section.model.trim());
    let waits = ModelTimeouts::default();
    let retries = section.retries.unwrap_or(usual.retries);
    if retries > RETRIES {
        return Err(format!("`retries` is at most {RETRIES}"));
    }
    let most_output_tokens = section.max_output_tokens.unwrap_or(usual.most_output_tokens);
    if most_output_tokens == 0 {
        return Err("`max-output-tokens` is at least 1".to_owned());
    }
    let field = section.tokens_field.map(|field| match field {
        FieldName::MaxTokens => TokensField::MaxTokens,
        FieldName::MaxCompletionTokens => TokensField::MaxCompletionTokens,
    });
    // Newer models there refuse the older name.
    let newer =
        section.base_url.contains("://api.openai.com").then_some(TokensField::MaxCompletionTokens);
    let config = ModelConfig {
        api: match section.api {
            ApiName::OpenAi => Api::OpenAi,
            ApiName::Anthropic => Api::Anthropic,
        },
        most_output_tokens,
        tokens_field: field.or(newer).unwrap_or_default(),
        stream: section.stream.unwrap_or(usual.stream),
        retries,
        timeouts: ModelTimeouts {
            connect: seconds(section.connect_seconds, waits.connect, "connect-seconds")?,
            first_byte: seconds(
                section.first_byte_seconds,
                waits.first_byte,
                "first-byte-seconds",
            )?,
            between_bytes: seconds(
                section.between_bytes_seconds,
                waits.between_bytes,
                "between-bytes-seconds",
            )?,
        },
        ..usual
    };
    let key = section.key.as_deref().map(|key| key_source(key, file)).transpose()?;
    Ok(ModelEntry { config, key, file: file.to_owned() })
}

/// Returns where a key is; a path that is not absolute counts from the directory of the models file, never
/// from where the command was started.
fn key_source(text: &str, file: &str) -> Result<KeySource, String> {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(KeySource::Env(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => {
            let dir = Path::new(file).parent().unwrap_or(Path::new(""));
            Ok(KeySource::File(dir.join(path).to_string_lossy().into_owned()))
        }
        // What was written may be the key itself: it is not repeated.
        _ => Err("`key` is `env:NAME` or `file:PATH`, never the key itself".to_owned()),
    }
}

/// The models of a run: those that can be asked, and why the others cannot.
#[derive(Debug, Clone, Default)]
pub struct RunModels {
    ready: Models,
    unready: Arc<BTreeMap<String, String>>,
}

impl std::fmt::Display for KeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl ModelEntry {
    /// Returns what its file calls the wire format.
    pub fn api_name(&self) -> &'static str {
        match self.config.api {
            Api::OpenAi => "openai",
            Api::Anthropic => "anthropic",
        }
    }
}

/// What a model said to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Said {
    /// Its words.
    pub text: String,
    /// Tokens it read.
    pub input_tokens: u64,
    /// Tokens it wrote.
    pub output_tokens: u64,
}

impl RunModels {
    /// Asks a model one thing, for the operator and not for a plugin.
    ///
    /// # Errors
    /// Why there is no answer, in words of the host.
    ///
    /// # Cancellation
    /// Dropping the future closes the connection.
    pub async fn ask(&self, name: &str, what: &str) -> Result<Said, String> {
        let asked = self.ready.ask(name, what, ASK_TOKENS, ASK_TIME).await?;
        let (input_tokens, output_tokens) = (asked.usage.input_tokens, asked.usage.output_tokens);
        Ok(Said { text: asked.plain(), input_tokens, output_tokens })
    }

    /// Returns why the model of this name cannot be asked, if it cannot.
    pub fn why_not(&self, name: &str) -> Option<String> {
        name.parse().map_or(Some("that is no name of a model".to_owned()), |name| {
            self.missing(&Capability::Model(name))
        })
    }

    /// Returns the models of these entries; `key` reads a key, or says in words why it cannot be read.
    pub fn new(
        entries: &BTreeMap<String, ModelEntry>,
        key: impl Fn(&KeySource) -> Result<String, String>,
    ) -> Self {
        let (mut ready, mut unready) = (Vec::new(), BTreeMap::new());
        for (name, entry) in entries {
            let value = entry.key.as_ref().map(&key).transpose();
            let model = value.and_then(|value| {
                let key = value.map(SecretValue::new);
                let config = ModelConfig { key, ..entry.config.clone() };
                Model::new(config).map_err(|error: ModelError| error.to_string())
            });
            match model {
                Ok(model) => ready.push((name.clone(), model)),
                Err(why) => drop(unready.insert(name.clone(), why)),
            }
        }
        Self { ready: Models::new(ready), unready: Arc::new(unready) }
    }

    /// Returns those that can be asked.
    pub fn ready(&self) -> &Models {
        &self.ready
    }

    /// Returns why the model of a capability cannot be asked, if it cannot.
    pub(crate) fn missing(&self, capability: &Capability) -> Option<String> {
        let Capability::Model(name) = capability else { return None };
        match (self.ready.find(name.as_str()), self.unready.get(name.as_str())) {
            (Some(_), _) => None,
            (None, Some(why)) => Some(why.clone()),
            (None, None) if self.ready.is_empty() && self.unready.is_empty() => {
                Some("no models are configured; `ringfence models --help` shows how".to_owned())
            }
            (None, None) => Some("no models file names it".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
