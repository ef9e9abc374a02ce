//! Names of files and directories that programs on the host execute or take orders from.
//!
//! Writing one of them is never allowed without a question, wherever it lies: a plugin that may
//! edit a project must not be able to leave a hook, a task or a start-up line behind that runs
//! outside its fences later. Each name is one path component, so that renaming a parent changes
//! nothing.

use crate::parse::{self, Entry};
use crate::rule::{Rule, Verdict};
use crate::scope::Scope;
use crate::tables;
use crate::{Layer, LayerKind, PolicyError};
use ringfence_capability::Kind;
use std::borrow::Cow;
use std::sync::LazyLock;

const FILE: &str = "policies/protected-names.toml";
const UNREADABLE: &str = "the list of protected names is unreadable";
const LAYER: &str = "protected names";

static BUILT_IN: LazyLock<ProtectedNames> =
    LazyLock::new(|| ProtectedNames { names: Some(sorted(tables::names())) });

/// The protected names, compared as the least careful file system would: case, trailing dots and
/// spaces, invisible characters and stream names after a `:` make no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectedNames {
    /// Sorted by name; nothing when the list could not be read: then every name is protected.
    names: Option<Vec<Protected>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Protected {
    pub(crate) name: Cow<'static, str>,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) line: u32,
}

impl ProtectedNames {
    /// Returns the names that are part of the host.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Returns the names listed in `text`, the contents of `file`.
    ///
    /// # Errors
    /// When the file has an unknown key, an entry without a reason, or a name that is not one path
    /// component or stands there twice.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let mut names: Vec<Protected> = Vec::new();
        for entry in parse::entries(file, text, "name")? {
            let protected = read(&entry)?;
            if let Some(first) = names.iter().find(|known| known.name == protected.name) {
                let why = format!("line {} names it already", first.line);
                return Err(entry.useless(protected.name.into_owned(), why));
            }
            names.push(protected);
        }
        Ok(Self { names: Some(sorted(names)) })
    }

    /// Tells whether `component`, one part of a path, is protected.
    pub fn matches(&self, component: &str) -> bool {
        match &self.names {
            Some(names) => position(names, |known| &known.name, component).is_some(),
            None => true,
        }
    }

    /// Returns the first protected part of `path`, whose parts are separated by `/` or `\`.
    pub fn first_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.split(['/', '\\']).filter(|part| !part.is_empty()).find(|part| self.matches(part))
    }

    /// Returns every name with the reason it is protected.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let names = self.names.iter().flatten();
        names.map(|known| (known.name.as_ref(), known.reason.as_ref()))
    }

    /// Tells whether `path` has `name` as one of its parts. A whole list is asked faster, see
    /// [`position`].
    pub(crate) fn path_has(path: &str, name: &str) -> bool {
        path.split('/').any(|part| same_component(name, part))
    }

    /// Returns the layer that asks before a protected name is written.
    pub(crate) fn layer(&self) -> Layer {
        let rule = |scope, reason: &Cow<'static, str>, line| Rule {
            kind: Kind::FsWrite,
            scope,
            verdict: Verdict::Prompt,
            reason: reason.clone(),
            warning: None,
            line,
        };
        let rules = match &self.names {
            Some(names) => names
                .iter()
                .map(|known| rule(Scope::Protected(known.name.clone()), &known.reason, known.line))
                .collect(),
            None => vec![rule(Scope::Everything, &Cow::Borrowed(UNREADABLE), 1)],
        };
        Layer::compiled(LayerKind::Host, LAYER.to_owned(), FILE.to_owned(), rules)
    }
}

/// Returns which of `sorted`, whose names are in ASCII lower case, is the name of `component`.
pub(crate) fn position<T>(
    sorted: &[T],
    name: impl Fn(&T) -> &str,
    component: &str,
) -> Option<usize> {
    let part = bare(component);
    let found = if part.is_ascii() {
        let lower = || part.bytes().map(|byte| byte.to_ascii_lowercase());
        sorted.binary_search_by(|known| name(known).bytes().cmp(lower()))
    } else {
        sorted.binary_search_by(|known| name(known).chars().cmp(folded(part)))
    };
    found.ok()
}

/// Tells whether two path components may be the same file on some file system.
pub(crate) fn same_component(one: &str, other: &str) -> bool {
    let (one, other) = (bare(one), bare(other));
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    folded(one).eq(folded(other))
}

