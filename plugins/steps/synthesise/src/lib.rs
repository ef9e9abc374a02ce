//! Makes a cited report of sentences of the sources, and checks reports. The rules are in
//! `research_quality::synthesise` and `research_quality::cite`.

#![deny(unsafe_code)]

use research_quality::cite::{self, Stored};
use research_quality::document::check_ids;
use research_quality::limits::MAX_TEXT_BYTES;
use research_quality::synthesise::{self, Input};
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-synthesise/synthesise" for Synthesise, generate_all);

use exports::ringfence::research::synthesise::{
    Checked, Draft, Finding, Guest, Report, Statement, Task,
};
use ringfence::research::types::{Citation, Document};

/// Sentences of a report where the caller names no number.
const DEFAULT_SENTENCES: u32 = 20;

/// The component.
struct Synthesise;

impl Guest for Synthesise {
    fn synthesise(task: Task) -> Result<Report, ToolError> {
        check_documents(&task.documents)?;
        let input = |document| Input {
            stored: stored(document),
            cluster: document.cluster,
            trust: document.trust,
        };
        let inputs: Vec<Input<'_>> = task.documents.iter().map(input).collect();
        let sentences = task.sentences.unwrap_or(DEFAULT_SENTENCES);
        let limit = usize::try_from(sentences).unwrap_or(usize::MAX);
        let made = synthesise::synthesise(&task.question, &inputs, limit);
        let statement = |stated: synthesise::Stated| Statement {
            text: stated.text,
            citations: stated.citations.into_iter().map(citation).collect(),
            support: number(stated.support),
            score: stated.score,
        };
        let statements = made.statements.into_iter().map(statement).collect();
        Ok(Report { statements, truncated: made.truncated })
    }

    fn check(draft: Draft) -> Result<Checked, ToolError> {
        check_documents(&draft.documents)?;
        let sources: Vec<Stored<'_>> = draft.documents.iter().map(stored).collect();
        let claim = |claim: ringfence::research::types::Claim| cite::Claim {
            text: claim.text,
            citations: claim.citations.into_iter().map(place).collect(),
        };
        let claims: Vec<cite::Claim> = draft.claims.into_iter().map(claim).collect();
        let checked = cite::check(&claims, &sources)
            .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
        let finding = |finding: cite::Finding| Finding {
            sentence: number(finding.sentence),
            fault: finding.fault.to_string(),
        };
        Ok(Checked {
            passed: checked.findings.is_empty(),
            sentences: number(checked.sentences),
            verbatim: number(checked.verbatim),
            findings: checked.findings.into_iter().map(finding).collect(),
        })
    }
}

fn check_documents(documents: &[Document]) -> Result<(), ToolError> {
    check_ids(documents.iter().map(|document| document.id.as_str()))
        .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
    if documents.iter().any(|document| document.text.len() > MAX_TEXT_BYTES) {
        return Err(ToolError::TooLarge(MAX_TEXT_BYTES as u64));
    }
    Ok(())
}

fn stored(document: &Document) -> Stored<'_> {
    Stored { id: &document.id, text: &document.text }
}

fn citation(citation: cite::Citation) -> Citation {
    let cite::Citation { source, sha256, place } = citation;
    Citation { source, sha256, start: number(place.start), end: number(place.end) }
}

fn place(citation: Citation) -> cite::Citation {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    let place = at(citation.start)..at(citation.end);
    cite::Citation { source: citation.source, sha256: citation.sha256, place }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::ringfence::research::types::Claim;
    use super::{Document, Draft, Guest as _, Synthesise, Task};

    fn documents() -> Vec<Document> {
        let text = "Solar panels convert light into electric current. Their output falls with rising heat.";
        let id = "a".to_owned();
        let text = text.to_owned();
        vec![Document {
            id,
            url: None,
            title: None,
            published: None,
            trust: None,
            cluster: None,
            text,
        }]
    }

    #[test]
    fn what_the_step_makes_passes_its_own_checker_and_other_text_does_not() {
        let question = "What do solar panels convert?".to_owned();
        let task = Task { question, documents: documents(), sentences: None };
        let report = Synthesise::synthesise(task).unwrap();
        assert_eq!(report.statements.len(), 1);
        let claim = |text: &str| Claim {
            text: text.to_owned(),
            citations: report.statements[0].citations.clone(),
        };
        let check = |claims| Synthesise::check(Draft { claims, documents: documents() }).unwrap();
        let good = check(vec![claim(&report.statements[0].text)]);
        assert_eq!((good.passed, good.sentences, good.verbatim), (true, 1, 1));
        let bad = check(vec![claim("Solar panels explode in the afternoon sun.")]);
        let faults: Vec<_> = bad.findings.iter().map(|f| f.fault.as_str()).collect();
        let fault = "is not supported by what it cites: it shares 2 of its 5 words";
        assert_eq!((bad.passed, faults), (false, vec![fault]));
    }
}
