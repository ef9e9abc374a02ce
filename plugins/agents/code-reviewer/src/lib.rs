//! Finds what a reviewer would ask about. What is looked for is in [`rules`], where in [`review`].

#![deny(unsafe_code)]

mod review;
mod rules;

use ringfence_sdk::agent::{Failure, Outcome, Part, Task, control, model};
use serde_json::{Value, json};

ringfence_sdk::agent!(CodeReviewer);

/// What a model is told to do, where one was granted.
const ORDER: &str = "These are findings of rules in a code review. Say in at most 100 words of plain prose which \
    matter most and what to look at first. Name files and lines. Invent no findings.";
/// The most a model writes.
const MODEL_TOKENS: u32 = 500;
/// The most bytes of the findings that a model is given.
const MODEL_BYTES: usize = 32 * 1024;

/// The component.
struct CodeReviewer;

impl Guest for CodeReviewer {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&task.input).unwrap_or(Value::Null);
        control::progress(0.0, None, "reading");
        let mut done = review::review(&task.goal, &input, "/").map_err(Failure::InvalidTask)?;
        done.found.sort_by_key(|one| one.finding.severity);
        let lines = done.found.iter().map(|one| {
            let (severity, rule) = (one.finding.severity.name(), one.finding.rule);
            format!("{}:{}: {severity}: {} ({rule})", one.file, one.line, one.finding.says)
        });
        let mut text = lines.collect::<Vec<_>>();
        let total = done.found.len() + done.more;
        text.push(format!("{total} findings in {} files", done.files));
        let findings = done.found.iter().map(|one| {
            json!({
                "file": one.file, "line": one.line, "severity": one.finding.severity.name(),
                "rule": one.finding.rule, "says": one.finding.says,
            })
        });
        let mut structured = json!({
            "findings": findings.collect::<Vec<_>>(), "files": done.files,
            "left-out": done.more, "all-files": !done.cut,
        });
        let text = text.join("\n");
        let mut parts = vec![Part::Text(text.clone())];
        // The findings stand as they are: what a model makes of them comes after, and is marked.
        let wanted = input.get("model").and_then(Value::as_str);
        let given = &text[..text.floor_char_boundary(MODEL_BYTES)];
        let remark =
            (total > 0).then(|| model::remark(wanted, ORDER, given, MODEL_TOKENS)).flatten();
        if let Some(remark) = remark {
            parts.push(Part::Text(remark.marked()));
            structured["model"] = json!({
                "name": remark.model,
                "text": remark.text.as_ref().ok(),
                "error": remark.text.as_ref().err().map(model::Error::words),
            });
        }
        let whole = done.more == 0 && !done.cut && !control::is_cancelled();
        let outcome = Outcome { parts, ..Outcome::text("") };
        Ok(outcome.with_structured(structured.to_string()).complete_if(whole))
    }
}
