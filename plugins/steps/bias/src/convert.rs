//! The report in the types of the interface, and its warnings in words.

use research_quality::bias::{self, Warning as Found};

use crate::exports::ringfence::research::bias::{Class, ClassCount, Report, Score, Share, Warning};

/// Returns a report in the types of the interface.
pub(crate) fn report(report: bias::Report) -> Report {
    let count = |class: (bias::Class, usize)| ClassCount {
        class: self::class(class.0),
        sources: number(class.1),
    };
    Report {
        addresses: number(report.addresses),
        sources: number(report.sources),
        shares: report.shares.into_iter().map(share).collect(),
        hhi: report.hhi,
        effective_domains: report.effective_domains,
        classes: report.classes.into_iter().map(count).collect(),
        coverage: report.coverage,
        low_ratio: report.low_ratio,
        warnings: report.warnings.into_iter().map(warning).collect(),
    }
}

fn share(share: bias::Share) -> Share {
    Share {
        domain: share.domain,
        sources: number(share.sources),
        share: share.share,
        class: class(share.rating.class),
        scores: share.rating.scores.into_iter().map(score).collect(),
    }
}

fn score(score: bias::Score) -> Score {
    Score {
        list: score.list,
        line: score.line,
        value: score.value,
        class: class(score.class),
        note: score.note,
        as_of: score.as_of.map(|date| date.to_string()),
    }
}

fn class(class: bias::Class) -> Class {
    match class {
        bias::Class::Primary => Class::Primary,
        bias::Class::Reliable => Class::Reliable,
        bias::Class::Mixed => Class::Mixed,
        bias::Class::Low => Class::Low,
        bias::Class::Unknown => Class::Unknown,
    }
}

fn warning(found: Found) -> Warning {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let (code, message) = match found {
        Found::Concentrated { domain, share } => {
            let share = percent(share);
            ("concentrated", format!("{share} of the independent sources are of `{domain}`"))
        }
        Found::FewDomains { effective } => {
            ("few-domains", format!("the sources are spread as if over {effective:.1} domains"))
        }
        Found::LowTrust { sources, share } => {
            let share = percent(share);
            (
                "low-trust",
                format!("{sources} sources are rated low, {share} of those the lists know"),
            )
        }
        Found::LowCoverage { share } => {
            let share = percent(share);
            let message =
                format!("the lists know {share} of the sources; the others are unknown, not bad");
            ("low-coverage", message)
        }
        Found::OldList { message } => ("old-list", message),
        Found::SkippedLine { message } => ("skipped-line", message),
        Found::NoDomain { sources } => {
            let places: Vec<String> = sources.iter().map(|place| (place + 1).to_string()).collect();
            let places = places.join(", ");
            ("no-domain", format!("sources without a usable address, counted from 1: {places}"))
        }
    };
    Warning { code: code.to_owned(), message }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
