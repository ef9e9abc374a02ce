//! Whole processes that run `/bin/true`: directly, by `ringfence exec`, by another sandbox.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::options::Peer;
use crate::turns::Case;

/// The program that every sandbox runs.
pub(crate) const TRUE: &str = "/bin/true";

/// Returns the direct start.
pub(crate) fn plain() -> Case {
    Case::new("`/bin/true`", || time(&mut Command::new(TRUE)))
}

/// Returns the start by another sandbox.
pub(crate) fn peer(peer: &Peer) -> Case {
    let words = peer.command.clone();
    Case::new(&peer.name, move || {
        let mut command = Command::new(&words[0]);
        time(command.args(&words[1..]))
    })
}

/// Returns the starts by `ringfence exec` with direct and with staged writes, each approved for always.
pub(crate) fn exec(ringfence: &Path, scratch: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let workspace = scratch.join("exec");
    let state = scratch.join("state");
    fs::create_dir(&workspace)?;
    let command = move |ringfence: &Path, words: &[&str]| {
        let mut command = Command::new(ringfence);
        command.args(words).current_dir(&workspace).env("RINGFENCE_STATE_DIR", &state);
        command
    };
    let mut cases = Vec::new();
    for write in ["direct", "staged"] {
        let words = ["exec", "--approver", "none", "--write", write, "--", TRUE];
        let refused = command(ringfence, &words).stdin(Stdio::null()).output()?;
        if !refused.status.success() {
            let said = String::from_utf8_lossy(&refused.stderr).into_owned();
            let id = said.split("request `").nth(1).and_then(|rest| rest.split('`').next());
            let id = id.ok_or_else(|| format!("nothing to approve in: {said}"))?;
            time(&mut command(ringfence, &["approvals", "approve", id, "--always"]))?;
        }
        let (command, ringfence) = (command.clone(), ringfence.to_owned());
        let name = format!("`ringfence exec --write={write}`");
        cases.push(Case::new(&name, move || time(&mut command(&ringfence, &words))));
    }
    Ok(cases)
}

fn time(command: &mut Command) -> Result<Duration, Box<dyn Error>> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let took = start.elapsed();
    if status.success() {
        return Ok(took);
    }
    let said = command.stderr(Stdio::piped()).output()?.stderr;
    Err(format!("{status}: {}", String::from_utf8_lossy(&said)).into())
}