/// Returns `component` without what Windows drops: a stream name and trailing dots and spaces.
fn bare(component: &str) -> &str {
    let file = component.split(':').next().unwrap_or_default();
    let trimmed = file.trim_end_matches(['.', ' ']);
    if trimmed.is_empty() { component } else { trimmed }
}

/// Returns the characters of `text` without differences of case and without those that HFS+
/// ignores.
fn folded(text: &str) -> impl Iterator<Item = char> {
    let visible = text.chars().filter(|c| {
        !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
    });
    // Through upper case first: only that folds `ſ` into `s`.
    visible.flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

fn read(entry: &Entry<'_>) -> Result<Protected, PolicyError> {
    entry.only(&["name", "reason"])?;
    let name = entry.text("name")?;
    let good = !name.is_empty() && name == bare(name) && !name.contains(['/', '\\']);
    if !good || !name.is_ascii() || name.bytes().any(|b| b.is_ascii_uppercase() || b < b' ') {
        let why = "it is one lower-case path component without a trailing dot";
        return Err(entry.bad_value("name", name, why));
    }
    let (name, reason) = (Cow::Owned(name.to_owned()), Cow::Owned(entry.reason()?));
    Ok(Protected { name, reason, line: entry.line() })
}

fn sorted(mut names: Vec<Protected>) -> Vec<Protected> {
    names.sort_by(|a, b| a.name.cmp(&b.name));
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_built_in_list_is_what_its_file_says_and_has_what_it_must() {
        let text = include_str!("../../../policies/protected-names.toml");
        let names = ProtectedNames::parse(FILE, text).unwrap_or_else(|error| panic!("{error:?}"));
        for must in [".git", ".ringfence", ".vscode", ".idea", ".mcp.json", ".envrc", ".bashrc"] {
            assert!(names.matches(must), "{must}");
        }
        assert_eq!(&names, ProtectedNames::built_in());
    }

    #[test]
    fn other_spellings_of_a_protected_name_are_protected() {
        let names = ProtectedNames::built_in();
        for (path, found) in [
            (".git", Some(".git")),
            ("a/.GIT/config", Some(".GIT")),
            (".git. .", Some(".git. .")),
            (".git::$INDEX_ALLOCATION/hooks", Some(".git::$INDEX_ALLOCATION")),
            ("sub\\.Git\\hooks", Some(".Git")),
            (".g\u{200c}it", Some(".g\u{200c}it")),
            (".v\u{17f}code", Some(".v\u{17f}code")),
            ("x/.idea/tasks.xml", Some(".idea")),
            ("git", None),
            (".gitignore", None),
            ("a.git", None),
            ("src/main.rs", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(names.first_in(path), found, "{path:?}");
        }
    }

    #[test]
    fn every_name_is_found_by_lookup_as_by_comparison() {
        let names = ProtectedNames::built_in();
        let layer = names.layer();
        for (name, _) in names.iter() {
            for spelling in [
                name.to_owned(),
                name.to_uppercase(),
                format!("{name}. "),
                format!("\u{feff}{name}"),
            ] {
                assert!(names.matches(&spelling), "{spelling:?}");
                assert!(ProtectedNames::path_has(&spelling, name), "{spelling:?}");
                let path = format!("a/{spelling}/b");
                let scope = ringfence_capability::PathScope::workspace(&path, "/");
                if spelling.contains(ringfence_capability::text::hides) {
                    assert!(scope.is_err(), "{path:?}: what hides cannot be asked for at all");
                    continue;
                }
                let scope = scope.unwrap();
                let said = layer.say(&ringfence_capability::Capability::FsWrite(scope));
                assert_eq!(said.verdict, Some(Verdict::Prompt), "{path:?}");
                let rule = said.rule.and_then(|index| layer.rule(index)).unwrap();
                assert_eq!(rule.protected_name(), name);
            }
        }
    }

    #[test]
    fn an_unreadable_list_protects_everything() {
        let names = ProtectedNames { names: None };
        assert!(names.matches("anything") && names.layer().rules().count() == 1);
    }

    #[test]
    fn names_that_could_not_match_are_refused() {
        for name in ["a/b", "", ".Git", "x.", "a:b"] {
            let text = format!("[[name]]\nname = \"{name}\"\nreason = \"r\"\n");
            assert!(
                matches!(ProtectedNames::parse("f", &text), Err(PolicyError::BadValue { .. })),
                "{name}"
            );
        }
        let twice = "[[name]]\nname = \"a\"\nreason = \"r\"\n".repeat(2);
        assert!(matches!(
            ProtectedNames::parse("f", &twice),
            Err(PolicyError::Useless { line: 4, .. })
        ));
    }
}
