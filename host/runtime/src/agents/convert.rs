//! Between the types of the WIT and those of the supervisor.

use ringfence_interfaces::agent::wit::{agents, types};
use ringfence_supervisor::{
    Artifact, Budget, Failure, OnFailure, Outcome, Part, Score, Stop, Strategy,
};
use serde_json::Value;

/// Returns an outcome as the supervisor holds it. JSON that is none becomes text.
pub(super) fn outcome(from: types::Outcome) -> Outcome {
    let read = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    Outcome {
        parts: from.parts.into_iter().map(part).collect(),
        structured: from.structured.map(read),
        score: from.score.map(|s| Score { value: s.value, rationale: s.rationale }),
        artifacts: from
            .artifacts
            .into_iter()
            .map(|a| Artifact { name: a.name, mime_type: a.mime_type, data: a.data })
            .collect(),
        stop: match from.stop {
            types::Stop::Complete => Stop::Complete,
            types::Stop::Partial => Stop::Partial,
            types::Stop::GaveUp => Stop::GaveUp,
        },
    }
}

fn part(from: types::Part) -> Part {
    match from {
        types::Part::Text(text) => Part::Text(text),
        types::Part::Json(text) => match serde_json::from_str(&text) {
            Ok(value) => Part::Json(value),
            Err(_) => Part::Text(text),
        },
        types::Part::Blob(blob) => Part::Blob { mime_type: blob.mime_type, data: blob.data },
    }
}

/// Returns an outcome as a guest gets it.
pub(super) fn wit_outcome(from: Outcome) -> types::Outcome {
    types::Outcome {
        parts: from.parts.into_iter().map(wit_part).collect(),
        structured: from.structured.map(|value| value.to_string()),
        score: from.score.map(|s| types::Score { value: s.value, rationale: s.rationale }),
        artifacts: from
            .artifacts
            .into_iter()
            .map(|a| types::Artifact { name: a.name, mime_type: a.mime_type, data: a.data })
            .collect(),
        stop: match from.stop {
            Stop::Complete => types::Stop::Complete,
            Stop::Partial => types::Stop::Partial,
            Stop::GaveUp => types::Stop::GaveUp,
        },
    }
}

fn wit_part(from: Part) -> types::Part {
    match from {
        Part::Text(text) => types::Part::Text(text),
        Part::Json(value) => types::Part::Json(value.to_string()),
        Part::Blob { mime_type, data } => types::Part::Blob(types::Blob { mime_type, data }),
    }
}

/// Returns a failure as the supervisor holds it.
pub(super) fn failure(from: types::Failure) -> Failure {
    match from {
        types::Failure::Cancelled(why) => Failure::Cancelled(why),
        types::Failure::Timeout => Failure::Timeout,
        types::Failure::Budget(what) => Failure::Budget(what),
        types::Failure::Denied(why) => Failure::Denied(why),
        types::Failure::InvalidTask(why) => Failure::InvalidTask(why),
        types::Failure::Tool(why) => Failure::Tool(why),
        types::Failure::Model(why) => Failure::Model(why),
        types::Failure::Trapped(why) => Failure::Trapped(why),
        types::Failure::Other(why) => Failure::Other(why),
    }
}

/// Returns a failure as a guest gets it.
pub(super) fn wit_failure(from: Failure) -> types::Failure {
    match from {
        Failure::Cancelled(why) => types::Failure::Cancelled(why),
        Failure::Timeout => types::Failure::Timeout,
        Failure::Budget(what) => types::Failure::Budget(what),
        Failure::Denied(why) => types::Failure::Denied(why),
        Failure::InvalidTask(why) => types::Failure::InvalidTask(why),
        Failure::Tool(why) => types::Failure::Tool(why),
        Failure::Model(why) => types::Failure::Model(why),
        Failure::Trapped(why) => types::Failure::Trapped(why),
        Failure::Other(why) => types::Failure::Other(why),
    }
}

/// Returns what came of a run as a guest gets it.
pub(super) fn wit_result(from: Result<Outcome, Failure>) -> Result<types::Outcome, types::Failure> {
    from.map(wit_outcome).map_err(wit_failure)
}

pub(super) fn budget(from: types::Budget) -> Budget {
    Budget {
        wall_ms: from.wall_ms,
        model_calls: from.model_calls,
        tool_calls: from.tool_calls,
        output_tokens: from.output_tokens,
        children: from.children,
        depth: from.depth,
    }
}

pub(super) fn wit_budget(from: &Budget) -> types::Budget {
    types::Budget {
        wall_ms: from.wall_ms,
        model_calls: from.model_calls,
        tool_calls: from.tool_calls,
        output_tokens: from.output_tokens,
        children: from.children,
        depth: from.depth,
    }
}

pub(super) fn strategy(from: agents::Strategy) -> Strategy {
    match from {
        agents::Strategy::Concatenate => Strategy::Concatenate,
        agents::Strategy::FirstSuccess => Strategy::FirstSuccess,
        agents::Strategy::HighestScore => Strategy::HighestScore,
        agents::Strategy::Majority(pointer) => Strategy::Majority(pointer),
        agents::Strategy::Quorum(wanted) => Strategy::Quorum(wanted),
        agents::Strategy::All => Strategy::All,
        agents::Strategy::Reduce(agent) => Strategy::Reduce(agent),
    }
}

pub(super) fn on_failure(from: agents::OnFailure) -> OnFailure {
    match from {
        agents::OnFailure::Tolerate => OnFailure::Tolerate,
        agents::OnFailure::CancelSiblings => OnFailure::CancelSiblings,
    }
}
