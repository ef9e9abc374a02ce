//! From texts to what is known of them: clusters, trust, order, contradictions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ResearchError;
use crate::gather::{Found, call};
use crate::options::Options;
use crate::report::{Bias, Citation, Contradiction, SameAs, Side, Source, Verdict};
use crate::steps::{StepKind, Steps, Watch};

/// The sources with what was found out about them, the best first.
pub(crate) struct Judged {
    pub(crate) sources: Vec<Source>,
    pub(crate) bias: Bias,
    pub(crate) contradictions: Vec<Contradiction>,
    pub(crate) notes: Vec<String>,
}

#[derive(Deserialize)]
struct Clusters {
    clusters: Vec<Cluster>,
    complete: bool,
}

#[derive(Deserialize)]
struct Cluster {
    representative: String,
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    id: String,
    verdict: Verdict,
}

#[derive(Deserialize)]
struct Ranked {
    id: String,
    score: f64,
}

#[derive(Deserialize)]
struct Candidates {
    candidates: Vec<Candidate>,
    truncated: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Candidate {
    kind: String,
    detail: String,
    first: Citation,
    first_text: String,
    second: Citation,
    second_text: String,
}

/// Judges what was read.
pub(crate) async fn judge(
    steps: &dyn Steps,
    question: &str,
    options: &Options,
    found: Vec<Found>,
    watch: &dyn Watch,
) -> Result<Judged, ResearchError> {
    let mut sources: Vec<Source> = (1..).zip(found).map(|(n, found)| source(n, found)).collect();
    let mut notes = Vec::new();
    watch.progress(StepKind::Deduplicate, 0, 1);
    cluster(steps, &mut sources, &mut notes).await?;
    watch.progress(StepKind::Bias, 0, 1);
    let bias = assess(steps, options, &mut sources).await?;
    watch.progress(StepKind::Rank, 0, 1);
    rank(steps, question, &mut sources).await?;
    watch.progress(StepKind::Contradict, 0, 1);
    let contradictions = contradict(steps, &sources, &mut notes).await?;
    Ok(Judged { sources, bias, contradictions, notes })
}

fn source(number: u32, found: Found) -> Source {
    Source {
        id: format!("s{number}"),
        url: found.url,
        title: found.title,
        published: found.published,
        sha256: found.sha256,
        words: found.words,
        score: None,
        trust: "unknown".to_owned(),
        cluster: number,
        same_as: None,
        text: Some(found.text),
    }
}

async fn cluster(
    steps: &dyn Steps,
    sources: &mut [Source],
    notes: &mut Vec<String>,
) -> Result<(), ResearchError> {
    let ids: Vec<_> = sources.iter().map(|source| source.id.clone()).collect();
    let (places, complete) = grouped(steps, &ids, documents(&*sources)).await?;
    for (source, (number, same_as)) in sources.iter_mut().zip(places) {
        (source.cluster, source.same_as) = (number, same_as);
    }
    if !complete {
        notes.push(
            "with this many alike documents some near-duplicates may have been missed".to_owned(),
        );
    }
    Ok(())
}

/// Has the deduplicate step group documents of these names. Returns the cluster of each, counted from 1, with
/// what it is to the one that stands for it, and whether nothing was missed.
///
/// # Errors
/// When the step fails, or a document is in no cluster or in several.
pub(crate) async fn grouped(
    steps: &dyn Steps,
    ids: &[String],
    documents: Vec<Value>,
) -> Result<(Vec<(u32, Option<SameAs>)>, bool), ResearchError> {
    let input = json!({ "documents": documents });
    let made: Clusters = call(steps, StepKind::Deduplicate, "deduplicate", input).await?;
    let place: BTreeMap<&str, usize> = (0..).zip(ids).map(|(at, id)| (id.as_str(), at)).collect();
    let mut places: Vec<Option<(u32, Option<SameAs>)>> = vec![None; ids.len()];
    for (number, cluster) in (1..).zip(made.clusters) {
        let stands = cluster.representative;
        let members = cluster.members.into_iter().map(|member| (member.id, Some(member.verdict)));
        for (id, verdict) in std::iter::once((stands.clone(), None)).chain(members) {
            let place = place.get(id.as_str()).and_then(|at| places.get_mut(*at));
            let place = place.filter(|place| place.is_none());
            let place = place
                .ok_or_else(|| answer(format!("`{id}` is no document or in several clusters")))?;
            *place =
                Some((number, verdict.map(|verdict| SameAs { source: stands.clone(), verdict })));
        }
    }
    let places: Option<Vec<_>> = places.into_iter().collect();
    let places = places.ok_or_else(|| answer("a document is in no cluster".to_owned()))?;
    Ok((places, made.complete))
}

fn answer(why: String) -> ResearchError {
    ResearchError::Answer { step: StepKind::Deduplicate, why }
}

async fn assess(
    steps: &dyn Steps,
    options: &Options,
    sources: &mut [Source],
) -> Result<Bias, ResearchError> {
    let of = |source: &Source| json!({ "url": source.url, "cluster": source.cluster });
    let input = json!({
        "sources": sources.iter().map(of).collect::<Vec<_>>(),
        "lists": options.lists,
        "today": options.today,
    });
    let bias: Bias = call(steps, StepKind::Bias, "assess", input).await?;
    for source in sources {
        if let Some(class) = class_of(&bias, &source.url) {
            source.trust = class;
        }
    }
    Ok(bias)
}

/// Returns the class of an address: that of the longest domain in the assessment that it is in.
fn class_of(bias: &Bias, url: &str) -> Option<String> {
    let host = url.split_once("://")?.1.split(['/', '?', '#', ':']).next()?.to_ascii_lowercase();
    let within = |domain: &str| {
        host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
    };
    let shares = bias.shares.iter().filter(|share| within(&share.domain));
    shares.max_by_key(|share| share.domain.len()).map(|share| share.class.clone())
}

/// How far a class is trusted when sources are ranked; what nobody knows has no number.
fn trust(class: &str) -> Option<f64> {
    match class {
        "primary" => Some(1.0),
        "reliable" => Some(0.8),
        "mixed" => Some(0.5),
        "low" => Some(0.1),
        _ => None,
    }
}

async fn rank(
    steps: &dyn Steps,
    question: &str,
    sources: &mut [Source],
) -> Result<(), ResearchError> {
    let input = json!({ "question": question, "documents": documents(sources.iter()) });
    let ranked: Vec<Ranked> = call(steps, StepKind::Rank, "rank", input).await?;
    let scores: BTreeMap<String, f64> = ranked.into_iter().map(|r| (r.id, r.score)).collect();
    for source in sources.iter_mut() {
        source.score = scores.get(&source.id).copied().filter(|score| score.is_finite());
    }
    let fit = |source: &Source| source.score.unwrap_or(f64::NEG_INFINITY);
    sources.sort_by(|a, b| fit(b).total_cmp(&fit(a)));
    Ok(())
}

async fn contradict(
    steps: &dyn Steps,
    sources: &[Source],
    notes: &mut Vec<String>,
) -> Result<Vec<Contradiction>, ResearchError> {
    let fitting: Vec<_> = sources.iter().filter(|source| source.score.is_some()).collect();
    let input = json!({ "documents": documents(fitting) });
    let found: Candidates = call(steps, StepKind::Contradict, "contradict", input).await?;
    if found.truncated {
        notes.push("only a part of the sentences was compared for contradictions".to_owned());
    }
    let contradiction = |candidate: Candidate| Contradiction {
        kind: candidate.kind,
        detail: candidate.detail,
        first: Side { text: candidate.first_text, citation: candidate.first },
        second: Side { text: candidate.second_text, citation: candidate.second },
    };
    Ok(found.candidates.into_iter().map(contradiction).collect())
}

/// Returns sources as the steps take them.
pub(crate) fn documents<'s>(sources: impl IntoIterator<Item = &'s Source>) -> Vec<Value> {
    let document = |source: &Source| {
        json!({
            "id": source.id,
            "url": source.url,
            "title": source.title,
            "published": source.published,
            "trust": trust(&source.trust),
            "cluster": source.cluster,
            "text": source.text.as_deref().unwrap_or_default(),
        })
    };
    sources.into_iter().map(document).collect()
}
