//! Finds sentences that may contradict each other. The rules are in `research_quality::contradict`.

#![deny(unsafe_code)]

use research_quality::cite::{self, Stored};
use research_quality::contradict::{self, Input, Side};
use research_quality::document::check_ids;
use research_quality::limits::MAX_TEXT_BYTES;
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-contradict/contradict" for Contradict, generate_all);

use exports::ringfence::research::contradict::{Candidate, Found, Guest, Kind};
use ringfence::research::types::{Citation, Document};

/// The component.
struct Contradict;

impl Guest for Contradict {
    fn contradict(documents: Vec<Document>) -> Result<Found, ToolError> {
        check_ids(documents.iter().map(|document| document.id.as_str()))
            .map_err(|error| ToolError::InvalidInput(error.to_string()))?;
        if documents.iter().any(|document| document.text.len() > MAX_TEXT_BYTES) {
            return Err(ToolError::TooLarge(MAX_TEXT_BYTES as u64));
        }
        let inputs: Vec<Input<'_>> = documents
            .iter()
            .map(|document| Input { text: &document.text, cluster: document.cluster })
            .collect();
        let found = contradict::contradictions(&inputs);
        let candidate = |candidate: contradict::Candidate| {
            let (first, first_text) = cited(&documents, &candidate.first)?;
            let (second, second_text) = cited(&documents, &candidate.second)?;
            let kind = match candidate.kind {
                contradict::Kind::Numbers => Kind::Numbers,
                contradict::Kind::Negation => Kind::Negation,
                contradict::Kind::Opposites => Kind::Opposites,
            };
            let contradict::Candidate { detail, overlap, .. } = candidate;
            Some(Candidate { kind, detail, overlap, first, first_text, second, second_text })
        };
        let candidates = found.candidates.into_iter().filter_map(candidate).collect();
        Ok(Found { candidates, truncated: found.truncated })
    }
}

/// Returns a sentence as a citation and as text.
fn cited(documents: &[Document], side: &Side) -> Option<(Citation, String)> {
    let document = documents.get(side.source)?;
    let stored = Stored { id: &document.id, text: &document.text };
    let cite::Citation { source, sha256, place } = cite::Citation::of(&stored, side.place.clone())?;
    let text = document.text.get(place.clone())?.to_owned();
    let (start, end) = (u32::try_from(place.start).ok()?, u32::try_from(place.end).ok()?);
    Some((Citation { source, sha256, start, end }, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Contradict, Document, Guest as _, Kind, MAX_TEXT_BYTES, ToolError};

    fn document(id: &str, cluster: Option<u32>, text: &str) -> Document {
        let (id, text) = (id.to_owned(), text.to_owned());
        Document { id, url: None, title: None, published: None, trust: None, cluster, text }
    }

    #[test]
    fn both_sides_are_cited() {
        let texts = ["Intro. The dam holds 30 million litres.", "The dam holds 80 million litres."];
        let found = Contradict::contradict(vec![
            document("a", Some(1), texts[0]),
            document("b", Some(2), texts[1]),
            document("copy", Some(2), texts[1]),
        ])
        .unwrap();
        let candidate = &found.candidates[0];
        assert_eq!(
            (candidate.kind, candidate.detail.as_str()),
            (Kind::Numbers, "30 million and 80 million")
        );
        assert_eq!(
            (candidate.first.source.as_str(), candidate.first.start, candidate.first.end),
            ("a", 7, 39)
        );
        assert_eq!(
            (candidate.first_text.as_str(), candidate.second_text.as_str()),
            (&texts[0][7..], texts[1])
        );
        assert_eq!(candidate.second.sha256.len(), 64);
    }

    #[test]
    fn a_document_beyond_the_limit_is_refused() {
        let long = document("a", None, &"x".repeat(MAX_TEXT_BYTES + 1));
        let error = Contradict::contradict(vec![long]).unwrap_err();
        assert!(matches!(error, ToolError::TooLarge(limit) if limit == MAX_TEXT_BYTES as u64));
    }
}
