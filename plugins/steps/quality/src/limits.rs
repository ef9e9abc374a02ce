//! The named limits. What is longer or larger is refused with the name of the limit, never cut silently.

/// Longest text of one document.
pub const MAX_TEXT_BYTES: usize = 4 << 20;
/// Most documents that are compared in one set; a larger collection needs the index.
pub const MAX_SET_DOCUMENTS: usize = 4096;
/// Most words in all documents of one set together.
pub const MAX_SET_WORDS: usize = 8 << 20;
/// Most documents in an index of near-duplicates: numbers of documents are 32 bits wide in it.
pub const MAX_INDEX_DOCUMENTS: usize = 1 << 26;
/// Most steps for counting what the documents of one set share. Past it the commonest shingles are left
/// out of the count, and the result says so.
pub const MAX_PAIR_STEPS: u64 = 1 << 28;
/// Longest documents, in words, that are aligned word by word.
pub const MAX_ALIGNED_WORDS: usize = 8192;
/// Documents with fewer words are near-duplicates only when they are equal after normalisation.
pub const MIN_WORDS: usize = 50;
