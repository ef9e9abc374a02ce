//! Requests that wait for an answer, and answering them at this terminal as they come.

use std::io;
use std::time::{Duration, Instant};

use ringfence::approval::socket::{self, Change, Pending, Watch};
use ringfence::approval::terminal::{Terminal, TerminalApprover, Tty};
use ringfence::approval::{Answer, ApprovalError, Approver as _, Place, Request};

use super::answers::room;
use crate::commands::exec;
use crate::error::CliError;
use crate::print::Printer;

/// How long a request is looked at before it is shown again.
const PATIENCE: Duration = Duration::from_mins(10);
/// How often it is seen whether a request that is shown still waits.
const LOOK: Duration = Duration::from_millis(500);

/// Returns the requests that wait.
pub(super) fn requests(place: &Place) -> Result<Vec<Request>, CliError> {
    let pending = socket::pending(place).map_err(room)?;
    Ok(pending.into_iter().map(|one| one.request).collect())
}

/// Answers the host that waits with `request`.
pub(super) fn answer(place: &Place, request: &Request, answer: &Answer) -> Result<(), CliError> {
    socket::answer(place, &request.digest(), answer).map_err(room)
}

/// Answers requests as they come, until Ctrl-C.
pub(super) fn watch(place: &Place, printer: &Printer) -> Result<u8, CliError> {
    let mut watch = Watch::open(place).map_err(room)?;
    if exec::tty().is_none() {
        return Err(CliError::Usage(
            "`watch` asks at a terminal and there is none; use `approvals list` and `approvals \
             approve`"
                .to_owned(),
        ));
    }
    printer.note("waiting for requests; Ctrl-C ends it");
    loop {
        if let Some(Change::Waiting(pending)) = watch.next(Duration::from_mins(1)).map_err(room)? {
            one(place, &pending, printer);
        }
    }
}

/// Asks until there is an answer that is understood, or nobody waits for one any more.
fn one(place: &Place, pending: &Pending, printer: &Printer) {
    let request = &pending.request;
    let mut prompt = pending.prompt.clone();
    prompt.patience = PATIENCE;
    while let Some(tty) = exec::tty() {
        let terminal = StillWaiting { tty, place, request };
        let approver = TerminalApprover::new(terminal, Box::new(jiff::Timestamp::now));
        let answered = approver
            .ask(request, &prompt)
            .and_then(|answer| socket::answer(place, &request.digest(), &answer));
        match answered {
            Ok(()) => return printer.note("answered"),
            Err(error @ (ApprovalError::NotUnderstood | ApprovalError::TimedOut)) => {
                printer.note(&format!("not answered: {error}; it still waits"));
            }
            Err(error) => return printer.note(&format!("not answered: {error}")),
        }
    }
}

/// A terminal at which nobody is waited for once the request was answered from elsewhere, or whoever
/// asked is gone.
struct StillWaiting<'a> {
    tty: Tty,
    place: &'a Place,
    request: &'a Request,
}

impl StillWaiting<'_> {
    fn waits(&self) -> bool {
        let pending = socket::pending(self.place).unwrap_or_default();
        pending.iter().any(|one| one.request.digest() == self.request.digest())
    }
}

impl Terminal for StillWaiting<'_> {
    fn discard_input(&mut self) -> Result<(), ApprovalError> {
        self.tty.discard_input()
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.tty.show(text)
    }

    fn read_line(&mut self, patience: Duration) -> Result<String, ApprovalError> {
        let began = Instant::now();
        loop {
            // The terminal hands over whole lines only, so that none is lost in between.
            match self.tty.read_line(LOOK.min(patience)) {
                Err(ApprovalError::TimedOut) if began.elapsed() < patience => {}
                other => return other,
            }
            if !self.waits() {
                let id = self.request.short_id().to_string();
                return Err(ApprovalError::NotWaiting { id });
            }
        }
    }

    fn width(&self) -> usize {
        self.tty.width()
    }
}
