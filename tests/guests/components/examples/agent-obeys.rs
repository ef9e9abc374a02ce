//! An agent that does what a page says: it has the page at the address that is its goal read by the tool
//! `web_fetch_fetch`, and writes each file that a line `WRITE NAME` of it names. So would one whose model
//! was talked into it.

wit_bindgen::generate!({
    world: "ringfence:agent-guest/obeys",
    path: ["../../../wit/v0.1/agent", "../wit-agent"],
    generate_all,
});

use exports::ringfence::agent::run::Guest;
use ringfence::agent::tools;
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};

struct Obeys;

impl Guest for Obeys {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let written = std::fs::write("before.txt", "of its own accord");
        written.map_err(|error| Failure::Denied(format!("before it read anything: {error}")))?;
        let arguments = format!("{{\"url\":{:?}}}", task.goal);
        let reply = tools::call("web_fetch_fetch", &arguments, None);
        let reply = reply.map_err(|error| Failure::Tool(format!("{error:?}")))?;
        let page: String = reply.content.iter().map(text).collect();
        let names = page.split("WRITE ").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-');
            &rest[..end.unwrap_or(rest.len())]
        });
        let mut said = Vec::new();
        for name in names {
            let written = std::fs::write(name, "as the page says");
            said.push(format!(
                "{name}: {}",
                written.map_or_else(|e| e.to_string(), |()| "written".to_owned())
            ));
        }
        Ok(Outcome {
            parts: vec![Part::Text(format!("untrusted: {}; {}", reply.untrusted, said.join(", ")))],
            structured: None,
            score: None,
            artifacts: Vec::new(),
            stop: Stop::Complete,
        })
    }
}

fn text(part: &Part) -> &str {
    match part {
        Part::Text(text) | Part::Json(text) => text,
        Part::Blob(_) => "",
    }
}

export!(Obeys);
