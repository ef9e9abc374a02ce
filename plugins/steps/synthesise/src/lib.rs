//! Makes a cited report of sentences of the sources, and checks reports. The rules are in
//! `research_quality::synthesise` and `research_quality::cite`.

#![deny(unsafe_code)]

mod convert;

use research_quality::synthesise;
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-synthesise/synthesise" for Synthesise, generate_all);

use exports::ringfence::research::synthesise::{Checked, Draft, Guest, Report, Statement, Task};

use convert::{citation, number};

/// Sentences of a report where the caller names no number.
const DEFAULT_SENTENCES: u32 = 20;

/// The component.
struct Synthesise;

impl Guest for Synthesise {
    fn synthesise(task: Task) -> Result<Report, ToolError> {
        let inputs = convert::inputs(&task.documents)?;
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
        convert::check(draft)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::ringfence::research::types::Claim;
    use super::ringfence::research::types::Document;
    use super::{Draft, Guest as _, Synthesise, Task};

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
