//! What a person sees of a run: a tree that lives on a terminal, plain lines elsewhere, JSON for programs.
//! Everything that prints goes through one lock, a question to the person too: nothing garbles another.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringfence::approval::terminal::Tty;
use ringfence::supervisor::Outcome;
use ringfence::{AgentEvent, Watcher};
use serde_json::json;

use super::transcript::Transcript;
use crate::error::CliError;
use crate::print::one_line;

/// The most agents the tree shows; the rest are counted.
const ROWS: usize = 30;
/// The most characters of a row; the terminal cuts off what does not fit.
const COLUMNS: usize = 300;

/// How often a question looks whether it is still one.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// How many such looks the end of a run waits for. One of somebody else may stay open for long.
const WITHDRAWALS: u32 = 10;
/// What a person is told after the first Ctrl-C.
const ENDING: &str = "the agents are asked to end; Ctrl-C again ends them now";

/// Shows what happens and writes it down.
pub(super) struct Show {
    json: bool,
    live: bool,
    inner: Mutex<Inner>,
    /// Held while a person is asked: the next question waits, and events do not.
    terminal: Mutex<Option<Tty>>,
    attended: bool,
    /// Whether the run is to end, so that nobody is asked any more.
    stopping: AtomicBool,
}

struct Inner {
    transcript: Transcript,
    rows: Vec<Row>,
    drawn: usize,
    lost: Option<std::io::Error>,
    /// Whether a person is being asked: the tree is not drawn meanwhile.
    quiet: bool,
    /// Whether the run is to end, which stands below the tree.
    ending: bool,
}

/// One agent in the tree.
struct Row {
    id: String,
    name: String,
    state: String,
    /// When it began to run, and how long it has.
    runs: Option<(Instant, Duration)>,
    tools: Counted,
    models: Counted,
    doing: String,
}

/// How often something was called, and how often it may be.
#[derive(Default, Clone, Copy)]
struct Counted {
    used: u64,
    most: u64,
}

impl Show {
    pub(super) fn new(json: bool, transcript: Transcript) -> Self {
        let live = !json && std::io::stderr().is_terminal();
        let (rows, drawn, lost) = (Vec::new(), 0, None);
        let inner = Inner { transcript, rows, drawn, lost, quiet: false, ending: false };
        let seen = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let terminal = seen.then(crate::commands::exec::tty).flatten();
        Self {
            json,
            live,
            inner: Mutex::new(inner),
            attended: terminal.is_some(),
            terminal: Mutex::new(terminal),
            stopping: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whether there is somebody to ask.
    pub(super) fn is_attended(&self) -> bool {
        self.attended
    }

    /// Tells whether the run is to end.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Says that the run is to end: a question that is open counts as refused, and so does every later one.
    pub(super) fn stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut inner = self.lock();
        inner.ending = true;
        if !self.live {
            let _ = writeln!(anstream::stderr().lock(), "{ENDING}");
        } else if !inner.quiet {
            inner.draw();
        }
    }

    /// Does what asks a person, with the terminal to itself and after everybody who asked before.
    pub(super) fn alone<T>(&self, work: impl FnOnce(Option<&mut Tty>) -> T) -> T {
        let mut terminal = self.terminal.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut inner = self.lock();
            inner.quiet = true;
            inner.drawn = 0;
        }
        let done = work(terminal.as_mut());
        let mut inner = self.lock();
        inner.quiet = false;
        if self.live {
            inner.draw();
        }
        done
    }

    /// Has the times in the tree go on.
    pub(super) fn tick(&self) {
        let mut inner = self.lock();
        if self.live && !inner.quiet && inner.drawn > 0 {
            inner.draw();
        }
    }

