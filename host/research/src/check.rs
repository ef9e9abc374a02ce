//! The checker: every sentence of a report cites a place that resolves and carries it.
//!
//! Whether a citation resolves is decided here, from the texts that the report carries; a plugin has no
//! say in it. Whether a sentence that is not quoted word for word is carried, the synthesise step
//! judges, and only on citations that resolve.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::json;

use crate::error::ResearchError;
use crate::gather::{call, sha256};
use crate::judge::documents;
use crate::pipeline::cited_clusters;
use crate::report::{Citation, FORMAT, Report, Source};
use crate::steps::{StepKind, Steps};

/// Longest place that is a citation: a whole text cites nothing.
const MAX_PLACE_BYTES: u32 = 4096;
/// Most sentences that are checked.
const MAX_STATEMENTS: usize = 10_000;
/// Most citations of one sentence.
const MAX_CITATIONS: usize = 100;
/// Most contradictions that are checked.
const MAX_CONTRADICTIONS: usize = 10_000;

/// The sources by name, each with its text when that is there and is the one its hash is of.
type Known<'r> = BTreeMap<&'r str, (&'r Source, Result<&'r str, &'static str>)>;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checked {
    /// How many sentences were checked.
    pub statements: usize,
    /// How many citations resolve.
    pub citations: usize,
    /// How many sentences stand word for word in a place they cite.
    pub verbatim: usize,
    /// What is wrong, in order.
    pub findings: Vec<Finding>,
}

/// Something that is wrong with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The step whose answer it is about.
    pub step: StepKind,
    /// The sentence it is about, counted from 0; nothing when it is about something else.
    pub statement: Option<usize>,
    /// Where, such as `sentence 3`.
    pub place: String,
    /// What is wrong there.
    pub fault: String,
}

impl Finding {
    fn of_sentence(at: usize, fault: String) -> Self {
        let (step, place) = (StepKind::Synthesise, sentence(at));
        Self { step, statement: Some(at), place, fault }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.fault)
    }
}

#[derive(Deserialize)]
struct Judgement {
    findings: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    sentence: usize,
    fault: String,
}

/// Checks every sentence and both sides of every contradiction.
///
/// # Errors
/// When the report is of another format, or the synthesise step cannot be asked about sentences that are
/// not quoted. What is wrong with the report is in the result.
///
/// # Security
/// A report can be made by anybody. What is checked is that it cites the texts it carries; whether those
/// are what stood at their addresses, only a retrieval can tell.
pub async fn check(steps: &dyn Steps, report: &Report) -> Result<Checked, ResearchError> {
    let (mut checked, unquoted) = resolved(report)?;
    if !unquoted.is_empty() {
        let claims = unquoted.iter().map(|at| {
            let statement = &report.statements[*at];
            json!({ "text": statement.text, "citations": statement.citations })
        });
        let claims: Vec<_> = claims.collect();
        let kept = report.sources.iter().filter(|source| source.text.is_some());
        let draft = json!({ "claims": claims, "documents": documents(kept) });
        let judged: Judgement = call(steps, StepKind::Synthesise, "check", draft).await?;
        for fault in judged.findings {
            let at = unquoted.get(fault.sentence).copied().unwrap_or_default();
            checked.findings.push(Finding::of_sentence(at, fault.fault));
        }
    }
    Ok(checked)
}

/// Checks without a plugin: a sentence that is not quoted word for word is a finding too.
///
/// # Errors
/// When the report is of another format.
pub fn resolve(report: &Report) -> Result<Checked, ResearchError> {
    let (mut checked, unquoted) = resolved(report)?;
    let fault = "it does not stand word for word in what it cites";
    let finding = |at| Finding::of_sentence(at, fault.to_owned());
    checked.findings.extend(unquoted.into_iter().map(finding));
    Ok(checked)
}

/// Checks what needs no plugin, and returns the sentences that resolve and are not quoted.
fn resolved(report: &Report) -> Result<(Checked, Vec<usize>), ResearchError> {
    let unusable = |why: String| ResearchError::Report { why };
    if report.format != FORMAT {
        return Err(unusable(format!("its format is `{}`, not `{FORMAT}`", report.format)));
    }
    if report.statements.len() > MAX_STATEMENTS {
        return Err(unusable(format!("it has more than {MAX_STATEMENTS} sentences")));
    }
    if report.contradictions.len() > MAX_CONTRADICTIONS {
        return Err(unusable(format!("it has more than {MAX_CONTRADICTIONS} contradictions")));
    }
    let mut checked = Checked { statements: 0, citations: 0, verbatim: 0, findings: Vec::new() };
    let mut unquoted = Vec::new();
    let mut known = Known::new();
    for source in &report.sources {
        if known.insert(&source.id, (source, sound(source))).is_some() {
            let fault = "two sources have this name".to_owned();
            let place = format!("source `{}`", source.id);
            checked.findings.push(Finding {
                step: StepKind::Synthesise,
                statement: None,
                place,
                fault,
            });
        }
    }
    for (at, statement) in report.statements.iter().enumerate() {
        checked.statements += 1;
        let place = sentence(at);
        if statement.citations.is_empty() {
            let fault = "it cites nothing".to_owned();
            checked.findings.push(Finding::of_sentence(at, fault));
            continue;
        }
        if statement.citations.len() > MAX_CITATIONS {
            let fault = format!("it cites more than {MAX_CITATIONS} places");
            checked.findings.push(Finding::of_sentence(at, fault));
            continue;
        }
        let cluster_of = |id: &str| known.get(id).map(|(source, _)| source.cluster);
        if statement.support > cited_clusters(&statement.citations, cluster_of) {
            let fault = "it claims more independent sources than it cites".to_owned();
            checked.findings.push(Finding::of_sentence(at, fault));
        }
        let at_sentence = (Some(at), StepKind::Synthesise, place.as_str());
        let texts = places(&mut checked, at_sentence, &statement.citations, &known);
        let Some(texts) = texts else { continue };
        if texts.iter().any(|place| place.says(&statement.text)) {
            checked.verbatim += 1;
        } else {
            unquoted.push(at);
        }
    }
    both_sides(&mut checked, report, &known);
    Ok((checked, unquoted))
}

