//! An argument or a path as the system sees it: bytes, which are nearly always text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::ffi::{OsStr, OsString};

/// One argument of a program, or a path: text, or bytes where it is not UTF-8.
///
/// Written as `{"text":"…"}` or `{"base64":"…"}` (RFC 4648 §4, with padding). Bytes that are UTF-8
/// are always text, so that one argument has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Argument(Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Spelling {
    Text(String),
    Base64(String),
}

impl Argument {
    /// Returns the argument with these bytes.
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the text, when it is one.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Returns the argument as the system takes it.
    #[cfg(unix)]
    pub fn to_os_string(&self) -> OsString {
        use std::os::unix::ffi::OsStringExt;
        OsString::from_vec(self.0.clone())
    }

    /// Returns the argument as the system takes it. Bytes that are no text on this system become
    /// U+FFFD.
    #[cfg(not(unix))]
    pub fn to_os_string(&self) -> OsString {
        String::from_utf8_lossy(&self.0).into_owned().into()
    }
}

impl From<&OsStr> for Argument {
    fn from(argument: &OsStr) -> Self {
        // On Unix these are the very bytes; elsewhere they are UTF-8 where the argument is text.
        Self(argument.as_encoded_bytes().to_vec())
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<&std::path::Path> for Argument {
    fn from(path: &std::path::Path) -> Self {
        path.as_os_str().into()
    }
}

impl Serialize for Argument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text() {
            Some(text) => Spelling::Text(text.to_owned()),
            None => Spelling::Base64(STANDARD.encode(&self.0)),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Spelling::deserialize(deserializer)? {
            Spelling::Text(text) => Ok(Self(text.into_bytes())),
            Spelling::Base64(text) => {
                let wrong = |_| serde::de::Error::custom("an argument is not base64");
                STANDARD.decode(text).map(Self).map_err(wrong)
            }
        }
    }
}
