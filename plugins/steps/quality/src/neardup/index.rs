//! Near-duplicates in a collection that grows: each new document is compared with a bounded number of
//! candidates, so the time for one does not depend on how many there are.
//!
//! Only documents that are nobody's near-duplicate are candidates; clusters are never merged. For
//! each band of the signature a table holds the documents by the band's key, in buckets of bounded
//! size: a bucket that is full forgets one, so a key that very many documents share costs no more
//! than a rare one. True near-duplicates agree in many bands and are not lost by that.

use std::collections::BTreeMap;

use super::compare::{Comparison, Origin, Verdict, decide, shared};
use super::fingerprint::{Fingerprint, Parts};
use super::minhash::{BANDS, Signature};
use crate::hash::{mix, place, upper};
use crate::limits::MAX_INDEX_DOCUMENTS;

/// Places in a bucket.
const WAYS: usize = 16;
/// A table grows when its buckets hold more than this on average.
const GROW_AT: usize = 10;
/// Most candidates a new document is compared with.
const MAX_CANDIDATES: usize = 64;

/// An index of near-duplicates.
#[derive(Debug, Default)]
pub struct Index {
    documents: u32,
    leaders: Vec<Leader>,
    exact: BTreeMap<u128, (u32, u32)>,
    tables: Vec<Table>,
}

/// A document that stands for its cluster.
#[derive(Debug)]
struct Leader {
    number: u32,
    host: u32,
    words: u32,
    /// The words, then the shingles.
    data: Box<[u32]>,
}

/// What a document is to the collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its number; documents are numbered from 0 in the order they are added.
    pub number: u32,
    /// The document that stands for the cluster it belongs to; itself when it is the first of one.
    pub leader: u32,
    /// What it is to that document; distinct when it is the first of a cluster.
    pub comparison: Comparison,
}

/// No more documents fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the index holds {MAX_INDEX_DOCUMENTS} documents, as many as it can")]
pub struct IndexFull;

impl Index {
    /// Returns an index without documents.
    pub fn new() -> Self {
        Self { tables: (0..BANDS).map(|_| Table::new()).collect(), ..Self::default() }
    }

    /// Returns how many documents were added.
    pub fn len(&self) -> usize {
        self.documents as usize
    }

    /// Whether no document was added.
    pub fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// Returns how many clusters there are.
    pub fn clusters(&self) -> usize {
        self.leaders.len()
    }

    /// Adds a document and says what it is to those before it.
    ///
    /// # Errors
    ///
    /// [`IndexFull`] at [`MAX_INDEX_DOCUMENTS`].
    pub fn add(&mut self, text: &Fingerprint, host: Option<&str>) -> Result<Found, IndexFull> {
        let number = self.documents;
        if self.len() >= MAX_INDEX_DOCUMENTS {
            return Err(IndexFull);
        }
        self.documents += 1;
        let key = exact_key(text);
        if let Some((leader, _)) = self.exact.get(&key) {
            return Ok(Found { number, leader: *leader, comparison: Comparison::EXACT });
        }
        let host = host_key(host);
        let bands = (!text.is_short()).then(|| Signature::of(text)).flatten().map(|s| s.bands());
        let closest = bands.and_then(|bands| self.closest(text, host, &bands));
        if let Some((leader, comparison)) = closest {
            self.exact.insert(key, (leader, number));
            return Ok(Found { number, leader, comparison });
        }
        self.exact.insert(key, (number, number));
        self.lead(text, number, host, bands.as_ref());
        Ok(Found { number, leader: number, comparison: Comparison::DISTINCT })
    }

    /// Makes a document the first of a cluster.
    fn lead(&mut self, text: &Fingerprint, number: u32, host: u32, bands: Option<&[u32; BANDS]>) {
        let place = u32::try_from(self.leaders.len()).unwrap_or(u32::MAX);
        for (table, key) in self.tables.iter_mut().zip(bands.into_iter().flatten()) {
            table.insert(*key, place);
        }
        let data =
            if bands.is_some() { [text.words(), text.shingles()].concat() } else { Vec::new() };
        let words = if bands.is_some() { text.words().len() } else { 0 };
        let words = u32::try_from(words).unwrap_or(u32::MAX);
        self.leaders.push(Leader { number, host, words, data: data.into() });
    }

