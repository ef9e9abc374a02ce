//! What a capability reaches: directories, names, fidelity.

use crate::{ParseError, text};
use std::fmt;
use std::str::FromStr;

/// Where a directory lies, seen from the workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "policy must handle both places")]
pub enum Place {
    /// At or below the workspace root.
    Workspace,
    /// Anywhere else.
    Elsewhere,
}

/// A directory (or file) of the host and where the guest sees it.
///
/// Inside the workspace the path is relative to its root (`.` is the root itself), elsewhere it is
/// absolute. It has no `.` or `..` parts and no empty ones: containment is a comparison of parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathScope {
    place: Place,
    path: String,
    guest: String,
}

impl PathScope {
    /// Returns the scope of `path`, relative to the workspace root.
    ///
    /// # Errors
    /// When `path` is absolute, has `..` or a character that [hides](text::hides), or `guest` is no
    /// absolute path.
    pub fn workspace(path: &str, guest: &str) -> Result<Self, ParseError> {
        let fail = |why| Err(ParseError::new("workspace path", path, why));
        if path.starts_with('/') || path.contains('\\') {
            return fail("a path inside the workspace is relative and uses `/`");
        }
        let Some(path) = normal(path) else {
            return fail(
                "`..`, hidden characters and empty paths are not allowed; write `.` for the workspace",
            );
        };
        let path = if path.is_empty() { ".".to_owned() } else { path };
        Ok(Self { place: Place::Workspace, path, guest: guest_path(guest)? })
    }

    /// Returns the scope of the absolute `path`, which lies outside the workspace.
    ///
    /// # Errors
    /// When `path` is not absolute, has `..` or a character that [hides](text::hides), or `guest` is
    /// no absolute path.
    pub fn elsewhere(path: &str, guest: &str) -> Result<Self, ParseError> {
        let fail = |why| Err(ParseError::new("absolute path", path, why));
        if !path.starts_with('/') {
            return fail("a path outside the workspace is absolute");
        }
        let Some(rest) = normal(path) else { return fail(NOT_ALLOWED) };
        Ok(Self { place: Place::Elsewhere, path: format!("/{rest}"), guest: guest_path(guest)? })
    }

    /// Returns where it lies.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Returns the path: relative to the workspace root, or absolute elsewhere.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns where the guest sees it, an absolute path.
    pub fn guest(&self) -> &str {
        &self.guest
    }

    /// Tells whether `other` lies at or below this directory.
    pub fn contains(&self, other: &Self) -> bool {
        self.place == other.place && is_prefix(&self.path, &other.path)
    }

    /// Tells whether one of the two lies at or below the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other) || other.contains(self)
    }
}

impl fmt::Display for PathScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.place, self.path.as_str()) {
            (Place::Workspace, ".") => f.write_str("workspace"),
            (Place::Workspace, path) => write!(f, "workspace/{path}"),
            (Place::Elsewhere, path) => f.write_str(path),
        }
    }
}

const NOT_ALLOWED: &str = "`..`, control and hidden characters are not allowed";

/// Returns `path` without empty and `.` parts, or nothing when it has `..`, is empty, or could show as
/// another path than it is.
fn normal(path: &str) -> Option<String> {
    if path.is_empty() || path.contains(text::hides) || path.split('/').any(|part| part == "..") {
        return None;
    }
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    Some(parts.collect::<Vec<_>>().join("/"))
}

fn guest_path(guest: &str) -> Result<String, ParseError> {
    let fail = |why| ParseError::new("guest path", guest, why);
    if !guest.starts_with('/') {
        return Err(fail("a guest path is absolute, such as `/` or `/data`"));
    }
    let rest = normal(guest).ok_or_else(|| fail(NOT_ALLOWED))?;
    Ok(format!("/{rest}"))
}

