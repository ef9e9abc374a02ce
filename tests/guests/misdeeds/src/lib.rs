//! What the misbehaving commands share: arguments, the one line of outcome, files and requests by raw bindings.
//!
//! Start with [`attempt`]: it runs the misdeed and says on stdout whether the host let it through.

#![forbid(unsafe_code)]

pub mod fs;
pub mod http;

pub use guest_bindings::{ringfence, wasi};

/// Runs one misdeed and prints its outcome as one line of JSON.
///
/// `Ok` carries the evidence that it worked, `Err` the code of the refusal.
pub fn attempt(name: &str, act: impl FnOnce(&Args) -> Result<String, String>) {
    let args = Args(std::env::args().skip(1).collect());
    println!("{}", line(name, &act(&args)));
}

/// Returns the line that [`attempt`] prints.
pub fn line(name: &str, result: &Result<String, String>) -> String {
    let (outcome, detail) = match result {
        Ok(evidence) => ("succeeded", evidence),
        Err(code) => ("refused", code),
    };
    format!(
        "{{\"attempt\":{},\"outcome\":{},\"detail\":{}}}",
        json(name),
        json(outcome),
        json(detail)
    )
}

/// The arguments after the program's name.
pub struct Args(Vec<String>);

impl Args {
    /// Returns the argument at `index`; without it the guest ends with code 2, which is no outcome.
    pub fn text(&self, index: usize, what: &str) -> &str {
        self.0.get(index).map_or_else(
            || {
                eprintln!("missing argument {index}: {what}");
                std::process::exit(2)
            },
            String::as_str,
        )
    }

    /// Returns the argument at `index` when it was given.
    pub fn optional(&self, index: usize) -> Option<&str> {
        self.0.get(index).map(String::as_str)
    }

    /// Returns the number at `index`, or `default` when there is none.
    pub fn number(&self, index: usize, default: u64) -> u64 {
        self.optional(index).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Returns every argument.
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

/// Returns `text` as a JSON string.
pub fn json(text: &str) -> String {
    let mut out = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if u32::from(control) < 0x20 => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Returns the name of an error as WIT spells it, without the type: `ErrorCode::NotPermitted` is `not-permitted`.
pub fn code(error: &impl std::fmt::Debug) -> String {
    let debug = format!("{error:?}");
    // An enumeration is shown as a record of number, name and explanation.
    if let Some((_, rest)) = debug.split_once("{ code: ")
        && let Some(name) = rest.split('"').nth(1)
    {
        return name.to_owned();
    }
    let end = debug
        .find(|letter: char| !letter.is_alphanumeric() && letter != ':')
        .unwrap_or(debug.len());
    let name = debug[..end].rsplit("::").next().unwrap_or_default();
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        out.extend(letter.to_lowercase());
    }
    out + &debug[end..]
}

/// Returns the beginning of `bytes` as text.
pub fn excerpt(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned()
}
