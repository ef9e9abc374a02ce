//! Precision, recall and their kin, for pairs and for clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use research_quality::neardup::{self, Clusters, Document, Fingerprint, Pairs, Verdict};
use serde::Serialize;

use crate::sets::{Labelled, Set};

/// Precision, recall and their harmonic mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Right among found; 1 when nothing was found.
    pub precision: f64,
    /// Found among right; 1 when there was nothing to find.
    pub recall: f64,
    /// Harmonic mean of both.
    pub f1: f64,
}

impl Score {
    fn of(right: u64, found: u64, wanted: u64) -> Self {
        let share = |part, whole| if whole == 0 { 1.0 } else { exact(part) / exact(whole) };
        Self::mean(share(right, found), share(right, wanted))
    }

    fn mean(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        let f1 = if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 };
        Self { precision, recall, f1 }
    }
}

/// What was measured on one set.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Name of the set.
    pub set: &'static str,
    /// Number of texts.
    pub texts: usize,
    /// Pairs of texts with a verdict other than distinct.
    pub pairs: Score,
    /// Pairs of texts in one cluster.
    pub clusters: Score,
    /// The same for each text: how much of its cluster belongs there (B-cubed).
    pub b_cubed: Score,
    /// Share of all pairs of texts of different groups that were taken for related.
    pub false_pairs: f64,
    /// Share of all pairs of texts of different groups that are in one cluster.
    pub false_merges: f64,
    /// What shingles alone find, without the order of words.
    pub shingles_only: Score,
    /// Recall of the pairs of an original and its change, by kind of change.
    pub by_kind: BTreeMap<String, f64>,
}

/// Measures the exact comparison of a whole set.
///
/// # Errors
///
/// A text or a set beyond the limits.
pub fn measure(set: &Set) -> Result<Measured, Box<dyn Error>> {
    let fingerprints = fingerprints(&set.texts)?;
    let found = neardup::pairs(&fingerprints, |_, _| neardup::Origin::Apart)?;
    let related = Related::of(set.texts.len(), &found);
    let clusters = neardup::cluster(&fingerprints, &vec![Document::default(); fingerprints.len()])?;
    let cluster = cluster_of(set.texts.len(), &clusters);
    let (pairs, false_pairs) = score(&set.texts, |a, b| related.has(a, b));
    let by_shingles = Related::of(set.texts.len(), &without_order(found));
    let (merged, false_merges) = score(&set.texts, |a, b| cluster.get(a) == cluster.get(b));
    Ok(Measured {
        set: set.name,
        texts: set.texts.len(),
        pairs,
        clusters: merged,
        shingles_only: score(&set.texts, |a, b| by_shingles.has(a, b)).0,
        b_cubed: b_cubed(&set.texts, &cluster),
        false_pairs,
        false_merges,
        by_kind: by_kind(&set.texts, |a, b| related.has(a, b)),
    })
}

/// Returns the related pairs of some texts, each with each, exact copies written out.
///
/// # Errors
///
/// A text or a set beyond the limits.
pub fn related_pairs(texts: &[Labelled]) -> Result<Vec<(usize, usize)>, Box<dyn Error>> {
    let found = neardup::pairs(&fingerprints(texts)?, |_, _| neardup::Origin::Apart)?;
    let related = Related::of(texts.len(), &found);
    let before = |b: usize| (0..b).map(move |a| (a, b));
    Ok((0..texts.len()).flat_map(before).filter(|(a, b)| related.has(*a, *b)).collect())
}

/// Returns the pairs that the index puts into one cluster, the texts added one after the other.
///
/// # Errors
///
/// A text beyond the limits.
pub fn indexed_pairs(texts: &[Labelled]) -> Result<Vec<(usize, usize)>, Box<dyn Error>> {
    let mut index = neardup::Index::new();
    let mut clusters: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let leader = index.add(&Fingerprint::of(&text.text)?, None)?.leader;
        let cluster = clusters.entry(leader).or_default();
        pairs.extend(cluster.iter().map(|other| (*other, number)));
        cluster.push(number);
    }
    Ok(pairs)
}

