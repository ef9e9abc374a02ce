//! A step of a research run that writes what it was given into the directory it was granted, and ranks every
//! document the same.

wit_bindgen::generate!({
    inline: "package ringfence:step-writer@0.1.0; world writer { include ringfence:research/rank-step@0.1.0; }",
    path: ["../../../wit/v0.1/plugin", "../../../wit/v0.1/research"],
    world: "ringfence:step-writer/writer",
    generate_all,
});

use exports::ringfence::research::rank::{Guest, Ranked, Task};
use ringfence::plugin::types::Error;

struct Writer;

impl Guest for Writer {
    fn rank(task: Task) -> Result<Vec<Ranked>, Error> {
        let texts: Vec<_> = task.documents.iter().map(|document| document.text.as_str()).collect();
        // Whether it succeeds is for the test to see.
        let _ = std::fs::write("taken.txt", texts.join("\n"));
        let ranked = |id| Ranked { id, score: 1.0 };
        Ok(task.documents.into_iter().map(|document| ranked(document.id)).collect())
    }
}

export!(Writer);
