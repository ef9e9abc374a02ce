//! Which lines are looked at: those of the files that are named, or those a diff adds.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::rules::{self, Finding};

/// The most files that are read.
pub(crate) const MAX_FILES: usize = 5_000;
/// The most findings that are returned.
pub(crate) const MAX_FINDINGS: usize = 500;
/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
/// The deepest directory.
const MAX_DEPTH: usize = 32;
/// Directories that hold what others wrote, or what was made.
const SKIPPED: &[&str] = &["target", "node_modules", "vendor", "dist", "build"];

/// A finding with its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The file.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What was found.
    pub(crate) finding: Finding,
}

/// What came of a review.
#[derive(Debug, Default)]
pub(crate) struct Review {
    /// What was found, by file and line.
    pub(crate) found: Vec<Found>,
    /// How many files were looked at.
    pub(crate) files: usize,
    /// How many findings there are more.
    pub(crate) more: usize,
    /// Whether there were more files than are read.
    pub(crate) cut: bool,
}

impl Review {
    fn look(&mut self, file: &str, line: usize, text: &str) {
        let ending = Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or_default();
        for finding in rules::check(ending, text) {
            if self.found.len() == MAX_FINDINGS {
                self.more += 1;
            } else {
                self.found.push(Found { file: file.to_owned(), line, finding });
            }
        }
    }

    /// Looks at what a diff adds.
    fn diff(&mut self, diff: &str) {
        let (mut file, mut line, mut left) = (String::new(), 0, 0_usize);
        for text in diff.lines() {
            if left == 0 {
                if let Some(name) = text.strip_prefix("+++ ") {
                    let name = name.split('\t').next().unwrap_or(name);
                    name.strip_prefix("b/").unwrap_or(name).clone_into(&mut file);
                    self.files += 1;
                } else if let Some((start, count)) = hunk(text) {
                    (line, left) = (start, count);
                }
                continue;
            }
            match text.chars().next() {
                Some('+') => {
                    self.look(&file, line, &text[1..]);
                    (line, left) = (line + 1, left - 1);
                }
                Some(' ') | None => (line, left) = (line + 1, left - 1),
                // Removed lines, and the note that a file does not end in a line break.
                _ => {}
            }
        }
    }

    fn file(&mut self, root: &Path, path: &Path) {
        if self.files == MAX_FILES {
            self.cut = true;
            return;
        }
        let whole = root.join(path);
        let small = std::fs::metadata(&whole).is_ok_and(|data| data.len() <= MAX_BYTES);
        // What is no text is not reviewed.
        let Some(text) = small.then(|| std::fs::read_to_string(&whole).ok()).flatten() else {
            return;
        };
        self.files += 1;
        let name = path.to_string_lossy();
        if matches!(path.extension().and_then(|e| e.to_str()), Some("diff" | "patch")) {
            return self.diff(&text);
        }
        let mut tests = false;
        for (number, line) in text.lines().enumerate() {
            // What follows is for tests, where ending the program is what is wanted.
            tests |= line.trim() == "#[cfg(test)]" && name.ends_with(".rs");
            if !tests {
                self.look(&name, number + 1, line);
            }
        }
    }

    fn tree(&mut self, root: &Path, path: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(root.join(path)) else { return };
        let mut names: Vec<PathBuf> =
            entries.filter_map(Result::ok).map(|entry| path.join(entry.file_name())).collect();
        names.sort();
        for one in names {
            let name = one.file_name().and_then(|name| name.to_str()).unwrap_or(".");
            let Ok(data) = std::fs::symlink_metadata(root.join(&one)) else { continue };
            if name.starts_with('.') {
                continue;
            }
            if data.is_dir() && depth < MAX_DEPTH && !SKIPPED.contains(&name) {
                self.tree(root, &one, depth + 1);
            } else if data.is_file() {
                let ending = one.extension().and_then(|e| e.to_str()).unwrap_or_default();
                if rules::CODE.contains(&ending) {
                    self.file(root, &one);
                }
            }
        }
    }
}

