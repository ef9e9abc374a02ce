//! Groups a set into independent sources.
//!
//! A document belongs to a cluster only through what it shares with the document that stands for the
//! cluster, so that chains do not drift. A *hub*, a page that holds parts of several groups which share
//! nothing among themselves, joins the group it shares most with and merges none.

use super::compare::{Comparison, Origin, Verdict};
use super::fingerprint::Fingerprint;
use super::pairs::{Completeness, Pair, SetTooLarge, pairs};

/// The trust in a document whose source nobody rated: neither good nor bad.
const UNKNOWN_TRUST: f64 = 0.5;

/// What decides which document stands for a cluster, and which pairs are of one host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document {
    /// The host it was found on.
    pub host: Option<String>,
    /// How far its source is trusted, from 0 to 1.
    pub trust: Option<f64>,
    /// When it was published, as `YYYY-MM-DD` with anything after it.
    pub published: Option<String>,
}

/// Documents that count as one independent source.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// The document that stands for the others: the most trusted, then the longest, then the earliest.
    pub representative: usize,
    /// All others, in order, each compared with the representative.
    pub members: Vec<(usize, Comparison)>,
}

/// A set in clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// In the order of their representatives. Every document is in exactly one.
    pub clusters: Vec<Cluster>,
    /// Documents that hold parts of several groups.
    pub hubs: Vec<usize>,
    /// Whether every related pair was found.
    pub completeness: Completeness,
}

