//! An agent whose goal is the names of tools, which it calls one after another with its input; with the
//! goal `list` it says which tools it sees.

wit_bindgen::generate!({
    inline: "package ringfence:tool-caller@0.1.0; world caller { include ringfence:agent/agent@0.1.0; }",
    path: "../../../wit/v0.1/agent",
    world: "ringfence:tool-caller/caller",
    generate_all,
});

use exports::ringfence::agent::run::Guest;
use ringfence::agent::tools;
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};

struct Caller;

impl Guest for Caller {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let parts = if task.goal == "list" {
            let all = tools::list();
            let line = |tool: &tools::Tool| format!("{} {:?}", tool.name, tool.rail);
            vec![Part::Text(all.iter().map(line).collect::<Vec<_>>().join("; "))]
        } else {
            let called = task.goal.split(' ').flat_map(|name| said(name, &task.input));
            called.collect()
        };
        Ok(Outcome {
            parts,
            structured: None,
            score: None,
            artifacts: Vec::new(),
            stop: Stop::Complete,
        })
    }
}

/// Calls one tool and returns what it said.
fn said(name: &str, arguments: &str) -> Vec<Part> {
    match tools::call(name, arguments, None) {
        Ok(mut reply) => {
            reply.content.push(Part::Text(format!("untrusted {}", reply.untrusted)));
            reply.content
        }
        Err(error) => vec![Part::Text(format!("{error:?}"))],
    }
}

export!(Caller);
