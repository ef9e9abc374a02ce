//! `exec`: a native program in the sandbox, from the question to the commit.

pub(super) mod command;
pub(super) mod commit;
pub(super) mod end;
mod made;
mod undo;

use ringfence::approval::terminal::{TerminalApprover, Tty, quote};
use ringfence::approval::{ApprovalError, Approver, Denied, NoApprover, Request};
use ringfence::{Class, Diagnostic, ExecError, ExecIo, ExecOptions, ExecPlan, Host, RunError};

use crate::args::{ApproverKind, Exec, ExecCommand, Global};
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

pub(super) use command::tty;

/// `ringfence exec`.
pub(crate) fn exec(
    args: &Exec,
    ahead: super::Ahead,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    if let Some(ExecCommand::Undo { yes }) = args.command {
        return undo::undo(yes, global, printer);
    }
    let (program, words) = command::program(&args.argv)?;
    let options = ExecOptions { executor: ahead, ..command::options(args, global)? };
    let builder = places::host(global)?;
    if args.plan {
        let plan = builder.looks_only().build()?.plan_exec(&program, words, options)?;
        show(&plan, printer);
        return Ok(0);
    }
    let host = builder.build()?;
    let plan = host.prepare_exec(&program, words, options)?;
    let approver = approver(args, global, &plan)?;
    let signals = end::Signals::default();
    let io = signals.forwarded(ExecIo::inherited());
    let executed = run(&host, plan, &*approver, io)?;
    end::ended(executed, args, &signals, printer)
}

/// Runs it. Where nobody can be asked, the error says how to approve exactly this.
fn run(
    host: &Host,
    plan: ExecPlan,
    approver: &dyn Approver,
    io: ExecIo,
) -> Result<ringfence::Executed, CliError> {
    host.exec(plan, approver, io).map_err(|error| match &error {
        RunError::Exec(ExecError::Denied(Denied::Unanswered {
            source: ApprovalError::NobodyToAsk { command, subject, .. },
        })) => {
            let again = command::again("exec", &["--approve", &subject.to_string()]);
            let hint = format!(
                "if it is intended, run `{again}`; or `{command}` and then the same again; \
                 `--plan` shows what it could reach"
            );
            CliError::Room(Box::new(Hinted { error, hint }))
        }
        _ => error.into(),
    })
}

/// Prints what would run and what it could reach.
fn show(plan: &ExecPlan, printer: &Printer) {
    if printer.is_json() {
        printer.value(&plan.as_json());
    } else {
        printer.line(plan.to_string().trim_end());
    }
}

/// Returns who is asked.
pub(super) fn approver(
    args: &Exec,
    global: &Global,
    plan: &ExecPlan,
) -> Result<Box<dyn Approver>, CliError> {
    let digests = command::digests(args);
    if !digests.is_empty() {
        let request = plan.request().map_err(RunError::from)?;
        if digests.contains(&request.subject()) {
            return Ok(Box::new(Ahead));
        }
        let text = "what was approved with `--approve` is not this: the program, its arguments, \
                    what it reaches or who runs it differ";
        return Err(CliError::Room(Box::new(Stale {
            text,
            hint: format!("look at it with `--plan`; this one is `{}`", request.subject()),
        })));
    }
    let asked = match args.approver {
        ApproverKind::None => return Ok(Box::new(NoApprover)),
        ApproverKind::Socket => return socket(global),
        ApproverKind::Auto | ApproverKind::Terminal => tty(),
    };
    match (asked, args.approver) {
        (Some(tty), _) => Ok(terminal(tty)),
        (None, ApproverKind::Terminal) => {
            Err(CliError::Usage("there is no terminal to ask at".to_owned()))
        }
        (None, _) => Ok(Box::new(NoApprover)),
    }
}

/// Returns the approver at this terminal.
pub(super) fn terminal(tty: Tty) -> Box<dyn Approver> {
    Box::new(TerminalApprover::new(tty, Box::new(jiff::Timestamp::now)))
}

#[cfg(target_os = "linux")]
fn socket(global: &Global) -> Result<Box<dyn Approver>, CliError> {
    let place = super::approvals::place(global)?;
    Ok(Box::new(ringfence::approval::socket::SocketApprover::new(std::sync::Arc::new(place))))
}

#[cfg(not(target_os = "linux"))]
fn socket(_: &Global) -> Result<Box<dyn Approver>, CliError> {
    Err(CliError::Usage("`--approver socket` is offered on Linux only".to_owned()))
}

/// The person who gave the digest of exactly this action on the command line.
struct Ahead;

impl Approver for Ahead {
    fn ask(
        &self,
        _: &Request,
        _: &ringfence::approval::Prompt,
    ) -> Result<ringfence::approval::Answer, ApprovalError> {
        Ok(ringfence::approval::Answer::Once)
    }

    fn channel(&self) -> ringfence::approval::Channel {
        ringfence::approval::Channel::Command
    }
}

/// An error with a better hint: one that knows the command line.
#[derive(Debug)]
pub(super) struct Hinted {
    pub(super) error: RunError,
    pub(super) hint: String,
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl Diagnostic for Hinted {
    fn code(&self) -> &'static str {
        self.error.code()
    }

    fn class(&self) -> Class {
        self.error.class()
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// An approval given ahead, for something else.
#[derive(Debug)]
struct Stale {
    text: &'static str,
    hint: String,
}

impl std::fmt::Display for Stale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text)
    }
}

impl std::error::Error for Stale {}

impl Diagnostic for Stale {
    fn code(&self) -> &'static str {
        "cli::stale-approval"
    }

    fn class(&self) -> Class {
        Class::Refused
    }

    fn hint(&self) -> Option<String> {
        Some(self.hint.clone())
    }
}

/// Returns a word as a shell reads it.
pub(super) fn word(text: &std::ffi::OsStr) -> String {
    quote::word(&text.into())
}
