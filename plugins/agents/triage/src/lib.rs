//! Splits a task, gives the parts to other agents and merges what they return. The rules are in [`split`].

#![deny(unsafe_code)]

mod split;

use serde_json::{Value, json};

ringfence_sdk::plugin!("ringfence:agent-triage/triage" for Triage, generate_all);

use exports::ringfence::agent::run::Guest;
use ringfence::agent::agents::{self, Group, OnFailure, SpawnError, Spec, Strategy};
use ringfence::agent::control;
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};

/// How many parts are worked on at once.
const AT_ONCE: u32 = 8;

/// The component.
struct Triage;

impl Guest for Triage {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&task.input).unwrap_or(Value::Null);
        let pieces = split::split(&task.goal, &input).map_err(Failure::InvalidTask)?;
        let spec = |(number, piece): (usize, &split::Piece)| Spec {
            agent: piece.agent.clone(),
            label: format!("{}-{}", number + 1, piece.agent),
            goal: piece.goal.clone(),
            input: piece.input.to_string(),
            budget: None,
        };
        let group = Group {
            specs: pieces.iter().enumerate().map(spec).collect(),
            strategy: Strategy::Concatenate,
            min_success_ratio: 0.0,
            score_threshold: None,
            on_failure: OnFailure::Tolerate,
            max_parallel: AT_ONCE,
            timeout_ms: control::remaining_ms(),
        };
        let done = agents::run_group(&group).map_err(|error| refused(&error))?;
        let mut failed = 0;
        let (mut parts, mut each) = (Vec::new(), Vec::new());
        for ((label, result), piece) in done.each.into_iter().zip(&pieces) {
            let head = format!("## {}", piece.goal);
            match result {
                Ok(outcome) => {
                    parts.push(Part::Text(head));
                    parts.extend(outcome.parts);
                    let value = outcome.structured.as_deref().map(serde_json::from_str::<Value>);
                    let value = value.and_then(Result::ok);
                    each.push(json!({ "label": label, "goal": piece.goal, "value": value }));
                }
                Err(failure) => {
                    failed += 1;
                    let why = told(&failure);
                    parts.push(Part::Text(format!("{head}\n\nNot done: {why}")));
                    each.push(json!({ "label": label, "goal": piece.goal, "failure": why }));
                }
            }
        }
        let stop = match failed {
            0 => Stop::Complete,
            all if all == pieces.len() => Stop::GaveUp,
            _ => Stop::Partial,
        };
        let structured = Some(json!({ "parts": each }).to_string());
        Ok(Outcome { parts, structured, score: None, artifacts: Vec::new(), stop })
    }
}

fn refused(error: &SpawnError) -> Failure {
    match error {
        SpawnError::Denied(why) => Failure::Denied(why.clone()),
        SpawnError::NotFound => Failure::InvalidTask(
            "a part needs an agent that is not in this run; add it with `--with`".to_owned(),
        ),
        SpawnError::Limit(what) => Failure::Other(what.clone()),
        SpawnError::Full => Failure::Other("too many agents wait already".to_owned()),
        SpawnError::Invalid(why) => Failure::InvalidTask(why.clone()),
    }
}

fn told(failure: &Failure) -> String {
    match failure {
        Failure::Cancelled(why) => format!("cancelled: {why}"),
        Failure::Timeout => "its time was used up".to_owned(),
        Failure::Budget(what) => format!("its budget was used up: {what}"),
        Failure::Denied(why) => format!("denied: {why}"),
        Failure::InvalidTask(why)
        | Failure::Tool(why)
        | Failure::Model(why)
        | Failure::Trapped(why)
        | Failure::Other(why) => why.clone(),
    }
}
