//! Runs every case in turn and keeps times and peak sizes.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cases::Case;

/// How often the size of a case is taken: it hardly varies.
const SIZE_ROUNDS: usize = 5;
/// Starts a program and tells the most memory it held. It is a small program itself: the kernel
/// counts what a process held before `exec` as part of the peak of what it becomes.
const TIME: &str = "/usr/bin/time";

/// What a case took.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) median: Duration,
    pub(crate) nearly_all: Duration,
    pub(crate) peak_kib: Option<u64>,
}

/// Measures every case.
pub(crate) fn all(cases: &[Case], rounds: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        for turn in 0..cases.len() {
            // Each round starts with another case, so that none always follows the same one.
            let index = (round + turn) % cases.len();
            times[index].push(time(&cases[index])?);
        }
    }
    let mut measured = Vec::new();
    for (case, mut times) in cases.iter().zip(times) {
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let (name, peak_kib) = (case.name.clone(), peak_kib(case)?);
        measured.push(Measured { name, median: at(50), nearly_all: at(95), peak_kib });
    }
    Ok(measured)
}

fn time(case: &Case) -> Result<Duration, Box<dyn Error>> {
    (case.before)()?;
    let mut command = case.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status()?;
    let took = start.elapsed();
    if status.success() { Ok(took) } else { Err(failed(case)) }
}

fn failed(case: &Case) -> Box<dyn Error> {
    let said = case.command().stdin(Stdio::null()).output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    format!("`{}` failed: {}", case.name, said.unwrap_or_default()).into()
}

fn peak_kib(case: &Case) -> Result<Option<u64>, Box<dyn Error>> {
    if !Path::new(TIME).is_file() {
        return Ok(None);
    }
    let mut peaks = Vec::new();
    for _ in 0..SIZE_ROUNDS {
        (case.before)()?;
        let inner = case.command();
        let mut outer = Command::new(TIME);
        outer.args(["-f", "%M"]).arg(inner.get_program()).args(inner.get_args());
        let output = outer.envs(case.env.iter().cloned()).stdin(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        peaks.push(text.lines().last().unwrap_or_default().trim().parse::<u64>()?);
    }
    peaks.sort_unstable();
    Ok(peaks.get(SIZE_ROUNDS / 2).copied())
}