fn is_prefix(parent: &str, child: &str) -> bool {
    if parent == "." || parent == "/" {
        return true;
    }
    let rest = child.strip_prefix(parent);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A name: an environment variable, a configuration key, a secret, a tool.
///
/// 1 to 128 characters of `A-Z a-z 0-9 _ . - /`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
        if text.is_empty() || text.len() > 128 || !text.chars().all(good) {
            let why = "it has 1 to 128 characters of `A-Z a-z 0-9 _ . - /`";
            return Err(ParseError::new("name", text, why));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A pattern for names: the name itself, a beginning followed by `*`, or `*` alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePattern {
    stem: String,
    open: bool,
}

impl NamePattern {
    /// Tells whether the pattern covers `name`.
    pub fn matches(&self, name: &Name) -> bool {
        if self.open { name.as_str().starts_with(&self.stem) } else { name.as_str() == self.stem }
    }
}

impl FromStr for NamePattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (stem, open) = text.strip_suffix('*').map_or((text, false), |stem| (stem, true));
        if !(open && stem.is_empty()) {
            stem.parse::<Name>()?;
        }
        Ok(Self { stem: stem.to_owned(), open })
    }
}

/// Whether a source of time or randomness is the real one or the same in every run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the linker must handle both")]
pub enum Fidelity {
    /// The machine's own.
    Real,
    /// The same in every run: a clock that starts at a fixed time, numbers from a fixed seed.
    Deterministic,
}

impl Fidelity {
    /// Returns the name used in manifests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Deterministic => "deterministic",
        }
    }
}

impl FromStr for Fidelity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "real" => Ok(Self::Real),
            "deterministic" => Ok(Self::Deterministic),
            _ => Err(ParseError::new("source", text, "it is `real` or `deterministic`")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn paths_are_normalised_and_cannot_climb() {
        let docs = PathScope::workspace("./docs//guides/", "/").unwrap();
        assert_eq!(
            (docs.path(), docs.to_string().as_str()),
            ("docs/guides", "workspace/docs/guides")
        );
        assert_eq!(PathScope::workspace(".", "/").unwrap().path(), ".");
        for bad in ["", "..", "a/../b", "/etc", "a\0b", "a\\b"] {
            assert!(PathScope::workspace(bad, "/").is_err(), "{bad:?}");
        }
        for bad in ["etc", "/a/../b"] {
            assert!(PathScope::elsewhere(bad, "/").is_err(), "{bad:?}");
        }
        assert!(PathScope::workspace(".", "relative").is_err());
        for hidden in ['\0', '\n', '\u{1b}', '\u{9b}', '\u{202e}', '\u{200b}', '\u{e0041}'] {
            let (path, rooted) = (format!("a{hidden}b"), format!("/a{hidden}b"));
            for made in [
                PathScope::workspace(&path, "/"),
                PathScope::workspace(".", &rooted),
                PathScope::elsewhere(&rooted, "/"),
                PathScope::elsewhere("/a", &rooted),
            ] {
                let error = made.unwrap_err();
                assert!(error.why.contains("hidden characters"), "{hidden:?}: {error}");
                assert!(!error.to_string().contains(hidden), "{hidden:?}");
            }
        }
    }

    #[test]
    fn containment_goes_by_whole_parts() {
        let scope = |path| PathScope::workspace(path, "/").unwrap();
        assert!(scope("docs").contains(&scope("docs/a")));
        assert!(!scope("docs").contains(&scope("docs-private")));
        assert!(scope(".").contains(&scope("docs")) && !scope("docs").contains(&scope(".")));
        assert!(scope("docs/a").overlaps(&scope("docs")));
        let outside = PathScope::elsewhere("/docs", "/").unwrap();
        assert!(!scope(".").contains(&outside), "elsewhere is never inside the workspace");
    }

    #[test]
    fn a_name_pattern_covers_what_it_says() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let pattern = |text: &str| text.parse::<NamePattern>().unwrap();
        assert!(pattern("*").matches(&name("HOME")));
        assert!(
            pattern("LC_*").matches(&name("LC_ALL")) && !pattern("LC_*").matches(&name("LANG"))
        );
        assert!(pattern("HOME").matches(&name("HOME")) && !pattern("HOME").matches(&name("HOME2")));
        assert!("a*b".parse::<NamePattern>().is_err() && "".parse::<NamePattern>().is_err());
    }
}
