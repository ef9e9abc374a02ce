//! Runs that go on where an earlier one stopped.

use super::*;

/// Returns a plan of two tasks, of which the second fails.
fn plan(summarizer: &str, label: &str) -> String {
    format!(
        "agents = [{summarizer:?}, {:?}]\n\n[[task]]\nlabel = {label:?}\nagent = \"summarizer\"\n\
         goal = \"summarise dams.md\"\n\n[[task]]\nlabel = \"b\"\nagent = \"code-reviewer\"\n\
         goal = \"review gone\"\n",
        agent("code-reviewer")
    )
}

#[test]
fn what_an_earlier_run_finished_is_not_done_again() {
    let place = Place::new();
    place.write("plan.toml", &plan(&agent("summarizer"), "a"));
    let (code, first) = place.events(&["agents", "run", "plan.toml"]);
    let result = first.last().unwrap();
    assert_eq!((code, &result["each"][1]["ok"]), (0, &Value::from(false)), "{result}");
    std::fs::create_dir(place.0.path().join("ws/gone")).unwrap();
    let transcript = result["transcript"].as_str().unwrap();
    let (code, second) = place.events(&["agents", "run", "plan.toml", "--resume", transcript]);
    let started: Vec<_> = second.iter().filter(|one| one["event"] == "queued").collect();
    assert_eq!((code, started.len()), (0, 1), "{second:?}");
    assert_eq!(started[0]["label"], "b");
    assert_eq!(second.last().unwrap()["each"][0], result["each"][0]);
}

/// Lays out the summarizer, with this line in its manifest, so that it is another plugin.
fn summarizer(place: &Place, line: &str) -> String {
    let dir = place.0.path().join("summarizer");
    std::fs::create_dir_all(&dir).unwrap();
    let from = repository().join("plugins/agents/summarizer");
    std::fs::copy(from.join("summarizer.wasm"), dir.join("summarizer.wasm")).unwrap();
    let manifest = std::fs::read_to_string(from.join("plugin.toml")).unwrap();
    std::fs::write(dir.join("plugin.toml"), format!("{manifest}{line}")).unwrap();
    dir.to_string_lossy().into_owned()
}

#[test]
fn what_another_plugin_of_the_same_name_did_is_not_taken_for_done() {
    let place = Place::new();
    let path = summarizer(&place, "");
    place.write("plan.toml", &plan(&path, "a"));
    let (_, first) = place.events(&["agents", "run", "plan.toml"]);
    let transcript = first.last().unwrap()["transcript"].as_str().unwrap();
    let again = ["agents", "run", "plan.toml", "--resume", transcript];
    summarizer(&place, "# changed\n");
    let (code, _, err) = place.run(&again);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("`summarizer` is not what it was") && err.contains("sha256:"), "{err}");
    assert!(err.contains("leave `--resume` out"), "{err}");
    // As it was, its work is taken: the refusal is about the change.
    summarizer(&place, "");
    let (code, events) = place.events(&again);
    let started = events.iter().filter(|one| one["event"] == "queued").count();
    assert_eq!((code, started), (0, 1), "{events:?}");
}

#[test]
fn a_run_that_was_taken_up_can_be_taken_up_again() {
    let place = Place::new();
    place.write("plan.toml", &plan(&agent("summarizer"), "a"));
    let mut transcript = None::<String>;
    for started in [2, 1, 1] {
        let mut words = vec!["agents", "run", "plan.toml"];
        words.extend(transcript.as_deref().map(|path| ["--resume", path]).into_iter().flatten());
        let (_, events) = place.events(&words);
        assert_eq!(events.iter().filter(|one| one["event"] == "queued").count(), started);
        let path = events.last().unwrap()["transcript"].as_str().unwrap().to_owned();
        transcript = Some(path);
    }
}

#[test]
fn a_task_called_as_the_reducer_is_keeps_its_own_outcome() {
    let place = Place::new();
    let merge = "\n[merge]\nstrategy = \"reduce\"\nreducer = \"summarizer\"\n";
    place.write("plan.toml", &format!("{}{merge}", plan(&agent("summarizer"), "reduce")));
    let (_, first) = place.events(&["agents", "run", "plan.toml"]);
    let result = first.last().unwrap();
    let own = &result["each"][0];
    assert_eq!((&own["label"], &own["ok"]), (&Value::from("reduce"), &Value::from(true)));
    assert_ne!(result["outcome"], own["outcome"], "the reducer says something else");
    let transcript = result["transcript"].as_str().unwrap();
    let (_, second) = place.events(&["agents", "run", "plan.toml", "--resume", transcript]);
    assert_eq!(&second.last().unwrap()["each"][0], own);
}

#[test]
fn what_is_no_transcript_is_refused() {
    let place = Place::new();
    place.write("plan.toml", &plan(&agent("summarizer"), "a"));
    for text in ["", "x", "{\"event\":\"queued\"}\n"] {
        place.write("run.jsonl", text);
        let (code, _, err) = place.run(&["agents", "run", "plan.toml", "--resume", "run.jsonl"]);
        assert!(code == 2 && err.contains("is no transcript of a run"), "{text}: {err}");
    }
}
