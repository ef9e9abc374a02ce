//! Between the types of the interface and those of `research-quality`, and the checker, which every step that makes
//! reports has in common: whatever made a sentence, the same code holds it to what it cites.

use research_quality::cite::{self, Stored};
use research_quality::document::check_ids;
use research_quality::limits::MAX_TEXT_BYTES;
use research_quality::synthesise::Input;
use ringfence_sdk::ToolError;

use crate::exports::ringfence::research::synthesise::{Checked, Draft, Finding};
use crate::ringfence::research::types::{Citation, Claim, Document};

/// Checks that each sentence cites places that resolve and carry it.
pub(crate) fn check(draft: Draft) -> Result<Checked, ToolError> {
    check_documents(&draft.documents)?;
    let sources: Vec<Stored<'_>> = draft.documents.iter().map(stored).collect();
    let claim = |claim: Claim| cite::Claim {
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

/// Refuses documents of one name, and those that are too long.
fn check_documents(documents: &[Document]) -> Result<(), ToolError> {
    check_ids(documents.iter().map(|document| document.id.as_str()))
        .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
    if documents.iter().any(|document| document.text.len() > MAX_TEXT_BYTES) {
        return Err(ToolError::TooLarge(MAX_TEXT_BYTES as u64));
    }
    Ok(())
}

/// Returns what a report is made of.
///
/// # Errors
/// As [`check_documents`].
pub(crate) fn inputs(documents: &[Document]) -> Result<Vec<Input<'_>>, ToolError> {
    check_documents(documents)?;
    let input = |document| Input {
        stored: stored(document),
        cluster: document.cluster,
        trust: document.trust,
    };
    Ok(documents.iter().map(input).collect())
}

fn stored(document: &Document) -> Stored<'_> {
    Stored { id: &document.id, text: &document.text }
}

pub(crate) fn citation(citation: cite::Citation) -> Citation {
    let cite::Citation { source, sha256, place } = citation;
    Citation { source, sha256, start: number(place.start), end: number(place.end) }
}

fn place(citation: Citation) -> cite::Citation {
    let at = |offset: u32| usize::try_from(offset).unwrap_or(usize::MAX);
    let place = at(citation.start)..at(citation.end);
    cite::Citation { source: citation.source, sha256: citation.sha256, place }
}

pub(crate) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
