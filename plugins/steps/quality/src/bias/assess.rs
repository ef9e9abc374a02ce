//! Counts where sources come from, and says what stands out.

use std::collections::BTreeMap;

use super::domain::{Address, Aliases};
use super::lists::{Class, Date, Rating, TrustList, rate};
use crate::neardup::ratio;

/// Most sources of one report.
pub const MAX_SOURCES: usize = 10_000;
/// A domain with a greater share of the independent sources is pointed out.
pub const MAX_TOP_SHARE: f64 = 0.3;
/// With fewer independent sources shares say nothing.
pub const MIN_SOURCES: usize = 8;
/// Fewer effective domains than this are pointed out.
pub const MIN_EFFECTIVE_DOMAINS: f64 = 4.0;
/// A greater share of low ones among the known is pointed out, when there are at least two.
pub const MAX_LOW_RATIO: f64 = 0.1;
/// When lists know less than this share, that is said.
pub const MIN_COVERAGE: f64 = 0.5;

/// One source of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its address or host.
    pub url: String,
    /// The cluster of near-duplicates it is in: all of one cluster count as one source, that of the
    /// first in the list. A source without one stands alone.
    pub cluster: Option<u32>,
}

/// What comes from one domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// The registrable domain, after aliases.
    pub domain: String,
    /// Independent sources from it.
    pub sources: usize,
    /// The same over all independent sources.
    pub share: f64,
    /// What the lists say of the first source from it.
    pub rating: Rating,
}

/// Something a reader should know.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// Much rests on one domain.
    Concentrated {
        /// The domain.
        domain: String,
        /// Its share of the independent sources.
        share: f64,
    },
    /// There are as good as few domains.
    FewDomains {
        /// The effective number of domains.
        effective: f64,
    },
    /// Sources that are rated badly.
    LowTrust {
        /// How many.
        sources: usize,
        /// Their share of the known ones.
        share: f64,
    },
    /// The lists know few of the sources. Not a fault of the sources.
    LowCoverage {
        /// The share they know.
        share: f64,
    },
    /// A list is old, or does not say how old it is.
    OldList {
        /// What to tell.
        message: String,
    },
    /// A line of a published list that cannot be used.
    SkippedLine {
        /// What to tell.
        message: String,
    },
    /// Sources without an address.
    NoDomain {
        /// Their places in the input.
        sources: Vec<usize>,
    },
}

/// Where the sources of a report come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Addresses in the input.
    pub addresses: usize,
    /// Independent sources: clusters, and sources without one.
    pub sources: usize,
    /// By domain, the largest share first.
    pub shares: Vec<Share>,
    /// The Herfindahl-Hirschman index: the sum of the squared shares, from 0 to 1.
    pub hhi: f64,
    /// How many domains of equal shares would be as concentrated (1 / `hhi`).
    pub effective_domains: f64,
    /// Share of sources of each class, in the order of [`Class`].
    pub classes: Vec<(Class, usize)>,
    /// Share of the sources that lists know.
    pub coverage: f64,
    /// Share of low ones among those that lists know.
    pub low_ratio: f64,
    /// What stands out.
    pub warnings: Vec<Warning>,
}

/// There are too many sources.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are {count} sources, more than the {MAX_SOURCES} of one report")]
pub struct TooManySources {
    /// How many there are.
    pub count: usize,
}

/// Counts where sources come from. `today` decides which lists are old; without it no age is judged.
///
/// # Errors
///
/// [`TooManySources`] above [`MAX_SOURCES`].
pub fn assess(
    sources: &[Source],
    lists: &[TrustList],
    aliases: &Aliases,
    today: Option<Date>,
) -> Result<Report, TooManySources> {
    if sources.len() > MAX_SOURCES {
        return Err(TooManySources { count: sources.len() });
    }
    let mut nowhere = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut domains: BTreeMap<String, (usize, Rating)> = BTreeMap::new();
    let mut classes = BTreeMap::<Class, usize>::new();
    for (place, source) in sources.iter().enumerate() {
        let Some(address) = Address::parse(&source.url) else {
            nowhere.push(place);
            continue;
        };
        if source.cluster.is_some_and(|cluster| !seen.insert(cluster)) {
            continue;
        }
        let rating = rate(lists, &address);
        *classes.entry(rating.class).or_default() += 1;
        let domain = aliases.domain(&address).to_owned();
        domains.entry(domain).or_insert((0, rating)).0 += 1;
    }
    let count = classes.values().sum();
    let mut shares: Vec<Share> = domains
        .into_iter()
        .map(|(domain, (sources, rating))| Share {
            domain,
            sources,
            share: ratio(sources, count),
            rating,
        })
        .collect();
    shares.sort_by(|a, b| b.sources.cmp(&a.sources).then_with(|| a.domain.cmp(&b.domain)));
    let hhi: f64 = shares.iter().map(|share| share.share * share.share).sum();
    let of_class = |class| classes.get(&class).copied().unwrap_or(0);
    let known = count - of_class(Class::Unknown);
    let mut report = Report {
        addresses: sources.len(),
        sources: count,
        hhi,
        effective_domains: if hhi > 0.0 { 1.0 / hhi } else { 0.0 },
        coverage: ratio(known, count),
        low_ratio: ratio(of_class(Class::Low), known),
        warnings: Vec::new(),
        shares,
        classes: Vec::new(),
    };
    report.warnings = warnings(&report, of_class(Class::Low), nowhere);
    let old =
        today.into_iter().flat_map(|today| lists.iter().filter_map(move |l| l.staleness(today)));
    report.warnings.extend(old.map(|message| Warning::OldList { message }));
    let skipped = lists.iter().flat_map(TrustList::skipped).cloned();
    report.warnings.extend(skipped.map(|message| Warning::SkippedLine { message }));
    report.classes = classes.into_iter().collect();
    Ok(report)
}

fn warnings(report: &Report, low: usize, nowhere: Vec<usize>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let enough = report.sources >= MIN_SOURCES;
    if let Some(top) = report.shares.first().filter(|top| enough && top.share > MAX_TOP_SHARE) {
        warnings.push(Warning::Concentrated { domain: top.domain.clone(), share: top.share });
    }
    if enough && report.effective_domains < MIN_EFFECTIVE_DOMAINS {
        warnings.push(Warning::FewDomains { effective: report.effective_domains });
    }
    if low >= 2 && report.low_ratio > MAX_LOW_RATIO {
        warnings.push(Warning::LowTrust { sources: low, share: report.low_ratio });
    }
    if report.sources > 0 && report.coverage < MIN_COVERAGE {
        warnings.push(Warning::LowCoverage { share: report.coverage });
    }
    if !nowhere.is_empty() {
        warnings.push(Warning::NoDomain { sources: nowhere });
    }
    warnings
}

#[cfg(test)]
mod tests;
