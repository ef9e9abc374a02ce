//! Reads the TOML of layers and of the list of protected names, keeping the line of everything.

use crate::PolicyError;
use crate::commands;
use crate::layer::{AfterNetwork, Fallback, Layer, LayerKind};
use crate::rule::{Rule, Verdict};
use crate::scope::Scope;
use ringfence_capability::{Kind, ParseError, text};
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The largest policy file read. The built-in ones have a few kilobytes.
const MAX_BYTES: usize = 256 * 1024;
/// The most entries in one file: comparing rules with each other takes quadratic time.
const MAX_ENTRIES: usize = 1024;
/// The longest reason, in characters.
const MAX_REASON: usize = 400;

/// The keys of a rule that is not about native programs.
const KEYS: &[&str] = &["capability", "scope", "decision", "reason"];

type Value<'t> = Spanned<DeValue<'t>>;

/// One `[[…]]` table of a file.
pub(crate) struct Entry<'t> {
    file: &'t str,
    text: &'t str,
    table: DeTable<'t>,
    line: u32,
}

/// Reads a whole layer.
pub(crate) fn layer(kind: LayerKind, file: &str, text: &str) -> Result<Layer, PolicyError> {
    let (entries, tables) = split(file, text, "rule", tables(kind))?;
    let rules = entries.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    let mut layer = Layer::compiled(kind, kind.title().to_owned(), file.to_owned(), rules);
    for (name, table) in &tables {
        if *name == FLOW {
            layer.set_after_network(after_network(table)?);
            continue;
        }
        for (key, value) in &table.table {
            let line = line_of(text, key.span().start);
            let fallback = fallback(table, key.get_ref(), value, line)?;
            layer.set_default(fallback.0, fallback.1);
        }
    }
    check_rules(&layer, &entries)?;
    Ok(layer)
}

/// The table about changes after the network was read.
const FLOW: &str = "flow";

/// Returns the tables that a layer of this kind can have beside its rules. Only the policy of the machine
/// can lift what holds after the network was read: every other file would be adding authority.
fn tables(kind: LayerKind) -> &'static [&'static str] {
    match kind {
        LayerKind::Host => &["default", FLOW],
        LayerKind::User | LayerKind::Workspace | LayerKind::Flags => &["default"],
        LayerKind::Profile | LayerKind::Trust => &[],
    }
}

fn after_network(table: &Entry<'_>) -> Result<AfterNetwork, PolicyError> {
    let key = "after-network";
    table.only(&[key, "reason"])?;
    table.reason()?;
    match table.text(key)? {
        "ask" => Ok(AfterNetwork::Ask),
        "allow" => Ok(AfterNetwork::Allow),
        other => Err(table.bad_value(key, other, "it is `ask` or `allow`")),
    }
}

/// Reads a file that has nothing but `[[key]]` tables.
pub(crate) fn entries<'t>(
    file: &'t str,
    text: &'t str,
    key: &'static str,
) -> Result<Vec<Entry<'t>>, PolicyError> {
    Ok(split(file, text, key, &[])?.0)
}

/// Returns the names of all capabilities for a hint.
pub(crate) fn capabilities() -> String {
    Kind::ALL.map(|kind| format!("`{kind}`")).join(", ")
}

