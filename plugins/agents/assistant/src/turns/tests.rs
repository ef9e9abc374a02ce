//! Tests of the loop with a model that says what it is told to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::cell::RefCell;

use super::*;
use ringfence_sdk::agent::Budget;
use ringfence_sdk::agent::model::Usage;
use ringfence_sdk::agent::tools::Rail;

/// A host that answers one thing after the other.
struct Fake {
    model: bool,
    answers: RefCell<Vec<Result<Response, model::Error>>>,
    replies: RefCell<Vec<Result<Reply, tools::Error>>>,
    seen: RefCell<Vec<Vec<Event>>>,
}

impl World for Fake {
    fn models(&self) -> Vec<String> {
        if self.model { vec!["fast".to_owned()] } else { Vec::new() }
    }

    fn tools(&self) -> Vec<Tool> {
        vec![Tool {
            name: "look".into(),
            description: "looks".into(),
            input_schema: "{}".into(),
            rail: Rail::Low,
            read_only: true,
            digest: "sha256:0".into(),
        }]
    }

    fn chat(&self, request: Request) -> Result<Response, model::Error> {
        self.seen.borrow_mut().push(request.events.clone());
        let mut answers = self.answers.borrow_mut();
        // The last one again and again.
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    }

    fn call(&self, _: &str, _: &str) -> Result<Reply, tools::Error> {
        let mut replies = self.replies.borrow_mut();
        if replies.len() > 1 { replies.remove(0) } else { replies[0].clone() }
    }

    fn cancelled(&self) -> bool {
        false
    }

    fn progress(&self, _: u32, _: u32, _: &str) {}
}

#[expect(clippy::unnecessary_wraps, reason = "lists mix it with failures")]
fn says(text: &str, finish: Finish) -> Result<Response, model::Error> {
    let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(text.to_owned())] };
    let usage = Usage { input_tokens: 1, output_tokens: 2 };
    Ok(Response { parts, tool_uses: Vec::new(), finish, usage })
}

fn wants(tool: &str, times: usize) -> Result<Response, model::Error> {
    let one =
        |number| ToolUse { id: format!("{number}"), name: tool.into(), arguments: "{}".into() };
    let response = says("let me look", Finish::ToolUse)?;
    Ok(Response { tool_uses: (0..times).map(one).collect(), ..response })
}

#[expect(clippy::unnecessary_wraps, reason = "lists mix it with failures")]
fn found(text: &str) -> Result<Reply, tools::Error> {
    let content = vec![Part::Text(text.to_owned())];
    Ok(Reply { content, structured: None, is_error: false, untrusted: true })
}

/// Returns what came of it, and what the model saw last.
fn check(
    input: &str,
    model: bool,
    answers: Vec<Result<Response, model::Error>>,
    replies: Vec<Result<Reply, tools::Error>>,
) -> (Result<Outcome, Failure>, String) {
    let seen = RefCell::default();
    let fake = Fake { model, answers: answers.into(), replies: replies.into(), seen };
    let budget = Budget {
        wall_ms: 1,
        model_calls: 1,
        tool_calls: 1,
        output_tokens: 1,
        children: 0,
        depth: 0,
    };
    let task =
        Task { id: "1".into(), goal: "find it".into(), input: input.into(), schema: None, budget };
    let done = work(&fake, &task);
    let last = fake.seen.borrow().last().map(|events| format!("{events:?}"));
    (done, last.unwrap_or_default())
}

fn stopped(done: &Result<Outcome, Failure>) -> (String, Stop) {
    let outcome = done.as_ref().unwrap();
    let value: Value = serde_json::from_str(outcome.structured.as_ref().unwrap()).unwrap();
    (value["stopped"].as_str().unwrap().to_owned(), outcome.stop)
}

