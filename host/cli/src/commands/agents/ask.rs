//! Questions to the person at the terminal: about a change after the network was read, by an agent, and
//! about a native program. All go through one place, one after the other, and the tree waits.

use std::sync::Arc;

use ringfence::approval::terminal::Terminal as _;
use ringfence::approval::{Answer, ApprovalError, Approver, Channel, Prompt, Request};
use ringfence::{FlowAsker, PersonAsker};

use super::show::{LOOK, Show};
use crate::print::one_line;

impl Show {
    /// Asks a person; only `yes`, typed after the question was shown, is a yes. `withdrawn` tells whether
    /// nobody waits for the answer any more.
    fn ask(&self, question: &str, withdrawn: impl Fn() -> bool) -> bool {
        self.alone(|terminal| {
            let Some(terminal) = terminal else { return false };
            let gone = || self.is_stopping() || withdrawn();
            let text = format!("{question}\nLet it? Type `yes`, anything else refuses.\n");
            if gone()
                || terminal.show(&text).is_err()
                || terminal.discard_input().is_err()
                || terminal.show("> ").is_err()
            {
                return false;
            }
            loop {
                match terminal.read_line(LOOK) {
                    Err(ApprovalError::TimedOut) if !gone() => {}
                    Err(ApprovalError::TimedOut) => {
                        let _ = terminal.show("\nnobody waits for the answer any more\n");
                        return false;
                    }
                    answer => return answer.is_ok_and(|line| line.trim() == "yes"),
                }
            }
        })
    }
}

/// Returns what asks a person about a change after the network was read; nothing without a terminal.
pub(super) fn flow(show: &Arc<Show>) -> Option<FlowAsker> {
    let show = Arc::clone(show);
    show.is_attended().then(|| -> FlowAsker {
        Arc::new(move |effect| {
            let (kind, operation, target) = (effect.kind, &effect.operation, &effect.target);
            let wants = one_line(&format!("{kind} {operation} {target}"));
            let question = format!("The run has read from the network. It wants: {wants}");
            // Others go on: this thread waits for a person.
            tokio::task::block_in_place(|| show.ask(&question, || false))
        })
    })
}

/// Returns what asks a person for an agent; nothing without a terminal.
pub(super) fn person(show: &Arc<Show>) -> Option<PersonAsker> {
    let show = Arc::clone(show);
    show.is_attended().then(|| -> PersonAsker {
        Arc::new(move |question| {
            // Each in one line of its own, so that an agent cannot write more of the question.
            let (agent, action) = (question.agent(), one_line(question.action()));
            let details = one_line(question.details());
            let text = format!("Agent {agent} asks: {action}\n  details: {details}");
            show.ask(&text, || question.is_withdrawn())
        })
    })
}

/// Returns an approver whose questions wait for the others, and have the terminal to themselves.
pub(super) fn queued(show: &Arc<Show>, inner: Arc<dyn Approver>) -> Arc<dyn Approver> {
    match inner.channel() {
        Channel::Terminal => Arc::new(Queued { show: Arc::clone(show), inner }),
        Channel::Socket | Channel::Command | Channel::Elicitation | Channel::Nobody => inner,
    }
}

struct Queued {
    show: Arc<Show>,
    inner: Arc<dyn Approver>,
}

impl Approver for Queued {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        self.show.alone(|_| self.inner.ask(request, prompt))
    }

    fn channel(&self) -> Channel {
        self.inner.channel()
    }
}
