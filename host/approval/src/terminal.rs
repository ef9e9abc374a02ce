//! Asks at a terminal, and shows a request as text.
//!
//! The default is no. The end of the input, silence, a line that is none of the words offered and a
//! line typed before the question was shown are no as well. Start with [`TerminalApprover`].

mod page;
pub mod quote;
mod render;
#[cfg(unix)]
mod tty;

pub use page::page;
pub use render::{MAX_LINES, request as render, summary};
#[cfg(unix)]
pub use tty::Tty;

use crate::{Answer, ApprovalError, Approver, Channel, Clock, Prompt, Request};
use jiff::{SignedDuration, Timestamp};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest a person can say yes for at a terminal: a year.
const MAX_HOURS: i64 = 366 * 24;

/// Where a question is shown and a line is read.
pub trait Terminal: Send {
    /// Throws away what was typed and not read yet.
    ///
    /// # Errors
    /// When that cannot be done; then nobody is asked.
    fn discard_input(&mut self) -> Result<(), ApprovalError>;

    /// Shows `text`.
    ///
    /// # Errors
    /// When it cannot all be shown.
    fn show(&mut self, text: &str) -> io::Result<()>;

    /// Reads one line, of at most 256 bytes, within `patience`.
    ///
    /// # Errors
    /// [`ApprovalError::TimedOut`], [`ApprovalError::EndOfInput`], [`ApprovalError::NotUnderstood`].
    fn read_line(&mut self, patience: Duration) -> Result<String, ApprovalError>;

    /// Returns how many columns it has.
    fn width(&self) -> usize {
        80
    }
}

/// Asks at a terminal, one question at a time.
pub struct TerminalApprover<T> {
    terminal: Mutex<T>,
    clock: Clock,
}

impl<T: Terminal> TerminalApprover<T> {
    /// Returns the approver that asks at `terminal`; `clock` tells when `8h` begins.
    pub fn new(terminal: T, clock: Clock) -> Self {
        Self { terminal: Mutex::new(terminal), clock }
    }

    /// Returns the terminal.
    pub fn into_terminal(self) -> T {
        self.terminal.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Terminal> Approver for TerminalApprover<T> {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        let broken = |source| ApprovalError::Unusable {
            what: "the terminal cannot be written to",
            source: Some(source),
        };
        let mut terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let mut text = render(request, prompt, terminal.width())?;
        text.push_str(&question(prompt));
        loop {
            terminal.show(&text).map_err(broken)?;
            // Only what is typed after the question stands there is an answer to it.
            terminal.discard_input()?;
            terminal.show("> ").map_err(broken)?;
            let left = || prompt.patience.saturating_sub(began.elapsed());
            let line = terminal.read_line(left())?;
            match &prompt.detail {
                Some(detail) if matches!(trimmed(&line), "d" | "diff") => {
                    page(&mut *terminal, detail, left()).map_err(broken)?;
                }
                _ => return parse(&line, prompt, (self.clock)()),
            }
            text = question(prompt);
        }
    }

    fn channel(&self) -> Channel {
        Channel::Terminal
    }
}

impl<T> std::fmt::Debug for TerminalApprover<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminalApprover").finish_non_exhaustive()
    }
}

/// Returns the words a person can answer with.
pub fn question(prompt: &Prompt) -> String {
    let always = match &prompt.pattern {
        Some(pattern) => {
            format!("whenever it matches  {}", quote::word(&pattern.to_string().as_str().into()))
        }
        None => "whenever it is exactly this".to_owned(),
    };
    let detail = match &prompt.detail {
        Some(_) => "\n  d       show the difference, and ask again",
        None => "",
    };
    format!(
        "{detail}\n  y       yes, this once\n  r       yes, this action, for this run\n  \
         8h, 7d  yes, this action, for that long\n  always  yes, {always}\n  \
         n       no (what counts when nothing else is typed)\n  never   no, now and every time\n"
    )
}

/// Returns the answer that a line stands for, at the time `now`.
///
/// # Errors
/// [`ApprovalError::NotUnderstood`] for anything that was not offered.
pub fn parse(line: &str, prompt: &Prompt, now: Timestamp) -> Result<Answer, ApprovalError> {
    match trimmed(line) {
        "y" | "yes" => Ok(Answer::Once),
        "r" | "run" => Ok(Answer::ForThisRun),
        "always" => Ok(Answer::Always { pattern: prompt.pattern.clone() }),
        "" | "n" | "no" => Ok(Answer::Deny),
        "never" => Ok(Answer::DenyAlways),
        other => span(other)
            .and_then(|span| now.checked_add(span).ok())
            .map(|time| Answer::Until { time })
            .ok_or(ApprovalError::NotUnderstood),
    }
}

fn trimmed(line: &str) -> &str {
    line.trim_matches([' ', '\t', '\r', '\n'])
}

/// Returns the length of `8h` or `7d`.
pub fn span(text: &str) -> Option<SignedDuration> {
    let (digits, hours_each) = match text.strip_suffix('h') {
        Some(digits) => (digits, 1),
        None => (text.strip_suffix('d')?, 24),
    };
    if digits.is_empty() || digits.len() > 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours = digits.parse::<i64>().ok()?.checked_mul(hours_each)?;
    (1..=MAX_HOURS).contains(&hours).then(|| SignedDuration::from_hours(hours))
}
