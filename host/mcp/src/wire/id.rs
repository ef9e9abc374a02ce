//! Finds the id of a message that is too long to be kept, while its bytes go by.

use crate::message::Id;

/// The most bytes of a key or an id that are looked at.
const MAX_KEPT: usize = 128;

/// Follows the structure of one JSON object and keeps the value of its own key `id`.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says where in the text it is")]
pub(super) struct IdFinder {
    depth: u64,
    in_string: bool,
    escaped: bool,
    /// The string that was read last, or that is being read, at depth one.
    string: Vec<u8>,
    /// Whether the next value is that of the key `id`.
    wanted: bool,
    /// What was read of that value.
    value: Vec<u8>,
    /// Whether it is an object, and no list.
    object: bool,
    done: bool,
}

impl IdFinder {
    /// Takes the next bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.done {
                return;
            }
            self.step(*byte);
        }
    }

    /// Returns the id, when there was one.
    pub(super) fn found(self) -> Option<Id> {
        if !self.done || !self.object {
            return None;
        }
        Id::read(&serde_json::from_slice(&self.value).ok()?)
    }

    fn step(&mut self, byte: u8) {
        if self.wanted && self.depth == 1 && !self.in_string && matches!(byte, b',' | b'}') {
            self.done = true;
            return;
        }
        if self.wanted {
            keep(&mut self.value, byte);
        }
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ if self.depth == 1 => keep(&mut self.string, byte),
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.string.clear();
                }
            }
            b'{' | b'[' => {
                self.object |= self.depth == 0 && byte == b'{';
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b':' if self.depth == 1 => self.wanted = self.string == b"id",
            b',' if self.depth == 1 => self.string.clear(),
            _ => {}
        }
    }
}

/// Keeps a byte. What is longer than any id is cut, and then is none.
fn keep(to: &mut Vec<u8>, byte: u8) {
    if to.len() < MAX_KEPT {
        to.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<String> {
        // In pieces, as it comes.
        let mut finder = IdFinder::default();
        text.as_bytes().chunks(3).for_each(|piece| finder.take(piece));
        finder.found().map(|id| id.to_json().to_string())
    }

    #[test]
    fn the_id_is_found_wherever_it_stands() {
        assert_eq!(found(r#"{"jsonrpc":"2.0","id":7,"method":"x"}"#).as_deref(), Some("7"));
        let nested = r#"{"params":{"id":1,"a":[{"id":2}]},"id":"a,}b"}"#;
        assert_eq!(found(nested).as_deref(), Some(r#""a,}b""#));
        assert_eq!(found(r#"{"a":"\"id\":3","id" : 4 }"#).as_deref(), Some("4"));
        assert_eq!(found(r#"{"x":"id","y":5,"id":6}"#).as_deref(), Some("6"));
    }

    #[test]
    fn what_is_no_id_of_the_message_is_not_taken_for_one() {
        assert_eq!(found(r#"{"params":{"id":1}}"#), None);
        assert_eq!(found(r#"["id",1]"#), None);
        assert_eq!(found(r#"{"id":{"a":1}}"#), None);
        assert_eq!(found(r#"{"id":"#), None);
        assert_eq!(found(&format!(r#"{{"id":"{}"}}"#, "x".repeat(1000))), None);
    }
}