fn fingerprints(texts: &[Labelled]) -> Result<Vec<Fingerprint>, neardup::TextTooLong> {
    texts.iter().map(|text| Fingerprint::of(&text.text)).collect()
}

/// Returns the score of a relation between texts, and how often it holds between groups.
pub fn score(texts: &[Labelled], related: impl Fn(usize, usize) -> bool) -> (Score, f64) {
    let (mut right, mut found, mut wanted, mut all) = (0, 0, 0, 0_u64);
    for (b, second) in texts.iter().enumerate() {
        for (a, first) in texts.iter().enumerate().take(b) {
            let (same, related) = (first.group == second.group, related(a, b));
            all += 1;
            wanted += u64::from(same);
            found += u64::from(related);
            right += u64::from(same && related);
        }
    }
    let wrong = exact(found - right) / exact((all - wanted).max(1));
    (Score::of(right, found, wanted), wrong)
}

/// Returns for each kind of change how often it is found to be related to its original.
fn by_kind(texts: &[Labelled], related: impl Fn(usize, usize) -> bool) -> BTreeMap<String, f64> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (at, text) in texts.iter().enumerate().filter(|(_, text)| text.kind != "original") {
        let is_original = |other: &&Labelled| other.group == text.group && other.kind == "original";
        let Some(original) = texts.iter().position(|other| is_original(&other)) else { continue };
        let count = counts.entry(&text.kind).or_default();
        count.0 += u64::from(related(original.min(at), original.max(at)));
        count.1 += 1;
    }
    counts
        .into_iter()
        .map(|(kind, (hit, all))| (kind.to_owned(), exact(hit) / exact(all)))
        .collect()
}

/// B-cubed (Bagga and Baldwin 1998).
fn b_cubed(texts: &[Labelled], cluster: &[usize]) -> Score {
    let mut precision = 0.0;
    let mut recall = 0.0;
    for (text, own) in texts.iter().zip(cluster) {
        let (mut both, mut in_cluster, mut in_group) = (0, 0, 0);
        for (other, theirs) in texts.iter().zip(cluster) {
            let (same_group, same_cluster) = (other.group == text.group, own == theirs);
            both += u64::from(same_group && same_cluster);
            in_cluster += u64::from(same_cluster);
            in_group += u64::from(same_group);
        }
        precision += exact(both) / exact(in_cluster);
        recall += exact(both) / exact(in_group);
    }
    let texts = exact(texts.len().max(1) as u64);
    Score::mean(precision / texts, recall / texts)
}

/// Returns the number of the cluster of each text.
fn cluster_of(texts: usize, clusters: &Clusters) -> Vec<usize> {
    let mut of_text = vec![usize::MAX; texts];
    for (number, cluster) in clusters.clusters.iter().enumerate() {
        let members = cluster.members.iter().map(|(member, _)| *member);
        for member in members.chain([cluster.representative]) {
            if let Some(place) = of_text.get_mut(member) {
                *place = number;
            }
        }
    }
    of_text
}

/// Returns the pairs whose verdict does not rest on the order of words.
fn without_order(mut found: Pairs) -> Pairs {
    found.pairs.retain(|pair| pair.comparison.containment >= neardup::DERIVATIVE);
    found
}

/// The related pairs, those of exact copies written out.
struct Related {
    first: Vec<usize>,
    pairs: BTreeSet<(usize, usize)>,
}

impl Related {
    fn of(texts: usize, found: &Pairs) -> Self {
        let mut related = Self { first: (0..texts).collect(), pairs: BTreeSet::default() };
        for pair in &found.pairs {
            match (pair.comparison.verdict, related.first.get_mut(pair.second)) {
                (Verdict::Exact, Some(first)) => *first = pair.first,
                _ => drop(related.pairs.insert((pair.first, pair.second))),
            }
        }
        related
    }

    fn has(&self, a: usize, b: usize) -> bool {
        let first = |text: usize| self.first.get(text).copied().unwrap_or(text);
        let (a, b) = (first(a).min(first(b)), first(a).max(first(b)));
        a == b || self.pairs.contains(&(a, b))
    }
}

/// Returns a count as a number with a point; counts here stay far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of pairs are far below 2^52")]
fn exact(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
