//! What the command prints: data on standard output, talk on standard error.

use std::io::{Error, ErrorKind, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use ringfence::Diagnostic;
use ringfence_capability::text;
use serde_json::{Value, json};

use crate::error::CliError;

/// Prints for people or, with `--json`, for programs.
pub(crate) struct Printer {
    json: bool,
    /// The first failure to write on standard output.
    lost: Mutex<Option<Error>>,
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const CYAN: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();
const DIM: anstyle::Style = anstyle::Style::new().dimmed();

impl Printer {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, lost: Mutex::new(None) }
    }

    /// Tells whether programs read the output.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a value: as text when it is a string, otherwise as JSON, indented on a terminal.
    pub(crate) fn value(&self, value: &Value) {
        let text = match value {
            Value::String(text) if !self.json => return self.text(text),
            Value::Null if !self.json => return,
            value if std::io::stdout().is_terminal() => serde_json::to_string_pretty(value),
            value => serde_json::to_string(value),
        };
        self.line(&inert(&text.unwrap_or_default()));
    }

    /// Prints text of a plugin. On a terminal its control characters are made visible.
    pub(crate) fn text(&self, text: &str) {
        if std::io::stdout().is_terminal() { self.line(&visible(text)) } else { self.line(text) }
    }

    /// Prints one line on standard output. A reader that went away is no error; any other failure
    /// is kept for [`Printer::lost`].
    pub(crate) fn line(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        let written = writeln!(out, "{text}").and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// Returns why something printed did not arrive: a command that lost its result has not succeeded.
    pub(crate) fn lost(&self) -> Option<CliError> {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.take().map(CliError::Output)
    }

    /// Prints one line of talk on standard error.
    #[expect(clippy::unused_self, reason = "what prints is always asked through the printer")]
    pub(crate) fn note(&self, text: &str) {
        let mut err = anstream::stderr().lock();
        let _ = writeln!(err, "{DIM}{text}{DIM:#}");
    }

    /// Shows how far something is, in place of what was shown before; nothing where nobody watches.
    pub(crate) fn progress(&self, text: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            let mut err = anstream::stderr().lock();
            let _ = write!(err, "\r\x1b[K{DIM}{}{DIM:#}", visible(text));
            let _ = err.flush();
        }
    }

    /// Prints an error and returns its exit code.
    pub(crate) fn failed(&self, error: &CliError) -> std::process::ExitCode {
        // Where results go may be what failed; then even a program is told in words.
        if self.json && !matches!(error, CliError::Output(_)) {
            self.value(&json!({ "ok": false, "error": described(error) }));
        } else {
            print_error(error, &causes(error));
        }
        std::process::ExitCode::from(error.class().exit_code())
    }
}

/// Returns the texts of what is behind an error, nearest first.
pub(crate) fn causes(error: &dyn std::error::Error) -> Vec<String> {
    ringfence_capability::causes(error).map(|cause| visible(&cause.to_string())).collect()
}

/// Returns an error as programs read it.
pub(crate) fn described(error: &impl Diagnostic) -> Value {
    json!({
        "code": error.code(),
        "exit": error.class().exit_code(),
        "message": error.to_string(),
        "causes": causes(error),
        "hint": error.hint(),
    })
}

fn print_error(error: &CliError, causes: &[String]) {
    let mut err = anstream::stderr().lock();
    let code = error.code();
    let _ = writeln!(err, "{RED}error[{code}]{RED:#}: {}", visible(&error.to_string()));
    for cause in causes {
        let _ = writeln!(err, "  cause: {}", cause.replace('\n', "\n         "));
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(err, "{CYAN}hint{CYAN:#}: {}", visible(&hint));
    }
}

/// Returns `text` with every control character but line feed and tab made visible, so that nothing a
/// plugin writes can move the cursor, retitle the window or hide a line.
pub(crate) fn visible(text: &str) -> String {
    text::lines(text)
}

/// Returns `text` in one line with nothing in it that could steer a terminal, so that no plugin can write
/// a line of its own.
pub(crate) fn one_line(text: &str) -> String {
    text::plain(&text.replace(['\n', '\r', '\t'], " "))
}

/// Returns the same JSON with what could steer a terminal written as escapes. `serde_json` escapes
/// control characters only below U+0020, and U+009B begins a sequence like ESC `[` does.
pub(crate) fn inert(json: &str) -> String {
    use std::fmt::Write as _;
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if text::hides(c) && !matches!(c, '\n' | '\t') {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{inert, one_line, visible};

    #[test]
    fn nothing_a_plugin_writes_can_steer_the_terminal() {
        let hostile = "a\x1b]0;title\x07b\rc\u{202e}d\ne\tf";
        assert_eq!(visible(hostile), "a\u{fffd}]0;title\u{fffd}b\u{fffd}c\u{fffd}d\ne\tf");
        assert_eq!(one_line(hostile), "a\u{fffd}]0;title\u{fffd}b c\u{fffd}d e f");
    }

    #[test]
    fn json_stays_the_same_json_without_what_steers_a_terminal() {
        let json = "{\n  \"a\": \"\u{9b}2J\u{7f}\u{202e}é\u{e0041}\"\n}";
        assert_eq!(inert(json), "{\n  \"a\": \"\\u009b2J\\u007f\\u202eé\\udb40\\udc41\"\n}");
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        assert_eq!(value(&inert(json)), value(json));
    }
}
