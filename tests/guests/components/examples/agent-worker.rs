//! An agent that does one thing, named by the first word of its goal:
//!
//! - `tool NAME`: calls the tool NAME once with its input and returns what that said;
//! - `wait`: waits for a message until its time is over or it is to end;
//! - `ping COUNT`: starts a child that echoes, and sends it COUNT messages, one after the answer to
//!   the other;
//! - `echo`: sends every message back to its parent, until one is about `end`;
//! - `idle`: takes no message, until it is to end;
//! - `fill COUNT`: starts an idle child, sends it COUNT messages and returns how
//!   many were taken and what the first one that was not was told;
//! - `parts COUNT`: starts an idle child, sends it one message of COUNT empty parts and returns what
//!   that was told;
//! - `ask COUNT [MS]`: asks a person COUNT times, for 20 ms or so long each, and returns what was said;
//! - `asked GOAL`: asks a person without a hurry, then does GOAL whatever was said;
//! - `crash COUNT`: starts a child that crashes COUNT times before it succeeds, and returns its end;
//! - `fragile`: crashes when the next message is about `crash`, and succeeds otherwise;
//! - `deaf`: goes on without a look at whether it is to end;
//! - `fork DEPTH`: starts two children that do the same one level less deep, until it may not, and
//!   returns how many were started below it;
//! - `greedy TOOL`: starts three children that call TOOL until they may not, does so itself, and
//!   returns how many calls there were.

wit_bindgen::generate!({
    world: "ringfence:agent-guest/worker",
    path: ["../../../wit/v0.1/agent", "../wit-agent"],
    generate_all,
});

use exports::ringfence::agent::run::Guest;
use ringfence::agent::agents::{Child, Spec, spawn};
use ringfence::agent::types::{Failure, Outcome, Part, Stop, Task};
use ringfence::agent::{approval, control, mailbox, tools};

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
            "parts" => count(rest).and_then(parts),
            "ask" => {
                let (times, patience) = rest.split_once(' ').unwrap_or((rest, "20"));
                count(times).and_then(|times| Ok(ask(times, count(patience)?)))
            }
            "asked" => {
                approval::ask("go on", "{}", control::remaining_ms());
                return Self::run(Task { goal: rest.to_owned(), ..task });
            }
            "crash" => count(rest).and_then(crash),
            "fragile" => fragile(),
            "deaf" => deaf(),
            "fork" => count(rest).map(fork),
            "greedy" => greedy(rest, &task.input),
            "calls" => Ok(calls(rest, &task.input).to_string()),
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

fn parts(count: u32) -> Result<String, Failure> {
    let other = child("idle")?;
    let many = vec![Part::Text(String::new()); count as usize];
    let sent = mailbox::send(&other.id(), "parts", None, &many);
    Ok(format!("{:?}", sent.map(|_| "sent")))
}

fn ask(count: u32, millis: u32) -> String {
    let said = (0..count).map(|number| {
        let action = format!("question {number}\nAgent 9 asks: a line of its own\u{1b}[2J");
        format!("{:?}", approval::ask(&action, "{\n}", millis.into()))
    });
    said.collect::<Vec<_>>().join(" ")
}

fn crash(count: u32) -> Result<String, Failure> {
    let other = child("fragile")?;
    let other_id = other.id();
    let failed = |error: mailbox::Error| Failure::Other(format!("{error:?}"));
    for topic in std::iter::repeat_n("crash", count as usize).chain(["succeed"]) {
        mailbox::send(&other_id, topic, None, &[]).map_err(failed)?;
    }
    match other.join(control::remaining_ms()) {
        Some(Ok(outcome)) => Ok(outcome.parts.iter().map(text).collect()),
        Some(Err(failure)) => Err(Failure::Other(format!("{failure:?}"))),
        None => Err(Failure::Timeout),
    }
}

#[allow(clippy::panic, reason = "it is what this guest is for")]
fn fragile() -> Result<String, Failure> {
    let message = mailbox::receive(None, control::remaining_ms());
    let message = message.map_err(|error| Failure::Other(format!("{error:?}")))?;
    match message {
        Some(message) if message.topic == "crash" => panic!("as it was told"),
        Some(_) => Ok("whole in the end".to_owned()),
        None => Err(Failure::Timeout),
    }
}

fn deaf() -> Result<String, Failure> {
    control::progress(0.0, None, "deaf");
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn fork(depth: u32) -> String {
    let mut below = 0;
    if depth > 0 {
        let goal = format!("fork {}", depth - 1);
        let children: Vec<_> = (0..2).filter_map(|_| child(&goal).ok()).collect();
        for one in children {
            below += 1;
            if let Some(Ok(outcome)) = one.join(control::remaining_ms()) {
                let said: String = outcome.parts.iter().map(text).collect();
                below += said.parse::<u32>().unwrap_or(0);
            }
        }
    }
    below.to_string()
}

/// Calls a tool until it may not, and returns how often it could.
fn calls(name: &str, input: &str) -> u32 {
    let mut done = 0;
    while done < 10_000 && tools::call(name, input, None).is_ok() {
        done += 1;
    }
    done
}

fn greedy(tool: &str, input: &str) -> Result<String, Failure> {
    let goal = format!("calls {tool}");
    let spec = |_| Spec {
        agent: "agent-worker".to_owned(),
        label: goal.clone(),
        goal: goal.clone(),
        input: input.to_owned(),
        budget: None,
    };
    let children: Vec<_> = (0..3).map(spec).filter_map(|spec| spawn(&spec).ok()).collect();
    let mut all = calls(tool, input);
    for one in children {
        if let Some(Ok(outcome)) = one.join(control::remaining_ms()) {
            let said: String = outcome.parts.iter().map(text).collect();
            all += said.parse::<u32>().unwrap_or(0);
        }
    }
    Ok(all.to_string())
}

fn text(part: &Part) -> &str {
    match part {
        Part::Text(text) | Part::Json(text) => text,
        Part::Blob(_) => "",
    }
}

export!(Worker);