/// Groups a set. `documents` and `texts` belong together by place; a document that is missing
/// counts as one of which nothing is known.
///
/// # Errors
///
/// [`SetTooLarge`] names the limit.
pub fn cluster(texts: &[Fingerprint], documents: &[Document]) -> Result<Clusters, SetTooLarge> {
    let host = |place: usize| documents.get(place).and_then(|document| document.host.as_deref());
    let found = pairs(texts, |a, b| match (host(a), host(b)) {
        (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => Origin::SameHost,
        _ => Origin::Apart,
    })?;
    let mut graph = Graph::of(texts.len(), &found.pairs);
    let hubs = graph.part_at_hubs();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by(|a, b| {
        let hub = |place: &usize| hubs.binary_search(&graph.first(*place)).is_ok();
        hub(a).cmp(&hub(b)).then_with(|| precedence(texts, documents, *a, *b))
    });
    Ok(Clusters { clusters: graph.stars(&order), hubs, completeness: found.completeness })
}

/// Orders two documents so that the one that stands for the other comes first.
fn precedence(
    texts: &[Fingerprint],
    documents: &[Document],
    a: usize,
    b: usize,
) -> std::cmp::Ordering {
    let trust = |place: usize| {
        let trust = documents.get(place).and_then(|document| document.trust);
        trust.filter(|trust| !trust.is_nan()).unwrap_or(UNKNOWN_TRUST)
    };
    let length = |place: usize| texts.get(place).map(|text| text.words().len());
    let day =
        |place: usize| documents.get(place).and_then(|d| d.published.as_deref()).and_then(day);
    let earlier = match (day(a), day(b)) {
        (Some(a), Some(b)) => a.cmp(b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    let by_trust = trust(b).total_cmp(&trust(a));
    by_trust.then(length(b).cmp(&length(a))).then(earlier).then(a.cmp(&b))
}

/// Returns the day of a date such as `2026-03-01T10:00:00Z`; other forms are no date.
fn day(date: &str) -> Option<&str> {
    let day = date.trim().get(..10)?;
    let shaped = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    shaped.then_some(day)
}

/// The related pairs as links from each document.
struct Graph {
    links: Vec<Vec<(usize, Comparison)>>,
    /// For each document the first exact copy of it. Only that one has links.
    firsts: Vec<usize>,
}

impl Graph {
    fn of(documents: usize, pairs: &[Pair]) -> Self {
        let mut graph =
            Self { links: vec![Vec::new(); documents], firsts: (0..documents).collect() };
        for pair in pairs {
            if pair.comparison.verdict == Verdict::Exact {
                if let Some(first) = graph.firsts.get_mut(pair.second) {
                    *first = pair.first;
                }
                continue;
            }
            for (from, to) in [(pair.first, pair.second), (pair.second, pair.first)] {
                if let Some(links) = graph.links.get_mut(from) {
                    links.push((to, pair.comparison));
                }
            }
        }
        for links in &mut graph.links {
            links.sort_unstable_by_key(|(to, _)| *to);
        }
        graph
    }

    fn linked(&self, a: usize, b: usize) -> Option<Comparison> {
        let links = self.links.get(a)?;
        let at = links.binary_search_by_key(&b, |(to, _)| *to).ok()?;
        links.get(at).map(|(_, comparison)| *comparison)
    }

    /// Finds the hubs, and leaves each only its links into the group it shares most with.
    fn part_at_hubs(&mut self) -> Vec<usize> {
        let mut hubs = Vec::new();
        let mut parted = Vec::new();
        for place in 0..self.links.len() {
            let groups = self.groups_around(place);
            if groups.iter().filter(|group| group.len() > 1).count() < 2 {
                continue;
            }
            hubs.push(place);
            let shared = |group: &Vec<usize>| {
                let links = group.iter().filter_map(|other| self.linked(place, *other));
                links.map(|link| link.jaccard).fold(0.0, f64::max)
            };
            // The earliest of several that share as much.
            let best = groups.iter().rev().max_by(|a, b| shared(a).total_cmp(&shared(b))).cloned();
            for group in groups.iter().filter(|group| Some(*group) != best.as_ref()) {
                parted.extend(group.iter().map(|other| (place, *other)));
            }
        }
        for (a, b) in parted {
            for (from, to) in [(a, b), (b, a)] {
                if let Some(links) = self.links.get_mut(from) {
                    links.retain(|(other, _)| *other != to);
                }
            }
        }
        hubs
    }

    /// Returns the groups into which the neighbours of a document fall when it is taken away.
    fn groups_around(&self, place: usize) -> Vec<Vec<usize>> {
        let mut left: Vec<usize> =
            self.links.get(place).into_iter().flatten().map(|(other, _)| *other).collect();
        let mut groups = Vec::new();
        if left.len() < 4 {
            return groups;
        }
        while let Some(start) = left.first().copied() {
            left.remove(0);
            let mut group = vec![start];
            let mut next = 0;
            while let Some(from) = group.get(next).copied() {
                let (reached, others): (Vec<_>, Vec<_>) =
                    left.into_iter().partition(|other| self.linked(from, *other).is_some());
                group.extend(reached);
                left = others;
                next += 1;
                if left.is_empty() {
                    break;
                }
            }
            groups.push(group);
        }
        groups
    }

    /// Makes clusters around the documents that come first in `order`.
    fn stars(&self, order: &[usize]) -> Vec<Cluster> {
        let mut clusters: Vec<Cluster> = Vec::new();
        // For each first copy: the cluster it is in, and whether it stands for it.
        let mut places: Vec<Option<(usize, bool)>> = vec![None; self.links.len()];
        for document in order.iter().copied() {
            let first = self.first(document);
            let stands_for = |other: usize| match places.get(other) {
                Some(Some((cluster, true))) => Some(*cluster),
                _ => None,
            };
            let joined = match places.get(first).copied().flatten() {
                Some((cluster, _)) => Some(cluster),
                None => self.closest(first, stands_for),
            };
            let (cluster, stands) = match joined {
                Some(cluster) => (cluster, stands_for(first).is_some()),
                None => (clusters.len(), true),
            };
            if let Some(place) = places.get_mut(first) {
                *place = Some((cluster, stands));
            }
            match clusters.get_mut(cluster) {
                None => clusters.push(Cluster { representative: document, members: Vec::new() }),
                Some(found) => {
                    let with = self.linked(self.first(found.representative), first);
                    found.members.push((document, with.unwrap_or(Comparison::EXACT)));
                }
            }
        }
        for cluster in &mut clusters {
            cluster.members.sort_unstable_by_key(|(member, _)| *member);
        }
        clusters.sort_unstable_by_key(|cluster| cluster.representative);
        clusters
    }

    fn first(&self, document: usize) -> usize {
        self.firsts.get(document).copied().unwrap_or(document)
    }

    /// Returns the cluster of the closest document that stands for one.
    fn closest(
        &self,
        document: usize,
        stands_for: impl Fn(usize) -> Option<usize>,
    ) -> Option<usize> {
        let links = self.links.get(document).into_iter().flatten();
        let standing = links.filter_map(|(other, link)| Some((stands_for(*other)?, link)));
        // The first cluster of several that are as close.
        let closest = standing.min_by(|(a, x), (b, y)| {
            let closer = y.verdict.cmp(&x.verdict).then(y.containment.total_cmp(&x.containment));
            closer.then(y.jaccard.total_cmp(&x.jaccard)).then(a.cmp(b))
        });
        closest.map(|(cluster, _)| cluster)
    }
}

#[cfg(test)]
mod tests;
