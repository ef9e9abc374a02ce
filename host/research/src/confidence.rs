//! How far a sentence can be relied on, by rules that a reader can follow.

use crate::report::{Bias, Citation, Confidence, Contradiction, Level, Source, Statement};

/// Independent sources from which a sentence is well supported.
const WELL_SUPPORTED: u32 = 3;

/// Returns the confidence in one sentence.
pub(crate) fn of(
    support: u32,
    citations: &[Citation],
    sources: &[Source],
    contradictions: &[Contradiction],
) -> Confidence {
    let cited = |citation: &Citation| sources.iter().find(|s| s.id == citation.source);
    let classes: Vec<&str> = citations.iter().filter_map(cited).map(|s| s.trust.as_str()).collect();
    let mut reasons = vec![match support {
        1 => "one independent source".to_owned(),
        many => format!("{many} independent sources"),
    }];
    let mut level = match support {
        0 | 1 => Level::Low,
        2 => Level::Medium,
        _ => Level::High,
    };
    if classes.contains(&"primary") && level == Level::Low {
        level = Level::Medium;
        reasons.push("a primary source".to_owned());
    }
    if !classes.is_empty() && classes.iter().all(|class| *class == "low") {
        level = Level::Low;
        reasons.push("every source is rated low".to_owned());
    }
    if citations.iter().any(|citation| contradicted(citation, contradictions)) {
        level = Level::Low;
        reasons.push("another source may contradict it".to_owned());
    }
    Confidence { level, reasons }
}

fn contradicted(citation: &Citation, contradictions: &[Contradiction]) -> bool {
    let touches = |other: &Citation| {
        other.source == citation.source && other.start < citation.end && citation.start < other.end
    };
    contradictions.iter().any(|one| touches(&one.first.citation) || touches(&one.second.citation))
}

/// Returns the confidence in a whole report: what most of its sentences have, less what stands out.
pub(crate) fn overall(
    statements: &[Statement],
    sources: &[Source],
    bias: &Bias,
    contradictions: usize,
) -> Confidence {
    let clusters: std::collections::BTreeSet<u32> = sources.iter().map(|s| s.cluster).collect();
    let independent = clusters.len();
    let with = |level: Level| statements.iter().filter(|s| s.confidence.level >= level).count();
    let (all, high, medium) = (statements.len(), with(Level::High), with(Level::Medium));
    let mut level = match () {
        () if high * 2 > all => Level::High,
        () if medium * 2 > all => Level::Medium,
        () => Level::Low,
    };
    let mut reasons = vec![
        format!(
            "{medium} of {all} sentences have two independent sources or a primary one, {high} have {WELL_SUPPORTED} or more"
        ),
        format!("{independent} independent sources"),
    ];
    if contradictions > 0 {
        reasons.push(format!("{contradictions} places may contradict each other"));
    }
    let serious = ["concentrated", "few-domains", "low-trust"];
    for warning in bias.warnings.iter().filter(|w| serious.contains(&w.code.as_str())) {
        level = level.min(Level::Medium);
        reasons.push(warning.message.clone());
    }
    Confidence { level, reasons }
}
