//! What holds for any bytes as a manifest.

use crate::told::{plain, told};
use ringfence_bundle::{BundleError, Manifest, manifest};
use std::fmt::Write as _;

/// Reads a manifest; returns whether it was accepted, panics when a promise is broken.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    match manifest::parse_bytes(bytes, "plugin.toml") {
        Err(error) => {
            let placed = matches!(error, BundleError::Manifest { line: 1.., column: 1.., .. });
            assert!(placed, "no place: {error:?}");
            plain(&told(&error));
            false
        }
        Ok(manifest) => {
            assert!(manifest.requests.len() <= manifest::MAX_REQUESTS, "too many requests");
            assert!(manifest.limits.iter().all(|(_, number)| number > 0), "a limit of nothing");
            for request in &manifest.requests {
                plain(&request.capability.to_string());
            }
            written_again(&manifest);
            true
        }
    }
}

/// Writes what is not a request as TOML and reads it again.
fn written_again(manifest: &Manifest) {
    let text = written(manifest);
    let Ok(again) = manifest::parse(&text, "again.toml") else {
        panic!("not read again: {text}");
    };
    let mut expected = manifest.clone();
    expected.requests.clear();
    expected.secrets.clear();
    assert_eq!(again, expected, "{text}");
}

fn written(manifest: &Manifest) -> String {
    let mut text = String::from("[plugin]\n");
    let profile = manifest.needs_profile.map(|profile| profile.to_string());
    for (key, value) in [
        ("name", Some(manifest.name.clone())),
        ("version", Some(manifest.version.to_string())),
        ("description", Some(manifest.description.clone())),
        ("license", manifest.license.clone()),
        ("component", Some(manifest.component.clone())),
        ("needs-profile", profile),
    ] {
        let Some(value) = value else { continue };
        let _ = writeln!(text, "{key} = {}", quoted(&value));
    }
    if !manifest.stub_imports.is_empty() {
        let stubs: Vec<String> = manifest.stub_imports.iter().map(|stub| quoted(stub)).collect();
        let _ = writeln!(text, "stub-imports = [{}]", stubs.join(", "));
    }
    text.push_str("[limits]\n");
    for (limit, number) in manifest.limits.iter() {
        let _ = writeln!(text, "{limit} = {}", quoted(&limit.format(number)));
    }
    for (name, tool) in &manifest.tools {
        let (name, effect) = (quoted(name), quoted(tool.effect.name()));
        let _ =
            writeln!(text, "[tool.{name}]\neffect = {effect}\nidempotent = {}", tool.idempotent);
    }
    text
}

/// Returns `text` as a TOML string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}
