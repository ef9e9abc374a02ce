//! What the steps must answer as components, computed natively: input and output of each, as the
//! host writes them. The test of the command line runs the components on the same input.

use research_quality::cite::{Citation, Stored};
use research_quality::contradict::{self, Input, contradictions};
use research_quality::neardup::{self, Completeness, Document, Fingerprint, Verdict};
use research_quality::rank::RankIndex;
use serde_json::{Value, json};

use crate::sets::{BadLine, Labelled, own};

/// One call of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The step, a folder of `plugins/steps`.
    pub step: &'static str,
    /// The function.
    pub function: &'static str,
    /// Its input as JSON.
    pub input: Value,
    /// What it must answer.
    pub output: Value,
}

/// How far a text in the calls is trusted, by its place: some well, some badly, most not known.
fn trust(place: usize) -> Option<f64> {
    [Some(0.9), None, Some(0.2), None, None].get(place % 5).copied().flatten()
}

/// Returns the calls.
///
/// # Errors
///
/// [`BadLine`] when the texts of the project were damaged.
pub fn calls() -> Result<Vec<Call>, BadLine> {
    let texts: Vec<Labelled> = own()?
        .into_iter()
        .flat_map(|set| set.texts.into_iter().take(if set.name == "syndication" { 11 } else { 6 }))
        .collect();
    let documents: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| json!({ "id": text.id, "text": text.text, "trust": trust(place) }))
        .collect();
    let question = "Which sandbox rules hold for the network, and what does 研究 say about 気候?";
    let call = |step, function, input, output| Call { step, function, input, output };
    Ok(vec![
        call("deduplicate", "deduplicate", json!({ "documents": documents }), clusters(&texts)),
        call(
            "rank",
            "rank",
            json!({ "question": question, "documents": documents }),
            ranked(question, &texts),
        ),
        call("contradict", "contradict", json!({ "documents": documents }), found(&texts)),
    ])
}

fn clusters(texts: &[Labelled]) -> Value {
    let prints: Vec<Fingerprint> =
        texts.iter().filter_map(|text| Fingerprint::of(&text.text).ok()).collect();
    let known: Vec<Document> = (0..texts.len())
        .map(|place| Document { trust: trust(place), ..Document::default() })
        .collect();
    let Ok(found) = neardup::cluster(&prints, &known) else { return Value::Null };
    let id = |place: usize| texts.get(place).map(|text| &text.id);
    let verdict = |verdict| match verdict {
        Verdict::Exact => "exact",
        Verdict::Duplicate => "duplicate",
        Verdict::Derivative | Verdict::Distinct => "derivative",
    };
    let member = |(place, with): &(usize, neardup::Comparison)| {
        json!({
            "id": id(*place),
            "verdict": verdict(with.verdict),
            "containment": with.containment,
            "jaccard": with.jaccard,
            "aligned": with.aligned,
        })
    };
    let cluster = |cluster: &neardup::Cluster| {
        let members: Vec<Value> = cluster.members.iter().map(member).collect();
        json!({ "representative": id(cluster.representative), "members": members })
    };
    json!({
        "clusters": found.clusters.iter().map(cluster).collect::<Vec<_>>(),
        "hubs": found.hubs.iter().map(|hub| id(*hub)).collect::<Vec<_>>(),
        "complete": found.completeness == Completeness::Complete,
    })
}

fn ranked(question: &str, texts: &[Labelled]) -> Value {
    let mut index = RankIndex::new();
    for (number, text) in (0..).zip(texts) {
        // None of the project's texts is near the limit.
        let _ = index.add(number, &text.text);
    }
    let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let hits = index.search(question, usize::MAX, |number| trust(place(number)));
    let hit = |hit: &research_quality::rank::Hit| {
        let id = texts.get(place(hit.document)).map(|text| &text.id);
        json!({ "id": id, "score": hit.score })
    };
    hits.iter().map(hit).collect()
}

fn found(texts: &[Labelled]) -> Value {
    let inputs: Vec<Input<'_>> =
        texts.iter().map(|text| Input { text: &text.text, cluster: None }).collect();
    let found = contradictions(&inputs);
    let side = |side: &contradict::Side| {
        let text = texts.get(side.source)?;
        let stored = Stored { id: &text.id, text: &text.text };
        let citation = Citation::of(&stored, side.place.clone())?;
        let (start, end) = (citation.place.start, citation.place.end);
        let quote = text.text.get(citation.place)?;
        let citation = json!({
            "source": citation.source, "sha256": citation.sha256, "start": start, "end": end,
        });
        Some((citation, quote))
    };
    let kind = |kind| match kind {
        contradict::Kind::Numbers => "numbers",
        contradict::Kind::Negation => "negation",
        contradict::Kind::Opposites => "opposites",
    };
    let candidate = |candidate: &contradict::Candidate| {
        let (first, first_text) = side(&candidate.first)?;
        let (second, second_text) = side(&candidate.second)?;
        Some(json!({
            "kind": kind(candidate.kind),
            "detail": candidate.detail,
            "overlap": candidate.overlap,
            "first": first,
            "first-text": first_text,
            "second": second,
            "second-text": second_text,
        }))
    };
    let candidates: Vec<Value> = found.candidates.iter().filter_map(candidate).collect();
    json!({ "candidates": candidates, "truncated": found.truncated })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::calls;

    #[test]
    fn the_recorded_answers_are_those_of_this_code() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/agreement");
        for call in calls().unwrap() {
            for (kind, value) in [("input", &call.input), ("output", &call.output)] {
                let path = dir.join(format!("{}.{kind}.json", call.step));
                let recorded = std::fs::read_to_string(&path).unwrap();
                let name = path.display();
                assert!(
                    recorded == format!("{value}\n"),
                    "{name}: `quality-eval agreement` writes it anew"
                );
            }
            assert!(call.output.to_string().len() > 300, "{} answers something", call.step);
        }
    }
}