#[test]
fn the_model_gets_what_its_tools_answered_and_then_answers() {
    let answers = vec![wants("look", 1), says("it is here", Finish::Stop)];
    let (done, last) = check("null", true, answers, vec![found("here")]);
    assert_eq!(stopped(&done), ("complete".to_owned(), Stop::Complete));
    assert!(last.contains("(holds text from the network)\\nhere"), "{last}");
    let outcome = done.unwrap();
    assert_eq!(texts(&outcome.parts), "it is here");
    let transcript = String::from_utf8(outcome.artifacts[0].data.clone()).unwrap();
    assert_eq!(transcript.lines().count(), 6, "{transcript}");
}

#[test]
fn every_way_out_has_its_name() {
    let look = || vec![found("x")];
    for (answers, name, stop) in [
        (vec![wants("look", 1)], "steps", Stop::Partial),
        (vec![says("half", Finish::Length)], "length", Stop::Partial),
        (vec![says("", Finish::Filtered)], "filtered", Stop::GaveUp),
        (vec![says(" ", Finish::Stop)], "complete", Stop::GaveUp),
        (vec![wants("look", 1), Err(model::Error::Budget)], "budget", Stop::Partial),
        (vec![Err(model::Error::Timeout)], "timeout", Stop::GaveUp),
    ] {
        let (done, _) = check("{\"steps\":3}", true, answers, look());
        assert_eq!(stopped(&done), (name.to_owned(), stop));
    }
    let (done, _) = check("null", true, vec![wants("look", 2)], vec![Err(tools::Error::Budget)]);
    assert_eq!(stopped(&done).0, "budget");
}

#[test]
fn a_failing_model_is_a_failure_and_a_failing_tool_is_told_to_the_model() {
    let provider = model::Error::Provider("it failed (500)".into());
    let (done, _) = check("null", true, vec![Err(provider)], vec![found("x")]);
    assert!(matches!(done, Err(Failure::Model(why)) if why.contains("500")));
    let denied = tools::Error::Denied("the agent was not granted `tool:look`".into());
    let answers = vec![wants("look", 1), says("I may not", Finish::Stop)];
    let (done, last) = check("null", true, answers, vec![Err(denied)]);
    assert_eq!(stopped(&done).0, "complete");
    assert!(last.contains("denied: the agent was not granted"), "{last}");
}

#[test]
fn a_tool_that_was_not_offered_is_not_called_and_neither_are_too_many() {
    let answers = || vec![wants("shell", 1), says("no", Finish::Stop)];
    let (_, last) = check("null", true, answers(), vec![]);
    assert!(last.contains("there is no tool `shell`"), "{last}");
    let answers = vec![wants("look", CALLS_AT_ONCE + 1), says("no", Finish::Stop)];
    let (_, last) = check("null", true, answers, vec![found("x")]);
    assert!(last.contains("too many tools at once"), "{last}");
}

#[test]
fn without_a_model_it_does_what_is_listed_or_says_what_is_missing() {
    let calls = r#"{"calls":[{"tool":"look","arguments":{"x":1}},{"tool":"look"}]}"#;
    let replies = vec![found("one"), Err(tools::Error::NotFound)];
    let (done, _) = check(calls, false, vec![], replies);
    let outcome = done.unwrap();
    assert!(
        texts(&outcome.parts).contains("one") && texts(&outcome.parts).contains("no such tool")
    );
    let (done, _) = check("null", false, vec![], vec![]);
    assert!(matches!(done, Err(Failure::Denied(why)) if why.contains("model:fast")));
    let (done, _) = check("{\"calls\":7}", false, vec![], vec![]);
    assert!(matches!(done, Err(Failure::InvalidTask(_))));
}

#[test]
fn a_long_answer_of_a_tool_is_cut_and_says_so() {
    let answers = vec![wants("look", 1), says("long", Finish::Stop)];
    let long = "ü".repeat(REPLY_BYTES);
    let (_, last) = check("null", true, answers, vec![found(&long)]);
    assert!(last.contains("more bytes)") && last.len() < 2 * REPLY_BYTES, "{}", last.len());
}
