//! Names that a host tool acts on, such as `.git`: what lies below one is never written to unless
//! it was granted by itself.

use std::sync::Arc;

/// Tells whether one component of a path, in its folded form, is a protected name.
type Predicate = dyn Fn(&str) -> bool + Send + Sync;

/// The protected names of a run. A name is compared without regard to case, to trailing dots and
/// spaces, and to characters some file systems ignore: each would be the same name somewhere.
#[derive(Clone)]
pub struct ProtectedNames(Arc<Predicate>);

impl ProtectedNames {
    /// Returns the names for which `is_protected` says so. It is given lower-case names.
    pub fn new(is_protected: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_protected))
    }

    /// Returns these names.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<String> = names.into_iter().map(fold).collect();
        Self::new(move |component| names.iter().any(|name| name == component))
    }

    /// Returns the first component of `path` that is protected.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.split('/').find(|component| {
            let folded = fold(component);
            // The short name that Windows file systems give to `.git`.
            (self.0)(&folded) || (folded.starts_with("git~") && (self.0)(".git"))
        })
    }
}

impl std::fmt::Debug for ProtectedNames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ProtectedNames")
    }
}

/// Returns the form in which two names that some file system takes for the same are equal.
fn fold(component: &str) -> String {
    let ignored = |c: &char| matches!(*c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    let visible: String = component.chars().filter(|c| !ignored(c)).collect();
    // `.git::$INDEX_ALLOCATION` is `.git` where files have streams.
    let name = visible.split(':').next().unwrap_or_default();
    name.trim_end_matches(['.', ' ']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_protected_name_is_found() {
        let names = ProtectedNames::from_names([".git", ".mcp.json"]);
        for path in [
            ".git",
            "a/.git/config",
            ".GIT/x",
            ".git./x",
            ".git /x",
            ".g\u{200c}it",
            "x/.MCP.json",
            ".git::$INDEX_ALLOCATION/x",
            "GIT~1/config",
        ] {
            assert!(names.find(path).is_some(), "{path}");
        }
        for path in ["", "git", ".github/x", ".gitignore", "a.git", "mcp.json", "..", "."] {
            assert_eq!(names.find(path), None, "{path}");
        }
    }
}
