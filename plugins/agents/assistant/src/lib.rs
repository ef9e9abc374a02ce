//! Works on a task with a model and the tools it was granted. The loop is in [`turns`]; here is what
//! it speaks to.

#![deny(unsafe_code)]

mod turns;

use ringfence_sdk::agent::model::Chat;
use ringfence_sdk::agent::{Failure, Outcome, Task, control, model, tools};

ringfence_sdk::agent!(Assistant);

/// The component.
struct Assistant;

/// The host.
struct Host;

impl turns::World for Host {
    fn models(&self) -> Vec<String> {
        model::names()
    }

    fn tools(&self) -> Vec<tools::Tool> {
        tools::list()
    }

    fn chat(&self, request: model::Request) -> Result<model::Response, model::Error> {
        Chat::from(request).ask()
    }

    fn call(&self, name: &str, arguments: &str) -> Result<tools::Reply, tools::Error> {
        tools::call(name, arguments)
    }

    fn cancelled(&self) -> bool {
        control::is_cancelled()
    }

    fn progress(&self, done: u32, most: u32, note: &str) {
        control::progress(f64::from(done), Some(f64::from(most)), note);
    }
}

impl Guest for Assistant {
    fn run(task: Task) -> Result<Outcome, Failure> {
        turns::work(&Host, &task)
    }
}
