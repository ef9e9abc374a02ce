//! One request and everything that comes before its answer.

use serde_json::{Map, Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ask::Asking;
use super::{Client, ClientError};
use crate::message::{self, Id, Message, NoMessage, RpcError, code};
use crate::{Listener, Severity};

/// Who takes part while one answer is waited for.
pub(super) struct Company<'a> {
    pub(super) listener: &'a dyn Listener,
    pub(super) asking: &'a dyn Asking,
}

impl<I: AsyncRead + Unpin, O: AsyncWrite + Unpin> Client<I, O> {
    /// Sends a request and waits for its answer. Whoever drops this future has to call
    /// [`Client::withdraw`] or end the talk: half a message may have gone out.
    pub(super) async fn request(
        &mut self,
        what: &'static str,
        method: &str,
        params: Value,
        company: &Company<'_>,
    ) -> Result<Value, ClientError> {
        self.next += 1;
        let id = Id::Number(self.next);
        self.send(&message::request(&id, method, &params)).await?;
        self.answer_to(&id, what, company).await
    }

    /// Writes one message whole, or ends the talk.
    pub(super) async fn send(&mut self, message: &Value) -> Result<(), ClientError> {
        // Set until it is written: who drops this future must not write on.
        if std::mem::replace(&mut self.over, true) {
            return Err(ClientError::Ended { what: "take a message" });
        }
        let written = self.writer.write(message).await;
        self.over = written.is_err();
        written.map_err(|source| ClientError::Unwritable { source })
    }

    /// Tells the server that nobody waits for the last request any more.
    pub async fn withdraw(&mut self) {
        let params = json!({ "requestId": self.next, "reason": "nobody waits for it any more" });
        let _ = self.send(&message::notification("notifications/cancelled", &params)).await;
    }

    async fn answer_to(
        &mut self,
        id: &Id,
        what: &'static str,
        company: &Company<'_>,
    ) -> Result<Value, ClientError> {
        let (mut messages, mut bytes, mut garbage) = (0_u32, 0_usize, 0_u32);
        loop {
            let Some(message) = self.reader.next().await else {
                self.over = true;
                return Err(ClientError::Ended { what });
            };
            messages += 1;
            bytes = bytes.saturating_add(self.reader.last_bytes());
            if messages > self.bounds.messages {
                return self.flood(u64::from(self.bounds.messages), "messages");
            }
            if bytes > self.bounds.bytes {
                return self.flood(self.bounds.bytes as u64, "bytes");
            }
            match message {
                Ok(Message::Answer { id: of, result }) if of == *id => {
                    return result.map_err(|error| ClientError::Refused { error });
                }
                // One to nothing, or to what nobody waits for any more.
                Ok(Message::Answer { .. }) => {}
                Ok(Message::Notification { method, params }) => {
                    self.told(&method, &params, company);
                }
                Ok(Message::Request { id: of, method, params }) => {
                    let result = self.asked(&method, params, company).await;
                    self.send(&message::answer(Some(&of), result)).await?;
                }
                Err(NoMessage { id: of, .. }) if of.as_ref() == Some(id) => {
                    // Its answer came, and is too long or damaged.
                    return Err(ClientError::TooLarge { most: self.bounds.line });
                }
                Err(_) => {
                    garbage += 1;
                    if garbage > self.bounds.garbage {
                        return self
                            .flood(u64::from(self.bounds.garbage), "lines that are no messages");
                    }
                }
            }
        }
    }

    fn flood<T>(&mut self, most: u64, what: &'static str) -> Result<T, ClientError> {
        self.over = true;
        Err(ClientError::Flood { most: usize::try_from(most).unwrap_or(usize::MAX), what })
    }

    fn told(&mut self, method: &str, params: &Map<String, Value>, company: &Company<'_>) {
        match method {
            "notifications/tools/list_changed" => self.changed = true,
            "notifications/progress" => {
                // Of what is not under way nobody is told.
                if params.get("progressToken").and_then(Value::as_i64) != Some(self.next) {
                    return;
                }
                let number = |key: &str| params.get(key).and_then(Value::as_f64);
                let note = params.get("message").and_then(Value::as_str).unwrap_or_default();
                if let Some(done) = number("progress").filter(|done| done.is_finite()) {
                    company.listener.progress(done, number("total"), note);
                }
            }
            "notifications/message" => {
                let severity = match params.get("level").and_then(Value::as_str) {
                    Some("debug") => Severity::Debug,
                    Some("warning") => Severity::Warning,
                    Some("error" | "critical" | "alert" | "emergency") => Severity::Error,
                    _ => Severity::Info,
                };
                let said = match params.get("data") {
                    Some(Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => return,
                };
                company.listener.message(severity, &said);
            }
            _ => {}
        }
    }

    async fn asked(
        &mut self,
        method: &str,
        params: Map<String, Value>,
        company: &Company<'_>,
    ) -> Result<Value, RpcError> {
        match method {
            "ping" => Ok(json!({})),
            "elicitation/create" => Ok(company.asking.put(params).await),
            _ => Err(RpcError::new(
                code::METHOD_NOT_FOUND,
                format!("`{}` is not offered here", ringfence_capability::text::brief(method, 60)),
            )),
        }
    }
}
