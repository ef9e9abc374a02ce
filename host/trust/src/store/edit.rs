//! Changes the text of a layer, and leaves what it does not change as a person wrote it.

use super::{KeyEntry, KeyState, Revoked, TrustLayer, document};
use crate::StoreError;
use crate::key::KeyId;
use std::fmt::Write as _;

pub(super) fn with_key(layer: &TrustLayer, entry: &KeyEntry) -> Result<TrustLayer, StoreError> {
    let without = if layer.keys.iter().any(|known| known.id == entry.id) {
        without_key(layer, entry.id)?
    } else {
        layer.clone()
    };
    let changed = appended(&without, &key(entry))?;
    let expected = without.keys.iter().chain([entry]).collect::<Vec<_>>();
    sound(changed, &expected, without.revoked.len())
}

pub(super) fn without_key(layer: &TrustLayer, id: KeyId) -> Result<TrustLayer, StoreError> {
    let expected: Vec<_> = layer.keys.iter().filter(|entry| entry.id != id).collect();
    let Some(index) = layer.keys.iter().position(|entry| entry.id == id) else {
        return Ok(layer.clone());
    };
    let lines: Vec<&str> = layer.text.split_inclusive('\n').collect();
    let is_table = |line: &&str| line.trim_start().starts_with('[');
    let header = |line: &str| line.trim_start().starts_with("[[key]]");
    let starts = lines.iter().enumerate().filter(|(_, line)| header(line)).map(|(at, _)| at);
    let Some(start) = starts.into_iter().nth(index) else { return Err(by_hand(layer)) };
    let after = &lines[start + 1..];
    let length = after.iter().position(is_table).unwrap_or(after.len());
    // Comments right above the next table belong to that table.
    let comments = after[..length].iter().rev().take_while(|line| line.starts_with('#')).count();
    let end = start + 1 + length - comments;
    let text = [&lines[..start], &lines[end..]].concat().concat();
    sound(parsed(layer, &text)?, &expected, layer.revoked.len())
}

pub(super) fn with_revoked(
    layer: &TrustLayer,
    revoked: &Revoked,
) -> Result<TrustLayer, StoreError> {
    let (digest, reason) = (revoked.digest, quoted(&revoked.reason));
    let table = format!("[[revoked]]\ndigest = \"{digest}\"\nreason = {reason}\n");
    let changed = appended(layer, &table)?;
    sound(changed, &layer.keys.iter().collect::<Vec<_>>(), layer.revoked.len() + 1)
}

/// Returns `changed` when it says what it should: a text that was not understood is left alone.
fn sound(
    changed: TrustLayer,
    keys: &[&KeyEntry],
    revoked: usize,
) -> Result<TrustLayer, StoreError> {
    if changed.keys.iter().collect::<Vec<_>>() == keys && changed.revoked.len() == revoked {
        Ok(changed)
    } else {
        Err(by_hand(&changed))
    }
}

fn by_hand(layer: &TrustLayer) -> StoreError {
    StoreError::Entry {
        file: layer.file.clone(),
        entry: "the file".to_owned(),
        why: "it is written in a way that cannot be changed safely: change it by hand".to_owned(),
    }
}

fn appended(layer: &TrustLayer, table: &str) -> Result<TrustLayer, StoreError> {
    let before = layer.text.trim_end();
    let text = if before.is_empty() { table.to_owned() } else { format!("{before}\n\n{table}") };
    parsed(layer, &text)
}

fn parsed(layer: &TrustLayer, text: &str) -> Result<TrustLayer, StoreError> {
    document::parse(layer.kind, &layer.file, text)
}

/// Writes a `[[key]]` table.
fn key(entry: &KeyEntry) -> String {
    let mut text = format!("[[key]]\nid = \"{}\"\n", entry.id);
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key} = {value}");
    };
    if let Some(public) = entry.public {
        line("public", format!("\"{public}\""));
    }
    if let Some(name) = &entry.name {
        line("name", quoted(name));
    }
    if let Some(profile) = entry.max_profile {
        line("max-profile", format!("\"{profile}\""));
    }
    if let Some(plugins) = &entry.plugins {
        let list: Vec<_> = plugins.iter().map(|pattern| quoted(pattern)).collect();
        line("plugins", format!("[{}]", list.join(", ")));
    }
    for (key, time) in [("not-before", entry.not_before), ("not-after", entry.not_after)] {
        if let Some(time) = time {
            line(key, format!("\"{time}\""));
        }
    }
    match entry.state {
        KeyState::Active => {}
        KeyState::Revoked => line("state", "\"revoked\"".to_owned()),
        KeyState::Retired(at) => {
            line("state", "\"retired\"".to_owned());
            line("retired-at", format!("\"{at}\""));
        }
    }
    if let Some(reason) = &entry.reason {
        line("reason", quoted(reason));
    }
    text
}

/// Returns `text` as a string of TOML; it has no control characters.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
