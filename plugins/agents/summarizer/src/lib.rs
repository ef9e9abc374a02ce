//! Says what texts say, in their own sentences. The rules are in [`summary`]; here is what an agent does
//! with its task.

#![deny(unsafe_code)]

mod sources;
mod summary;

use serde_json::{Value, json};

ringfence_sdk::plugin!("ringfence:agent-summarizer/summarizer" for Summarizer, generate_all);

use exports::ringfence::agent::run::Guest;
use ringfence::agent::control;
use ringfence::agent::types::{Failure, Outcome, Part, Score, Stop, Task};

/// Sentences of a summary where the task names no number.
const DEFAULT_SENTENCES: usize = 5;

/// The component.
struct Summarizer;

impl Guest for Summarizer {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&task.input).unwrap_or(Value::Null);
        let sources = sources::read(&task.goal, &input, "/").map_err(Failure::InvalidTask)?;
        let most =
            input.get("sentences").and_then(Value::as_u64).unwrap_or(DEFAULT_SENTENCES as u64);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        control::progress(0.0, Some(1.0), "weighing sentences");
        let summary = summary::of(&sources, most);
        let lines = summary.sentences.iter().map(|one| {
            let source = &sources[one.source];
            format!("- {} [{}:{}]", one.text, source.name, one.line)
        });
        let cited = summary.sentences.iter().map(|one| {
            let source = &sources[one.source];
            json!({
                "text": one.text, "source": source.name, "line": one.line,
                "start": one.place.start, "end": one.place.end,
            })
        });
        control::progress(1.0, Some(1.0), "done");
        let stop = if control::cancelled() { Stop::Partial } else { Stop::Complete };
        Ok(Outcome {
            parts: vec![Part::Text(lines.collect::<Vec<_>>().join("\n"))],
            structured: Some(json!({ "sentences": cited.collect::<Vec<_>>() }).to_string()),
            score: Some(Score {
                value: summary.coverage,
                rationale: Some(
                    "share of the frequent words of the texts that it holds".to_owned(),
                ),
            }),
            artifacts: Vec::new(),
            stop,
        })
    }
}
