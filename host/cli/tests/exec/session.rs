//! The command at a terminal, in a fixture.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use super::common::Fixture;
pub(crate) use super::pty::Session;

impl Session {
    pub(crate) fn start(fixture: &Fixture, args: &[&str]) -> Self {
        Self::start_in(fixture, &fixture.work(), args)
    }

    /// As `start`, in the directory `at`.
    pub(crate) fn start_in(fixture: &Fixture, at: &Path, args: &[&str]) -> Self {
        Self::start_with(fixture, at, args, |_| {})
    }

    /// As `start_in`, with a command that `changed` changes first.
    pub(crate) fn start_with(
        fixture: &Fixture,
        at: &Path,
        args: &[&str],
        changed: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = fixture.start("setsid".as_ref());
        command.current_dir(at);
        Self::of(command, fixture.program(), args, changed)
    }

    pub(crate) fn answer(&mut self, after: &str, line: &str) {
        self.until(after);
        self.seen.clear();
        self.person.write_all(line.as_bytes()).unwrap();
    }
}
