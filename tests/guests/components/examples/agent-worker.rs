//! An agent that does one thing, named by the first word of its goal:
//!
//! - `tool NAME`: calls the tool NAME once with its input and returns what that said;
//! - `wait`: waits for a message until its time is over or it is to end;
//! - `ping COUNT`: starts a child that echoes, and sends it COUNT messages, one after the answer to
//!   the other;
//! - `echo`: sends every message back to its parent, until one is about `end`;
//! - `idle`: takes no message, until it is to end;
//! - `fill COUNT`: starts an idle child, sends it COUNT messages and returns how
//!   many were taken and what the first one that was not was told.

wit_bindgen::generate!({
    world: "ringfence:agent-guest/worker",
    path: ["../../../wit/v0.1/agent", "../wit-agent"],
    generate_all,
});

use exports::ringfence::agent::run::Guest;
use ringfence::agent::agents::{Child, Spec, spawn};
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};
use ringfence::agent::{control, mailbox, tools};

struct Worker;

impl Guest for Worker {
    fn run(task: Task) -> Result<Outcome, Failure> {
        let (word, rest) = task.goal.split_once(' ').unwrap_or((&task.goal, ""));
        let said = match word {
            "tool" => tool(rest, &task.input),
            "wait" => wait(),
            "ping" => count(rest).and_then(ping),
            "echo" => echo(),
            "idle" => idle(),
            "fill" => count(rest).and_then(fill),
            _ => Err(Failure::InvalidTask(format!("there is no `{word}`"))),
        }?;
        Ok(Outcome {
            parts: vec![Part::Text(said)],
            structured: None,
            score: None,
            artifacts: Vec::new(),
            stop: Stop::Complete,
        })
    }
}

fn count(text: &str) -> Result<u32, Failure> {
    text.parse().map_err(|_| Failure::InvalidTask(format!("`{text}` is no number")))
}

fn tool(name: &str, input: &str) -> Result<String, Failure> {
    let reply = tools::call(name, input, None);
    let reply = reply.map_err(|error| Failure::Tool(format!("{error:?}")))?;
    Ok(reply.content.iter().map(text).collect())
}

fn wait() -> Result<String, Failure> {
    let message = mailbox::receive(None, control::remaining_ms());
    Ok(format!("{:?}", message.map(|message| message.is_some())))
}

fn child(goal: &str) -> Result<Child, Failure> {
    let spec = Spec {
        agent: "agent-worker".to_owned(),
        label: goal.to_owned(),
        goal: goal.to_owned(),
        input: "null".to_owned(),
        budget: None,
    };
    spawn(&spec).map_err(|error| Failure::Other(format!("{error:?}")))
}

fn ping(count: u32) -> Result<String, Failure> {
    let other = child("echo")?;
    let other_id = other.id();
    let failed = |error: mailbox::Error| Failure::Other(format!("{error:?}"));
    for number in 0..count {
        let sent = [Part::Text(number.to_string())];
        mailbox::send(&other_id, "ping", None, &sent).map_err(failed)?;
        let back = mailbox::receive(None, control::remaining_ms()).map_err(failed)?;
        let back = back.ok_or(Failure::Timeout)?;
        if back.parts.iter().map(text).collect::<String>() != number.to_string() {
            return Err(Failure::Other(format!("the answer to {number} was another")));
        }
    }
    mailbox::send(&other_id, "end", None, &[]).map_err(failed)?;
    match other.join(control::remaining_ms()) {
        Some(Ok(outcome)) => Ok(outcome.parts.iter().map(text).collect()),
        Some(Err(failure)) => Err(failure),
        None => Err(Failure::Timeout),
    }
}

fn echo() -> Result<String, Failure> {
    let mut echoed = 0_u32;
    loop {
        let message = mailbox::receive(None, control::remaining_ms());
        let message = message.map_err(|error| Failure::Other(format!("{error:?}")))?;
        let message = message.ok_or(Failure::Timeout)?;
        if message.topic == "end" {
            return Ok(format!("{echoed} echoed"));
        }
        let answer = mailbox::send("parent", "pong", Some(&message.id), &message.parts);
        answer.map_err(|error| Failure::Other(format!("{error:?}")))?;
        echoed += 1;
    }
}

fn idle() -> Result<String, Failure> {
    while !control::cancelled() && control::remaining_ms() > 0 {
        let _ = mailbox::receive(Some("never"), 20);
    }
    Ok("ended".to_owned())
}

fn fill(count: u32) -> Result<String, Failure> {
    let other = child("idle")?;
    let other_id = other.id();
    for number in 0..count {
        let sent = [Part::Text(number.to_string())];
        if let Err(error) = mailbox::send(&other_id, "fill", None, &sent) {
            return Ok(format!("{number} taken, then {error:?}"));
        }
    }
    Ok(format!("{count} taken"))
}

fn text(part: &Part) -> &str {
    match part {
        Part::Text(text) | Part::Json(text) => text,
        Part::Blob(_) => "",
    }
}

export!(Worker);
