//! `trust`: whose signatures count, in the user's `trust.toml`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;

use ringfence::trust::{
    KeyEntry, KeyState, LayerKind, MAX_KEY_FILE_BYTES, MAX_TRUST_BYTES, PublicKey, Revocation,
    Revoked, Rotation, Timestamp, TrustLayer, TrustStore, TrustedKey, danger, examine,
};
use ringfence_audit::{Entry, Target};
use ringfence_capability::Digest;
use serde_json::{Value, json};

use crate::args::{Global, TrustCommand, TrustLimits};
use crate::commands::sign;
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::places;
use crate::print::{Printer, visible};

/// `ringfence trust`.
pub(crate) fn trust(
    command: TrustCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match command {
        TrustCommand::Add { key, name, limits } => {
            let entry = entry(public_key(&key)?, name, &limits, Vec::new())?;
            put(entry, "trust.add", global, printer)
        }
        TrustCommand::List => list(global, printer),
        TrustCommand::Remove { key } => remove(&key, global, printer),
        TrustCommand::Pin { bundle, name, expect, limits } => {
            pin(&bundle, name, expect.as_deref(), &limits, global, printer)
        }
        TrustCommand::Rotate { statement } => {
            let _turn = turn()?;
            let rotation = Rotation::parse(&text(&statement, "statement")?)?;
            let (after, before) = rotation.apply(&places::trust(global)?, Timestamp::now())?;
            let before = told(before, &user_layer()?);
            write(&[after, before], "trust.rotate", global, printer)
        }
        TrustCommand::Revoke { what, reason } => revoke(&what, &reason, global, printer),
    }
}

/// Reads a public key: the line itself, or the file that holds it.
pub(crate) fn public_key(given: &str) -> Result<PublicKey, CliError> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    if Path::new(given).is_file() {
        return Ok(PublicKey::from_file(&text(Path::new(given), "public key")?)?);
    }
    Ok(given.parse::<PublicKey>()?)
}

fn text(path: &Path, what: &'static str) -> Result<String, CliError> {
    let bytes = places::read(path, what, MAX_KEY_FILE_BYTES * 2)?;
    String::from_utf8(bytes)
        .map_err(|_| CliError::Usage(format!("the {what} `{}` is not text", path.display())))
}

/// Returns what the flags say about a key, read by the rules of the file itself.
fn entry(
    key: PublicKey,
    name: String,
    limits: &TrustLimits,
    plugins: Vec<String>,
) -> Result<KeyEntry, CliError> {
    let mut entry = KeyEntry::new(key);
    entry.name = Some(name);
    entry.max_profile = limits.max_profile.as_deref().map(str::parse).transpose()?;
    let plugins = if limits.plugin.is_empty() { plugins } else { limits.plugin.clone() };
    entry.plugins = (!plugins.is_empty()).then_some(plugins);
    entry.not_before =
        limits.not_before.as_deref().map(|day| day_of(day, "not-before")).transpose()?;
    entry.not_after =
        limits.not_after.as_deref().map(|day| day_of(day, "not-after")).transpose()?;
    Ok(entry)
}

/// Reads a day as `trust.toml` does.
fn day_of(text: &str, key: &'static str) -> Result<Timestamp, CliError> {
    let fail = || CliError::Usage(format!("`--{key} {text}` is not a day such as `2026-12-31`"));
    let hides = ringfence_capability::text::hides;
    if text.contains(|c: char| c == '"' || c == '\\' || hides(c)) {
        return Err(fail());
    }
    let table = format!("[[key]]\nid = \"0000000000000000\"\n{key} = \"{text}\"\n");
    let layer = TrustLayer::parse(LayerKind::User, "the flag", &table).map_err(|_| fail())?;
    let time = layer.keys().first().and_then(|entry| entry.not_before.or(entry.not_after));
    time.ok_or_else(fail)
}

/// Reads the user's layer; nothing when there is none.
fn user_layer() -> Result<TrustLayer, CliError> {
    let path = places::user_trust()?;
    let display = path.display().to_string();
    let text = match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        _ => String::from_utf8(places::read(&path, "trust store", MAX_TRUST_BYTES)?)
            .map_err(|_| CliError::Usage(format!("the trust store `{display}` is not text")))?,
    };
    Ok(TrustLayer::parse(LayerKind::User, &display, &text)?)
}

/// Waits until nobody else changes the user's layer; it is this process's turn until the end of what is
/// returned. Without it a key taken back at the same moment as another is added could come back.
fn turn() -> Result<std::fs::File, CliError> {
    let path = places::user_trust()?;
    if let Some(dir) = path.parent() {
        files::private_dir(dir, "configuration directory")?;
    }
    files::turn(&path.with_extension("lock"), "lock of the trust store")
}

