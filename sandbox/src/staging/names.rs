//! Which names are protected, however they are written.

use std::ffi::OsStr;

/// The caller's rule: returns whether one component of a path is protected.
pub type ProtectedNames<'a> = &'a dyn Fn(&str) -> bool;

/// Returns whether `rule` protects the component, as it is written or as a file system that folds
/// names would read it.
pub(super) fn is_protected(rule: ProtectedNames<'_>, name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    if rule(&name) {
        return true;
    }
    let folded = fold(&name);
    if rule(&folded) {
        return true;
    }
    // The short form that FAT and NTFS give `.git`.
    folded.strip_prefix("git~").is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()) && rule(".git")
    })
}

/// Returns the name as the most forgiving file system reads it: without case, without the
/// characters HFS+ ignores, without trailing dots and spaces and without a stream name.
fn fold(name: &str) -> String {
    let stream = name.find(':').filter(|at| *at > 0).unwrap_or(name.len());
    let folded: String =
        name[..stream].chars().filter(|c| !is_ignored(*c)).flat_map(char::to_lowercase).collect();
    folded.trim_end_matches(['.', ' ']).to_owned()
}

fn is_ignored(character: char) -> bool {
    matches!(character,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::is_protected;
    use std::ffi::OsStr;

    #[test]
    fn a_protected_name_is_found_however_it_is_written() {
        let cases = [
            (".git", true),
            (".GIT", true),
            (".Git", true),
            (".git.", true),
            (".git . ", true),
            (".gi\u{200c}t", true),
            ("git~1", true),
            ("GIT~12", true),
            (".git::$INDEX_ALLOCATION", true),
            (".gitignore", false),
            ("git", false),
            ("git~", false),
            ("...", false),
        ];
        for (name, expected) in cases {
            let rule = |name: &str| name == ".git";
            assert_eq!(is_protected(&rule, OsStr::new(name)), expected, "{name:?}");
        }
    }
}