impl Entry<'_> {
    /// Returns the line the entry starts at.
    pub(crate) fn line(&self) -> u32 {
        self.line
    }

    /// Refuses every key that is not one of `known`.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), PolicyError> {
        let unknown = self.table.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        unknown.map_or(Ok(()), |key| {
            Err(PolicyError::UnknownKey {
                file: self.file.to_owned(),
                line: line_of(self.text, key.span().start),
                key: clean(key.get_ref()),
                known: listed(known),
            })
        })
    }

    /// Returns the text at `key`.
    pub(crate) fn text(&self, key: &'static str) -> Result<&str, PolicyError> {
        self.optional(key)?.ok_or_else(|| self.missing(key))
    }

    /// Returns the reason, which every entry must have.
    pub(crate) fn reason(&self) -> Result<String, PolicyError> {
        self.sentence("reason")?.ok_or_else(|| self.missing("reason"))
    }

    /// Returns the text at `key` when it is there, one line that is not empty.
    pub(crate) fn sentence(&self, key: &'static str) -> Result<Option<String>, PolicyError> {
        let Some(text) = self.optional(key)?.map(str::trim) else { return Ok(None) };
        if text.is_empty() {
            return Err(self.missing(key));
        }
        if text.chars().count() > MAX_REASON || text.chars().any(text::hides) {
            return Err(self.bad_value(key, text, "it is one line of at most 400 characters"));
        }
        Ok(Some(text.to_owned()))
    }

    /// Returns the list of texts at `key` when it is there.
    pub(crate) fn words(&self, key: &'static str) -> Result<Option<Vec<&str>>, PolicyError> {
        self.table.get(key).map(|value| self.texts(key, value)).transpose()
    }

    /// Returns the list of commands at `key`, each with its line; none when it is not there.
    pub(crate) fn commands(&self, key: &'static str) -> Result<Vec<(u32, Vec<&str>)>, PolicyError> {
        let Some(value) = self.table.get(key) else { return Ok(Vec::new()) };
        let Some(commands) = value.get_ref().as_array() else {
            return Err(self.wrong_type(value, format!("`{key}` is a list of commands")));
        };
        let line = |command: &Value<'_>| line_of(self.text, command.span().start);
        let read = |command| Ok((line(command), self.texts(key, command)?));
        commands.iter().map(read).collect()
    }

    fn texts<'v>(&self, key: &str, value: &'v Value<'_>) -> Result<Vec<&'v str>, PolicyError> {
        let wrong =
            || self.wrong_type(value, format!("`{key}` has lists such as [\"ls\", \"-l\"]"));
        let array = value.get_ref().as_array().ok_or_else(wrong)?;
        array.iter().map(|text| text.get_ref().as_str().ok_or_else(wrong)).collect()
    }

    /// Returns the error for a bad value at `key`.
    pub(crate) fn bad_value(&self, key: &str, value: &str, why: &'static str) -> PolicyError {
        self.bad(key, ParseError::new("valid value", value, why))
    }

    /// Returns the error for an entry that changes nothing.
    pub(crate) fn useless(&self, rule: String, why: String) -> PolicyError {
        PolicyError::Useless { file: self.file.to_owned(), line: self.line, rule, why }
    }

    /// Returns the file it stands in.
    pub(crate) fn file(&self) -> &str {
        self.file
    }

    /// Returns the error that `key` is missing.
    pub(crate) fn missing(&self, key: &'static str) -> PolicyError {
        PolicyError::Missing { file: self.file.to_owned(), line: self.line, key }
    }

    /// Returns the error for the value at `key`.
    pub(crate) fn bad(&self, key: &str, source: ParseError) -> PolicyError {
        let line = self.table.get(key).map_or(self.line, |v| line_of(self.text, v.span().start));
        self.bad_at(line, key, source)
    }

    /// Returns the error for a part of the value at `key`, on a line of its own.
    pub(crate) fn bad_at(&self, line: u32, key: &str, source: ParseError) -> PolicyError {
        PolicyError::BadValue { file: self.file.to_owned(), line, key: key.to_owned(), source }
    }

    fn wrong_type(&self, value: &Value<'_>, message: String) -> PolicyError {
        syntax(self.file, self.text, value.span().start, message)
    }

    fn optional(&self, key: &'static str) -> Result<Option<&str>, PolicyError> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        let Some(text) = value.get_ref().as_str() else {
            let message = format!("`{key}` is a text, not of type {}", value.get_ref().type_str());
            return Err(syntax(self.file, self.text, value.span().start, message));
        };
        Ok(Some(text))
    }
}

/// What a file holds: its entries, and its other tables by name.
type Parts<'t> = (Vec<Entry<'t>>, Vec<(&'static str, Entry<'t>)>);

/// Returns the `[[key]]` entries and the tables called one of `rest`; every other key is an error.
fn split<'t>(
    file: &'t str,
    text: &'t str,
    key: &'static str,
    rest: &[&'static str],
) -> Result<Parts<'t>, PolicyError> {
    let too_large =
        |size, unit, most| PolicyError::TooLarge { file: file.to_owned(), size, unit, most };
    if text.len() > MAX_BYTES {
        return Err(too_large(text.len(), "bytes", MAX_BYTES));
    }
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        syntax(file, text, at, clean(error.message()))
    })?;
    let mut entries = Vec::new();
    let mut others = Vec::new();
    for (name, value) in table.into_inner() {
        let at = name.span().start;
        if name.get_ref() == key {
            entries = array(file, text, key, value)?;
        } else if let Some(rest) = rest.iter().find(|rest| name.get_ref() == **rest) {
            others.push((*rest, entry(file, text, value)?));
        } else {
            return Err(PolicyError::UnknownKey {
                file: file.to_owned(),
                line: line_of(text, at),
                key: clean(name.get_ref()),
                known: listed(&[&[key], rest].concat()),
            });
        }
    }
    if entries.len() > MAX_ENTRIES {
        return Err(too_large(entries.len(), "entries", MAX_ENTRIES));
    }
    Ok((entries, others))
}

fn array<'t>(
    file: &'t str,
    text: &'t str,
    key: &str,
    value: Value<'t>,
) -> Result<Vec<Entry<'t>>, PolicyError> {
    let at = value.span().start;
    match value.into_inner() {
        DeValue::Array(items) => items.into_iter().map(|item| entry(file, text, item)).collect(),
        _ => Err(syntax(file, text, at, format!("`{key}` is written as `[[{key}]]`"))),
    }
}

fn entry<'t>(file: &'t str, text: &'t str, value: Value<'t>) -> Result<Entry<'t>, PolicyError> {
    let at = value.span().start;
    match value.into_inner() {
        DeValue::Table(table) => Ok(Entry { file, text, table, line: line_of(text, at) }),
        other => {
            Err(syntax(file, text, at, format!("a table is expected, not {}", other.type_str())))
        }
    }
}

