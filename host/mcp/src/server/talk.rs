//! One client: what it said about itself, and what it was asked.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::message::{self, Id, RpcError, code};

/// The newest revision: no beginning, everything about the client in each request.
pub(crate) const MODERN: &str = "2026-07-28";
/// The revisions that begin with `initialize`, newest first.
pub(crate) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// The most resources one client follows.
const MAX_FOLLOWED: usize = 1_000;

/// Where messages of one exchange go.
pub(super) type Out = mpsc::Sender<Value>;

/// One client.
#[derive(Default)]
pub(super) struct Talk {
    begun: Mutex<Option<Begun>>,
    /// The least important messages it wants.
    level: Mutex<Option<u8>>,
    /// Resources it follows.
    followed: Mutex<HashSet<String>>,
    /// What it was asked and has not answered.
    asked: Mutex<HashMap<i64, oneshot::Sender<Result<Value, RpcError>>>>,
    next: AtomicI64,
}

/// What a client of an older revision said when it began.
#[derive(Clone)]
struct Begun {
    capabilities: Value,
}

/// What one request says about its client.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Whether it is of the newest revision.
    pub(super) modern: bool,
    /// What the client can do.
    pub(super) capabilities: Value,
    /// The least important messages it wants.
    pub(super) level: Option<u8>,
    /// Under what it wants progress.
    pub(super) token: Option<Value>,
}

impl Talk {
    /// Takes in how a client of an older revision begins; returns the revision to go on in.
    pub(super) fn begin(&self, params: &Map<String, Value>) -> &'static str {
        let wanted = params.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let version = LEGACY.iter().find(|known| **known == wanted).copied().unwrap_or(LEGACY[0]);
        let capabilities = params.get("capabilities").cloned().unwrap_or_else(|| json!({}));
        *lock(&self.begun) = Some(Begun { capabilities });
        version
    }

    pub(super) fn set_level(&self, level: u8) {
        *lock(&self.level) = Some(level);
    }

    /// Follows a resource, or no longer; tells whether there was room.
    pub(super) fn follow(&self, uri: &str, follow: bool) -> bool {
        let mut followed = lock(&self.followed);
        if !follow {
            followed.remove(uri);
            return true;
        }
        let room = followed.len() < MAX_FOLLOWED;
        if room {
            followed.insert(uri.to_owned());
        }
        room
    }

    pub(super) fn followed(&self) -> Vec<String> {
        lock(&self.followed).iter().cloned().collect()
    }

    /// Returns what a request says about its client.
    ///
    /// # Errors
    /// When it is of no revision that is spoken here, or says too little.
    pub(super) fn view(&self, method: &str, params: &Map<String, Value>) -> Result<View, RpcError> {
        let meta = params.get("_meta");
        let of_meta =
            |key: &str| meta.and_then(|meta| meta.get(format!("io.modelcontextprotocol/{key}")));
        let token = meta.and_then(|meta| meta.get("progressToken")).cloned();
        let token = token.filter(|token| token.is_string() || token.is_i64() || token.is_u64());
        let level = of_meta("logLevel").and_then(Value::as_str).and_then(super::listen::rank_of);
        match of_meta("protocolVersion").map(|version| version.as_str().unwrap_or_default()) {
            Some(MODERN) => {
                let capabilities = of_meta("clientCapabilities").filter(|found| found.is_object());
                let capabilities =
                    capabilities.cloned().ok_or_else(|| says_too_little("clientCapabilities"))?;
                Ok(View { modern: true, capabilities, level, token })
            }
            Some(other) if !LEGACY.contains(&other) || method == "server/discover" => {
                Err(unsupported(other))
            }
            None if method == "server/discover" => Err(says_too_little("protocolVersion")),
            _ => {
                let begun = lock(&self.begun).clone();
                if begun.is_none() && !matches!(method, "initialize" | "ping") {
                    return Err(says_too_little("protocolVersion"));
                }
                let capabilities = begun.map_or_else(|| json!({}), |begun| begun.capabilities);
                Ok(View { modern: false, capabilities, level: level.or(*lock(&self.level)), token })
            }
        }
    }

    /// Asks the client and waits for its answer.
    ///
    /// # Cancellation
    /// Dropping the future tells the client that nobody waits any more.
    pub(super) async fn ask(
        self: &Arc<Self>,
        out: &Out,
        method: &str,
        params: Value,
        time: Duration,
    ) -> Result<Value, RpcError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        lock(&self.asked).insert(number, answer);
        let mut asked = Asked { talk: Arc::clone(self), out: out.clone(), number, over: false };
        let gone = || RpcError::new(code::INTERNAL, "the client went away");
        let request = message::request(&Id::Number(number), method, &params);
        out.send(request).await.map_err(|_| gone())?;
        let Ok(answer) = tokio::time::timeout(time, answered).await else {
            return Err(RpcError::new(code::INTERNAL, "the client did not answer in time"));
        };
        asked.over = true;
        answer.map_err(|_| gone())?
    }

    /// Takes in an answer of the client. One to nothing is dropped.
    pub(super) fn answered(&self, id: &Id, result: Result<Value, RpcError>) {
        let Id::Number(number) = id else { return };
        if let Some(asked) = lock(&self.asked).remove(number) {
            let _ = asked.send(result);
        }
    }
}

/// A question that waits for its answer.
struct Asked {
    talk: Arc<Talk>,
    out: Out,
    number: i64,
    over: bool,
}

impl Drop for Asked {
    fn drop(&mut self) {
        lock(&self.talk.asked).remove(&self.number);
        if !self.over {
            let withdrawn =
                json!({ "requestId": self.number, "reason": "nobody waits for it any more" });
            let _ = self.out.try_send(message::notification("notifications/cancelled", &withdrawn));
        }
    }
}

/// Returns the error for a request that does not say enough about its client.
pub(super) fn says_too_little(key: &str) -> RpcError {
    RpcError::new(
        code::INVALID_PARAMS,
        format!("`_meta` has no `io.modelcontextprotocol/{key}`, and no `initialize` came before"),
    )
}

/// Returns the error for a revision that is not spoken here.
pub(super) fn unsupported(wanted: &str) -> RpcError {
    let wanted = ringfence_capability::text::brief(wanted, 40);
    RpcError::new(code::UNSUPPORTED_VERSION, format!("revision `{wanted}` is not spoken here"))
        .with(json!({ "requested": wanted, "supported": supported() }))
}

/// Returns every revision that is spoken here.
pub(super) fn supported() -> Vec<&'static str> {
    [MODERN].into_iter().chain(LEGACY).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
