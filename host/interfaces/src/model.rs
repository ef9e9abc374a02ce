//! Language models: an agent knows a logical name; address, key and wire format are the host's.
//!
//! Invariants: only a granted name is asked; the key is sent in one header, over TLS or to this machine,
//! and is in nothing a guest, a log or an error gets; a call is charged before it is sent, and what a
//! model may write is taken out of the budget first; every answer, wait and retry is bounded.
//!
//! Start with [`Models`] (what the operator configured), then `call.rs` for one call.

mod anthropic;
mod budget;
mod call;
mod openai;
mod retry;
mod sse;
mod transport;
mod wire;

pub use budget::OwnBudget;
pub use call::Asked;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Uri, uri::Scheme};
use ringfence_capability::{Capability, GrantSet, Kind};

use crate::agent::wit::model as wit;
use crate::http::{Resolve, Roots, SecretValue, SystemResolver};
use crate::{Effect, Effects, HostState};

/// The wire format a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "each is spoken by a module")]
pub enum Api {
    /// `/v1/chat/completions` and `/v1/embeddings`.
    #[default]
    OpenAi,
    /// `/v1/messages`.
    Anthropic,
}

/// What a server calls the most tokens it may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "these are the two names there are")]
pub enum TokensField {
    /// `max_tokens`, which most servers know.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which newer models of `OpenAI` want.
    MaxCompletionTokens,
}

/// The longest waits of one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a caller states waits with `..Default::default()`")]
pub struct ModelTimeouts {
    /// For resolving, connecting and the TLS handshake together.
    pub connect: Duration,
    /// From the request to the head of the answer. A small machine reads a long prompt slowly.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub between_bytes: Duration,
}

impl Default for ModelTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_mins(2),
            between_bytes: Duration::from_mins(1),
        }
    }
}

/// One model, as the operator configures it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..ModelConfig::new(…)`")]
pub struct ModelConfig {
    /// The wire format.
    pub api: Api,
    /// Where the server is, such as `http://127.0.0.1:11434/v1`. Without a path it is `/v1`.
    pub base_url: String,
    /// The model, as its server calls it.
    pub model: String,
    /// The key, if the server wants one.
    pub key: Option<SecretValue>,
    /// The most tokens one answer may have, unless the guest asks for fewer.
    pub most_output_tokens: u32,
    /// What the server calls that.
    pub tokens_field: TokensField,
    /// Whether answers are asked for piece by piece, so that one that stalls is noticed.
    pub stream: bool,
    /// The longest waits of one try.
    pub timeouts: ModelTimeouts,
    /// How often a request that failed is tried again.
    pub retries: u32,
    /// The first wait before that; each later one is twice as long.
    pub first_wait: Duration,
    /// Whom the server's certificate is checked against.
    pub roots: Roots,
}

impl ModelConfig {
    /// Returns the defaults for this model of this server, without a key.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            api: Api::default(),
            base_url: base_url.into(),
            model: model.into(),
            key: None,
            most_output_tokens: 4_096,
            tokens_field: TokensField::default(),
            stream: true,
            timeouts: ModelTimeouts::default(),
            retries: 3,
            first_wait: Duration::from_millis(500),
            roots: Roots::default(),
        }
    }
}

/// Why a model cannot be used as it is configured. Never says what the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "whoever reads the configuration tells each")]
pub enum ModelError {
    /// The address is none.
    #[error("`base-url` is not an address such as `https://host/v1`")]
    BaseUrl,
    /// The address has a name and a password in it.
    #[error("`base-url` has something before its host; a key is named with `key`")]
    Credentials,
    /// A key would be sent where anyone on the way can read it.
    #[error("`base-url` is not encrypted, so that a key can only go to this machine")]
    KeyInClear,
    /// The key is empty, or has a character that cannot be sent.
    #[error("the key is empty, or has a character that cannot stand in a header")]
    Key,
}

/// A model that can be asked.
pub struct Model {
    config: ModelConfig,
    encrypted: bool,
    /// Whether its address must turn out to be this machine.
    only_here: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
    key_line: Option<(HeaderName, HeaderValue)>,
    resolver: Arc<dyn Resolve>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Model {
    /// Returns the model so configured. Nothing is sent.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn new(config: ModelConfig) -> Result<Self, ModelError> {
        let uri: Uri = config.base_url.parse().map_err(|_| ModelError::BaseUrl)?;
        let scheme = uri.scheme().ok_or(ModelError::BaseUrl)?;
        let authority = uri.authority().ok_or(ModelError::BaseUrl)?;
        if authority.as_str().contains('@') {
            return Err(ModelError::Credentials);
        }
        let encrypted = *scheme == Scheme::HTTPS;
        if (!encrypted && *scheme != Scheme::HTTP) || uri.query().is_some() {
            return Err(ModelError::BaseUrl);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let here = match host.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        };
        let only_here = !encrypted && config.key.is_some();
        if only_here && !here {
            return Err(ModelError::KeyInClear);
        }
        let path = match uri.path().trim_end_matches('/') {
            "" => "/v1".to_owned(),
            path => path.to_owned(),
        };
        let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let key_line = config.key.as_ref().map(|key| key_line(config.api, key)).transpose()?;
        let authority = authority.as_str().to_owned();
        let resolver = Arc::new(SystemResolver::default());
        Ok(Self { config, encrypted, only_here, host, port, authority, path, key_line, resolver })
    }
}

