//! Splits a task, gives the parts to other agents and merges what they return. The rules are in [`split`].

#![deny(unsafe_code)]

mod split;

use ringfence_sdk::agent::children::{Group, SpawnError, Spec, Strategy};
use ringfence_sdk::agent::{Failure, Outcome, Part, Stop, Task, control};
use serde_json::{Value, json};

ringfence_sdk::agent!(Triage);

/// How many parts are worked on at once.
const AT_ONCE: u32 = 8;

/// The component.
struct Triage;

impl Guest for Triage {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let input: Value = serde_json::from_str(&task.input).unwrap_or(Value::Null);
        let pieces = split::split(&task.goal, &input).map_err(Failure::InvalidTask)?;
        let spec = |(number, piece): (usize, &split::Piece)| {
            let label = format!("{}-{}", number + 1, piece.agent);
            let spec = Spec::new(piece.agent.as_str(), piece.goal.as_str()).label(label);
            spec.input(piece.input.to_string())
        };
        let specs = pieces.iter().enumerate().map(spec).collect();
        let group = Group::new(specs, Strategy::Concatenate).at_once(AT_ONCE);
        let done = group.timeout(control::remaining()).run().map_err(refused)?;
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
                    let why = failure.words();
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

fn refused(error: SpawnError) -> Failure {
    match error {
        SpawnError::NotFound => {
            Failure::invalid("a part needs an agent that is not in this run; add it with `--with`")
        }
        SpawnError::Invalid(why) => Failure::InvalidTask(why),
        error => error.into(),
    }
}
