//! Asks whether a bundle may be installed, or takes the answer that was given ahead.

use std::time::Duration;

use ringfence::approval::terminal::Terminal as _;
use ringfence_capability::Digest;

use super::refused::Refused;
use super::room;
use crate::args::Consent;
use crate::commands::exec;
use crate::error::CliError;

/// How long a question stands.
const PATIENCE: Duration = Duration::from_mins(10);

/// What is to be agreed to.
pub(super) struct Question<'q> {
    /// The lines that were not printed yet.
    pub(super) lines: &'q [String],
    /// The bundle.
    pub(super) digest: Digest,
    /// What is asked, such as `install word-count 1.0.0?`.
    pub(super) words: String,
    /// Why it was not simply done.
    pub(super) why: String,
    /// The command without its consent, such as `ringfence install x.rfz`.
    pub(super) command: String,
}

/// Returns the channel over which a person agreed.
///
/// # Errors
/// When they did not, or nobody could be asked: then with the command that agrees to exactly this.
pub(super) fn agree(consent: &Consent, question: &Question<'_>) -> Result<&'static str, CliError> {
    if let Some(text) = &consent.accept {
        let accepted = text.parse::<Digest>();
        let accepted =
            accepted.map_err(|error| CliError::Usage(format!("`--accept {text}`: {error}")))?;
        return if accepted == question.digest {
            Ok("command")
        } else {
            Err(refused(
                "install::another-bundle",
                "this is not the bundle that was accepted",
                question,
            ))
        };
    }
    if consent.yes {
        return Ok("command");
    }
    let Some(mut tty) = exec::tty() else {
        return Err(refused("install::nobody-to-ask", &question.why, question));
    };
    let broken = |source| CliError::File { what: "terminal", path: "/dev/tty".to_owned(), source };
    tty.show(&question.lines.join("\n")).map_err(broken)?;
    // What was typed before the question is no answer to it. It is dropped before the question is there:
    // afterwards it could be the answer.
    tty.discard_input().map_err(room)?;
    tty.show(&format!("\n{} [y/N] ", question.words)).map_err(broken)?;
    match tty.read_line(PATIENCE).map_err(room)?.trim() {
        "y" | "yes" => Ok("terminal"),
        _ => Err(refused("install::denied", "you did not agree", question)),
    }
}

fn refused(code: &'static str, text: &str, question: &Question<'_>) -> CliError {
    let (command, digest) = (&question.command, question.digest);
    let hint = format!("look at it, and if it is intended: `{command} --accept {digest}`");
    room(Refused { code, text: text.to_owned(), hint })
}
