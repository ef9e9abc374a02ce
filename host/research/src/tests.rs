//! The order of the steps and what a run does with answers that cannot be used.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::gather::{key, sha256};
use crate::{Options, ResearchError, Silence, StepError, StepKind, StepUsed, Steps, run};

const TEXT: &str = "Dams hold water back. Rivers carry mud.";

/// Steps that answer what a case says. The real ones are tested through the command.
struct Scripted {
    answers: fn(StepKind, &str, &Value) -> Option<Value>,
    calls: Mutex<Vec<String>>,
}

impl Scripted {
    fn new(answers: fn(StepKind, &str, &Value) -> Option<Value>) -> Self {
        Self { answers, calls: Mutex::new(Vec::new()) }
    }
}

impl Steps for Scripted {
    fn call<'a>(
        &'a self,
        step: StepKind,
        function: &'a str,
        input: Value,
    ) -> BoxFuture<'a, Result<Value, StepError>> {
        self.calls.lock().unwrap().push(format!("{step}.{function}"));
        let special = (self.answers)(step, function, &input);
        let answer = special.unwrap_or_else(|| usual(step, function));
        async move {
            match answer.get("refused") {
                Some(text) => Err(StepError::Said {
                    case: "unavailable".to_owned(),
                    text: text.as_str().unwrap_or_default().to_owned(),
                }),
                None => Ok(answer),
            }
        }
        .boxed()
    }

    fn used(&self, step: StepKind) -> StepUsed {
        let (step, plugin) = (step.name().to_owned(), "scripted@1.0.0".to_owned());
        StepUsed { step, plugin, digest: String::new(), grants: Vec::new() }
    }

    fn has(&self, step: StepKind, interface: &str) -> bool {
        (step, interface) == (StepKind::Provider, "unread")
    }

    fn kept_answer(&self, _: StepKind) {}
}

fn usual(step: StepKind, function: &str) -> Value {
    let citation = json!({ "source": "s1", "sha256": sha256(TEXT), "start": 0, "end": 21 });
    match (step, function) {
        (StepKind::Plan, _) => json!([{ "text": "dams", "reason": "the question" }]),
        (StepKind::Provider, "unread") => json!([]),
        (StepKind::Provider, "search") => json!([{ "url": "https://a.example/", "title": "Dams" }]),
        (StepKind::Provider, _) => json!({ "url": "https://a.example/", "body": "eA==" }),
        (StepKind::Extract, _) => json!({ "text": TEXT, "sha256": sha256(TEXT), "words": 7 }),
        (StepKind::Deduplicate, _) => {
            json!({ "clusters": [{ "representative": "s1", "members": [] }], "complete": true })
        }
        (StepKind::Bias, _) => json!({
            "sources": 1, "effective-domains": 1.0, "hhi": 1.0, "coverage": 0.0, "low-ratio": 0.0,
            "shares": [], "warnings": [],
        }),
        (StepKind::Rank, _) => json!([{ "id": "s1", "score": 1.0 }]),
        (StepKind::Contradict, _) => json!({ "candidates": [], "truncated": false }),
        (StepKind::Synthesise, "check") => {
            json!({ "findings": [{ "sentence": 0, "fault": "is not supported" }] })
        }
        (StepKind::Synthesise, _) => json!({
            "statements": [{ "text": "Dams hold water back.", "citations": [citation], "support": 1, "score": 2.0 }],
            "truncated": false,
        }),
    }
}

fn done(steps: &Scripted) -> Result<crate::Report, ResearchError> {
    run(steps, "dams?", &Options::default(), &Silence).now_or_never().unwrap()
}

#[test]
fn a_run_calls_each_step_once_in_order_and_its_report_resolves() {
    let steps = Scripted::new(|_, _, _| None);
    let report = done(&steps).unwrap();
    let calls = steps.calls.lock().unwrap().clone();
    let expected = [
        "plan.plan",
        "provider.unread",
        "provider.search",
        "provider.retrieve",
        "extract.extract",
        "deduplicate.deduplicate",
        "bias.assess",
        "rank.rank",
        "contradict.contradict",
        "synthesise.synthesise",
    ];
    assert_eq!(calls, expected);
    let checked = crate::resolve(&report).unwrap();
    assert_eq!((checked.statements, checked.citations, checked.verbatim), (1, 1, 1));
    assert!(checked.findings.is_empty());
    let again = serde_json::from_value(serde_json::to_value(&report).unwrap()).unwrap();
    assert_eq!(report, again);
}

