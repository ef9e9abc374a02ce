//! `mcp call`: one call, with the person at the terminal for what the server asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence::approval::terminal::Terminal as _;
use ringfence::mcp::client::{Asked, Asking, Nobody};
use ringfence::mcp::{Answer, Given, Listener, Part, Severity};
use ringfence::{Limit, Member, ServerClosed};
use serde_json::{Value, json};

use super::{block_on, record_of, room, start};
use crate::args::{CallTool, Global};
use crate::commands::exec::{self, commit, end};
use crate::error::CliError;
use crate::print::{Printer, visible};

/// How long a person may think about one field.
const PATIENCE: Duration = Duration::from_mins(2);

pub(super) fn call(args: &CallTool, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let record = record_of(&args.name, global)?;
    let input = crate::commands::run::input(args.input.as_deref())?;
    let time = Duration::from_millis(Limit::WallTime.parse(&args.timeout)?);
    let asking: Arc<dyn Asking> = match exec::tty() {
        Some(_) => Arc::new(AtTerminal { server: record.name.clone() }),
        None => Arc::new(Nobody),
    };
    let (answer, executed) = block_on(async {
        let member = Member::new(start(&record, global).await?);
        let deadline = || Instant::now() + time;
        let answer = member.answered(&args.tool, &input, Arc::new(Said), asking, deadline).await;
        let closed = match member.into_server() {
            Some(mut server) => server.close().await?,
            None => ServerClosed::default(),
        };
        Ok((answer.map_err(room)?, closed.executed))
    })?;
    let failed = answer.failed;
    print(answer, printer);
    if let Some(staged) = executed.and_then(|executed| executed.staged) {
        commit::decide(staged, args.commit, &end::Signals::default(), printer)?;
    }
    Ok(u8::from(failed))
}

fn print(answer: Answer, printer: &Printer) {
    if printer.is_json() {
        return printer.value(&json!({
            "failed": answer.failed,
            "structured": answer.structured,
            "content": answer.parts.iter().map(as_json).collect::<Vec<_>>(),
        }));
    }
    let bytes = |what: &str, data: &str| {
        printer.note(&format!("[{} of {} characters in base64]", visible(what), data.len()));
    };
    for part in &answer.parts {
        match part {
            Part::Text(text) | Part::TextDocument { text, .. } => printer.text(text),
            Part::Image { mime_type, data } | Part::Audio { mime_type, data } => {
                bytes(mime_type, data);
            }
            Part::BytesDocument { uri, data, .. } => bytes(uri, data),
            Part::Link { uri, name, .. } => printer.text(&format!("[resource {name}: {uri}]")),
        }
    }
    if answer.parts.is_empty() {
        printer.value(&answer.structured.unwrap_or_default());
    }
}

fn as_json(part: &Part) -> Value {
    match part {
        Part::Text(text) => json!({ "type": "text", "text": text }),
        Part::Image { data, mime_type } => {
            json!({ "type": "image", "mimeType": mime_type, "data": data })
        }
        Part::Audio { data, mime_type } => {
            json!({ "type": "audio", "mimeType": mime_type, "data": data })
        }
        Part::TextDocument { uri, mime_type, text } => {
            json!({ "type": "resource", "uri": uri, "mimeType": mime_type, "text": text })
        }
        Part::BytesDocument { uri, mime_type, data } => {
            json!({ "type": "resource", "uri": uri, "mimeType": mime_type, "blob": data })
        }
        Part::Link { uri, name, description, mime_type } => json!({
            "type": "resource_link", "uri": uri, "name": name,
            "description": description, "mimeType": mime_type,
        }),
    }
}

/// Says in the log of this process what a tool says.
struct Said;

impl Listener for Said {
    fn progress(&self, _: f64, _: Option<f64>, _: &str) {}

    fn message(&self, severity: Severity, text: &str) {
        if severity >= Severity::Warning {
            tracing::warn!(text, "an outside server says");
        } else {
            tracing::debug!(text, "an outside server says");
        }
    }
}

/// Asks the person at the terminal, field by field.
struct AtTerminal {
    server: String,
}

impl Asking for AtTerminal {
    fn ask(&self, asked: Asked) -> BoxFuture<'_, Given> {
        let server = self.server.clone();
        async move {
            let form = tokio::task::spawn_blocking(move || form(&server, &asked));
            form.await.ok().flatten().unwrap_or(Given::Declined)
        }
        .boxed()
    }
}

/// Returns what a person filled in; nothing when there was no answer.
fn form(server: &str, asked: &Asked) -> Option<Given> {
    let mut tty = exec::tty()?;
    tty.show(&format!(
        "\noutside server `{server}` asks: {}\n(the answer goes to that server; it grants nothing)\n",
        visible(&asked.message)
    ))
    .ok()?;
    tty.discard_input().ok()?;
    tty.show("Answer? [y/N] ").ok()?;
    if !matches!(tty.read_line(PATIENCE).ok()?.trim(), "y" | "yes") {
        return Some(Given::Declined);
    }
    let mut content = serde_json::Map::new();
    for (name, field) in asked.schema.get("properties")?.as_object()? {
        tty.show(&question(name, field)).ok()?;
        let line = tty.read_line(PATIENCE).ok()?;
        let line = line.trim();
        // A field that is left as it is has the default that was shown, or nothing.
        if line.is_empty() {
            continue;
        }
        let value = match field.get("type").and_then(Value::as_str) {
            Some("string") | None => Value::from(line),
            _ => serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)),
        };
        content.insert(name.clone(), value);
    }
    Some(Given::Filled(Value::Object(content)))
}

/// Returns the line that asks for one field, with what an empty answer means.
fn question(name: &str, field: &Value) -> String {
    match field.get("default") {
        Some(Value::String(text)) => format!("{} [{}]: ", visible(name), visible(text)),
        Some(value) => format!("{} [{}]: ", visible(name), visible(&value.to_string())),
        None => format!("{}: ", visible(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_shows_what_an_empty_answer_sends() {
        for (field, shown) in [
            (json!({ "type": "string" }), "a: "),
            (json!({ "type": "string", "default": "x y" }), "a [x y]: "),
            (json!({ "type": "integer", "default": 3 }), "a [3]: "),
            (json!({ "type": "boolean", "default": true }), "a [true]: "),
        ] {
            assert_eq!(question("a", &field), shown);
        }
        let hidden = question("a", &json!({ "default": "x\u{1b}[2J\u{202e}y" }));
        assert!(!hidden.contains(['\u{1b}', '\u{202e}']), "{hidden}");
    }
}
