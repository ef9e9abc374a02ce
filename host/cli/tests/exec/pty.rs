//! A command at a terminal of its own, and a person at the keyboard.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A command at a terminal of its own.
pub(crate) struct Session {
    pub(crate) person: File,
    pub(crate) child: Child,
    pub(crate) seen: String,
}

impl Session {
    /// Starts `program` by `command`, which runs `setsid` as the user who is to run it, after `ready` was
    /// done to it.
    pub(crate) fn of(
        mut command: Command,
        program: &Path,
        args: &[&str],
        ready: impl FnOnce(&mut Command),
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
        command.args(["-c", "-w"]).arg(program).args(args);
        command.stdin(open()).stdout(Stdio::from(open())).stderr(Stdio::from(open()));
        ready(&mut command);
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

    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut buffer = [0; 4096];
        // A terminal without anybody at the other end cannot be read.
        while let Ok(count @ 1..) = self.person.read(&mut buffer) {
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        (self.child.wait().unwrap().code(), self.seen)
    }
}
