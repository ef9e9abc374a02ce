//! `update`: what asks for nothing more is updated without a word too many; anything else stops.

use ringfence_store::{Receipt, Store, Wanted};
use serde_json::json;

use super::ask::{Question, agree};
use super::install::{settle, shown};
use super::offer::Offer;
use super::{fetch, look, not_installed, open, room};
use crate::args::{Global, Update};
use crate::error::CliError;
use crate::print::{Printer, described, visible};

/// `ringfence update`. Every plugin is tried; the first that was refused decides how it ends.
pub(crate) fn update(args: &Update, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    if look(global)?.is_none() {
        return match args.names.first() {
            Some(name) => Err(not_installed(name)),
            None => Ok(0),
        };
    }
    let store = open(global)?;
    let names =
        if args.names.is_empty() { store.names().map_err(room)? } else { args.names.clone() };
    let mut first = None;
    for name in names {
        if let Err(error) = one(args, &name, &store, global, printer) {
            if first.is_some() {
                said(&name, &error, printer);
            } else {
                first = Some(error);
            }
        }
    }
    first.map_or(Ok(0), Err)
}

fn said(name: &str, error: &CliError, printer: &Printer) {
    if printer.is_json() {
        printer.value(&json!({ "ok": false, "name": name, "error": described(error) }));
    } else {
        printer.note(&visible(&format!("{name}: {error}")));
    }
}

fn one(
    args: &Update,
    name: &str,
    store: &Store,
    global: &Global,
    printer: &Printer,
) -> Result<(), CliError> {
    let found = Wanted::current(name).and_then(|wanted| store.find(&wanted));
    let (receipt, current) = found.map_err(room)?;
    let sealed = fetch::fetch(&current.source)?;
    let offer = Offer::new(sealed, current.source.clone(), "plugin.update", store, global)?;
    if offer.name() != name {
        let text = format!("`{}` holds `{}` now, not `{name}`", current.source, offer.name());
        return Err(CliError::Usage(text));
    }
    if offer.is_current() {
        outcome(&offer, &receipt, "is up to date", printer);
        return Ok(());
    }
    if args.check {
        for line in shown(&offer.lines(&args.profile, global)?, printer) {
            printer.note(&line);
        }
        outcome(&offer, &receipt, "can be updated", printer);
        return Ok(());
    }
    // It was agreed that this name is not signed when it was installed so.
    let mut consent = args.consent.clone();
    consent.allow_unsigned |= current.signer.is_none();
    settle(&offer, "plugin.update", &consent, store, global, || {
        let verdict = match &offer.diff {
            Some(diff) if !diff.needs_a_person() => return Ok(None),
            Some(diff) => diff.to_string(),
            None => "what is installed cannot be read, so all of it counts as new".to_owned(),
        };
        let mut command = format!("ringfence update {name}");
        if args.consent.allow_downgrade {
            command.push_str(" --allow-downgrade");
        }
        let (old, new) = (&current.version, &offer.plugin.manifest.version);
        let question = Question {
            lines: &shown(&offer.lines(&args.profile, global)?, printer),
            digest: offer.sealed.digest(),
            words: format!("update {name} {old} to {new}?"),
            why: format!("the update of `{name}` {verdict}"),
            command,
        };
        agree(&args.consent, &question).map(Some)
    })?;
    outcome(&offer, &receipt, "updated", printer);
    Ok(())
}

fn outcome(offer: &Offer, receipt: &Receipt, what: &str, printer: &Printer) {
    if printer.is_json() {
        let mut json = offer.as_json();
        json["outcome"] = json!(what);
        printer.value(&json!({ "ok": true, "result": json }));
        return;
    }
    let old = receipt.current().map(|old| old.version.to_string()).unwrap_or_default();
    let new = &offer.plugin.manifest.version;
    let line = match (&offer.diff, what) {
        (_, "is up to date") => format!("{} {new} {what}", receipt.name),
        (Some(diff), _) => format!("{} {old} -> {new}: {what}; {diff}", receipt.name),
        (None, _) => format!("{} {old} -> {new}: {what}", receipt.name),
    };
    printer.line(&visible(&line));
}