fn key_line(api: Api, key: &SecretValue) -> Result<(HeaderName, HeaderValue), ModelError> {
    let (name, before) = match api {
        Api::OpenAi => (AUTHORIZATION, "Bearer "),
        Api::Anthropic => (HeaderName::from_static("x-api-key"), ""),
    };
    let key = key.bytes();
    if key.is_empty() {
        return Err(ModelError::Key);
    }
    let line = [before.as_bytes(), key].concat();
    let line = HeaderValue::from_maybe_shared(bytes::Bytes::from(line));
    let mut line = line.map_err(|_| ModelError::Key)?;
    line.set_sensitive(true);
    Ok((name, line))
}

/// The models of a run, by logical name.
#[derive(Debug, Clone, Default)]
pub struct Models(Arc<BTreeMap<String, Arc<Model>>>);

impl Models {
    /// Returns these models.
    pub fn new(models: impl IntoIterator<Item = (String, Model)>) -> Self {
        let shared = models.into_iter().map(|(name, model)| (name, Arc::new(model)));
        Self(Arc::new(shared.collect()))
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the model of this name.
    pub fn find(&self, name: &str) -> Option<&Arc<Model>> {
        self.0.get(name)
    }
}

/// Something of a budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct Spent;

/// What happens to a call, for whoever watches the run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelEvent<'a> {
    /// A model is asked.
    Asked {
        /// Its logical name.
        model: &'a str,
    },
    /// It answered, or did not.
    Ended {
        /// Its logical name.
        model: &'a str,
        /// Tokens it read.
        input_tokens: u64,
        /// Tokens it wrote.
        output_tokens: u64,
        /// Why it gave no answer.
        error: Option<String>,
    },
}

/// What a run may still spend on models.
pub trait ModelBudget: Send + Sync + 'static {
    /// Takes one call, and at most `wanted` tokens; returns how many were taken.
    ///
    /// # Errors
    /// [`Spent`], when no call or no token is left. Nothing was taken then.
    fn take(&self, wanted: u32) -> Result<u32, Spent>;

    /// Settles what was taken with what was `used`.
    fn settle(&self, taken: u32, used: u64);

    /// Returns the time left.
    fn time_left(&self) -> Duration;

    /// Ends when the run is to end.
    fn cancelled(&self) -> BoxFuture<'_, ()>;

    /// Hears what happens.
    fn event(&self, event: &ModelEvent<'_>) {
        let _ = event;
    }
}

/// What serves the `model` grants of one run.
pub struct ModelCtx {
    models: Models,
    grants: Arc<GrantSet>,
    effects: Effects,
    budget: Arc<dyn ModelBudget>,
}

impl ModelCtx {
    /// Returns what serves these grants.
    pub fn new(
        models: Models,
        grants: Arc<GrantSet>,
        effects: Effects,
        budget: Arc<dyn ModelBudget>,
    ) -> Self {
        Self { models, grants, effects, budget }
    }

    /// Returns the logical names that were granted and are there.
    pub fn names(&self) -> Vec<String> {
        let granted = self.grants.of_kind(Kind::Model).filter_map(|capability| match capability {
            Capability::Model(name) => Some(name.to_string()),
            _ => None,
        });
        let mut names: Vec<_> = granted.filter(|name| self.models.find(name).is_some()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the model that was granted under `name`; a refusal is recorded.
    fn granted(&self, name: &str, operation: &str) -> Result<Arc<Model>, wit::Error> {
        let granted = name.parse().is_ok_and(|name| self.grants.allows(&Capability::Model(name)));
        // A name of the guest's own making can be anything.
        let shown = ringfence_capability::text::plain(&name[..name.floor_char_boundary(64)]);
        let why = match (granted, self.models.find(name)) {
            (true, Some(model)) => return Ok(Arc::clone(model)),
            (true, None) => format!("the operator configured no model `{shown}`"),
            (false, _) => format!("the plugin was not granted `model:{shown}`"),
        };
        // It is refused whether or not that could be recorded.
        let _ = self.effects.record(Effect::refused(Kind::Model, operation, shown, &why));
        Err(wit::Error::Denied(why))
    }
}

/// What a run without any model is told.
const NO_MODELS: &str = "this run has no models";

impl HostState {
    /// Returns the same state, with models.
    #[must_use]
    pub fn with_models(mut self, models: ModelCtx) -> Self {
        self.models = Some(models);
        self
    }

    pub(crate) fn models(&mut self) -> Option<&ModelCtx> {
        self.models.as_ref()
    }
}

impl wit::Host for Option<&ModelCtx> {
    fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.map(ModelCtx::names).unwrap_or_default())
    }

    async fn chat(
        &mut self,
        request: wit::Request,
    ) -> wasmtime::Result<Result<wit::Response, wit::Error>> {
        let Some(ctx) = self else { return Ok(Err(wit::Error::Denied(NO_MODELS.to_owned()))) };
        Ok(ctx.chat(&request).await)
    }

    async fn embed(
        &mut self,
        model: String,
        texts: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Vec<f32>>, wit::Error>> {
        let Some(ctx) = self else { return Ok(Err(wit::Error::Denied(NO_MODELS.to_owned()))) };
        Ok(ctx.embed(&model, &texts).await)
    }
}

#[cfg(test)]
mod tests;
