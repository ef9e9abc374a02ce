//! The index as bytes, so that it need not be built anew: numbers are written seven bits a byte, documents
//! of a word as distances. Bytes that are no index give none; nothing in them is believed unchecked.

use std::collections::BTreeMap;

use super::{Entry, MAX_DOCUMENTS, MAX_WORD_BYTES, RankIndex};

/// Most words that are read: each costs some memory of its own.
const MAX_WORDS: usize = 1 << 24;

impl RankIndex {
    /// Appends the index as bytes; words that no document has are left out.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        write_number(bytes, self.documents.len() as u64);
        let mut before = 0;
        for (document, entry) in &self.documents {
            write_number(bytes, u64::from(document - before));
            write_number(bytes, u64::from(entry.length));
            before = *document;
        }
        let used = || {
            let words = self.words.iter();
            words.filter_map(|(word, at)| Some((word, self.postings.get(*at)?)))
        };
        let used = || used().filter(|(_, posting)| !posting.is_empty());
        write_number(bytes, used().count() as u64);
        for (word, posting) in used() {
            write_number(bytes, word.len() as u64);
            bytes.extend(word.as_bytes());
            write_number(bytes, posting.len() as u64);
            let mut before = 0;
            for (document, often) in posting {
                write_number(bytes, u64::from(document - before));
                write_number(bytes, u64::from(*often));
                before = *document;
            }
        }
    }

    /// Reads an index from the beginning of some bytes and moves past it; nothing when it is none.
    pub fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut lengths: BTreeMap<u32, (u32, Vec<usize>)> = BTreeMap::new();
        let documents = read_count(bytes, MAX_DOCUMENTS)?;
        let mut last = None;
        for _ in 0..documents {
            let document = read_after(bytes, &mut last)?;
            lengths.insert(document, (read_small(bytes)?, Vec::new()));
        }
        let mut index = Self::default();
        for number in 0..read_count(bytes, MAX_WORDS)? {
            let length = read_count(bytes, MAX_WORD_BYTES)?;
            let (word, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            let word = std::str::from_utf8(word).ok()?;
            let mut posting = Vec::new();
            let mut last = None;
            for _ in 0..read_count(bytes, documents)? {
                let document = read_after(bytes, &mut last)?;
                posting.push((document, read_small(bytes).filter(|often| *often > 0)?));
                lengths.get_mut(&document)?.1.push(number);
            }
            if posting.is_empty() || index.words.insert(word.into(), number).is_some() {
                return None;
            }
            index.postings.push(posting);
        }
        for (document, (length, words)) in lengths {
            index.total_words += u64::from(length);
            index.documents.insert(document, Entry { length, words: words.into() });
        }
        Some(index)
    }
}

/// Appends a number.
pub fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

/// Reads a number and moves past it.
pub fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        number |= part.checked_shl(shift).filter(|moved| moved >> shift == part)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn read_small(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(read_number(bytes)?).ok()
}

fn read_count(bytes: &mut &[u8], most: usize) -> Option<usize> {
    usize::try_from(read_number(bytes)?).ok().filter(|count| *count <= most)
}

/// Reads a number that is written as its distance from the last one, and is larger.
fn read_after(bytes: &mut &[u8], last: &mut Option<u32>) -> Option<u32> {
    let step = read_small(bytes)?;
    let number = match *last {
        Some(last) => last.checked_add(step).filter(|number| *number > last)?,
        None => step,
    };
    *last = Some(number);
    Some(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::RankIndex;
    use super::{read_number, write_number};

    #[test]
    fn an_index_that_was_written_and_read_ranks_as_before() {
        let mut index = RankIndex::new();
        for (number, text) in [(3, "a weir measures seepage"), (9, "gone"), (700, "weirs, 研究")]
        {
            index.add(number, text).unwrap();
        }
        index.remove(9);
        let mut bytes = vec![7];
        index.write(&mut bytes);
        bytes.push(9);
        let mut left = bytes.get(1..).unwrap();
        let mut read = RankIndex::read(&mut left).unwrap();
        assert_eq!(left, [9]);
        for question in ["weir", "研究", "gone", "measured seepage"] {
            let hits = |index: &RankIndex| index.search(question, 9, |_| None);
            assert_eq!(hits(&read), hits(&index), "{question}");
        }
        read.add(3, "something else").unwrap();
        assert_eq!(read.search("weir", 9, |_| None).len(), 1, "it can be changed further");
    }

    #[test]
    fn bytes_that_are_no_index_give_none_and_never_more() {
        let mut index = RankIndex::new();
        index.add(1, "one two").unwrap();
        index.add(4, "two three").unwrap();
        let mut whole = Vec::new();
        index.write(&mut whole);
        for end in 0..whole.len() {
            assert!(RankIndex::read(&mut whole.get(..end).unwrap()).is_none(), "{end}");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut other = whole.clone();
                *other.get_mut(at).unwrap() ^= 1 << bit;
                // It may be another index; it is none that fails.
                if let Some(read) = RankIndex::read(&mut other.as_slice()) {
                    let hits = read.search("one two three", 9, |_| None);
                    assert!(hits.iter().all(|hit| hit.score.is_finite()));
                }
            }
        }
        assert!(RankIndex::read(&mut [0xff; 40].as_slice()).is_none());
    }

    #[test]
    fn numbers_are_read_as_they_were_written() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            write_number(&mut bytes, number);
            assert_eq!(read_number(&mut bytes.as_slice()), Some(number));
        }
        assert_eq!(read_number(&mut [0x80, 0x80].as_slice()), None);
        assert_eq!(read_number(&mut [0xff; 11].as_slice()), None);
    }
}
