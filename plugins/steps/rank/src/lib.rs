//! Finds the documents that answer a question. The score is in `research_quality::rank`.

#![deny(unsafe_code)]

use research_quality::document::check_ids;
use research_quality::rank::RankIndex;
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-rank/rank" for Rank, generate_all);

use exports::ringfence::research::rank::{Guest, Ranked, Task};

/// The component.
struct Rank;

impl Guest for Rank {
    fn rank(task: Task) -> Result<Vec<Ranked>, ToolError> {
        let documents = &task.documents;
        let invalid = |error: String| ToolError::InvalidInput(error);
        check_ids(documents.iter().map(|document| document.id.as_str()))
            .map_err(|error| invalid(error.to_string()))?;
        let mut index = RankIndex::new();
        for (number, document) in (0..).zip(documents) {
            let added = index.add(number, &document.text);
            added.map_err(|error| invalid(format!("document `{}`: {error}", document.id)))?;
        }
        let of = |number: u32| documents.get(usize::try_from(number).ok()?);
        let limit = task.limit.and_then(|limit| usize::try_from(limit).ok());
        let hits =
            index.search(&task.question, limit.unwrap_or(usize::MAX), |number| of(number)?.trust);
        let ranked = |hit: research_quality::rank::Hit| {
            Some(Ranked { id: of(hit.document)?.id.clone(), score: hit.score })
        };
        Ok(hits.into_iter().filter_map(ranked).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::ringfence::research::types::Document;
    use super::{Guest as _, Rank, Task, ToolError};

    fn document(id: &str, trust: Option<f64>, text: &str) -> Document {
        let (id, text) = (id.to_owned(), text.to_owned());
        Document { id, url: None, title: None, published: None, trust, cluster: None, text }
    }

    fn rank(
        question: &str,
        limit: Option<u32>,
        documents: Vec<Document>,
    ) -> Result<Vec<String>, ToolError> {
        let task = Task { question: question.to_owned(), documents, limit };
        Ok(Rank::rank(task)?.into_iter().map(|ranked| ranked.id).collect())
    }

    #[test]
    fn documents_come_in_the_order_of_fit_and_trust() {
        let documents = || {
            vec![
                document("low", Some(0.0), "a dam"),
                document("high", Some(1.0), "a dam"),
                document("other", None, "bread"),
            ]
        };
        assert_eq!(rank("dam?", None, documents()).unwrap(), ["high", "low"]);
        assert_eq!(rank("dam?", Some(1), documents()).unwrap(), ["high"]);
    }

    #[test]
    fn two_documents_of_one_name_are_refused() {
        let twice =
            vec![document("a", None, "x"), document("b", None, "y"), document("a", None, "z")];
        let error = rank("x", None, twice).unwrap_err();
        assert!(
            matches!(error, ToolError::InvalidInput(text) if text == "documents 1 and 3 have the same id `a`")
        );
    }
}
