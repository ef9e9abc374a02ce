//! What a person sees of a run: a tree that lives on a terminal, plain lines elsewhere, JSON for programs.
//! Everything that prints goes through one lock, a question to the person too: nothing garbles another.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringfence::supervisor::Outcome;
use ringfence::{AgentEvent, FlowAsker, PersonAsker, Watcher};
use serde_json::json;

use super::transcript::Transcript;
use crate::error::CliError;
use crate::print::visible;

/// The most agents the tree shows; the rest are counted.
const ROWS: usize = 30;

/// Shows what happens and writes it down.
pub(super) struct Show {
    json: bool,
    live: bool,
    inner: Mutex<Inner>,
    /// Held while a person is asked: the next question waits, and events do not.
    asking: Mutex<()>,
}

struct Inner {
    transcript: Transcript,
    rows: Vec<Row>,
    drawn: usize,
    lost: Option<std::io::Error>,
    /// Whether a person is being asked: nothing is printed meanwhile.
    quiet: bool,
}

/// One agent in the tree.
struct Row {
    id: String,
    name: String,
    state: String,
    doing: String,
}

impl Show {
    pub(super) fn new(json: bool, transcript: Transcript) -> Self {
        let live = !json && std::io::stderr().is_terminal();
        let inner = Inner { transcript, rows: Vec::new(), drawn: 0, lost: None, quiet: false };
        Self { json, live, inner: Mutex::new(inner), asking: Mutex::new(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks a person, one question at a time and with nothing printed in between; only `yes` is a yes.
    fn ask(&self, question: &str) -> bool {
        let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut inner = self.lock();
            inner.quiet = true;
            inner.drawn = 0;
            let mut err = anstream::stderr().lock();
            let _ = write!(err, "{question}\nLet it? Type `yes`, anything else refuses: ");
            let _ = err.flush();
        }
        let mut answer = String::new();
        let said = std::io::stdin().lock().read_line(&mut answer).is_ok();
        let mut inner = self.lock();
        inner.quiet = false;
        if self.live {
            inner.draw();
        }
        said && answer.trim() == "yes"
    }

    /// Says that nothing more happens.
    pub(super) fn over(&self) {
        self.lock().drawn = 0;
    }

    /// Returns why the transcript is not whole, if it is not.
    pub(super) fn lost(&self) -> Option<CliError> {
        let mut inner = self.lock();
        let path = inner.transcript.path().display().to_string();
        inner.lost.take().map(|source| CliError::Write { what: "transcript", path, source })
    }
}

impl Watcher for Show {
    fn event(&self, event: &AgentEvent) {
        let mut inner = self.lock();
        let value = json!(event);
        let written = inner.transcript.write(&value);
        if let Err(error) = written {
            inner.lost.get_or_insert(error);
        }
        if self.json {
            let _ = writeln!(anstream::stdout().lock(), "{value}");
            return;
        }
        let line = inner.note(event);
        if inner.quiet {
            // The tree is drawn again after the answer, with this in it.
        } else if self.live {
            inner.draw();
        } else if let Some(line) = line {
            let _ = writeln!(anstream::stderr().lock(), "{}", visible(&line));
        }
    }

    fn outcome(&self, label: &str, outcome: &Outcome) {
        let mut inner = self.lock();
        if let Err(error) = inner.transcript.finished(label, outcome) {
            inner.lost.get_or_insert(error);
        }
    }
}

impl Inner {
    /// Changes the row an event is about and returns the line that tells it.
    fn note(&mut self, event: &AgentEvent) -> Option<String> {
        let (id, state, doing) = match event {
            AgentEvent::Queued { id, agent, label, .. } => {
                let name =
                    if agent == label { agent.clone() } else { format!("{label} ({agent})") };
                let (state, doing) = ("waits".to_owned(), String::new());
                self.rows.push(Row { id: id.clone(), name, state, doing });
                return None;
            }
            AgentEvent::Running { id, wall_ms } => {
                (id, Some("runs"), format!("{} s left", wall_ms / 1000))
            }
            AgentEvent::Tool { id, tool, rail } => {
                (id, None, format!("calls {tool} [{} rail]", rail.name()))
            }
            AgentEvent::ToolEnded { id, tool, error: Some(error) } => {
                (id, None, format!("{tool}: {error}"))
            }
            AgentEvent::ToolEnded { id, tool, error: None } => {
                (id, None, format!("{tool} answered"))
            }
            AgentEvent::Model { id, model } => (id, None, format!("asks the model {model}")),
            AgentEvent::ModelEnded { id, model, error: Some(error), .. } => {
                (id, None, format!("{model}: {error}"))
            }
            AgentEvent::ModelEnded { id, model, output_tokens, error: None, .. } => {
                (id, None, format!("{model} wrote {output_tokens} tokens"))
            }
            AgentEvent::Progress { id, done, total, note } => match total {
                Some(total) if *total > 0.0 => {
                    (id, None, format!("{:.0} % {note}", done / total * 100.0))
                }
                _ => (id, None, note.clone()),
            },
            AgentEvent::Restarted { id, tries, failure, .. } => {
                (id, Some("waits"), format!("failed {tries} times: {failure}"))
            }
            AgentEvent::Ended { id, state, failure, wall_ms, tool_calls, model_calls } => {
                let mut told =
                    format!("{wall_ms} ms, {tool_calls} tool calls, {model_calls} model calls");
                if let Some(failure) = failure {
                    let _ = write!(told, ": {failure}");
                }
                (id, Some(*state), told)
            }
            _ => return None,
        };
        let row = self.rows.iter_mut().find(|row| row.id == *id)?;
        if let Some(state) = state {
            state.clone_into(&mut row.state);
        }
        row.doing = doing;
        Some(format!("{} {}: {} {}", row.id, row.name, row.state, row.doing))
    }

    /// Draws the tree in place of what was drawn before.
    fn draw(&mut self) {
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A\x1b[J", self.drawn);
        }
        let first = self.rows.len().saturating_sub(ROWS);
        self.drawn = 0;
        if first > 0 {
            let _ = writeln!(text, "… {first} more");
            self.drawn += 1;
        }
        for row in &self.rows[first..] {
            let depth = row.id.matches('.').count();
            let line = format!("{}{} {:<9} {}", "  ".repeat(depth), row.name, row.state, row.doing);
            let line: String = visible(&line).replace('\n', " ").chars().take(100).collect();
            let _ = writeln!(text, "{line}");
            self.drawn += 1;
        }
        let mut err = anstream::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

fn is_attended() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Returns what asks a person about a change after the network was read; nothing without a terminal.
pub(super) fn asker(show: &Arc<Show>) -> Option<FlowAsker> {
    let show = Arc::clone(show);
    is_attended().then(|| -> FlowAsker {
        Arc::new(move |effect| {
            let (kind, operation, target) = (effect.kind, &effect.operation, &effect.target);
            let wants = visible(&format!("{kind} {operation} {target}"));
            let question = format!("The run has read from the network. It wants: {wants}");
            // Others go on: this thread waits for a person.
            tokio::task::block_in_place(|| show.ask(&question))
        })
    })
}

/// Returns what asks a person for an agent; nothing without a terminal.
pub(super) fn person(show: &Arc<Show>) -> Option<PersonAsker> {
    let show = Arc::clone(show);
    is_attended().then(|| -> PersonAsker {
        Arc::new(move |id, action, details| {
            let asks = visible(&format!("Agent {id} asks: {action}\n  {details}"));
            show.ask(&asks)
        })
    })
}
