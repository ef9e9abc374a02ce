//! Says what texts say, in their own sentences. The rules are in [`summary`]; here is what an agent does
//! with its task.

#![deny(unsafe_code)]

mod sources;
mod summary;

use ringfence_sdk::agent::{Failure, Outcome, Part, Task, control, model};
use serde_json::{Value, json};

ringfence_sdk::agent!(Summarizer);

/// Sentences of a summary where the task names no number.
const DEFAULT_SENTENCES: usize = 5;

/// What a model is told to do, where one was granted.
const ORDER: &str = "Summarise the texts in at most 120 words of plain prose. Use only what they say, and name \
    the text a statement is from in brackets.";
/// The most a model writes.
const MODEL_TOKENS: u32 = 600;
/// The most bytes of the texts that a model is given, all together.
const MODEL_BYTES: usize = 32 * 1024;

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
        let lines = lines.collect::<Vec<_>>().join("\n");
        let mut structured = json!({ "sentences": cited.collect::<Vec<_>>() });
        let mut parts = vec![Part::Text(lines.clone())];
        // The sentences stand as they are: what a model makes of them comes after, and is marked.
        let wanted = input.get("model").and_then(Value::as_str);
        let remark = (!summary.sentences.is_empty())
            .then(|| model::remark(wanted, ORDER, &material(&lines, &sources), MODEL_TOKENS));
        if let Some(remark) = remark.flatten() {
            parts.push(Part::Text(remark.marked()));
            structured["model"] = json!({
                "name": remark.model,
                "text": remark.text.as_ref().ok(),
                "error": remark.text.as_ref().err().map(model::Error::words),
            });
        }
        control::progress(1.0, Some(1.0), "done");
        let outcome = Outcome { parts, ..Outcome::text("") };
        let outcome = outcome.with_structured(structured.to_string());
        let why = "share of the frequent words of the texts that it holds";
        Ok(outcome.with_score(summary.coverage, why).complete_if(!control::is_cancelled()))
    }
}

/// Returns what a model is given: the sentences with their places, then the beginning of each text.
fn material(lines: &str, sources: &[sources::Source]) -> String {
    let each = MODEL_BYTES / sources.len().max(1);
    let text = |one: &sources::Source| {
        format!("# {}\n\n{}", one.name, &one.text[..one.text.floor_char_boundary(each)])
    };
    let texts = sources.iter().map(text).collect::<Vec<_>>().join("\n\n");
    format!("Sentences that say most:\n{lines}\n\n{texts}")
}
