//! What a tool puts away with the client between two calls, so that nobody changes it unnoticed.
//!
//! The state goes to the client and comes back: sealed with a key of this process, bound to the tool and
//! its input, and good for a time. A server that was started anew takes none of the old.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use serde_json::{Value, json};

/// How long a state is good: a person may think, and not for ever.
const GOOD_FOR: Duration = Duration::from_mins(30);
/// The most bytes of a sealed state that are looked at.
const MAX_SEALED: usize = 256 * 1024;

/// Seals states and opens them.
pub(super) struct Seal {
    key: hmac::Key,
    began: Instant,
}

impl Seal {
    pub(super) fn new() -> Self {
        let mut secret = [0; 32];
        // Without random bytes a key nobody knows cannot be had: then nothing opens.
        let filled = getrandom::fill(&mut secret).is_ok();
        let random = ring::rand::SystemRandom::new();
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &random)
            .ok()
            .filter(|_| filled)
            .unwrap_or_else(|| hmac::Key::new(hmac::HMAC_SHA256, &secret));
        Self { key, began: Instant::now() }
    }

    /// Returns the sealed state of a request with this name and input.
    pub(super) fn close(&self, of: &str, input: &Value, state: &str) -> String {
        let until = (self.began.elapsed() + GOOD_FOR).as_secs();
        let text = json!([until, state]).to_string();
        let tag = hmac::sign(&self.key, &bound(of, input, &text));
        format!("{}.{}", BASE64.encode(text), BASE64.encode(tag))
    }

    /// Returns the state that was sealed for the same request; nothing when it was changed, belongs to
    /// another, or is too old.
    pub(super) fn open(&self, of: &str, input: &Value, sealed: &str) -> Option<String> {
        if sealed.len() > MAX_SEALED {
            return None;
        }
        let (text, tag) = sealed.split_once('.')?;
        let text = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let tag = BASE64.decode(tag).ok()?;
        hmac::verify(&self.key, &bound(of, input, &text), &tag).ok()?;
        let read: Value = serde_json::from_str(&text).ok()?;
        let until = read.get(0)?.as_u64()?;
        if self.began.elapsed().as_secs() > until {
            return None;
        }
        read.get(1)?.as_str().map(str::to_owned)
    }
}

/// Returns the bytes that are signed. Each part has its length before it: none can be moved into the
/// next.
fn bound(of: &str, input: &Value, text: &str) -> Vec<u8> {
    let input = input.to_string();
    let mut bytes = Vec::new();
    for part in [of, &input, text] {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_opens_for_its_own_request_and_unchanged() {
        let (seal, input) = (Seal::new(), json!({ "a": 1 }));
        let sealed = seal.close("tool", &input, "round \"2\"");
        assert_eq!(seal.open("tool", &input, &sealed).as_deref(), Some("round \"2\""));
        assert_eq!(seal.open("other", &input, &sealed), None);
        assert_eq!(seal.open("tool", &json!({ "a": 2 }), &sealed), None);
        assert_eq!(seal.open("tool", &input, &format!("{sealed}x")), None);
        assert_eq!(Seal::new().open("tool", &input, &sealed), None);
        let (_, tag) = sealed.split_once('.').unwrap();
        let forged = format!("{}.{tag}", BASE64.encode(json!([u32::MAX, "round 3"]).to_string()));
        assert_eq!(seal.open("tool", &input, &forged), None);
        for garbage in ["", ".", "a.b", &"x".repeat(MAX_SEALED + 1)] {
            assert_eq!(seal.open("tool", &input, garbage), None);
        }
    }
}
