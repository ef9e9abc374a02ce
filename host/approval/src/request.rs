//! What a person is asked: one action, written in one way, with its digests.
//!
//! A request is canonical JSON (see `request/canonical.rs`) with exactly these members:
//!
//! | member | what it holds |
//! |---|---|
//! | `version` | `1` |
//! | `asker` | `"operator"`, or `{"plugin":{"digest","name"}}` |
//! | `signer` | who signed the plugin, or `null` |
//! | `capability` | its text, such as `exec:git` |
//! | `action` | `{"exec":{"argv","environment","executable":{"digest","path"},"working_directory"}}`, `{"commit":{"changes","directory","files"}}` or `"grant"` |
//! | `plan` | the sandbox plan as it is |
//! | `reason` | why the plugin says it needs it, or `null` |
//! | `expires` | the last moment at which it can be used, in whole seconds, UTC |
//! | `nonce` | 32 hexadecimal digits |
//!
//! Four digests are taken: of all of it ([`Request::digest`], what a person approves), and of three
//! parts of it that kept answers match ([`Request::subject`], [`Request::frame`],
//! [`Request::deed`]).

mod argument;
pub(crate) mod canonical;

pub use argument::Argument;

use crate::RequestError;
use jiff::Timestamp;
use ringfence_capability::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// The most bytes of a request: a command line can be long, a person cannot read more.
pub const MAX_REQUEST: usize = 512 * 1024;

/// The most bytes of the reason a plugin gives.
pub(crate) const MAX_REASON: usize = 4 * 1024;

const VERSION: u32 = 1;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a request must name every asker")]
pub enum Asker {
    /// The person at the command line, with `ringfence exec`.
    Operator,
    /// A plugin.
    Plugin {
        /// Its name, which it gave itself.
        name: String,
        /// What it is.
        digest: Digest,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "whoever shows a request must show every action")]
pub enum Action {
    /// To run a native program.
    Exec(Exec),
    /// To carry staged changes over into a directory.
    Commit {
        /// The directory.
        directory: Argument,
        /// The digest of the list of changes.
        changes: Digest,
        /// How many files change.
        files: u64,
    },
    /// To hold the capability, with nothing more to say about it.
    Grant,
}

/// One start of a native program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it; a new field must be thought of")]
pub struct Exec {
    /// The program that was opened.
    pub executable: Executable,
    /// Its arguments, with the name it is called by in front.
    pub argv: Vec<Argument>,
    /// The directory it starts in.
    pub working_directory: Argument,
    /// The names of the environment variables it gets.
    pub environment: Vec<String>,
}

/// A program: where it was opened and what was in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it; a new field must be thought of")]
pub struct Executable {
    /// The path it was opened by.
    pub path: Argument,
    /// The SHA-256 of the opened file.
    pub digest: Digest,
}

/// Sixteen random bytes that make each request another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

/// The parts of a request, before they are checked and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a caller builds it; a new field must be thought of")]
pub struct Draft {
    /// Who asks.
    pub asker: Asker,
    /// Who signed the plugin.
    pub signer: Option<String>,
    /// The capability, as text.
    pub capability: String,
    /// What is to be done.
    pub action: Action,
    /// The sandbox plan, as the sandbox room writes it.
    pub plan: Value,
    /// Why the plugin says it needs it.
    pub reason: Option<String>,
    /// The last moment at which it can be used; parts of a second are cut off.
    pub expires: Timestamp,
    /// What makes it another one than the last.
    pub nonce: Nonce,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
    #[serde(flatten)]
    rest: serde_json::Map<String, Value>,
}

/// A request: well formed, in canonical form, never changed again.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    draft: Draft,
    bytes: Vec<u8>,
    digest: Digest,
    subject: Digest,
    frame: Digest,
    deed: Digest,
}

/// The first twelve hexadecimal digits of a request's digest: how a person names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(String);

impl Draft {
    /// Returns the request, checked and in canonical form. The names of environment variables are
    /// sorted, and each is kept once.
    ///
    /// # Errors
    /// Any [`RequestError`].
    pub fn seal(mut self) -> Result<Request, RequestError> {
        self.expires = whole_seconds(self.expires)?;
        if let Action::Exec(exec) = &mut self.action {
            exec.environment.sort_unstable();
            exec.environment.dedup();
        }
        self.check()?;
        let value = self.value()?;
        let bytes = canonical::bytes(&value)?;
        if bytes.len() > MAX_REQUEST {
            return Err(RequestError::TooLarge { size_bytes: bytes.len(), most: MAX_REQUEST });
        }
        let digest = canonical::sha256(&bytes);
        let subject = canonical::digest(&without(&value, &["nonce", "expires", "reason"]))?;
        let frame = canonical::digest(&self.frame_value(&value))?;
        let deed = canonical::digest(&self.deed_value())?;
        Ok(Request { draft: self, bytes, digest, subject, frame, deed })
    }

    fn value(&self) -> Result<Value, RequestError> {
        let mut value =
            serde_json::to_value(self).map_err(|source| RequestError::Unreadable { source })?;
        value["version"] = VERSION.into();
        Ok(value)
    }

