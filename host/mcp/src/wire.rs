//! Messages as lines, bounded, for either side of the protocol.
//!
//! A line that is too long is not kept, and its id is found while it goes by, so that whoever asked gets
//! an answer. A side that does not read is given up after a time: half a line went out.

mod id;

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};

use crate::message::{Message, NoMessage, RpcError, code};
use id::IdFinder;

/// The most bytes of one message: an input may hold a file, and is parsed in memory.
pub const MAX_LINE: usize = 16 * 1024 * 1024;
/// How long the other side may take to read one message.
pub const WRITE_TIME: Duration = Duration::from_secs(30);

/// Reads messages, each a line.
pub struct LineReader<I> {
    input: BufReader<I>,
    line: Vec<u8>,
    /// What is looked for in a line that is too long, until it ends.
    skipping: Option<IdFinder>,
    most: usize,
    /// What has come since the last message.
    taken: usize,
    last: usize,
}

impl<I: AsyncRead + Unpin> LineReader<I> {
    /// Returns a reader of lines of at most `most` bytes.
    pub fn new(input: I, most: usize) -> Self {
        let input = BufReader::with_capacity(64 * 1024, input);
        Self { input, line: Vec::new(), skipping: None, most, taken: 0, last: 0 }
    }

    /// Returns how many bytes the last message had, or what was none.
    pub fn last_bytes(&self) -> usize {
        self.last
    }

    /// Returns the next message, or why what came is none; nothing at the end of the input. What
    /// stands there without a line end is no message.
    ///
    /// # Cancellation
    /// What was read stays for the next call.
    pub async fn next(&mut self) -> Option<Result<Message, NoMessage>> {
        loop {
            match self.line().await? {
                Ok(()) if self.line.iter().all(u8::is_ascii_whitespace) => self.line.clear(),
                Ok(()) => {
                    let message = Message::read(&self.line);
                    self.line.clear();
                    // One large message does not keep its memory.
                    self.line.shrink_to(64 * 1024);
                    return Some(message);
                }
                Err(refusal) => return Some(Err(refusal)),
            }
        }
    }

    /// Reads one line into `self.line`.
    async fn line(&mut self) -> Option<Result<(), NoMessage>> {
        loop {
            let found = self.input.fill_buf().await.ok().filter(|found| !found.is_empty())?;
            let end = found.iter().position(|byte| *byte == b'\n');
            let piece = &found[..end.unwrap_or(found.len())];
            if self.skipping.is_none() && self.line.len() + piece.len() > self.most {
                let mut finder = IdFinder::default();
                finder.take(&self.line);
                self.skipping = Some(finder);
                self.line = Vec::new();
            }
            match &mut self.skipping {
                Some(finder) => finder.take(piece),
                None => self.line.extend_from_slice(piece),
            }
            let used = piece.len() + usize::from(end.is_some());
            self.input.consume(used);
            self.taken = self.taken.saturating_add(used);
            if end.is_some() {
                self.last = std::mem::take(&mut self.taken);
                return Some(match self.skipping.take() {
                    None => Ok(()),
                    Some(finder) => Err(NoMessage {
                        id: finder.found(),
                        error: RpcError::new(
                            code::INVALID_REQUEST,
                            format!("a message has at most {} bytes", self.most),
                        ),
                        answer: true,
                    }),
                });
            }
        }
    }
}

/// Writes messages, each a line.
pub struct LineWriter<O> {
    /// Nothing once it was closed.
    output: Option<O>,
    time: Duration,
}

impl<O: AsyncWrite + Unpin> LineWriter<O> {
    /// Returns a writer that waits `time` for each line to be read.
    pub fn new(output: O, time: Duration) -> Self {
        Self { output: Some(output), time }
    }

    /// Writes one message whole.
    ///
    /// # Errors
    /// When it cannot be written in time. Then half a line may have gone out: the connection is over.
    pub async fn write(&mut self, message: &Value) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let output = self.output.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let written = tokio::time::timeout(self.time, async {
            output.write_all(&line).await?;
            output.flush().await
        });
        written.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Ends the output.
    pub async fn close(&mut self) {
        // A pipe ends only when its writing end is gone.
        if let Some(mut output) = self.output.take() {
            let _ = tokio::time::timeout(self.time, output.shutdown()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Id;

    #[tokio::test]
    async fn a_line_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        let line = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let input = format!("{line}\n{line} \n{line}");
        let mut lines = LineReader::new(input.as_bytes(), line.len());
        assert!(matches!(lines.next().await, Some(Ok(Message::Request { .. }))));
        let refused = lines.next().await.unwrap().unwrap_err();
        assert_eq!((refused.id, refused.answer), (Some(Id::Number(1)), true));
        // The last has no line end.
        assert!(lines.next().await.is_none());
    }
}
