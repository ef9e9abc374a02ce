//! What the command line says.

use std::error::Error;
use std::path::PathBuf;

/// Enough for a median that moves little from run to run.
const ROUNDS: usize = 60;

const USAGE: &str = "\
whole-process [--rounds N] [--ringfence PATH] [--static PATH] [--wasmtime PATH]
  --rounds N        how often each case runs [60]
  --ringfence PATH  the command to measure [beside this program]
  --static PATH     the same command, linked statically
  --wasmtime PATH   wasmtime's own command, to compare with";

/// What to measure.
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) ringfence: PathBuf,
    pub(crate) linked_statically: Option<PathBuf>,
    pub(crate) wasmtime: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(mut args: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let beside = std::env::current_exe()?.with_file_name("ringfence");
        let mut options =
            Self { rounds: ROUNDS, ringfence: beside, linked_statically: None, wasmtime: None };
        while let Some(flag) = args.next() {
            let value = args.next().ok_or(USAGE)?;
            match flag.as_str() {
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--ringfence" => options.ringfence = real(&value)?,
                "--static" => options.linked_statically = Some(real(&value)?),
                "--wasmtime" => options.wasmtime = Some(real(&value)?),
                _ => return Err(USAGE.into()),
            }
        }
        if !options.ringfence.is_file() {
            let path = options.ringfence.display();
            let how = "`cargo build --release -p ringfence-cli`";
            return Err(format!("`{path}` is not there; build it with {how}").into());
        }
        Ok(options)
    }
}

fn real(path: &str) -> Result<PathBuf, Box<dyn Error>> {
    std::fs::canonicalize(path).map_err(|error| format!("`{path}`: {error}").into())
}
