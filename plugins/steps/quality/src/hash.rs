//! Hashes: SHA-256 where a text is identified, a small mixing hash where sets are counted.
//!
//! The small hash is fast and has a fixed seed, so nothing may rely on it against somebody who
//! chooses the texts: tables here are sorted or bounded, never chained.

use sha2::{Digest as _, Sha256};

/// Returns the SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Returns the SHA-256 of some bytes as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |value: u8| DIGITS[usize::from(value & 15)];
    sha256(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Spreads every bit of `value` over the whole word (the finaliser of `MurmurHash3`).
pub(crate) const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// Returns the upper half of a word, which is the better mixed one.
pub(crate) const fn upper(value: u64) -> u32 {
    (value >> 32) as u32
}

/// Returns one of `count` places for a hash, 0 when there are none.
pub(crate) fn place(hash: u64, count: usize) -> usize {
    usize::try_from(hash.checked_rem(count as u64).unwrap_or(0)).unwrap_or(0)
}

/// Returns the hash of one word (FNV-1a, then mixed).
pub(crate) fn word(word: &str) -> u32 {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let folded = word
        .bytes()
        .fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    upper(mix(folded))
}

#[cfg(test)]
mod tests {
    use super::{sha256_hex, word};

    #[test]
    fn a_text_has_the_hash_other_tools_print() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256_hex(b""), empty);
    }

    #[test]
    fn the_hash_of_a_word_never_changes() {
        assert_eq!([word(""), word("a"), word("é")], [0xefd0_1f60, 0x82a2_a958, 0x9d55_ccb9]);
    }
}
