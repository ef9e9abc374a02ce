//! What the command line says.

use std::error::Error;
use std::path::PathBuf;

/// Enough for a median that moves little from run to run.
const ROUNDS: usize = 100;

const USAGE: &str = "\
native [--rounds N] [--ringfence PATH] [--peer NAME=COMMAND]...
  --rounds N           how often each case runs [100]
  --ringfence PATH     the command whose `exec` is measured
  --peer NAME=COMMAND  another sandbox that runs `/bin/true`; its words are separated by spaces";

/// What to measure.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) ringfence: Option<PathBuf>,
    pub(crate) peers: Vec<Peer>,
}

/// Another sandbox.
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

impl Options {
    pub(crate) fn read(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self { rounds: ROUNDS, ringfence: None, peers: Vec::new() };
        while let Some(flag) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match flag.as_str() {
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--ringfence" => options.ringfence = Some(std::fs::canonicalize(value)?),
                "--peer" => options.peers.push(Peer::read(&value)?),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(options)
    }
}

impl Peer {
    fn read(text: &str) -> Result<Self, Box<dyn Error>> {
        let (name, command) = text.split_once('=').ok_or(USAGE)?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if command.is_empty() {
            return Err(USAGE.into());
        }
        Ok(Self { name: name.to_owned(), command })
    }
}