#[test]
fn a_part_of_a_sentence_is_not_word_for_word_and_support_is_what_is_cited() {
    let report = done(&Scripted::new(|_, _, _| None)).unwrap();
    let after = |change: &dyn Fn(&mut crate::Report)| {
        let mut changed = report.clone();
        change(&mut changed);
        let checked = crate::resolve(&changed).unwrap();
        checked.findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(after(&|_| {}), "", "the twin: the whole sentence stands there");
    let part = |report: &mut crate::Report, whole: bool| {
        let statement = &mut report.statements[0];
        statement.text = "hold water back.".to_owned();
        if !whole {
            statement.citations[0].start += 5;
        }
    };
    for whole in [true, false] {
        let found = after(&|report| part(report, whole));
        assert!(found.contains("does not stand word for word"), "{whole}: {found}");
    }
    let found = after(&|report| report.statements[0].support = 2);
    assert!(found.contains("more independent sources than it cites"), "{found}");
    let found = after(&|report| {
        let one = report.statements[0].citations[0].clone();
        report.statements[0].citations = vec![one; 101];
    });
    assert!(found.contains("more than 100 places"), "{found}");
}

#[test]
fn a_made_up_sentence_never_reaches_a_report() {
    let made_up = |step, function: &str, _: &Value| {
        let mut answer = usual(step, function);
        if step == StepKind::Synthesise && function == "synthesise" {
            answer["statements"][0]["text"] = "Dams are made of cheese.".into();
        }
        Some(answer)
    };
    let error = done(&Scripted::new(made_up)).unwrap_err();
    let says =
        "the step `synthesise` says what its sources do not carry: sentence 1: is not supported";
    assert_eq!(error.to_string(), says);
}

#[test]
fn a_made_up_sentence_is_left_out_with_a_note_and_the_others_stay() {
    let one_of_two = |step, function: &str, _: &Value| {
        let mut answer = usual(step, function);
        if step == StepKind::Synthesise && function == "synthesise" {
            let mut made_up = answer["statements"][0].clone();
            made_up["text"] = "Dams are made of cheese.".into();
            answer["statements"].as_array_mut()?.insert(0, made_up);
        }
        Some(answer)
    };
    let report = done(&Scripted::new(one_of_two)).unwrap();
    let said: Vec<_> = report.statements.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(said, ["Dams hold water back."]);
    let note = "a sentence was left out, because its sources do not carry it: sentence 1: is not supported";
    assert_eq!(report.notes, [note]);
}

#[test]
fn a_contradiction_that_does_not_resolve_is_laid_at_the_step_that_made_it() {
    let unresolved = |step, _: &str, _: &Value| {
        let side = |start: u32, end: u32| json!({ "source": "s1", "sha256": sha256(TEXT), "start": start, "end": end });
        (step == StepKind::Contradict).then(|| json!({ "candidates": [{
            "kind": "numbers", "detail": "7 and 2", "first": side(0, 21), "first-text": "Dams hold water back.",
            "second": side(0, 999), "second-text": "Dams hold water back.",
        }], "truncated": false }))
    };
    let error = done(&Scripted::new(unresolved)).unwrap_err();
    let says = "the step `contradict` says what its sources do not carry: contradiction 1: there are no bytes 0 to 999";
    assert!(error.to_string().starts_with(says), "{error}");
}

#[test]
fn a_step_that_answers_in_another_form_ends_the_run_by_name() {
    let wrong = |step, function: &str, _: &Value| match step {
        StepKind::Deduplicate => Some(json!({ "clusters": [], "complete": true })),
        _ => Some(usual(step, function)),
    };
    let error = done(&Scripted::new(wrong)).unwrap_err();
    let says =
        "the step `deduplicate` gave an answer that cannot be used: a document is in no cluster";
    assert_eq!(error.to_string(), says);
    let wrong = |step, function: &str, _: &Value| {
        let mut answer = usual(step, function);
        if step == StepKind::Extract {
            answer["sha256"] = "0".repeat(64).into();
        }
        Some(answer)
    };
    let error = done(&Scripted::new(wrong)).unwrap_err().to_string();
    assert!(error.ends_with("its hash is not that of its text"), "{error}");
}

#[test]
fn a_document_that_cannot_be_read_is_told_and_the_others_go_on() {
    let one_is_gone = |step, function: &str, input: &Value| match (step, function) {
        (StepKind::Provider, "search") => {
            Some(json!([{ "url": "https://gone.example/" }, { "url": "https://a.example/" }]))
        }
        (StepKind::Provider, _) if input["url"] == "https://gone.example/" => {
            Some(json!({ "refused": "no answer" }))
        }
        _ => None,
    };
    let report = done(&Scripted::new(one_is_gone)).unwrap();
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].why, "unavailable: no answer");
    let down = |step, _: &str, _: &Value| {
        (step == StepKind::Provider).then(|| json!({ "refused": "down" }))
    };
    let error = done(&Scripted::new(down)).unwrap_err().to_string();
    assert_eq!(error, "the step `provider` cannot go on: unavailable: down");
}

#[test]
fn two_spellings_of_one_address_are_one_document() {
    for (a, b) in [
        ("HTTPS://A.example:443/x/?utm_source=q#top", "https://a.example/x"),
        ("http://a.example/?b=1&utm_medium=z", "http://a.example?b=1"),
        ("corpus:a.md", "corpus:a.md"),
    ] {
        assert_eq!(key(a), key(b));
    }
    for (a, b) in [
        ("https://a.example/x?b=1", "https://a.example/x?b=2"),
        ("https://a.example/X", "https://a.example/x"),
        ("corpus:x.jsonl#1", "corpus:x.jsonl#2"),
        ("http://a.example/", "https://a.example/"),
    ] {
        assert_ne!(key(a), key(b));
    }
}
