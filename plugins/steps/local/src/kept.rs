//! What was learned of a directory, as bytes for the next run: the files that were seen, the documents in
//! them, and the index. Bytes that are no such thing give nothing, and the directory is read anew.

use research_quality::rank::{RankIndex, read_number, write_number};

use crate::corpus::{Corpus, Entry, Seen, Text};
use crate::meta::Meta;

/// The form of the bytes; another one is passed over.
const FORM: &[u8] = b"ringfence local index 2\n";
/// The most that is kept; a larger directory is read anew each time.
const MAX_KEPT_BYTES: usize = 64 << 20;
/// How far behind the newest file another change of a file could hide in the same time: file systems
/// count it in steps of up to 10 milliseconds.
const STEP_NANOSECONDS: u64 = 10_000_000;

/// Returns what to keep of a directory, or nothing when it is too much.
pub(crate) fn write(corpus: &Corpus) -> Option<Vec<u8>> {
    let mut bytes = FORM.to_vec();
    let newest = corpus.files.iter().map(|file| file.modified).max().unwrap_or(0);
    write_number(&mut bytes, corpus.files.len() as u64);
    for file in &corpus.files {
        write_text(&mut bytes, &file.name);
        write_number(&mut bytes, file.size);
        write_number(&mut bytes, file.modified);
        write_number(
            &mut bytes,
            u64::from(file.modified.saturating_add(STEP_NANOSECONDS) > newest),
        );
        bytes.extend(file.sha256);
        write_number(&mut bytes, file.entries.len() as u64);
        for entry in &file.entries {
            for number in [u64::from(entry.id), entry.start, entry.length, u64::from(entry.line)] {
                write_number(&mut bytes, number);
            }
            for text in [&entry.meta.url, &entry.meta.title, &entry.meta.published] {
                write_number(&mut bytes, u64::from(text.is_some()));
                write_text(&mut bytes, text.as_deref().unwrap_or_default());
            }
            write_text(&mut bytes, &entry.snippet);
            let (kind, fault) = match &entry.text {
                Text::Indexed => (0, ""),
                Text::Unread => (1, ""),
                Text::Fault(why) => (2, why.as_str()),
            };
            write_number(&mut bytes, kind);
            write_text(&mut bytes, fault);
        }
    }
    corpus.index.write(&mut bytes);
    (bytes.len() <= MAX_KEPT_BYTES).then_some(bytes)
}

/// Reads what was kept.
pub(crate) fn read(kept: &[u8]) -> Option<(Vec<Seen>, RankIndex)> {
    let mut bytes = kept.strip_prefix(FORM)?;
    let mut files = Vec::new();
    for _ in 0..read_number(&mut bytes)? {
        files.push(read_file(&mut bytes)?);
    }
    let index = RankIndex::read(&mut bytes)?;
    let entries = files.iter().flat_map(|file| &file.entries);
    let documents = entries.filter(|entry| entry.text == Text::Indexed).count();
    (bytes.is_empty() && documents == index.len()).then_some((files, index))
}

fn read_file(bytes: &mut &[u8]) -> Option<Seen> {
    let name = read_text(bytes)?;
    let (size, modified) = (read_number(bytes)?, read_number(bytes)?);
    let fresh = read_number(bytes)? != 0;
    let (sha256, rest) = bytes.split_first_chunk::<32>()?;
    *bytes = rest;
    let mut entries = Vec::new();
    for _ in 0..read_number(bytes)? {
        let id = u32::try_from(read_number(bytes)?).ok()?;
        let (start, length) = (read_number(bytes)?, read_number(bytes)?);
        let line = u32::try_from(read_number(bytes)?).ok()?;
        let (url, title, published) =
            (read_option(bytes)?, read_option(bytes)?, read_option(bytes)?);
        let meta = Meta { url, title, published };
        let snippet = read_text(bytes)?;
        let (kind, fault) = (read_number(bytes)?, read_text(bytes)?);
        let text = match kind {
            0 => Text::Indexed,
            1 => Text::Unread,
            2 => Text::Fault(fault),
            _ => return None,
        };
        entries.push(Entry { id, start, length, line, meta, snippet, text });
    }
    Some(Seen { name, size, modified, fresh, sha256: *sha256, entries })
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_number(bytes, text.len() as u64);
    bytes.extend(text.as_bytes());
}

fn read_text(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(read_number(bytes)?).ok()?;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(std::str::from_utf8(text).ok()?.to_owned())
}

#[expect(clippy::option_option, reason = "bytes that cannot be read, and a text that is not there")]
fn read_option(bytes: &mut &[u8]) -> Option<Option<String>> {
    let there = read_number(bytes)? != 0;
    read_text(bytes).map(|text| there.then_some(text))
}
