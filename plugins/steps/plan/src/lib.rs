//! Makes searches of a question. The rules are in `research_quality::plan`.

#![deny(unsafe_code)]

use research_quality::plan::{self, PlanError};
use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("ringfence:step-plan/plan" for Plan, generate_all);

use exports::ringfence::research::plan::{Guest, Query, Strategy, Task};

/// Searches of a plan where the caller names no number.
const DEFAULT_BREADTH: u32 = 8;

/// The component.
struct Plan;

impl Guest for Plan {
    fn plan(task: Task) -> Result<Vec<Query>, ToolError> {
        let strategy = match task.strategy {
            None | Some(Strategy::Focused) => plan::Strategy::Focused,
            Some(Strategy::Comprehensive) => plan::Strategy::Comprehensive,
            Some(Strategy::Exploratory) => plan::Strategy::Exploratory,
        };
        let breadth = task.breadth.unwrap_or(DEFAULT_BREADTH);
        let breadth = usize::try_from(breadth).unwrap_or(usize::MAX);
        let searches =
            plan::plan(&task.question, strategy, breadth).map_err(|error| match error {
                PlanError::TooLong => ToolError::TooLarge(plan::MAX_QUESTION_BYTES as u64),
                PlanError::Empty => ToolError::InvalidInput(error.to_string()),
            })?;
        let query = |search: plan::Search| Query { text: search.query, reason: search.reason };
        Ok(searches.into_iter().map(query).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::{Guest as _, Plan, Strategy, Task};

    fn task(question: &str, breadth: Option<u32>) -> Task {
        let strategy = Some(Strategy::Comprehensive);
        Task { question: question.to_owned(), strategy, breadth }
    }

    #[test]
    fn a_question_becomes_searches_and_an_empty_one_an_error() {
        let plan = Plan::plan(task("How safe are dams?", Some(2))).unwrap();
        let queries: Vec<_> = plan.iter().map(|query| query.text.as_str()).collect();
        assert_eq!(queries, ["safe dams", "safe dams evidence data"]);
        assert_eq!(Plan::plan(task("How safe are dams?", None)).unwrap().len(), 6);
        assert!(Plan::plan(task("?", None)).is_err());
    }
}
