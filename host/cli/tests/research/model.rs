//! A report that a language model writes: its sentences are kept where what they cite carries them.

use serde_json::{Value, json};

use super::common::{Place, plugin_of};
use super::server::{Server, answer};

const QUESTION: &str = "How is the seepage of a dam measured?";
const TRUE: &str =
    "The water that seeps through a dam is measured at a weir below the toe of the dam.";

struct Written {
    place: Place,
    server: Server,
}

impl Written {
    fn new() -> Self {
        let written = Self { place: Place::new(), server: Server::start() };
        let (config, notes) = (written.place.path("config/ringfence"), written.place.path("notes"));
        std::fs::create_dir_all(&config).unwrap();
        std::fs::create_dir_all(&notes).unwrap();
        let url = written.server.url("/v1");
        let models = format!(
            "[model.small]\nbase-url = {url:?}\nmodel = \"it\"\nkey = \"env:TEST_TOKEN\"\nretries = 0\n"
        );
        std::fs::write(config.join("models.toml"), models).unwrap();
        std::fs::write(notes.join("a.md"), TRUE).unwrap();
        written
    }

    /// Runs a research in which the model answers this.
    fn run(&self, said: &str, granted: &[&str]) -> (i32, Value) {
        let message = json!({ "message": { "content": said }, "finish_reason": "stop" });
        let usage = json!({ "prompt_tokens": 7, "completion_tokens": 3 });
        let body = json!({ "choices": [message], "usage": usage });
        self.server.route("/v1/chat/completions", answer(200, &body.to_string()));
        let notes = self.place.path("notes");
        let step = "synthesise=plugins/steps/compose";
        let args =
            ["research", QUESTION, "--json", "--from", notes.to_str().unwrap(), "--step", step];
        let (code, out, err) = self.place.run(&[&args[..], granted].concat());
        (code, serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}")))
    }
}

#[test]
fn what_a_model_writes_is_kept_where_its_citations_carry_it_and_nowhere_else() {
    let written = Written::new();
    let digest = written.place.digest("plugins/steps/compose");
    let granted =
        ["--grant", "synthesise=model:small", "-p", "net-read-only", "--trust-digest", &digest];
    let right = "The seepage of a dam is measured at a weir below the toe [1].";
    let made_up = [
        "Dams are measured by satellites made of green cheese every summer [1].",
        "The seepage of a dam is measured at 47 weirs below the toe [1].",
        "The seepage of a dam is not measured at a weir below the toe [1].",
        "The seepage of a dam is measured at a weir [9].",
        "The seepage of a dam is measured at a weir.",
    ];
    let said = [&[right], &made_up[..]].concat().join("\n");
    let (code, report) = written.run(&said, &granted);
    assert_eq!(code, 0, "{report}");
    let sentences: Vec<_> =
        report["statements"].as_array().unwrap().iter().map(|one| &one["text"]).collect();
    assert_eq!(sentences, [&right.replace(" [1]", "")], "{report}");
    let notes: Vec<_> = report["notes"].as_array().unwrap().iter().collect();
    let left_out = notes.iter().filter(|note| note.as_str().unwrap().contains("was left out"));
    assert_eq!(left_out.count(), made_up.len(), "{notes:?}");
    assert_eq!(plugin_of(&report, "synthesise"), "research-compose@0.1.0");
    let asked = written.server.asked();
    assert_eq!(asked.len(), 1, "the model was asked once");
    // Nothing of it is left that the checker of the program would not pass.
    let path = written.place.path("report.json");
    std::fs::write(&path, report.to_string()).unwrap();
    let (code, out, err) = written.place.run(&["research", "check", path.to_str().unwrap()]);
    assert_eq!(code, 0, "{out}{err}");
    // The twin: the same check finds the sentences that were left out.
    let mut twin = report.clone();
    twin["statements"][0]["text"] = made_up[0].replace(" [1]", "").into();
    std::fs::write(&path, twin.to_string()).unwrap();
    let (code, out, err) = written.place.run(&["research", "check", path.to_str().unwrap()]);
    assert!(code == 1 && out.contains("sentence 1"), "{out}{err}");
    // With nothing left there is no report.
    let (code, error) = written.run(&made_up.join("\n"), &granted);
    assert!(code == 1 && error["error"]["code"] == "research::unsupported", "{error}");
}

#[test]
fn a_model_that_was_not_granted_to_the_step_is_not_asked() {
    let written = Written::new();
    let digest = written.place.digest("plugins/steps/compose");
    let all =
        ["--grant", "synthesise=model:small", "-p", "net-read-only", "--trust-digest", &digest];
    for (granted, says) in
        [(&all[..0], "model"), (&all[..2], "model:small"), (&all[..4], "model:small")]
    {
        let (code, error) = written.run("The seepage of a dam is measured at a weir [1].", granted);
        assert!(code == 3 && error.to_string().contains(says), "{granted:?}: {code} {error}");
    }
    assert!(written.server.asked().is_empty());
}
