//! Talks to one client over lines: requests run at once, each is answered once, and none is left.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::Shared;
use super::talk::{Out, Talk};
use crate::message::{self, Id, Message, NoMessage, RpcError, code};
use crate::wire::{LineReader, LineWriter, MAX_LINE, WRITE_TIME};

/// The most requests that are not answered yet.
const MAX_OPEN: usize = 256;
/// Messages that wait to be written.
const WAITING: usize = 64;
/// So many lines in a row that are no message end the talk: two sides that answer each other's errors
/// would never stop.
const MAX_GARBAGE: u32 = 16;
/// How long requests may go on when the client said that nothing more comes.
const GRACE: Duration = Duration::from_secs(5);

/// What one client may use; the defaults are what is documented.
pub(super) struct Bounds {
    line: usize,
    open: usize,
    write_time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { line: MAX_LINE, open: MAX_OPEN, write_time: WRITE_TIME }
    }
}

/// One client, and what it waits for. Everything ends when this is dropped.
struct Client<'s> {
    shared: &'s Arc<Shared>,
    talk: Arc<Talk>,
    out: Out,
    open: HashMap<Id, AbortHandle>,
    running: JoinSet<Id>,
    /// What tells it of changes.
    telling: JoinSet<()>,
    most: usize,
}

pub(super) async fn serve(
    shared: &Arc<Shared>,
    input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send + 'static,
    end: impl Future<Output = ()>,
    bounds: Bounds,
) {
    let (out, waiting) = mpsc::channel(WAITING);
    let mut pen = JoinSet::new();
    pen.spawn(write(LineWriter::new(output, bounds.write_time), waiting));
    let mut reader = LineReader::new(input, bounds.line);
    let mut client = Client {
        shared,
        talk: Arc::default(),
        out,
        open: HashMap::new(),
        running: JoinSet::new(),
        telling: JoinSet::new(),
        most: bounds.open,
    };
    let mut end = pin!(end);
    let mut garbage = 0;
    let input_ended = loop {
        tokio::select! {
            biased;
            () = &mut end => break false,
            _ = pen.join_next() => break false,
            Some(done) = client.running.join_next() => client.done(done.ok()),
            line = reader.next() => match line {
                None => break true,
                Some(Ok(message)) => {
                    garbage = 0;
                    client.take(message).await;
                }
                Some(Err(refusal)) => {
                    garbage += 1;
                    if garbage > MAX_GARBAGE {
                        tracing::warn!("the client sends no messages; the talk is over");
                        break false;
                    }
                    client.refuse(refusal).await;
                }
            },
        }
    };
    if input_ended {
        let finish = async { while client.running.join_next().await.is_some() {} };
        tokio::select! {
            () = finish => {}
            () = &mut end => {}
            () = tokio::time::sleep(GRACE) => {}
        }
    }
    client.running.shutdown().await;
    client.telling.shutdown().await;
    // What was answered is still written.
    drop(client);
    let _ = tokio::time::timeout(bounds.write_time, pen.join_next()).await;
}

async fn write<O: AsyncWrite + Unpin>(mut lines: LineWriter<O>, mut from: mpsc::Receiver<Value>) {
    while let Some(message) = from.recv().await {
        if let Err(error) = lines.write(&message).await {
            tracing::warn!(%error, "the client does not read; the talk is over");
            return;
        }
    }
    lines.close().await;
}

impl Client<'_> {
    fn done(&mut self, id: Option<Id>) {
        if let Some(id) = id {
            self.open.remove(&id);
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Request { id, method, params } => {
                if let Some(refusal) = self.no_room_for(&id) {
                    return self.refuse(refusal).await;
                }
                let (shared, talk) = (Arc::clone(self.shared), Arc::clone(&self.talk));
                if method == "initialize" {
                    // Whatever comes after it in the same breath is read as its revision says.
                    let result = shared.answer(&talk, &self.out, &id, &method, params).await;
                    let _ = self.out.send(message::answer(Some(&id), result)).await;
                    return;
                }
                let (out, of) = (self.out.clone(), id.clone());
                let running = self.running.spawn(async move {
                    let result = shared.answer(&talk, &out, &of, &method, params).await;
                    let _ = out.send(message::answer(Some(&of), result)).await;
                    of
                });
                self.open.insert(id, running);
            }
            Message::Notification { method, params } => match method.as_str() {
                "notifications/cancelled" => {
                    let id = params.get("requestId").and_then(Id::read);
                    if let Some(task) = id.and_then(|id| self.open.remove(&id)) {
                        task.abort();
                    }
                }
                // A client that says so again is not told twice.
                "notifications/initialized" => {
                    self.telling.abort_all();
                    let tell = self.shared.tell(Arc::clone(&self.talk), self.out.clone());
                    self.telling.spawn(tell);
                }
                _ => {}
            },
            Message::Answer { id, result } => self.talk.answered(&id, result),
        }
    }

    /// Returns why a request cannot be taken, when that is so.
    fn no_room_for(&self, id: &Id) -> Option<NoMessage> {
        if self.open.contains_key(id) {
            let text = "a request with this id is not answered yet";
            let error = RpcError::new(code::INVALID_REQUEST, text).with(id.to_json());
            // Without its id: the answer that bears it is that of the first.
            return Some(NoMessage { id: None, error, answer: true });
        }
        if self.open.len() >= self.most {
            let text = format!("at most {} requests may be without an answer", self.most);
            let error = RpcError::new(code::BUSY, text);
            return Some(NoMessage { id: Some(id.clone()), error, answer: true });
        }
        None
    }

    async fn refuse(&mut self, refusal: NoMessage) {
        let NoMessage { id, error, answer } = refusal;
        if answer {
            // Waits while nobody reads: whoever sends faster than it reads takes no memory here.
            let _ = self.out.send(message::answer(id.as_ref(), Err(error))).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, CallError, Catalog, Changes, Outcome, Registry, ServerOptions};
    use futures::future::BoxFuture;
    use tokio::io::AsyncWriteExt as _;

    /// Has nothing.
    struct Nothing;

    impl Registry for Nothing {
        fn catalog(&self) -> Arc<Catalog> {
            Arc::default()
        }

        fn changes(&self) -> Option<Changes> {
            None
        }

        fn call(&self, _: Call) -> BoxFuture<'_, Result<Outcome, CallError>> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up() {
        let server = crate::Server::new(Arc::new(Nothing), ServerOptions::default());
        let (mut to, input) = tokio::io::duplex(4096);
        // Less than an answer, and nobody reads it.
        let (output, _unread) = tokio::io::duplex(8);
        to.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").await.unwrap();
        let bounds = Bounds { write_time: Duration::from_millis(20), ..Bounds::default() };
        serve(&server.shared, input, output, std::future::pending(), bounds).await;
    }

    #[test]
    fn the_documented_bounds_are_the_defaults() {
        let bounds = Bounds::default();
        assert_eq!((bounds.line, bounds.open), (16 * 1024 * 1024, 256));
        assert_eq!((bounds.write_time, GRACE), (Duration::from_secs(30), Duration::from_secs(5)));
    }
}