fn rule(entry: &Entry<'_>) -> Result<Rule, PolicyError> {
    let exec = entry.optional("capability")? == Some(Kind::Exec.name());
    entry.only(if exec { commands::KEYS } else { KEYS })?;
    let capability = entry.text("capability")?;
    let kind: Kind = capability.parse().map_err(|source| entry.bad("capability", source))?;
    let decided = |text: &str| verdict(text).map_err(|source| entry.bad("decision", source));
    let scope = match entry.optional("scope")? {
        _ if exec => commands::scope(entry, decided(entry.text("decision")?)?)?,
        Some(text) => Scope::parse(kind, text).map_err(|source| entry.bad("scope", source))?,
        None => Scope::Everything,
    };
    let verdict = decided(entry.text("decision")?)?;
    let (reason, warning) = (entry.reason()?, entry.sentence("warning")?);
    let (reason, warning) = (Cow::Owned(reason), warning.map(Cow::Owned));
    let rule = Rule { kind, scope, verdict, reason, warning, line: entry.line };
    if exec {
        commands::check(entry, &rule)?;
    }
    Ok(rule)
}

fn fallback(
    defaults: &Entry<'_>,
    key: &str,
    value: &Value<'_>,
    line: u32,
) -> Result<(Kind, Fallback), PolicyError> {
    let bad = |key: &str, source| PolicyError::BadValue {
        file: defaults.file.to_owned(),
        line,
        key: key.to_owned(),
        source,
    };
    let kind: Kind = key.parse().map_err(|source| bad("capability", source))?;
    let Some(text) = value.get_ref().as_str() else {
        let message = "a default is `prompt` or `forbid`".to_owned();
        return Err(syntax(defaults.file, defaults.text, value.span().start, message));
    };
    match verdict(text).map_err(|source| bad("decision", source))? {
        Verdict::Allow => Err(PolicyError::Useless {
            file: defaults.file.to_owned(),
            line,
            rule: format!("{kind} = \"allow\""),
            why: "this layer can only take away; leave the default out".to_owned(),
        }),
        verdict => Ok((kind, Fallback { verdict, line })),
    }
}

fn verdict(text: &str) -> Result<Verdict, ParseError> {
    let why = "it is `allow`, `prompt` or `forbid`";
    Verdict::from_name(text).ok_or_else(|| ParseError::new("decision", text, why))
}

/// Refuses rules that can never change a decision: their author believes in a protection, or in a
/// permission, that is not there.
fn check_rules(layer: &Layer, entries: &[Entry<'_>]) -> Result<(), PolicyError> {
    for rule in layer.rules() {
        let Some(why) = why_useless(layer, rule) else { continue };
        let entry = entries.iter().find(|entry| entry.line == rule.line);
        return Err(PolicyError::Useless {
            file: entry.map_or(layer.file(), |entry| entry.file).to_owned(),
            line: rule.line,
            rule: rule.to_string(),
            why,
        });
    }
    Ok(())
}

fn why_useless(layer: &Layer, rule: &Rule) -> Option<String> {
    let shadow = layer.of_kind(rule.kind).iter().find(|other| {
        // Of two rules that shadow each other the later one is at fault.
        other.line != rule.line
            && other.shadows(rule)
            && (!rule.shadows(other) || other.line < rule.line)
    });
    if let Some(other) = shadow {
        return Some(format!("line {} already decides it: {other}", other.line));
    }
    if rule.kind == Kind::Exec && rule.verdict == Verdict::Allow && !layer.kind().narrows() {
        return Some("running a native program always asks; write `prompt`".to_owned());
    }
    if !layer.kind().narrows() {
        return None;
    }
    let default = layer.default_of(rule.kind).map(|fallback| fallback.verdict);
    let kind = rule.kind;
    match (rule.verdict, default) {
        (Verdict::Allow, None) => Some(format!(
            "this layer can only take away; with `\"{kind}\" = \"forbid\"` under `[default]` it is an allow-list"
        )),
        (verdict, Some(default)) if verdict == default => {
            let carves =
                |other: &Rule| other.verdict > verdict && other.scope.overlaps_scope(&rule.scope);
            let matters = layer.of_kind(kind).iter().any(carves);
            (!matters).then(|| format!("`{default}` is the default of `{kind}` in this file"))
        }
        _ => None,
    }
}

fn syntax(file: &str, text: &str, at: usize, message: String) -> PolicyError {
    PolicyError::Syntax { file: file.to_owned(), line: line_of(text, at), message }
}

fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    // Counted for every entry of a file, each time from its start: simple enough to be vectorised.
    let ends = before.iter().map(|byte| u32::from(*byte == b'\n')).sum::<u32>();
    ends.saturating_add(1)
}

fn listed(known: &[&str]) -> String {
    known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// Returns `text` short and in one line, for a message.
fn clean(text: &str) -> String {
    text::brief(text, 200)
}