    /// Says that nothing more happens. A question that is open is withdrawn first, so that what follows
    /// does not stand behind it.
    pub(super) fn over(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for _ in 0..WITHDRAWALS {
            if self.terminal.try_lock().is_ok() {
                break;
            }
            std::thread::sleep(LOOK);
        }
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
        if !self.live {
            if let Some(line) = line {
                let _ = writeln!(anstream::stderr().lock(), "{}", one_line(&line));
            }
        } else if !inner.quiet {
            // Otherwise the tree is drawn again after the answer, with this in it.
            inner.draw();
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
        if let AgentEvent::Queued { id, parent, agent, label } = event {
            // Below its parent, and below what that started before.
            let above = parent.as_ref().and_then(|parent| {
                let below = format!("{parent}.");
                let of = |row: &Row| row.id == *parent || row.id.starts_with(&below);
                self.rows.iter().rposition(of)
            });
            let place = above.map_or(self.rows.len(), |above| above + 1);
            self.rows.insert(place, Row::new(id, agent, label));
            return None;
        }
        let (id, state, doing) = told(event)?;
        let row = self.rows.iter_mut().find(|row| row.id == *id)?;
        row.count(event);
        if let Some(state) = state {
            state.clone_into(&mut row.state);
        }
        row.doing = doing;
        Some(format!("{} {}: {} {}", row.id, row.name, row.state, row.doing))
    }

    /// Draws the tree in place of what was drawn before. The terminal is told not to go on in the next
    /// line, so that a row is one line however narrow it is.
    fn draw(&mut self) {
        let mut text = String::from("\x1b[?7l");
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A\x1b[J", self.drawn);
        }
        let first = self.rows.len().saturating_sub(height());
        self.drawn = 0;
        if first > 0 {
            let _ = writeln!(text, "… {first} more");
            self.drawn += 1;
        }
        for row in &self.rows[first..] {
            let line: String = one_line(&row.line()).chars().take(COLUMNS).collect();
            let _ = writeln!(text, "{line}");
            self.drawn += 1;
        }
        if self.ending {
            let _ = writeln!(text, "{ENDING}");
            self.drawn += 1;
        }
        text.push_str("\x1b[?7h");
        let mut err = anstream::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }
}

/// Returns how many rows fit: what has left the top of the terminal cannot be drawn over.
fn height() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr());
    let lines = size.map_or(0, |size| usize::from(size.ws_row));
    if lines == 0 { ROWS } else { lines.saturating_sub(3).clamp(1, ROWS) }
}

impl Row {
    fn new(id: &str, agent: &str, label: &str) -> Self {
        let name = if agent == label { agent.to_owned() } else { format!("{label} ({agent})") };
        Self {
            id: id.to_owned(),
            name,
            state: "waits".to_owned(),
            runs: None,
            tools: Counted::default(),
            models: Counted::default(),
            doing: String::new(),
        }
    }

    /// Takes in what an event says about the budget.
    fn count(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::Running { wall_ms, tool_calls, model_calls, .. } => {
                self.runs = Some((Instant::now(), Duration::from_millis(*wall_ms)));
                self.tools.most = u64::from(*tool_calls);
                self.models.most = u64::from(*model_calls);
            }
            AgentEvent::Tool { .. } => self.tools.used += 1,
            AgentEvent::Model { .. } => self.models.used += 1,
            AgentEvent::Restarted { .. } | AgentEvent::Ended { .. } => self.runs = None,
            _ => {}
        }
    }

    fn line(&self) -> String {
        let depth = "  ".repeat(self.id.matches('.').count());
        let mut line = format!("{depth}{} {:<9} ", self.name, self.state);
        if let Some((since, most)) = self.runs {
            let _ = write!(line, "{}/{} s ", since.elapsed().as_secs(), most.as_secs());
            for (what, counted) in [("tools", self.tools), ("models", self.models)] {
                if counted.used > 0 {
                    let _ = write!(line, "{what} {}/{} ", counted.used, counted.most);
                }
            }
        }
        line.push_str(&self.doing);
        line
    }
}

/// Returns the agent an event is about, its state where that changes, and what it does.
fn told(event: &AgentEvent) -> Option<(&String, Option<&'static str>, String)> {
    Some(match event {
        AgentEvent::Running { id, .. } => (id, Some("runs"), String::new()),
        AgentEvent::Tool { id, tool, rail } => {
            (id, None, format!("calls {tool} [{} rail]", rail.name()))
        }
        AgentEvent::ToolEnded { id, tool, error: Some(error) } => {
            (id, None, format!("{tool}: {error}"))
        }
        AgentEvent::ToolEnded { id, tool, error: None } => (id, None, format!("{tool} answered")),
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
    })
}
