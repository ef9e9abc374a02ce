//! Which revision of the protocol a server speaks.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ask::Nobody;
use super::talk::Company;
use super::{Client, ClientError, Introduction, own_name};
use crate::Quiet;
use crate::message::{self, RpcError, code};
use crate::server::{LEGACY, MODERN};

/// How long a server may think about a question that older ones do not know.
const PROBE: Duration = Duration::from_secs(5);

/// A revision of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "requests look different in each")]
pub enum Revision {
    /// 2026-07-28: everything about the client is in each request.
    #[default]
    Modern,
    /// One that begins with `initialize`.
    Legacy(&'static str),
}

impl Revision {
    /// Returns its date.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Modern => MODERN,
            Self::Legacy(name) => name,
        }
    }
}

impl<I: AsyncRead + Unpin, O: AsyncWrite + Unpin> Client<I, O> {
    /// Finds out what is spoken: what is known from last time, else the newest, else the older ones.
    pub(super) async fn negotiate(&mut self, known: Option<&str>) -> Result<(), ClientError> {
        if known.is_some_and(|known| LEGACY.contains(&known)) {
            return self.initialize().await;
        }
        let probe = tokio::time::timeout(PROBE, self.discover()).await;
        match probe {
            Ok(Ok(())) => return Ok(()),
            // It thinks that something else was said, and speaks what was said.
            Ok(Err(ClientError::Refused { error })) if speaks_modern(&error) => {
                return self.discover().await;
            }
            // It does not know the question, or thinks it comes too early.
            Ok(Err(ClientError::Refused { .. } | ClientError::NoAnswer { .. })) | Err(_) => {}
            Ok(Err(error)) => return Err(error),
        }
        match self.initialize().await {
            // It was only slow to say so.
            Err(ClientError::Revision { revision }) if revision.contains(MODERN) => {
                self.discover().await
            }
            begun => begun,
        }
    }

    async fn discover(&mut self) -> Result<(), ClientError> {
        self.revision = Revision::Modern;
        let params = self.with_meta(json!({}), false);
        let company = Company { listener: &Quiet, asking: &Nobody };
        let found = self.request("say what it is", "server/discover", params, &company).await?;
        let versions = found.get("supportedVersions").and_then(Value::as_array);
        let speaks = versions.is_some_and(|all| all.iter().any(|one| one == MODERN));
        if !speaks {
            return Err(ClientError::NoAnswer { why: "it names no revision that is spoken here" });
        }
        self.introduction = introduction(&found);
        Ok(())
    }

    async fn initialize(&mut self) -> Result<(), ClientError> {
        self.revision = Revision::Legacy(LEGACY[0]);
        let params = json!({
            "protocolVersion": LEGACY[0],
            "capabilities": Self::capabilities(true),
            "clientInfo": own_name(),
        });
        let company = Company { listener: &Quiet, asking: &Nobody };
        let begun = self.request("begin", "initialize", params, &company).await;
        let begun = begun.map_err(|error| match error {
            ClientError::Refused { error } if error.code == code::UNSUPPORTED_VERSION => {
                let supported = error.data.as_ref().and_then(|data| data.get("supported"));
                ClientError::Revision {
                    revision: supported.map_or_else(|| "another".to_owned(), Value::to_string),
                }
            }
            other => other,
        })?;
        let version = begun.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let Some(known) = LEGACY.iter().find(|known| **known == version) else {
            return Err(ClientError::Revision { revision: version.to_owned() });
        };
        self.revision = Revision::Legacy(known);
        self.introduction = introduction(&begun);
        self.send(&message::notification("notifications/initialized", &json!({}))).await
    }

    /// Returns `params` with what the revision wants in each request. `asks` says that a person can be
    /// asked during it.
    pub(super) fn with_meta(&self, mut params: Value, asks: bool) -> Value {
        if self.revision == Revision::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = Value::from(MODERN);
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = own_name();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
                Self::capabilities(asks);
        }
        params
    }
}

/// Tells whether a refusal of a revision names the newest among those it would take.
fn speaks_modern(error: &RpcError) -> bool {
    let supported = error.data.as_ref().and_then(|data| data.get("supported")?.as_array());
    error.code == code::UNSUPPORTED_VERSION
        && supported.is_some_and(|all| all.iter().any(|one| one == MODERN))
}

fn introduction(found: &Value) -> Introduction {
    let about = found.get("serverInfo");
    let about = about
        .or_else(|| found.get("_meta").and_then(|m| m.get("io.modelcontextprotocol/serverInfo")));
    let of = |key: &str| {
        let text = about.and_then(|about| about.get(key)).and_then(Value::as_str);
        ringfence_capability::text::brief(text.unwrap_or_default(), 100)
    };
    let instructions = found.get("instructions").and_then(Value::as_str).map(str::to_owned);
    Introduction { name: of("name"), version: of("version"), instructions }
}