    /// Returns the closest leader among the candidates that share most bands.
    fn closest(
        &self,
        text: &Fingerprint,
        host: u32,
        bands: &[u32; BANDS],
    ) -> Option<(u32, Comparison)> {
        let mut found: Vec<u32> = Vec::with_capacity(4 * BANDS);
        for (table, key) in self.tables.iter().zip(bands) {
            found.extend(table.of(*key));
        }
        found.sort_unstable();
        let mut candidates: Vec<(usize, u32)> = found
            .chunk_by(|a, b| a == b)
            .filter_map(|same| Some((same.len(), *same.first()?)))
            .collect();
        candidates.sort_unstable_by_key(|(bands, place)| (usize::MAX - bands, *place));
        let mut best: Option<(u32, Comparison)> = None;
        for (_, place) in candidates.into_iter().take(MAX_CANDIDATES) {
            let Some(leader) = self.leaders.get(place as usize) else { continue };
            let comparison = leader.compare(text, host);
            let strength = |c: &Comparison| (c.verdict, c.containment);
            if comparison.verdict > Verdict::Distinct
                && best.is_none_or(|(_, best)| strength(&comparison) > strength(&best))
            {
                best = Some((leader.number, comparison));
            }
            if comparison.verdict >= Verdict::Duplicate {
                break;
            }
        }
        best
    }
}

impl Leader {
    fn compare(&self, text: &Fingerprint, host: u32) -> Comparison {
        let (words, shingles) = self.data.split_at((self.words as usize).min(self.data.len()));
        let origin = if host != 0 && host == self.host { Origin::SameHost } else { Origin::Apart };
        decide(Parts { words, shingles }, text.into(), shared(shingles, text.shingles()), origin)
    }
}

/// Half of the hash of the normal form; 128 bits are enough against chance and search.
fn exact_key(text: &Fingerprint) -> u128 {
    text.exact().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

/// Returns a number for a host, 0 for none.
fn host_key(host: Option<&str>) -> u32 {
    host.map_or(0, |host| crate::hash::word(&host.to_ascii_lowercase()).max(1))
}

/// The documents of one band by its key.
#[derive(Debug)]
struct Table {
    /// Buckets of [`WAYS`] slots: the key above, the place plus one below; 0 is free.
    slots: Vec<u64>,
    used: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self::new()
    }
}

impl Table {
    fn new() -> Self {
        Self { slots: vec![0; 16 * WAYS], used: 0 }
    }

    fn of(&self, key: u32) -> impl Iterator<Item = u32> {
        let start = self.start(key);
        let bucket = self.slots.get(start..start + WAYS).unwrap_or_default();
        let same = bucket.iter().filter(move |slot| **slot != 0 && upper(**slot) == key);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is the place")]
        same.map(|slot| (*slot as u32).wrapping_sub(1))
    }

    fn insert(&mut self, key: u32, place: u32) {
        if self.used > GROW_AT * (self.slots.len() / WAYS) {
            let doubled = vec![0; self.slots.len() * 2];
            let before = std::mem::replace(&mut self.slots, doubled);
            self.used = 0;
            before.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.put(slot));
        }
        self.put(u64::from(key) << 32 | u64::from(place.wrapping_add(1)));
    }

    fn put(&mut self, slot: u64) {
        let start = self.start(upper(slot));
        let Some(bucket) = self.slots.get_mut(start..start + WAYS) else { return };
        if let Some(free) = bucket.iter_mut().find(|slot| **slot == 0) {
            *free = slot;
            self.used += 1;
        } else if let Some(old) = bucket.get_mut(place(mix(slot), WAYS)) {
            *old = slot;
        }
    }

    /// Returns where the bucket of a key starts.
    fn start(&self, key: u32) -> usize {
        place(mix(u64::from(key)), self.slots.len() / WAYS) * WAYS
    }
}

#[cfg(test)]
mod tests;
