//! Asks the person at the client of a call whether a native program may run.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;

use ringfence_approval::terminal::render;
use ringfence_approval::{Answer, ApprovalError, Approver, Channel, Prompt, Request};
use ringfence_mcp::{MAX_CONFIRM, Person};

/// How wide the text is: clients show it as it is, often beside something else.
const WIDTH: usize = 100;

/// Asks through the client. The answer is yes, once, or no: what holds for longer is for a person at a
/// terminal.
pub(super) struct ClientApprover(pub(super) Arc<dyn Person>);

impl Approver for ClientApprover {
    fn ask(&self, request: &Request, prompt: &Prompt) -> Result<Answer, ApprovalError> {
        let mut text = render(request, prompt, WIDTH)?;
        if let Some(detail) = &prompt.detail {
            text.push_str("\nThe difference:\n\n");
            text.push_str(detail);
        }
        if text.len() > MAX_CONFIRM {
            let what = "it is too long for a form; with `--approver socket`, `ringfence approvals watch` shows it";
            return Err(ApprovalError::Unusable { what, source: None });
        }
        let answered = self.0.confirm(text);
        match answered.recv_timeout(prompt.patience) {
            Ok(true) => Ok(Answer::Once),
            Ok(false) => Ok(Answer::Deny),
            Err(RecvTimeoutError::Timeout) => Err(ApprovalError::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(ApprovalError::EndOfInput),
        }
    }

    fn channel(&self) -> Channel {
        Channel::Elicitation
    }
}
