//! Frozen WIT: once a version is released, its directory never changes.
//!
//! `wit/vX.Y/RELEASED` marks a released version and `wit/vX.Y.sha256` lists the hash of each of
//! its files, in the format of `sha256sum`. Before that the files only have to be UTF-8, which
//! reading the tree checks.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::Finding;
use crate::failure::Failure;
use crate::tree::{Tree, ends_in};
use crate::workspace::Workspace;

/// Finds released WIT that differs from its record, and records without a marker.
pub(super) fn frozen(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _) in tree.below("wit/") {
        if let Some(version) =
            path.strip_prefix("wit/").and_then(|rest| rest.strip_suffix("/RELEASED"))
        {
            findings.extend(changes(tree, version));
        } else if let Some(version) =
            path.strip_prefix("wit/").and_then(|rest| rest.strip_suffix(".sha256"))
            && tree.text(&format!("wit/{version}/RELEASED")).is_none()
        {
            findings.push(Finding::at(path, 1, "a record without a `RELEASED` marker"));
        }
    }
    findings
}

/// Writes the record and the marker of one version; a released one is left alone.
pub(super) fn freeze(workspace: &Workspace, version: &str) -> Result<(), Failure> {
    let tree = Tree::read(workspace.root())?;
    if tree.text(&format!("wit/{version}/RELEASED")).is_some() {
        return Err(Failure::new(format!("`wit/{version}` is released already"))
            .hint("write the change into `wit/PENDING.md`; it becomes the next version"));
    }
    let record = record(&tree, version);
    if record.is_empty() {
        return Err(Failure::new(format!("there is no WIT in `wit/{version}`")));
    }
    let lines: Vec<_> = record.iter().map(|(path, hash)| format!("{hash}  {path}\n")).collect();
    let marker = format!("wit/{version}/RELEASED");
    for (path, text) in [(format!("wit/{version}.sha256"), lines.concat()), (marker, String::new())]
    {
        let path = workspace.path(&path);
        std::fs::write(&path, text).map_err(|source| Failure::io("write", &path, &source))?;
    }
    println!("    `wit/{version}` is frozen: {} files", record.len());
    Ok(())
}

/// Returns the hash of each WIT file of a version.
fn record(tree: &Tree, version: &str) -> BTreeMap<String, String> {
    let files = tree.files().filter(|(path, _)| {
        path.strip_prefix("wit/")
            .and_then(|rest| rest.strip_prefix(version))
            .is_some_and(|rest| rest.starts_with('/') && ends_in(rest, "wit"))
    });
    files.map(|(path, text)| (path.to_owned(), hex(text.as_bytes()))).collect()
}

fn changes(tree: &Tree, version: &str) -> Vec<Finding> {
    let record_path = format!("wit/{version}.sha256");
    let Some(text) = tree.text(&record_path) else {
        let marker = format!("wit/{version}/RELEASED");
        return vec![Finding::at(&marker, 1, format!("released without `{record_path}`"))];
    };
    let recorded: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(hash, path)| (path.to_owned(), hash.to_owned()))
        .collect();
    let present = record(tree, version);
    let all = recorded.keys().chain(present.keys().filter(|path| !recorded.contains_key(*path)));
    all.filter_map(|path| {
        let what = match (recorded.get(path), present.get(path)) {
            (Some(before), Some(now)) if before == now => return None,
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "is gone",
            (None, _) => "is new",
        };
        Some(Finding::at(path, 1, format!("{what}, but `{version}` is released")))
    })
    .collect()
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_released_directory_that_changes_in_any_way_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(dir.path(), None);
        std::fs::create_dir_all(dir.path().join("wit/v0.1/deps")).unwrap();
        let wit = |path: &str| dir.path().join("wit/v0.1").join(path);
        std::fs::write(wit("a.wit"), "package a:a;").unwrap();
        std::fs::write(wit("deps/b.wit"), "package b:b;").unwrap();
        let found = || {
            let tree = Tree::read(dir.path()).unwrap();
            frozen(&tree).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(found().is_empty());
        freeze(&workspace, "v0.1").unwrap();
        assert!(found().is_empty());
        assert!(freeze(&workspace, "v0.1").is_err(), "a released version is not recorded again");
        std::fs::write(wit("a.wit"), "package a:b;").unwrap();
        std::fs::write(wit("c.wit"), "package c:c;").unwrap();
        std::fs::remove_file(wit("deps/b.wit")).unwrap();
        let expected = [("a.wit", "changed"), ("deps/b.wit", "is gone"), ("c.wit", "is new")];
        let expected = expected
            .map(|(path, what)| format!("wit/v0.1/{path}:1: {what}, but `v0.1` is released"));
        assert_eq!(found(), expected);
    }

    #[test]
    fn a_marker_and_a_record_need_each_other() {
        for (path, count) in
            [("wit/v0.1/RELEASED", 1), ("wit/v0.1.sha256", 1), ("wit/v0.1/a.wit", 0)]
        {
            assert_eq!(frozen(&Tree::of(&[(path, "")])).len(), count, "{path}");
        }
    }

    #[test]
    fn hashes_are_what_sha256sum_prints() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(b""), empty);
    }

    #[test]
    fn a_version_without_files_cannot_be_frozen() {
        let dir = tempfile::tempdir().unwrap();
        assert!(freeze(&Workspace::at(dir.path(), None), "v0.9").is_err());
    }
}
