//! Finds what a reviewer would ask about. What is looked for is in [`rules`], where in [`review`].

#![deny(unsafe_code)]

mod review;
mod rules;

use serde_json::{Value, json};

ringfence_sdk::plugin!("ringfence:agent-code-reviewer/code-reviewer" for CodeReviewer, generate_all);

use exports::ringfence::agent::run::Guest;
use ringfence::agent::control;
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};

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
        let whole = done.more == 0 && !done.cut && !control::cancelled();
        Ok(Outcome {
            parts: vec![Part::Text(text.join("\n"))],
            structured: Some(
                json!({
                    "findings": findings.collect::<Vec<_>>(), "files": done.files,
                    "left-out": done.more, "all-files": !done.cut,
                })
                .to_string(),
            ),
            score: None,
            artifacts: Vec::new(),
            stop: if whole { Stop::Complete } else { Stop::Partial },
        })
    }
}