    fn check(&self) -> Result<(), RequestError> {
        let refuse =
            |what: &'static str, why: &'static str| Err(RequestError::Invalid { what, why });
        if self.reason.as_ref().is_some_and(|reason| reason.len() > MAX_REASON) {
            return refuse("reason", "it is longer than 4096 bytes");
        }
        match &self.action {
            Action::Commit { directory, .. } if directory.as_bytes().contains(&0) => {
                refuse("directory", "it holds a zero byte")
            }
            Action::Commit { .. } | Action::Grant => Ok(()),
            Action::Exec(exec) => {
                let paths = [&exec.working_directory, &exec.executable.path];
                if exec.argv.is_empty() {
                    return refuse("argv", "it is empty");
                }
                if exec.argv.iter().chain(paths).any(|text| text.as_bytes().contains(&0)) {
                    return refuse("argv", "an argument or a path holds a zero byte");
                }
                let odd = |name: &String| name.is_empty() || name.contains(['=', '\0']);
                if exec.environment.iter().any(odd) {
                    return refuse("environment", "a name is empty, or holds `=` or a zero byte");
                }
                Ok(())
            }
        }
    }

    /// What stays when the arguments may vary.
    fn frame_value(&self, value: &Value) -> Value {
        let mut frame = without(value, &["nonce", "expires", "reason"]);
        if let Action::Exec(_) = self.action {
            frame["action"]["exec"]["argv"] = Value::Null;
        }
        // A request never has this member: no subject is ever a frame.
        frame["of"] = "frame".into();
        frame
    }

    /// What is done and for whom, whatever surrounds it.
    fn deed_value(&self) -> Value {
        let asker = match &self.asker {
            Asker::Operator => json!("operator"),
            Asker::Plugin { digest, .. } => json!(digest),
        };
        let action = match &self.action {
            Action::Exec(exec) => json!({ "path": exec.executable.path, "argv": exec.argv }),
            Action::Commit { directory, changes, .. } => {
                json!({ "directory": directory, "changes": changes })
            }
            Action::Grant => json!("grant"),
        };
        json!({ "of": "deed", "asker": asker, "capability": self.capability, "action": action })
    }
}

impl Request {
    /// Returns the request that was written as `bytes`.
    ///
    /// # Errors
    /// Any [`RequestError`]; also for bytes that say the same in another way.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > MAX_REQUEST {
            return Err(RequestError::TooLarge { size_bytes: bytes.len(), most: MAX_REQUEST });
        }
        let unreadable = |source| RequestError::Unreadable { source };
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(unreadable)?;
        if versioned.version != VERSION {
            return Err(RequestError::Version { found: versioned.version });
        }
        let draft: Draft =
            serde_json::from_value(Value::Object(versioned.rest)).map_err(unreadable)?;
        let request = draft.seal()?;
        if request.bytes != bytes {
            return Err(RequestError::NotCanonical { why: "it is spelled in another way" });
        }
        Ok(request)
    }

    /// Returns the canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns its parts.
    pub fn parts(&self) -> &Draft {
        &self.draft
    }

    /// Returns what a person approves and the audit log holds: the digest of all of it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns what a kept answer for exactly this action matches: all but the nonce, the expiry and
    /// the plugin's words.
    pub fn subject(&self) -> Digest {
        self.subject
    }

    /// Returns what a kept answer for a pattern of arguments matches besides them: the subject
    /// without the arguments.
    pub fn frame(&self) -> Digest {
        self.frame
    }

    /// Returns what a kept denial matches: the plugin's digest (or the operator), the capability,
    /// and the program's path with its arguments. A plugin that changes its words, the working
    /// directory, the environment or the program's content stays denied.
    pub fn deed(&self) -> Digest {
        self.deed
    }

    /// Returns how a person names it.
    pub fn short_id(&self) -> ShortId {
        ShortId::of(&self.digest)
    }

    /// Returns the start of a program it is about, if it is.
    pub fn exec(&self) -> Option<&Exec> {
        match &self.draft.action {
            Action::Exec(exec) => Some(exec),
            Action::Commit { .. } | Action::Grant => None,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Nonce {
    /// Returns a random one.
    ///
    /// # Errors
    /// [`RequestError::NoRandomness`] when the system has none to give.
    pub fn random() -> Result<Self, RequestError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|source| RequestError::NoRandomness { source })?;
        Ok(Self(bytes))
    }

    /// Returns the one with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:032x}", u128::from_be_bytes(self.0)))
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a nonce is 32 lower-case hexadecimal digits");
        if !is_hex(&text, 32) {
            return Err(wrong());
        }
        u128::from_str_radix(&text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| wrong())
    }
}

impl ShortId {
    /// Returns the id of the request with this digest.
    pub fn of(digest: &Digest) -> Self {
        Self(digest.hex()[..12].to_owned())
    }

    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ShortId {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let why = "it is twelve lower-case hexadecimal digits";
        if !is_hex(text, 12) {
            return Err(RequestError::Invalid { what: "id", why });
        }
        Ok(Self(text.to_owned()))
    }
}

pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn without(value: &Value, names: &[&str]) -> Value {
    let mut value = value.clone();
    if let Value::Object(members) = &mut value {
        members.retain(|name, _| !names.contains(&name.as_str()));
    }
    value
}

fn whole_seconds(time: Timestamp) -> Result<Timestamp, RequestError> {
    let why = "it is out of range";
    Timestamp::from_second(time.as_second())
        .map_err(|_| RequestError::Invalid { what: "expiry", why })
}
