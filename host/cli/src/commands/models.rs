//! `models`: which models there are, and whether they answer.

use std::time::Instant;

use ringfence::{ModelEntry, RunModels};
use serde_json::json;

use crate::args::{Global, ModelsCommand};
use crate::error::CliError;
use crate::models;
use crate::print::{Printer, visible};

/// `ringfence models`.
pub(crate) fn models(
    command: &ModelsCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match command {
        ModelsCommand::List => list(printer),
        ModelsCommand::Test { name } => test(name, global, printer),
    }
}

fn list(printer: &Printer) -> Result<u8, CliError> {
    let entries = models::entries()?;
    let ready = models::ready(&entries);
    let mut rows = Vec::new();
    for (name, entry) in &entries {
        let missing = ready.why_not(name);
        if !printer.is_json() {
            let state = missing.as_deref().map_or_else(String::new, |why| format!("  ({why})"));
            let line = format!("{name}  {}  {}{state}", entry.config.model, entry.config.base_url);
            printer.line(&visible(&line));
        }
        rows.push(row(name, entry, missing.as_deref()));
    }
    if printer.is_json() {
        printer.value(&json!({ "models": rows }));
    } else if rows.is_empty() {
        printer.note("no models; `ringfence models --help` shows how to name one");
    }
    Ok(0)
}

fn row(name: &str, entry: &ModelEntry, missing: Option<&str>) -> serde_json::Value {
    json!({
        "name": name,
        "api": entry.api_name(),
        "base-url": entry.config.base_url,
        "model": entry.config.model,
        "key": entry.key.as_ref().map(ToString::to_string),
        "file": entry.file,
        "ready": missing.is_none(),
        "problem": missing,
    })
}

fn test(name: &str, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let entries = models::entries()?;
    if !entries.contains_key(name) {
        let known: Vec<_> = entries.keys().map(String::as_str).collect();
        let known = match known.as_slice() {
            [] => "no models are configured; `ringfence models --help` shows how".to_owned(),
            known => format!("there is `{}`", known.join("`, `")),
        };
        return Err(CliError::Usage(format!("there is no model `{name}`; {known}")));
    }
    let ready: RunModels = models::ready(&entries);
    if let Some(why) = ready.why_not(name) {
        return Err(CliError::Usage(format!("the model `{name}` cannot be asked: {why}")));
    }
    // It goes out of this machine, perhaps: the log has it as any other call.
    let entry = ringfence_audit::Entry::new("models.test");
    crate::places::record(global, entry.at(ringfence_audit::Target::name(name)))?;
    let event_loop = super::event_loop::here()?;
    let began = Instant::now();
    let answer = event_loop.block_on(ready.ask(name, "Answer with the one word: ready"));
    let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match answer {
        Ok(said) => {
            if printer.is_json() {
                printer.value(&json!({
                    "ok": true, "model": name, "ms": ms, "text": said.text,
                    "input-tokens": said.input_tokens, "output-tokens": said.output_tokens,
                }));
            } else {
                printer.text(said.text.trim());
                let (read, written) = (said.input_tokens, said.output_tokens);
                printer.note(&format!("{ms} ms, {read} tokens read, {written} written"));
            }
            Ok(0)
        }
        Err(why) if printer.is_json() => {
            printer.value(&json!({ "ok": false, "model": name, "ms": ms, "error": why }));
            Ok(1)
        }
        Err(why) => {
            printer.note(&format!("error[models]: `{name}` gave no answer: {why}"));
            Ok(1)
        }
    }
}