/// Checks that each side of each contradiction stands in what it cites.
fn both_sides(checked: &mut Checked, report: &Report, known: &Known<'_>) {
    for (at, one) in report.contradictions.iter().enumerate() {
        for side in [&one.first, &one.second] {
            let place = format!("contradiction {}", at + 1);
            let cited = std::slice::from_ref(&side.citation);
            let at_side = (None, StepKind::Contradict, place.as_str());
            let Some(texts) = places(checked, at_side, cited, known) else { continue };
            if !texts.iter().any(|place| quoted(place.text, &side.text)) {
                let fault = "a side does not stand in what it cites".to_owned();
                checked.findings.push(Finding {
                    step: StepKind::Contradict,
                    statement: None,
                    place,
                    fault,
                });
            }
        }
    }
}

fn sentence(at: usize) -> String {
    format!("sentence {}", at + 1)
}

/// Returns the text at each citation, or nothing when one does not resolve, which is then a finding.
fn places<'r>(
    checked: &mut Checked,
    (statement, step, place): (Option<usize>, StepKind, &str),
    citations: &[Citation],
    known: &Known<'r>,
) -> Option<Vec<Place<'r>>> {
    let mut texts = Vec::new();
    let mut whole = true;
    for citation in citations {
        match at(citation, known) {
            Ok(text) => {
                checked.citations += 1;
                texts.push(text);
            }
            Err(fault) => {
                whole = false;
                checked.findings.push(Finding { step, statement, place: place.to_owned(), fault });
            }
        }
    }
    whole.then_some(texts)
}

/// Returns the text of a source, hashed once however often it is cited.
fn sound(source: &Source) -> Result<&str, &'static str> {
    let text = source.text.as_deref().ok_or("is not in the report")?;
    if sha256(text) == source.sha256 { Ok(text) } else { Err("is not the one its hash is of") }
}

fn at<'r>(citation: &Citation, known: &Known<'r>) -> Result<Place<'r>, String> {
    let Citation { source, sha256: hash, start, end } = citation;
    let found = known.get(source.as_str());
    let (found, text) = found.ok_or_else(|| format!("it cites `{source}`, which is no source"))?;
    let text = text.map_err(|why| format!("the text of `{source}` {why}"))?;
    if *hash != found.sha256 {
        return Err(format!("it cites another text of `{source}` than the one in the report"));
    }
    if end <= start || end - start > MAX_PLACE_BYTES {
        let (start, end) = (start, end);
        return Err(format!(
            "the bytes {start} to {end} are no place of at most {MAX_PLACE_BYTES}"
        ));
    }
    let range = usize::try_from(*start).ok().zip(usize::try_from(*end).ok());
    let place = range.and_then(|(start, end)| {
        let (before, after) = (text.get(..start)?, text.get(end..)?);
        Some(Place { before, text: text.get(start..end)?, after })
    });
    place.ok_or_else(|| format!("there are no bytes {start} to {end} in the text of `{source}`"))
}

/// A place of a text, with what stands around it.
struct Place<'r> {
    before: &'r str,
    text: &'r str,
    after: &'r str,
}

impl Place<'_> {
    /// Tells whether the place is exactly this sentence and a sentence of its text: a part of one can say
    /// the opposite of the whole.
    fn says(&self, sentence: &str) -> bool {
        let sentence = plain(sentence);
        let is_end = |text: &str| {
            text.trim_end().is_empty()
                || text.ends_with('\n')
                || text.trim_end().ends_with(SENTENCE_ENDS)
        };
        let ends = is_end(self.text) || self.after.is_empty() || self.after.starts_with('\n');
        !sentence.is_empty() && plain(self.text) == sentence && is_end(self.before) && ends
    }
}

/// What a sentence ends with, closing marks among it.
const SENTENCE_ENDS: [char; 11] = ['.', '!', '?', '…', ':', '。', '！', '？', '"', '”', ')'];

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Tells whether a sentence stands in a text, white space aside.
fn quoted(text: &str, sentence: &str) -> bool {
    let sentence = plain(sentence);
    !sentence.is_empty() && plain(text).contains(&sentence)
}
