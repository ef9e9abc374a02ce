//! Asks for one native program, or for the same several times: TIMES STDIN TIMEOUT-MS PROGRAM [ARGUMENT]…
//!
//! An empty STDIN is none, TIMEOUT-MS 0 is none.

use misdeeds::ringfence::host::exec::{Completed, Error, Exit, Kept, Output, Request, run};

fn main() {
    misdeeds::attempt("exec-runner", |args| {
        let stdin = args.text(1, "STDIN");
        let timeout = args.number(2, 0);
        let request = || Request {
            argv: args.all().iter().skip(3).cloned().collect(),
            stdin: (!stdin.is_empty()).then(|| stdin.as_bytes().to_vec()),
            timeout_ms: (timeout > 0).then_some(timeout),
        };
        let mut last = Err("asked for nothing".to_owned());
        for _ in 0..args.number(0, 1) {
            last = run(&request()).map(|done| told(&done)).map_err(|error| refusal(&error));
        }
        last
    });
}

fn told(done: &Completed) -> String {
    let exit = match done.exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::TimedOut => "timed out".to_owned(),
    };
    let changes = &done.changes;
    let kept = match changes.kept {
        Kept::Nothing => "nothing",
        Kept::Committed => "committed",
        Kept::Discarded => "discarded",
    };
    format!(
        "{exit}; out {}; err {}; {kept} +{} ~{} -{} left out {}",
        text(&done.stdout),
        text(&done.stderr),
        changes.added,
        changes.changed,
        changes.removed,
        changes.left_out
    )
}

fn text(output: &Output) -> String {
    let cut = if output.truncated { " cut" } else { "" };
    format!("[{}] {}{cut}", misdeeds::excerpt(&output.bytes), output.bytes.len())
}

fn refusal(error: &Error) -> String {
    match error {
        Error::Denied(reason) => format!("denied: {reason}"),
        Error::NotFound => "not-found".to_owned(),
        Error::Budget(what) => format!("budget: {what}"),
        Error::Timeout => "timeout".to_owned(),
        Error::Unavailable(what) => format!("unavailable: {what}"),
    }
}
