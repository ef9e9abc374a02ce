//! How good answers and clusters are, against labels.

use serde_json::Value;

use super::common::{Place, corpus};

#[test]
fn an_evaluation_tells_what_was_cited_and_what_was_missed() {
    let place = Place::new();
    let questions = place.path("questions.jsonl");
    let line = |question: &str, expected: &str| {
        serde_json::json!({ "question": question, "expected": [expected] }).to_string() + "\n"
    };
    let lines = line("Which gates does a lock have?", "https://locks.example.org/locks")
        + &line("Which gates does a lock have?", "https://nowhere.example/");
    std::fs::write(&questions, lines).unwrap();
    let from = corpus();
    let args = ["research", "evaluate", questions.to_str().unwrap(), "--json", "--from"];
    let (code, out, err) = place.run(&[&args[..], &[from.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{out}{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["recall"], 0.5);
    let missed = &found["questions"][1]["measured"];
    assert_eq!(missed["missing"], serde_json::json!(["https://nowhere.example/"]));
    assert_eq!((&missed["precision"], &missed["recall"]), (&0.0.into(), &0.0.into()));
    assert_eq!(found["failed"], 0);
    // One without an answer loses none of the others.
    let lines = line("Which gates does a lock have?", "https://locks.example.org/locks")
        + &line("Quetzalcoatlus zugunruhe?", "https://nowhere.example/");
    std::fs::write(&questions, lines).unwrap();
    let (code, out, err) = place.run(&[&args[..], &[from.to_str().unwrap()]].concat());
    assert_eq!(code, 1, "{out}{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["failed"], &found["recall"]), (&1.into(), &1.0.into()));
    assert_eq!(found["questions"][1]["error"]["code"], "research::nothing-said");
    std::fs::write(&questions, "{\"question\":\"x\"}").unwrap();
    let (code, out, err) = place.run(&[&args[..], &[from.to_str().unwrap()]].concat());
    assert!(
        code == 2
            && (out.clone() + &err).contains("line 1 of")
            && out.contains("missing field `expected`"),
        "{err}"
    );
}

#[test]
fn copies_that_are_known_are_counted_as_found_or_not() {
    let place = Place::new();
    let texts = place.path("texts.jsonl");
    let read = |name: &str| std::fs::read_to_string(corpus().join(name)).unwrap();
    let line = |id: &str, group: &str, name: &str| {
        serde_json::json!({ "id": id, "group": group, "text": read(name) }).to_string() + "\n"
    };
    let lines = line("a", "inspection", "inspection.md")
        + &line("b", "inspection", "inspection-reprint.md")
        + &line("c", "", "reservoirs.md")
        + &line("d", "inspection", "hydropower.md");
    std::fs::write(&texts, lines).unwrap();
    let args = ["research", "evaluate-duplicates", texts.to_str().unwrap(), "--json"];
    let (code, out, err) = place.run(&args);
    assert_eq!(code, 0, "{out}{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    // One of the three pairs that are labelled is one, the others are labelled wrongly.
    assert_eq!((&found["texts"], &found["clusters"]), (&4.into(), &3.into()));
    assert_eq!(found["pairs"]["precision"], 1.0);
    assert_eq!(found["pairs"]["recall"], 1.0 / 3.0);
    assert_eq!(found["false-merges"], 0.0);
}