/// Changes the user's layer, in this process's turn: checked as a whole, recorded, and then written whole
/// or not at all.
fn change(
    operation: &str,
    target: &str,
    global: &Global,
    edit: impl FnOnce(TrustLayer) -> Result<TrustLayer, CliError>,
) -> Result<(), CliError> {
    let path = places::user_trust()?;
    let layer = edit(user_layer()?)?;
    // What the other layers say must fit too.
    let others = places::trust_layers(global)?;
    let others = others.into_iter().filter(|layer| layer.kind() != LayerKind::User);
    TrustStore::new(others.chain([layer.clone()]))?;
    places::record(global, Entry::new(operation).at(Target::name(target)))?;
    files::write(&path, "trust store", layer.text().as_bytes(), Readers::All, Existing::Replace)
}

/// Trusts a key, unless it was taken back here.
fn put(
    entry: KeyEntry,
    operation: &str,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let _turn = turn()?;
    let layer = user_layer()?;
    if let Some(known) = layer.keys().iter().find(|known| known.id == entry.id)
        && known.state == KeyState::Revoked
    {
        let why = known.reason.as_deref().unwrap_or("no reason is given");
        return Err(CliError::Refused(format!(
            "the key {id} was revoked in `{}`: {why}; `ringfence trust remove {id}` takes that back",
            layer.file(),
            id = entry.id,
        )));
    }
    write(&[entry], operation, global, printer)
}

fn write(
    entries: &[KeyEntry],
    operation: &str,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let Some(first) = entries.first() else { return Ok(0) };
    change(operation, &first.id.to_string(), global, |mut layer| {
        for entry in entries {
            layer = layer.with_key(entry)?;
        }
        Ok(layer)
    })?;
    let store = places::trust(global)?;
    let keys: Vec<_> = entries.iter().filter_map(|entry| store.key(entry.id)).collect();
    if printer.is_json() {
        let keys = keys.iter().map(|key| as_json(key));
        printer.value(&json!({ "ok": true, "keys": keys.collect::<Vec<_>>() }));
    } else {
        keys.iter().flat_map(|key| as_text(key)).for_each(|line| printer.line(&visible(&line)));
    }
    Ok(0)
}

