//! How time and memory of the index grow with the collection.

use std::time::{Duration, Instant};

use research_quality::neardup::{Fingerprint, Index};

use crate::random::Random;
use crate::templates::sentence;

/// One in so many documents is a changed copy of an earlier one.
const COPIES: usize = 5;
/// Sentences in a document, about 120 words.
const SENTENCES: usize = 10;

/// What was measured for one size.
#[derive(Debug, Clone, Copy)]
pub struct Grown {
    /// Documents in the collection.
    pub documents: usize,
    /// Clusters that were found.
    pub clusters: usize,
    /// Copies that were found among those that were made, with their number.
    pub copies: (usize, usize),
    /// Bytes of text.
    pub bytes: usize,
    /// Time for taking fingerprints, and for adding them.
    pub times: (Duration, Duration),
}

/// Fills an index with documents that are made as it goes, and reports at each of some sizes.
pub fn grow(sizes: &[usize], mut report: impl FnMut(Grown)) {
    let mut index = Index::new();
    let mut grown = Grown {
        documents: 0,
        clusters: 0,
        copies: (0, 0),
        bytes: 0,
        times: (Duration::ZERO, Duration::ZERO),
    };
    for number in 0..sizes.iter().copied().max().unwrap_or(0) {
        let copied = number > 0 && number.is_multiple_of(COPIES);
        let text = if copied { document(original(number), true) } else { document(number, false) };
        let start = Instant::now();
        let Ok(fingerprint) = Fingerprint::of(&text) else { continue };
        let signed = Instant::now();
        let Ok(found) = index.add(&fingerprint, None) else { continue };
        grown.times.0 += signed - start;
        grown.times.1 += signed.elapsed();
        grown.bytes += text.len();
        grown.documents += 1;
        grown.clusters = index.clusters();
        if copied {
            grown.copies.0 += usize::from(found.leader != found.number);
            grown.copies.1 += 1;
        }
        if sizes.contains(&grown.documents) {
            report(grown);
        }
    }
}

/// Returns the number of some earlier document that is no copy.
fn original(number: usize) -> usize {
    let any = Random::new(0x636f_7079, &number.to_string()).below(number);
    if any.is_multiple_of(COPIES) { any + 1 } else { any }
}

/// Makes the document of a number, or a copy of it with a sentence more and one less.
fn document(number: usize, copy: bool) -> String {
    let mut random = Random::new(0x6772_6f77, &number.to_string());
    let mut sentences: Vec<String> = (0..SENTENCES).map(|_| sentence(&mut random)).collect();
    if copy {
        sentences.remove(0);
        sentences.push(sentence(&mut random));
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests {
    use super::grow;

    #[test]
    fn the_copies_are_found_and_nothing_else() {
        let mut reports = Vec::new();
        grow(&[50, 400], |grown| reports.push((grown.documents, grown.clusters, grown.copies)));
        assert_eq!(reports, [(50, 41, (9, 9)), (400, 321, (79, 79))]);
    }
}
