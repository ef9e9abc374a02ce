//! Turns the built-in policy files into tables of constants, so that starting a host reads no TOML.
//!
//! Only the shape is read here; what the texts mean, and that every rule is right, is tested in the
//! crate itself: a test compares each table with what the parser makes of the file.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build script reads files and talks to Cargo"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const POLICIES: &str = "../../policies";
const PROFILES: [&str; 5] = ["offline", "read-only", "net-read-only", "workspace-write", "trusted"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={POLICIES}");
    let mut tables = String::new();
    for profile in PROFILES {
        let text = read(profile)?;
        let name = profile.replace('-', "_").to_uppercase();
        writeln!(tables, "pub(crate) static {name}: &[Written] = &[")?;
        for entry in entries(&text, "rule")? {
            writeln!(tables, "    {},", rule(&text, &entry)?)?;
        }
        writeln!(tables, "];")?;
    }
    let text = read("protected-names")?;
    writeln!(tables, "pub(crate) static PROTECTED_NAMES: &[WrittenName] = &[")?;
    for entry in entries(&text, "name")? {
        let (line, table) = (line(&text, &entry), table(&entry)?);
        let (name, reason) = (needed(table, "name")?, needed(table, "reason")?);
        writeln!(
            tables,
            "    WrittenName {{ line: {line}, name: {name:?}, reason: {reason:?} }},"
        )?;
    }
    writeln!(tables, "];")?;
    let text = read("interpreters")?;
    writeln!(tables, "pub(crate) static INTERPRETERS: &[WrittenProgram] = &[")?;
    for entry in entries(&text, "program")? {
        let table = table(&entry)?;
        let names = words(table, "names").ok_or("a program has no `names`")?;
        let harmless = match words(table, "harmless") {
            Some(options) => format!("Some(&{options:?})"),
            None => "None".to_owned(),
        };
        let reason = needed(table, "reason")?;
        writeln!(
            tables,
            "    WrittenProgram {{ names: &{names:?}, harmless: {harmless}, reason: {reason:?} }},"
        )?;
    }
    writeln!(tables, "];")?;
    let out = std::env::var_os("OUT_DIR").ok_or("Cargo names no output directory")?;
    Ok(std::fs::write(PathBuf::from(out).join("built_in.rs"), tables)?)
}

fn read(name: &str) -> Result<String, Box<dyn Error>> {
    let path = Path::new(POLICIES).join(name).with_extension("toml");
    std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn entries<'t>(text: &'t str, key: &str) -> Result<Vec<Spanned<DeValue<'t>>>, Box<dyn Error>> {
    let document = DeTable::parse(text)?.into_inner();
    let found = document.into_iter().find(|(name, _)| name.get_ref() == key);
    match found.map(|(_, value)| value.into_inner()) {
        Some(DeValue::Array(entries)) => Ok(entries.into_iter().collect()),
        _ => Err(format!("there is no `[[{key}]]`").into()),
    }
}

/// Returns the line an entry starts at, from 1.
fn line(text: &str, entry: &Spanned<DeValue<'_>>) -> usize {
    text.bytes().take(entry.span().start).filter(|byte| *byte == b'\n').count() + 1
}

fn rule(text: &str, entry: &Spanned<DeValue<'_>>) -> Result<String, Box<dyn Error>> {
    let (line, table) = (line(text, entry), table(entry)?);
    let reach = match (optional(table, "scope"), words(table, "argv")) {
        (Some(scope), None) => format!("Reach::Text({scope:?})"),
        (None, Some(words)) => format!("Reach::Argv(&{words:?})"),
        (None, None) => "Reach::Everything".to_owned(),
        (Some(_), Some(_)) => return Err(format!("line {line} has a scope and an argv").into()),
    };
    Ok(format!(
        "Written {{ line: {line}, capability: {:?}, reach: {reach}, decision: {:?}, reason: {:?}, warning: {:?} }}",
        needed(table, "capability")?,
        needed(table, "decision")?,
        needed(table, "reason")?,
        optional(table, "warning"),
    ))
}

fn table<'e, 't>(entry: &'e Spanned<DeValue<'t>>) -> Result<&'e DeTable<'t>, Box<dyn Error>> {
    entry.get_ref().as_table().ok_or_else(|| "an entry is no table".into())
}

fn optional<'e>(table: &'e DeTable<'_>, key: &str) -> Option<&'e str> {
    table.get(key).and_then(|value| value.get_ref().as_str()).map(str::trim)
}

fn needed<'e>(table: &'e DeTable<'_>, key: &str) -> Result<&'e str, Box<dyn Error>> {
    optional(table, key).ok_or_else(|| format!("an entry has no `{key}`").into())
}

fn words<'e>(table: &'e DeTable<'_>, key: &str) -> Option<Vec<&'e str>> {
    let array = table.get(key)?.get_ref().as_array()?;
    array.iter().map(|word| word.get_ref().as_str()).collect()
}