/// Returns where a hunk begins in the new file and how many lines of it there are.
fn hunk(text: &str) -> Option<(usize, usize)> {
    let added = text.strip_prefix("@@ ")?.split(' ').nth(1)?.strip_prefix('+')?;
    let (start, count) = added.split_once(',').unwrap_or((added, "1"));
    Some((start.parse().ok()?, count.parse().ok()?))
}

/// Reviews what a task names below `root`.
pub(crate) fn review(goal: &str, input: &Value, root: &str) -> Result<Review, String> {
    let (mut done, root) = (Review::default(), Path::new(root));
    if let Some(diff) = input.get("diff").and_then(Value::as_str) {
        done.diff(diff);
        return Ok(done);
    }
    let listed = input.get("paths").and_then(Value::as_array).into_iter().flatten();
    let mut named: Vec<&str> = listed.chain(input.get("path")).filter_map(Value::as_str).collect();
    let stated = !named.is_empty();
    if !stated {
        let words = goal.split_whitespace();
        let words = words.map(|word| word.trim_matches(|c: char| "\"'`,;:()".contains(c)));
        named = words.filter(|word| word.contains('.') || word.contains('/')).collect();
        // A single word can be a directory, too.
        let more = goal.split_whitespace().filter(|word| !named.contains(word));
        let dirs: Vec<&str> = more.filter(|word| root.join(word).is_dir()).collect();
        named.extend(dirs);
    }
    let mut any = false;
    for name in named {
        let path = PathBuf::from(name.trim_start_matches('/'));
        match std::fs::metadata(root.join(&path)) {
            Ok(data) if data.is_dir() => done.tree(root, &path, 0),
            Ok(_) => done.file(root, &path),
            Err(error) if stated => return Err(format!("`{name}`: {error}")),
            Err(_) => continue,
        }
        any = true;
    }
    if !any {
        return Err(
            "it names nothing to review: give a file, a directory or a diff of the workspace \
                    in the goal, or `path`, `paths` or `diff` in the input"
                .to_owned(),
        );
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    fn places(review: &Review) -> Vec<(String, usize, &'static str)> {
        let place = |one: &Found| (one.file.clone(), one.line, one.finding.rule);
        review.found.iter().map(place).collect()
    }

    #[test]
    fn in_a_diff_the_added_lines_count_at_their_new_place() {
        let diff = "--- a/src/x.rs\n+++ b/src/x.rs\n@@ -10,3 +10,4 @@ fn f() {\n a\n-b.unwrap();\n\
                    +c.unwrap();\n+d.unwrap();\n e\n";
        let done = review("x", &json!({ "diff": diff }), "/").unwrap();
        assert_eq!(
            places(&done),
            [("src/x.rs".to_owned(), 11, "unwrap"), ("src/x.rs".to_owned(), 12, "unwrap")]
        );
    }

    #[test]
    fn an_added_line_that_looks_like_a_header_is_a_line() {
        let diff = "+++ b/a.js\n@@ -0,0 +1,2 @@\n+++ b/evil.rs\n+debugger;\n";
        let done = review("x", &json!({ "diff": diff }), "/").unwrap();
        assert_eq!(places(&done), [("a.js".to_owned(), 2, "debug-output")]);
    }

    #[test]
    fn a_tree_is_walked_in_order_without_what_others_wrote_and_tests() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("src/b.rs", "x.unwrap();\n#[cfg(test)]\ny.unwrap();\n"),
            ("src/a.py", "except:\n"),
            ("src/target/c.rs", "x.unwrap();\n"),
            ("src/.hidden/d.rs", "x.unwrap();\n"),
        ] {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), text).unwrap();
        }
        let root = dir.path().to_str().unwrap();
        let done = review("please review src", &Value::Null, root).unwrap();
        assert_eq!(
            places(&done),
            [("src/a.py".to_owned(), 1, "bare-except"), ("src/b.rs".to_owned(), 1, "unwrap")]
        );
        assert!(
            review("review nothing", &Value::Null, root).unwrap_err().contains("names nothing")
        );
        assert!(review("x", &json!({ "path": "gone" }), root).unwrap_err().contains("`gone`"));
    }
}
