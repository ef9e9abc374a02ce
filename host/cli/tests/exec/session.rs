//! A command at a terminal of its own, and a person at the keyboard.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::common::Fixture;

/// A command at a terminal of its own.
pub(crate) struct Session {
    pub(crate) person: File,
    pub(crate) child: Child,
    pub(crate) seen: String,
}

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
        let person =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let open = || -> OwnedFd {
            let mut options = std::fs::OpenOptions::new();
            std::os::unix::fs::OpenOptionsExt::custom_flags(
                &mut options,
                OpenptFlags::NOCTTY.bits().cast_signed(),
            );
            options.read(true).write(true).open(&name).unwrap().into()
        };
        // Whoever runs the command must be able to open the terminal anew.
        std::fs::set_permissions(&name, std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .unwrap();
        let mut command = fixture.start("setsid".as_ref());
        command.args(["-c", "-w"]).arg(fixture.program()).args(args);
        command
            .current_dir(at)
            .stdin(open())
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()));
        changed(&mut command);
        let child = command.spawn().unwrap();
        Self { person: File::from(person), child, seen: String::new() }
    }

    /// Reads until `text` is there.
    pub(crate) fn until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.person.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "`{text}` never came:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    pub(crate) fn answer(&mut self, after: &str, line: &str) {
        self.until(after);
        self.seen.clear();
        self.person.write_all(line.as_bytes()).unwrap();
    }

    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut buffer = [0; 4096];
        // A terminal without anybody at the other end cannot be read.
        while let Ok(count @ 1..) = self.person.read(&mut buffer) {
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        (self.child.wait().unwrap().code(), self.seen)
    }
}
