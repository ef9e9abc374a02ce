//! One run from a question to a report.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use crate::check;
use crate::confidence;
use crate::error::ResearchError;
use crate::gather::{self, call};
use crate::judge::{self, documents};
use crate::options::Options;
use crate::report::{Citation, Contradiction, FORMAT, Report, Source, Statement, StepUsed};
use crate::steps::{StepKind, Steps, Watch};

/// A sentence that fits the question less well than this share of the best one says something else.
const FITS: f64 = 0.4;

#[derive(Deserialize)]
struct Synthesis {
    statements: Vec<Stated>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Stated {
    text: String,
    citations: Vec<Citation>,
    support: u32,
    score: f64,
}

/// Answers a question from what the provider finds, with every sentence cited.
///
/// # Errors
/// When a step fails, nothing is found, or a sentence is not carried by what it cites. Documents that
/// cannot be read are no error: the report lists them.
///
/// # Cancellation
/// Dropping the future ends the run; nothing is left behind.
pub async fn run(
    steps: &dyn Steps,
    question: &str,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Report, ResearchError> {
    let gathered = gather::gather(steps, question, options, watch).await?;
    let (searches, skipped) = (gathered.searches, gathered.skipped);
    if gathered.found.is_empty() {
        let (searches, skipped) = (searches.len(), skipped.len());
        return Err(ResearchError::NothingFound { searches, skipped });
    }
    let judged = judge::judge(steps, question, options, gathered.found, watch).await?;
    let (mut sources, mut notes) = (judged.sources, judged.notes);
    if gathered.beyond > 0 {
        notes.push(format!("{} more documents were found than the budget reads", gathered.beyond));
    }
    watch.progress(StepKind::Synthesise, 0, 1);
    let statements =
        state(steps, question, options, &sources, &judged.contradictions, &mut notes).await?;
    forget(&mut sources, &statements, &judged.contradictions);
    let mut report = Report {
        format: FORMAT.to_owned(),
        question: question.to_owned(),
        strategy: options.strategy,
        made: options.today.clone(),
        confidence: confidence::overall(
            &statements,
            &sources,
            &judged.bias,
            judged.contradictions.len(),
        ),
        statements,
        contradictions: judged.contradictions,
        sources,
        bias: judged.bias,
        searches,
        skipped,
        steps: used(steps),
        notes,
    };
    hold(steps, &mut report).await?;
    watch.progress(StepKind::Synthesise, 1, 1);
    Ok(report)
}

/// Returns every plugin that took part.
fn used(steps: &dyn Steps) -> Vec<StepUsed> {
    let each = StepKind::ALL.into_iter().map(|step| steps.used(step));
    each.chain(steps.readers()).collect()
}

/// Leaves out the sentences that their sources do not carry, and says so. What is wrong otherwise, or leaves no
/// sentence, is an error.
async fn hold(steps: &dyn Steps, report: &mut Report) -> Result<(), ResearchError> {
    let findings = check::check(steps, report).await?.findings;
    let refused: BTreeMap<usize, String> =
        findings.iter().filter_map(|one| Some((one.statement?, one.to_string()))).collect();
    let other = findings.iter().find(|one| one.statement.is_none());
    let none_left = refused.len() == report.statements.len();
    if let Some(finding) = other.or(findings.first().filter(|_| none_left)) {
        let (step, finding) = (finding.step, finding.to_string());
        return Err(ResearchError::Unsupported { step, finding });
    }
    let mut at = 0..;
    report.statements.retain(|_| at.next().is_none_or(|at| !refused.contains_key(&at)));
    let note = |why| format!("a sentence was left out, because its sources do not carry it: {why}");
    report.notes.extend(refused.into_values().map(note));
    let Report { statements, sources, bias, contradictions, .. } = &*report;
    report.confidence = confidence::overall(statements, sources, bias, contradictions.len());
    Ok(())
}

/// Has sentences of the sources chosen, and says how far each can be relied on.
async fn state(
    steps: &dyn Steps,
    question: &str,
    options: &Options,
    sources: &[Source],
    contradictions: &[Contradiction],
    notes: &mut Vec<String>,
) -> Result<Vec<Statement>, ResearchError> {
    let fitting = sources.iter().filter(|source| source.score.is_some());
    let task = json!({
        "question": question,
        "documents": documents(fitting),
        "sentences": options.sentences,
    });
    let made: Synthesis = call(steps, StepKind::Synthesise, "synthesise", task).await?;
    if made.statements.is_empty() {
        return Err(ResearchError::NothingSaid { documents: sources.len() });
    }
    if made.truncated {
        notes.push("only a part of the sentences was considered for the report".to_owned());
    }
    let best = made.statements.iter().map(|stated| stated.score).fold(0.0, f64::max);
    let fits = made.statements.into_iter().filter(|stated| stated.score >= best * FITS);
    let statement = |stated: Stated| {
        // The plugin's number is believed as far as it cites.
        let support = stated.support.min(cited_clusters(&stated.citations, |id| {
            sources.iter().find(|source| source.id == id).map(|source| source.cluster)
        }));
        Statement {
            confidence: confidence::of(support, &stated.citations, sources, contradictions),
            text: stated.text,
            citations: stated.citations,
            support,
        }
    };
    Ok(fits.map(statement).collect())
}

/// Returns how many independent sources these citations are of, by the cluster of each source.
pub(crate) fn cited_clusters(
    citations: &[Citation],
    cluster_of: impl Fn(&str) -> Option<u32>,
) -> u32 {
    let clusters = citations.iter().filter_map(|citation| cluster_of(&citation.source));
    u32::try_from(clusters.collect::<BTreeSet<_>>().len()).unwrap_or(u32::MAX)
}

/// Drops the texts that nothing cites: a report carries what it needs to be checked.
fn forget(sources: &mut [Source], statements: &[Statement], contradictions: &[Contradiction]) {
    let sides = contradictions.iter().flat_map(|c| [&c.first.citation, &c.second.citation]);
    let cited: BTreeSet<&str> = statements
        .iter()
        .flat_map(|statement| &statement.citations)
        .chain(sides)
        .map(|citation| citation.source.as_str())
        .collect();
    for source in sources.iter_mut().filter(|source| !cited.contains(source.id.as_str())) {
        source.text = None;
    }
}
