//! What the commands of `approvals` do. An answer given here is in the audit log before it holds.

use ringfence::Diagnostic;
use ringfence::approval::terminal::{self, quote};
use ringfence::approval::{
    Answer, By, Channel, Effect, Expected, Lease, LeaseState, Place, Prompt, Request, Scope,
    ShortId, Store,
};
use ringfence_audit::{Approval, Decision, Entry, How};
use ringfence_capability::{ArgvPattern, Origin};
use serde_json::{Value, json};

use super::place;
use super::waiting;
use crate::args::{ApprovalsCommand, Global};
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

/// How wide a list is.
const COLUMNS: usize = 78;

pub(super) fn room(error: impl Diagnostic + 'static) -> CliError {
    CliError::Room(Box::new(error))
}

/// `ringfence approvals`.
pub(crate) fn approvals(
    command: ApprovalsCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let place = place(global)?;
    let open = || Store::open(&place, Box::new(jiff::Timestamp::now)).map_err(room);
    match command {
        ApprovalsCommand::Watch => waiting::watch(&place, printer),
        ApprovalsCommand::List { all } => list(&place, &open()?, all, printer),
        ApprovalsCommand::Approve { id, r#for, always, matching } => {
            let answer = yes(r#for.as_deref(), always, matching.as_deref())?;
            give(&id, &answer, &place, &open()?, global, printer)
        }
        ApprovalsCommand::Deny { id, always } => {
            let answer = if always { Answer::DenyAlways } else { Answer::Deny };
            give(&id, &answer, &place, &open()?, global, printer)
        }
        ApprovalsCommand::Revoke { id: Some(id), .. } => {
            let id = id.parse().map_err(room)?;
            places::record(
                global,
                Entry::new("approval.revoke").approved(
                    Approval::new(How::Revoked).by(Channel::Command.name()).under(&id_text(&id)),
                ),
            )?;
            let lease = open()?.revoke(&id).map_err(room)?;
            done(printer, &format!("revoked {}", line_of(&lease)), &lease_json(&lease));
            Ok(0)
        }
        ApprovalsCommand::Revoke { id: None, .. } => {
            places::record(
                global,
                Entry::new("approval.revoke-all")
                    .approved(Approval::new(How::Revoked).by(Channel::Command.name())),
            )?;
            let count = open()?.revoke_all().map_err(room)?;
            done(printer, &format!("revoked {count}"), &json!({ "revoked": count }));
            Ok(0)
        }
    }
}

fn id_text(id: &ringfence::approval::LeaseId) -> String {
    id.to_string()
}

fn done(printer: &Printer, text: &str, value: &Value) {
    if printer.is_json() {
        printer.value(&json!({ "ok": true, "result": value }));
    } else {
        printer.line(text);
    }
}

/// Returns the yes these flags say.
fn yes(span: Option<&str>, always: bool, matching: Option<&str>) -> Result<Answer, CliError> {
    let pattern = matching.map(str::parse::<ArgvPattern>).transpose()?;
    if always {
        return Ok(Answer::Always { pattern });
    }
    let Some(text) = span else { return Ok(Answer::Once) };
    let time = terminal::span(text).and_then(|span| jiff::Timestamp::now().checked_add(span).ok());
    let time = time.ok_or_else(|| {
        CliError::Usage(format!(
            "`--for {text}` is no time such as `8h` or `7d`, of a year at most"
        ))
    })?;
    Ok(Answer::Until { time })
}

/// Gives an answer: to the host that waits, or ahead for the next time.
fn give(
    id: &str,
    answer: &Answer,
    place: &Place,
    store: &Store,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let id: ShortId = id.parse().map_err(room)?;
    let waiting = waiting::requests(place)?.into_iter().find(|one| one.short_id() == id);
    let is_waiting = waiting.is_some();
    let asked = || -> Result<Request, CliError> {
        let mut all = store.asked().map_err(room)?.into_iter().map(|one| one.request);
        all.find(|one| one.short_id() == id).ok_or_else(|| {
            CliError::Usage(format!(
                "no request `{id}` waits or was refused in the last day; `ringfence approvals list` \
                 shows them"
            ))
        })
    };
    let request = waiting.map_or_else(asked, Ok)?;
    if !printer.is_json() {
        printer.note(&shown(&request)?);
    }
    places::record(global, answered(&request, answer))?;
    let lease = if is_waiting {
        waiting::answer(place, &request, answer)?;
        None
    } else {
        let expected = Expected::Digest(request.digest());
        store.answer(&id, answer, expected, By::me(Channel::Command)).map_err(room)?
    };
    let text = match (&lease, is_waiting, answer.allows()) {
        (_, true, true) => "approved; it runs now".to_owned(),
        (_, true, false) | (None, false, false) => "denied".to_owned(),
        (Some(lease), _, _) => line_of(lease),
        (None, false, true) => "approved".to_owned(),
    };
    done(
        printer,
        &text,
        &json!({
            "request": request.digest().to_string(),
            "answer": answer.name(),
            "waiting": is_waiting,
            "lease": lease.as_ref().map(lease_json),
        }),
    );
    Ok(0)
}

fn shown(request: &Request) -> Result<String, CliError> {
    terminal::render(request, &Prompt::default(), COLUMNS).map_err(room)
}

fn list(place: &Place, store: &Store, all: bool, printer: &Printer) -> Result<u8, CliError> {
    let waiting = waiting::requests(place)?;
    let asked = store.asked().map_err(room)?;
    let leases = store.list().map_err(room)?;
    let leases: Vec<_> =
        leases.iter().filter(|lease| all || lease.state == LeaseState::Holds).collect();
    if printer.is_json() {
        printer.value(&json!({
            "waiting": waiting.iter().map(request_json).collect::<Vec<_>>(),
            "asked": asked.iter().map(|one| request_json(&one.request)).collect::<Vec<_>>(),
            "answers": leases.iter().map(|lease| lease_json(lease)).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    let requests = |title: &str, requests: Vec<&Request>| {
        if !requests.is_empty() {
            printer.line(title);
        }
        for request in requests {
            let what = terminal::summary(request, COLUMNS - 16);
            printer.line(&format!("  {}  {what}", request.short_id()));
        }
    };
    requests("waiting for an answer:", waiting.iter().collect());
    requests(
        "refused because nobody could be asked:",
        asked.iter().map(|one| &one.request).collect(),
    );
    if !leases.is_empty() {
        printer.line("answers:");
    }
    for lease in &leases {
        printer.line(&format!("  {}", line_of(lease)));
    }
    if waiting.is_empty() && asked.is_empty() && leases.is_empty() {
        printer.note("nothing waits and nothing is kept");
    }
    Ok(0)
}

fn line_of(lease: &Lease) -> String {
    let effect = if lease.effect == Effect::Allow { "allow" } else { "deny " };
    let how = match &lease.scope {
        Scope::Exact | Scope::Deed => String::new(),
        Scope::Pattern(pattern) => {
            format!(", whenever it matches {}", quote::word(&pattern.to_string().as_str().into()))
        }
    };
    let until = lease.expires.map(|time| format!(", until {time}")).unwrap_or_default();
    let uses = lease.uses_left.map(|left| format!(", {left} uses left")).unwrap_or_default();
    let state = state(lease);
    let what = terminal::summary(&lease.request, COLUMNS - 16);
    format!("{}  {effect} {what}{how}{until}{uses} ({state}, by {})", lease.id, lease.by)
}

fn state(lease: &Lease) -> &'static str {
    match lease.state {
        LeaseState::Holds => "holds",
        LeaseState::Expired => "expired",
        LeaseState::UsedUp => "used up",
        LeaseState::Revoked => "revoked",
    }
}

fn request_json(request: &Request) -> Value {
    json!({
        "id": request.short_id().to_string(),
        "digest": request.digest().to_string(),
        "subject": request.subject().to_string(),
        "request": serde_json::from_slice::<Value>(request.as_bytes()).unwrap_or(Value::Null),
    })
}

fn lease_json(lease: &Lease) -> Value {
    json!({
        "id": lease.id.to_string(),
        "effect": if lease.effect == Effect::Allow { "allow" } else { "deny" },
        "state": state(lease),
        "summary": terminal::summary(&lease.request, 200),
        "subject": lease.request.subject().to_string(),
        "expires": lease.expires.map(|time| time.to_string()),
        "uses": lease.uses,
        "uses-left": lease.uses_left,
        "created": lease.created.to_string(),
        "by": lease.by.to_string(),
    })
}

/// Returns the record of an answer given here.
fn answered(request: &Request, answer: &Answer) -> Entry {
    let (how, decision) = match answer {
        Answer::Once => (How::Once, Decision::Allow),
        Answer::ForThisRun => (How::Run, Decision::Allow),
        Answer::Until { .. } | Answer::Always { .. } => (How::Lease, Decision::Allow),
        Answer::Deny | Answer::DenyAlways => (How::Denied, Decision::Forbid),
    };
    let approval = Approval::new(how).by(Channel::Command.name());
    Entry::new("approval.answer").for_request(request.digest()).approved(approval).decided(
        decision,
        "approvals",
        &Origin::BuiltIn,
        answer.name(),
    )
}