fn list(global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let store = places::trust(global)?;
    if printer.is_json() {
        let revoked = store
            .all_revoked()
            .map(|(digest, reason)| json!({ "digest": digest.to_string(), "reason": reason }));
        printer.value(&json!({
            "keys": store.keys().map(as_json).collect::<Vec<_>>(),
            "revoked": revoked.collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    for line in store.keys().flat_map(as_text) {
        printer.line(&visible(&line));
    }
    for (digest, reason) in store.all_revoked() {
        printer.line(&visible(&format!("revoked {digest}: {reason}")));
    }
    if store.keys().next().is_none() {
        printer.note("no key is trusted; `ringfence trust add KEY --name NAME` trusts one");
    }
    Ok(0)
}

fn as_json(key: &TrustedKey) -> Value {
    json!({
        "id": key.public.id().to_string(),
        "public": key.public.to_string(),
        "name": key.name,
        "max-profile": key.max_profile.name(),
        "plugins": key.plugins,
        "not-before": key.not_before.map(|time| time.to_string()),
        "not-after": key.not_after.map(|time| time.to_string()),
        "state": state(key).0,
        "retired-at": state(key).1,
        "reason": key.reason,
        "layer": key.layer.title(),
        "file": key.file,
    })
}

fn state(key: &TrustedKey) -> (&'static str, Option<String>) {
    match key.state {
        KeyState::Active => ("active", None),
        KeyState::Retired(at) => ("retired", Some(at.to_string())),
        KeyState::Revoked => ("revoked", None),
    }
}

fn as_text(key: &TrustedKey) -> Vec<String> {
    let mut lines = vec![
        format!("{}  {}  {}", key.public.id(), state(key).0, key.name),
        format!("  {}", key.public),
        format!("  up to `{}`, from the {} trust store", key.max_profile, key.layer.title()),
    ];
    for list in &key.plugins {
        lines.push(format!("  signs for {}", list.join(", ")));
    }
    let times = [
        ("from", key.not_before.map(|time| time.to_string())),
        ("until", key.not_after.map(|time| time.to_string())),
        ("retired at", state(key).1),
    ];
    for (what, time) in times {
        lines.extend(time.map(|time| format!("  {what} {time}")));
    }
    lines.extend(key.reason.as_ref().map(|reason| format!("  {reason}")));
    lines
}

fn remove(named: &str, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let _turn = turn()?;
    let layer = user_layer()?;
    let mut found = layer
        .keys()
        .iter()
        .filter(|entry| entry.id.to_string() == named || entry.name.as_deref() == Some(named));
    let (Some(id), None) = (found.next().map(|entry| entry.id), found.next()) else {
        return Err(CliError::Usage(format!(
            "`{named}` is not one key of `{}`; `ringfence trust list` shows the ids",
            layer.file()
        )));
    };
    change("trust.remove", &id.to_string(), global, |layer| Ok(layer.without_key(id)?))?;
    if printer.is_json() {
        printer.value(&json!({ "ok": true, "removed": id.to_string() }));
    } else {
        printer.line(&format!("removed {id}"));
    }
    Ok(0)
}

/// Trusts the key that signed a bundle, for plugins of its name, when the person at the terminal says so.
pub(super) fn pin_asking(
    bundle: &Path,
    global: &Global,
    printer: &Printer,
) -> Result<(), CliError> {
    let limits =
        TrustLimits { max_profile: None, plugin: Vec::new(), not_before: None, not_after: None };
    pin(bundle, None, None, &limits, global, printer).map(drop)
}

/// Trusts the key that signed a bundle, after a person looked at it.
fn pin(
    bundle: &Path,
    name: Option<String>,
    expect: Option<&str>,
    limits: &TrustLimits,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let sealed = sign::read(bundle)?;
    let store = places::trust(global)?;
    let unknown: Vec<PublicKey> = examine(&sealed, &store, Timestamp::now())
        .iter()
        .filter_map(|signed| signed.claimed)
        .collect();
    let key = match unknown.as_slice() {
        [key] => *key,
        [] => {
            let text = "no signature of it names a public key that is not known yet; get the key from \
                        the publisher: `ringfence trust add FILE.pub --name NAME`";
            return Err(CliError::Usage(text.to_owned()));
        }
        _ => {
            let text =
                "several unknown keys signed it; `ringfence trust add KEY --name NAME` trusts one";
            return Err(CliError::Usage(text.to_owned()));
        }
    };
    let digest = sealed.digest();
    let plugin = danger::unverified(sealed)?.manifest.name;
    match expect {
        Some(given) if public_key(given)? == key => {}
        Some(_) => {
            return Err(CliError::Refused(format!(
                "`{}` is signed with another key than the expected one: {key}",
                bundle.display()
            )));
        }
        None => ask(&plugin, key, digest)?,
    }
    let name = name.unwrap_or_else(|| format!("publisher of {plugin}"));
    let mut entry = entry(key, name, limits, vec![plugin])?;
    entry.reason = Some(format!("pinned at first use, with {digest}"));
    put(entry, "trust.pin", global, printer)
}

/// Asks the person on the terminal; nobody else can answer.
fn ask(plugin: &str, key: PublicKey, digest: Digest) -> Result<(), CliError> {
    let no_terminal = || {
        CliError::Refused(
            "there is no terminal to ask a person on; say which key you expect: `--expect KEY`"
                .to_owned(),
        )
    };
    let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty");
    let mut terminal = terminal.map_err(|_| no_terminal())?;
    let question = format!(
        "`{}` ({digest})\nis signed with a key nobody here knows:\n\n  {key}\n\n\
         Anybody can make a key. Compare it with what the publisher says elsewhere.\n\
         Trust it for plugins of this name from now on? Type `yes` to do so: ",
        visible(plugin)
    );
    terminal.write_all(question.as_bytes()).map_err(|_| no_terminal())?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer).map_err(|_| no_terminal())?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    Err(CliError::Refused("the key is not trusted: you did not say `yes`".to_owned()))
}

fn revoke(what: &str, reason: &str, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let _turn = turn()?;
    if let Ok(digest) = what.parse::<Digest>() {
        change("trust.revoke", &digest.to_string(), global, |layer| {
            Ok(layer.with_revoked(&Revoked::new(digest, reason))?)
        })?;
        if printer.is_json() {
            printer.value(&json!({ "ok": true, "revoked": digest.to_string() }));
        } else {
            printer.line(&format!("revoked {digest}"));
        }
        return Ok(0);
    }
    let store = places::trust(global)?;
    if Path::new(what).is_file() {
        let text = text(Path::new(what), "statement")?;
        if Revocation::is_one(&text) {
            let entry = told(Revocation::parse(&text)?.apply(&store)?, &user_layer()?);
            return write(&[entry], "trust.revoke", global, printer);
        }
    }
    let mut found = store
        .keys()
        .filter(|key| key.public.id().to_string() == what || key.name == what)
        .map(|key| key.public.id());
    let id = match (found.next(), found.next()) {
        (Some(id), None) => id,
        // A key nobody trusts yet can be revoked too: it is then never trusted.
        (None, _) => what.parse().map_err(|_| {
            CliError::Usage(format!(
                "`{what}` is no key of `ringfence trust list`, no digest and no file of a statement"
            ))
        })?,
        (Some(_), Some(_)) => {
            return Err(CliError::Usage(format!("several keys are called `{what}`; name the id")));
        }
    };
    let mut entry = KeyEntry::about(id);
    entry.state = KeyState::Revoked;
    entry.reason = Some(reason.to_owned());
    let entry = told(entry, &user_layer()?);
    if store.key(id).is_none() {
        change("trust.revoke", &id.to_string(), global, |layer| Ok(layer.with_key(&entry)?))?;
        if printer.is_json() {
            printer.value(&json!({ "ok": true, "revoked": id.to_string() }));
        } else {
            printer.line(&format!("revoked {id}"));
        }
        return Ok(0);
    }
    write(&[entry], "trust.revoke", global, printer)
}

/// Returns what the user's layer says about the key already, in the state of `entry`.
fn told(entry: KeyEntry, layer: &TrustLayer) -> KeyEntry {
    let Some(known) = layer.keys().iter().find(|known| known.id == entry.id) else { return entry };
    let mut merged = known.clone();
    merged.state = entry.state;
    merged.reason = entry.reason;
    merged
}
