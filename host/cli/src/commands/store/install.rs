//! `install`: shows what a bundle is and asks for, and gives it a name when a person agrees.

use std::path::Path;

use ringfence_audit::{Decision, Plugin as LoggedPlugin};
use ringfence_bundle::archive::Sealed;
use ringfence_store::{Source, Store, admit};
use ringfence_trust::TrustError;
use serde_json::json;

use super::ask::{Question, agree};
use super::offer::Offer;
use super::refused::Refused;
use super::{agreed, decided, fetch, lock, open, room};
use crate::args::{Consent, Global, Install};
use crate::commands::exec;
use crate::commands::trust::pin_asking;
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, visible};

/// `ringfence install`.
pub(crate) fn install(args: &Install, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let store = open(global)?;
    let sources = match &args.source {
        Some(word) => vec![fetch::source(word)?],
        None => lock::sources(global)?,
    };
    for source in sources {
        one(args, source, &store, global, printer)?;
    }
    Ok(0)
}

fn one(
    args: &Install,
    source: Source,
    store: &Store,
    global: &Global,
    printer: &Printer,
) -> Result<(), CliError> {
    let command = command(args, &source);
    let sealed = fetch::fetch(&source)?;
    let consent = &args.consent;
    if consent.accept.is_none() && !consent.yes && exec::tty().is_some() {
        known(&sealed, &source, global, printer)?;
    }
    let offer = Offer::new(sealed, source, "plugin.install", store, global)?;
    if args.locked {
        lock::check(offer.name(), offer.sealed.digest(), global)?;
    }
    if offer.is_current() {
        told(&offer, "already installed", printer);
    } else {
        let lines = offer.lines(&args.profile, global)?;
        settle(&offer, "plugin.install", &args.consent, store, global, || {
            let (name, version) = (offer.name(), &offer.plugin.manifest.version);
            let question = Question {
                lines: &shown(&lines, printer),
                digest: offer.sealed.digest(),
                words: format!("install {name} {version}?"),
                why: "nobody could be asked whether to install it".to_owned(),
                command,
            };
            agree(&args.consent, &question).map(Some)
        })?;
        told(&offer, "installed", printer);
    }
    if args.lock {
        lock::add(&[offer.name().to_owned()], store, global)?;
    }
    Ok(())
}

/// Lets the person at the terminal trust the key of a bundle that nobody here knows. No flag does.
fn known(
    sealed: &Sealed,
    source: &Source,
    global: &Global,
    printer: &Printer,
) -> Result<(), CliError> {
    let (Source::File(path) | Source::Directory(path)) = source else { return Ok(()) };
    let trust = places::trust(global)?;
    match ringfence_trust::verify(sealed.clone(), &trust, jiff::Timestamp::now()) {
        Err(TrustError::UnknownKey { public: Some(_), .. }) => {
            pin_asking(Path::new(path), global, printer)
        }
        _ => Ok(()),
    }
}

/// Prints the lines, when they are data for nobody else; returns those that are still to be shown.
pub(super) fn shown(lines: &[String], printer: &Printer) -> Vec<String> {
    let lines: Vec<_> = lines.iter().map(|line| visible(line)).collect();
    if !printer.is_json() {
        for line in &lines {
            printer.line(line);
        }
        return Vec::new();
    }
    lines
}

/// Checks the rules, asks with `ask`, writes it down and installs it. A refusal is written down too.
/// `ask` returns the channel over which a person agreed, or nothing when nobody had to.
pub(super) fn settle(
    offer: &Offer,
    operation: &str,
    consent: &Consent,
    store: &Store,
    global: &Global,
    ask: impl FnOnce() -> Result<Option<&'static str>, CliError>,
) -> Result<(), CliError> {
    let terms = offer.terms(consent);
    let key = offer.key();
    let plugin = LoggedPlugin::new(offer.name(), offer.sealed.digest(), key.as_deref());
    let version = &offer.plugin.manifest.version;
    let allowed = signed(offer, consent)
        .and_then(|()| admit(offer.receipt.as_ref(), version, key.as_deref(), terms).map_err(room))
        .and_then(|_| ask());
    let channel = match allowed {
        Ok(channel) => channel,
        Err(error) => {
            let why = ringfence::Diagnostic::code(&error);
            places::record(global, decided(operation, plugin, Decision::Forbid, why))?;
            return Err(error);
        }
    };
    let entry = |why| decided(operation, plugin, Decision::Allow, why);
    let entry = match channel {
        Some(channel) => agreed(entry("a person agreed to what it asks for"), channel),
        None => entry("it asks for nothing more than what is installed"),
    };
    places::record(global, entry)?;
    store.install(&offer.candidate(), terms, offer.receipt.as_ref()).map(drop).map_err(room)
}

fn signed(offer: &Offer, consent: &Consent) -> Result<(), CliError> {
    if offer.key().is_some() || consent.allow_unsigned {
        return Ok(());
    }
    Err(room(Refused {
        code: "install::unsigned",
        text: format!("`{}` is not signed, so that anybody could have made it", offer.name()),
        hint: "ask its maker for a signed bundle; your own you can sign with `ringfence sign`, or \
               let it in with `--allow-unsigned`, under at most `read-only`"
            .to_owned(),
    }))
}

fn told(offer: &Offer, what: &str, printer: &Printer) {
    let manifest = &offer.plugin.manifest;
    if printer.is_json() {
        let mut json = offer.as_json();
        json["outcome"] = json!(what);
        printer.value(&json!({ "ok": true, "result": json }));
    } else {
        printer.line(&visible(&format!("{} {}: {what}", manifest.name, manifest.version)));
    }
}

/// Returns the command as it was given, without what agrees.
fn command(args: &Install, source: &Source) -> String {
    use ringfence::approval::terminal::quote;
    let operand = match (&args.source, source) {
        (Some(word), _) => quote::word(&Path::new(word).as_os_str().into()),
        (None, source) => quote::word(&Path::new(source.operand()).as_os_str().into()),
    };
    let mut command = format!("ringfence install {operand}");
    for (given, flag) in [
        (args.consent.allow_unsigned, " --allow-unsigned"),
        (args.consent.allow_downgrade, " --allow-downgrade"),
        (args.lock, " --lock"),
        (args.locked, " --locked"),
    ] {
        command.push_str(if given { flag } else { "" });
    }
    command
}
