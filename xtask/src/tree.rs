//! The files of the repository as the tidy rules see them: paths and text, held in memory.
//!
//! Rules take a [`Tree`], so that each one has a test which shows it can fail.

use std::collections::BTreeMap;
use std::path::Path;

use crate::failure::Failure;

/// Folders that hold nothing written by hand.
const SKIPPED_DIRS: [&str; 6] = ["target", ".git", ".demo", "node_modules", "out", "corpus"];

/// Endings of the files the rules read.
const TEXT: [&str; 11] =
    ["rs", "md", "toml", "lock", "wit", "wat", "sh", "yml", "txt", "sha256", "trycmd"];

/// Files without an ending that the rules read.
const NAMED: [&str; 2] = ["run", "RELEASED"];

/// The text files of the repository, by path with `/` from the root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the repository.
    pub(crate) fn read(root: &Path) -> Result<Self, Failure> {
        let mut tree = Self::default();
        tree.read_dir(root, "")?;
        Ok(tree)
    }

    fn read_dir(&mut self, dir: &Path, prefix: &str) -> Result<(), Failure> {
        let entries = std::fs::read_dir(dir).map_err(|source| Failure::io("list", dir, &source))?;
        for entry in entries {
            let entry = entry.map_err(|source| Failure::io("list", dir, &source))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind =
                entry.file_type().map_err(|source| Failure::io("read", &entry.path(), &source))?;
            let path = format!("{prefix}{name}");
            if kind.is_dir() && !SKIPPED_DIRS.contains(&name.as_str()) {
                self.read_dir(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() && is_text(&name) {
                let text = std::fs::read_to_string(entry.path())
                    .map_err(|source| Failure::io("read as UTF-8", &entry.path(), &source))?;
                self.files.insert(path, text);
            }
        }
        Ok(())
    }

    /// Returns the text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Returns every file.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Returns every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| ends_in(path, "rs"))
    }

    /// Returns every file below a folder, given as `folder/`.
    pub(crate) fn below(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.starts_with(folder))
    }

    /// Returns a tree of the given files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        Self { files: files.iter().map(own).collect() }
    }
}

/// Returns whether the name of a file has this ending.
pub(crate) fn ends_in(path: &str, ending: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, last)| last == ending)
}

fn is_text(name: &str) -> bool {
    NAMED.contains(&name) || name.rsplit_once('.').is_some_and(|(_, ending)| TEXT.contains(&ending))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn hand_written_text_is_read_and_build_output_is_not() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["src/a.rs", "target/b.rs", "deep/target/c.rs", "x.wasm", ".ci/run"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "text").unwrap();
        }
        let tree = Tree::read(dir.path()).unwrap();
        assert_eq!(tree.files().map(|(path, _)| path).collect::<Vec<_>>(), [".ci/run", "src/a.rs"]);
    }

    #[test]
    fn a_text_file_that_is_not_utf8_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.wit"), [0xff, 0xfe]).unwrap();
        let failure = Tree::read(dir.path()).err().map(|failure| failure.to_string());
        assert!(failure.is_some_and(|text| text.contains("a.wit")));
    }
}
