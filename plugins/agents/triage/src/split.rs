//! How a task becomes parts.

use serde_json::Value;

/// The most parts of one task.
const MAX_PARTS: usize = 32;

/// A part of a task.
#[derive(Debug, PartialEq)]
pub(crate) struct Piece {
    /// The agent that does it.
    pub(crate) agent: String,
    /// What is to be done.
    pub(crate) goal: String,
    /// What belongs to it.
    pub(crate) input: Value,
}

/// Returns the parts: those of the input, or else those the goal consists of.
pub(crate) fn split(goal: &str, input: &Value) -> Result<Vec<Piece>, String> {
    let pieces: Vec<Piece> = if let Some(parts) = input.get("parts").and_then(Value::as_array) {
        parts.iter().map(stated).collect::<Result<_, _>>()?
    } else {
        let parts = goal.split(['\n', ';']).map(str::trim).filter(|part| !part.is_empty());
        let piece = |part: &str| Piece {
            agent: fits(part).to_owned(),
            goal: part.to_owned(),
            input: Value::Null,
        };
        parts.map(piece).collect()
    };
    match pieces.len() {
        0 => Err("there is nothing to do in it".to_owned()),
        many if many > MAX_PARTS => {
            Err(format!("it has {many} parts, and at most {MAX_PARTS} are done"))
        }
        _ => Ok(pieces),
    }
}

fn stated(part: &Value) -> Result<Piece, String> {
    let goal = part.get("goal").and_then(Value::as_str).ok_or("a part has no `goal`")?;
    let agent = part.get("agent").and_then(Value::as_str).unwrap_or_else(|| fits(goal));
    let input = part.get("input").cloned().unwrap_or(Value::Null);
    Ok(Piece { agent: agent.to_owned(), goal: goal.to_owned(), input })
}

/// Returns the agent for a goal.
fn fits(goal: &str) -> &'static str {
    let goal = goal.to_lowercase();
    let review = ["review", "bug", "diff", "defect", "lint"];
    if review.iter().any(|word| goal.contains(word)) { "code-reviewer" } else { "summarizer" }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn a_goal_is_split_and_each_part_goes_to_who_can_do_it() {
        let pieces = split("summarise a.md; Review src\n\n;", &Value::Null).unwrap();
        let seen: Vec<_> = pieces.iter().map(|p| (p.agent.as_str(), p.goal.as_str())).collect();
        assert_eq!(seen, [("summarizer", "summarise a.md"), ("code-reviewer", "Review src")]);
        let stated = split("x", &json!({ "parts": [{ "goal": "g", "agent": "a", "input": 1 }] }));
        let expected = Piece { agent: "a".into(), goal: "g".into(), input: json!(1) };
        assert_eq!(stated.unwrap(), [expected]);
    }

    #[test]
    fn a_task_without_parts_or_with_too_many_is_refused() {
        assert!(split(" ;\n", &Value::Null).is_err());
        assert!(split(&"a;".repeat(33), &Value::Null).unwrap_err().contains("33 parts"));
        assert!(split("x", &json!({ "parts": [{}] })).is_err());
    }
}
