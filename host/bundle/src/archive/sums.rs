//! `SHA256SUMS`: the list of all files, as `LC_ALL=C sha256sum` prints it for sorted names.

use crate::archive::ArchiveProblem;
use crate::archive::names::{self, Paths};
use ringfence_capability::Digest;
use std::collections::BTreeMap;

/// Writes the list of `files`, which come sorted by bytes.
pub(crate) fn write<'f>(files: impl Iterator<Item = (&'f str, Digest)>) -> Vec<u8> {
    let lines = files.map(|(path, digest)| format!("{}  {path}\n", digest.hex()));
    lines.collect::<String>().into_bytes()
}

/// Reads the list: `<64 hex digits>  <path>` and a line feed, sorted by the bytes of the path.
pub(crate) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, Digest>, ArchiveProblem> {
    let fail = |line: usize, why| Err(ArchiveProblem::Sums { line, why });
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            return fail(line, "is not text in UTF-8");
        }
    };
    if text.is_empty() {
        return fail(1, "is missing: it lists no file");
    }
    let (mut listed, mut paths) = (BTreeMap::new(), Paths::default());
    let mut last: Option<&str> = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let Some(line) = line.strip_suffix('\n') else {
            return fail(number, "does not end with a line feed");
        };
        let Some((digest, path)) = line.split_at_checked(64) else {
            return fail(number, "is shorter than a digest");
        };
        let Ok(digest) = format!("sha256:{digest}").parse::<Digest>() else {
            return fail(number, "does not begin with 64 lower-case hexadecimal digits");
        };
        let Some(path) = path.strip_prefix("  ") else {
            return fail(number, "does not have two spaces after the digest");
        };
        if names::is_reserved(path) {
            return fail(number, "names the list itself, or a signature of it");
        }
        if last.is_some_and(|last| last > path) {
            return fail(number, "is not sorted by the bytes of its path");
        }
        paths.add(path)?;
        listed.insert(path.to_owned(), digest);
        last = Some(path);
    }
    Ok(listed)
}
