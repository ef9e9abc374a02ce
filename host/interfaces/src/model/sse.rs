//! Server-sent events: lines in, the data of whole events out.

/// The longest line, in bytes.
const LINE_BYTES: usize = 1024 * 1024;

/// What has arrived of the next event.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: String,
}

/// A line is longer than any event is, or no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoEvent;

impl Events {
    /// Takes in `bytes` and returns the data of each event that is whole now.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<String>, NoEvent> {
        let mut whole = Vec::new();
        for byte in bytes {
            if *byte != b'\n' {
                if self.line.len() == LINE_BYTES {
                    return Err(NoEvent);
                }
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            whole.extend(self.line(&line)?);
        }
        Ok(whole)
    }

    /// Returns the data of an event that the end of the stream completes.
    pub(super) fn end(mut self) -> Result<Option<String>, NoEvent> {
        let line = std::mem::take(&mut self.line);
        self.line(&line)?;
        Ok(Some(self.data).filter(|data| !data.is_empty()))
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<String>, NoEvent> {
        let line = std::str::from_utf8(line).map_err(|_| NoEvent)?.trim_end_matches('\r');
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return Ok(Some(data).filter(|data| !data.is_empty()));
        }
        // Names of events, their numbers and comments say nothing that the data does not.
        if let Some(data) = line.strip_prefix("data:") {
            let data = data.strip_prefix(' ').unwrap_or(data);
            if self.data.len() + data.len() > LINE_BYTES {
                return Err(NoEvent);
            }
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Returns the events of `text`, fed in pieces of `size` bytes.
    fn check(text: &str, size: usize) -> Vec<String> {
        let mut events = Events::default();
        let pieces = text.as_bytes().chunks(size).map(|piece| events.feed(piece).unwrap());
        let mut all: Vec<String> = pieces.collect::<Vec<_>>().concat();
        all.extend(events.end().unwrap());
        all
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let text = ": hello\r\nevent: x\r\ndata: {\"a\":\"ü\"}\r\n\r\n\ndata:one\ndata: two\n\ndata: [DONE]";
        for size in [1, 2, 3, 7, 1000] {
            assert_eq!(check(text, size), ["{\"a\":\"ü\"}", "one\ntwo", "[DONE]"], "{size}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused_at_its_limit() {
        let mut events = Events::default();
        assert_eq!(events.feed(&vec![b'x'; LINE_BYTES]), Ok(vec![]));
        assert_eq!(events.feed(b"x"), Err(NoEvent));
        let mut events = Events::default();
        assert_eq!(events.feed(b"data: \xff\n"), Err(NoEvent));
        let mut events = Events::default();
        let piece = format!("data: {}\n", "x".repeat(LINE_BYTES - 10));
        assert_eq!(events.feed(piece.as_bytes()), Ok(vec![]));
        assert_eq!(events.feed(piece.as_bytes()), Err(NoEvent), "one event of many lines");
    }
}
