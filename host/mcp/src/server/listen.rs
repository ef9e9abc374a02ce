//! Carries what a tool says while it runs, and what changes, to the client that waits for it.

use std::sync::{Arc, Mutex, PoisonError};

use ringfence_capability::text;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::Shared;
use super::convert;
use super::talk::{Out, Talk, View};
use crate::message::notification;
use crate::{Catalog, Listener, Severity};

/// Reports that wait to be sent; what comes faster is dropped.
const WAITING: usize = 64;
/// The most characters of one report.
const MAX_NOTE: usize = 1_000;
/// The levels of messages, least important first.
const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Hears one call, and never makes it wait.
pub(super) struct Ear {
    to: mpsc::Sender<Value>,
    token: Option<Value>,
    level: Option<u8>,
    /// The progress heard last: the protocol wants each report to be further than the one before.
    last: Mutex<f64>,
}

impl Ear {
    /// Returns what hears a call for a client, and the notifications that come of it.
    pub(super) fn new(view: &View) -> (Self, mpsc::Receiver<Value>) {
        let (to, from) = mpsc::channel(WAITING);
        let last = Mutex::new(f64::NEG_INFINITY);
        (Self { to, token: view.token.clone(), level: view.level, last }, from)
    }
}

impl Listener for Ear {
    fn progress(&self, done: f64, total: Option<f64>, note: &str) {
        let Some(token) = &self.token else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !done.is_finite() || done <= *last {
            return;
        }
        let mut report = json!({ "progressToken": token, "progress": done });
        if let Some(total) = total.filter(|total| total.is_finite()) {
            report["total"] = Value::from(total);
        }
        if !note.is_empty() {
            report["message"] = Value::from(text::brief(note, MAX_NOTE));
        }
        if self.to.try_send(notification("notifications/progress", &report)).is_ok() {
            *last = done;
        }
    }

    fn message(&self, severity: Severity, said: &str) {
        let rank = rank(severity);
        if self.level.is_none_or(|least| rank < least) {
            return;
        }
        let said = convert::cut(&text::lines(said), MAX_NOTE);
        let message = json!({ "level": LEVELS[usize::from(rank)], "data": said });
        let _ = self.to.try_send(notification("notifications/message", &message));
    }
}

/// Returns how important a level is, by its name.
pub(super) fn rank_of(level: &str) -> Option<u8> {
    LEVELS.iter().position(|known| *known == level).and_then(|rank| u8::try_from(rank).ok())
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Debug => 0,
        Severity::Info => 1,
        Severity::Warning => 3,
        Severity::Error => 4,
    }
}

/// What of a catalogue a client wants to hear.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    pub(super) tools: bool,
    pub(super) prompts: bool,
    pub(super) resources: bool,
}

impl Wanted {
    /// Returns the notifications for what differs between two catalogues.
    fn differing(self, before: &Catalog, now: &Catalog) -> Vec<&'static str> {
        let resources =
            before.documents() != now.documents() || before.templates() != now.templates();
        [
            (self.tools && before.tools() != now.tools(), "notifications/tools/list_changed"),
            (
                self.prompts && before.prompts() != now.prompts(),
                "notifications/prompts/list_changed",
            ),
            (self.resources && resources, "notifications/resources/list_changed"),
        ]
        .into_iter()
        .filter_map(|(differs, method)| differs.then_some(method))
        .collect()
    }
}

impl Shared {
    /// Tells a client of an older revision of changes, until it goes away.
    pub(super) fn tell(
        self: &Arc<Self>,
        talk: Arc<Talk>,
        out: Out,
    ) -> impl Future<Output = ()> + use<> {
        // From here on, not from when the task first runs.
        let (changes, before) = (self.registry.changes(), self.registry.catalog());
        let shared = Arc::clone(self);
        async move {
            let Some(mut changes) = changes else { return };
            let mut before = before;
            let wanted = Wanted { tools: true, prompts: true, resources: true };
            while changes.changed().await.is_ok() {
                let now = shared.registry.catalog();
                let followed = talk.followed().into_iter().map(|uri| {
                    notification("notifications/resources/updated", &json!({ "uri": uri }))
                });
                let lists = wanted.differing(&before, &now);
                let lists = lists.into_iter().map(|method| notification(method, &json!({})));
                for message in lists.chain(followed).collect::<Vec<_>>() {
                    if out.send(message).await.is_err() {
                        return;
                    }
                }
                before = now;
            }
        }
    }

    /// Tells a client of the newest revision of what it wants to hear, until it no longer does.
    pub(super) async fn subscription(
        &self,
        out: &Out,
        id: &Value,
        wanted: Wanted,
        followed: &[String],
    ) {
        let Some(mut changes) = self.registry.changes() else {
            return std::future::pending().await;
        };
        let marked = |method: &str, mut params: Value| {
            params["_meta"] = json!({ "io.modelcontextprotocol/subscriptionId": id });
            notification(method, &params)
        };
        let mut before = self.registry.catalog();
        let mut accepted = json!({});
        for (key, on) in [
            ("toolsListChanged", wanted.tools),
            ("promptsListChanged", wanted.prompts),
            ("resourcesListChanged", wanted.resources),
        ] {
            if on {
                accepted[key] = Value::Bool(true);
            }
        }
        if !followed.is_empty() {
            accepted["resourceSubscriptions"] = json!(followed);
        }
        let taken = json!({ "notifications": accepted });
        if out.send(marked("notifications/subscriptions/acknowledged", taken)).await.is_err() {
            return;
        }
        while changes.changed().await.is_ok() {
            let now = self.registry.catalog();
            let lists = wanted.differing(&before, &now);
            let lists = lists.into_iter().map(|method| marked(method, json!({})));
            let updated = followed
                .iter()
                .map(|uri| marked("notifications/resources/updated", json!({ "uri": uri })));
            for message in lists.chain(updated).collect::<Vec<_>>() {
                if out.send(message).await.is_err() {
                    return;
                }
            }
            before = now;
        }
    }
}
