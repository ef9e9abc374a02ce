//! Progress: named stages with the reason they take time, their duration and a closing line.

use std::time::{Duration, Instant};

use crate::failure::Failure;

/// A running command made of stages.
pub(crate) struct Stages {
    command: &'static str,
    started: Instant,
    done: Vec<Stage>,
}

struct Stage {
    name: &'static str,
    took: Duration,
    failure: Option<Failure>,
}

impl Stages {
    /// Starts the clock.
    pub(crate) fn start(command: &'static str) -> Self {
        Self { command, started: Instant::now(), done: Vec::new() }
    }

    /// Runs one stage and keeps its failure, so that later stages still run.
    pub(crate) fn run(
        &mut self,
        name: &'static str,
        why: &str,
        work: impl FnOnce() -> Result<(), Failure>,
    ) {
        println!("\n==> {name}: {why}");
        let started = Instant::now();
        let failure = work().err();
        let took = started.elapsed();
        match &failure {
            None => println!("    {name}: done in {}", shown(took)),
            Some(failure) => println!("    {name}: FAILED after {}\n{failure}", shown(took)),
        }
        self.done.push(Stage { name, took, failure });
    }

    /// Runs one stage that the later ones need, and gives up when it fails.
    pub(crate) fn need(
        &mut self,
        name: &'static str,
        why: &str,
        work: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.run(name, why, work);
        match self.done.last().and_then(|stage| stage.failure.as_ref()) {
            None => Ok(()),
            Some(_) => Err(Failure::new(self.closing_line())),
        }
    }

    /// Prints the table of stages and the closing line, and fails when a stage failed.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        println!();
        for stage in &self.done {
            let verdict = if stage.failure.is_none() { "ok    " } else { "FAILED" };
            println!("    {verdict}  {:>10}  {}", shown(stage.took), stage.name);
        }
        let line = self.closing_line();
        if self.done.iter().all(|stage| stage.failure.is_none()) {
            println!("{line}");
            return Ok(());
        }
        Err(Failure::new(line))
    }

    fn closing_line(&self) -> String {
        let failed: Vec<_> = self.done.iter().filter(|stage| stage.failure.is_some()).collect();
        let took = shown(self.started.elapsed());
        if failed.is_empty() {
            return format!("xtask {}: {} stages passed in {took}", self.command, self.done.len());
        }
        let names: Vec<_> = failed.iter().map(|stage| stage.name).collect();
        format!("xtask {}: failed after {took} in: {}", self.command, names.join(", "))
    }
}

/// Returns a duration as a person says it.
pub(crate) fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_below_a_minute_and_whole_seconds_above() {
        let cases = [(400, "0.4 s"), (59_000, "59.0 s"), (61_500, "1 min 01 s")];
        for (millis, expected) in cases {
            assert_eq!(shown(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn a_failed_stage_does_not_stop_the_next_and_fails_the_whole() {
        let mut stages = Stages::start("test");
        stages.run("first", "fails", || Err(Failure::new("no")));
        let mut ran = false;
        stages.run("second", "still runs", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        let text = stages.finish().err().map(|failure| failure.to_string()).unwrap_or_default();
        assert!(text.contains("in: first"), "{text}");
    }

    #[test]
    fn a_needed_stage_that_fails_stops_the_command() {
        let mut stages = Stages::start("test");
        assert!(stages.need("build", "fails", || Err(Failure::new("no"))).is_err());
        assert!(stages.need("other", "works", || Ok(())).is_ok());
    }
}
