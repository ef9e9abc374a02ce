//! A person at a terminal: asked, answered, and asked again about the changes.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::common::{Fixture, each};

/// A command at a terminal of its own.
struct Session {
    person: File,
    child: Child,
    seen: String,
}

impl Session {
    fn start(fixture: &Fixture, args: &[&str]) -> Self {
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
        command.stdin(open()).stdout(Stdio::from(open())).stderr(Stdio::from(open()));
        let child = command.spawn().unwrap();
        Self { person: File::from(person), child, seen: String::new() }
    }

    /// Reads until `text` is there.
    fn until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.person.read(&mut buffer).unwrap_or(0);
            assert!(count > 0, "`{text}` never came:\n{}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    fn answer(&mut self, after: &str, line: &str) {
        self.until(after);
        self.seen.clear();
        self.person.write_all(line.as_bytes()).unwrap();
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut buffer = [0; 4096];
        // A terminal without anybody at the other end cannot be read.
        while let Ok(count @ 1..) = self.person.read(&mut buffer) {
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        (self.child.wait().unwrap().code(), self.seen)
    }
}

#[test]
fn a_person_says_yes_sees_the_difference_and_commits() {
    each(|fixture| {
        fixture.write("old", "before\n");
        let script = "echo ran; echo after > old";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.until("run a native program in a sandbox?");
        session.until("a shell runs any text as commands");
        session.answer("\n> ", "y\n");
        session.until("ran\r\n");
        session.answer("[d]iff\r\n> ", "d\n");
        session.until("-before");
        session.answer("[d]iff\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert!(seen.contains("committed 0 added, 1 changed, 0 deleted"), "{seen}");
        assert_eq!(fixture.read("old").as_deref(), Some("after\n"));
    });
}

#[test]
fn a_person_says_no_and_nothing_runs() {
    each(|fixture| {
        let argv = ["exec", "--write", "direct", "--", "touch", "ran"];
        let mut session = Session::start(fixture, &argv);
        session.answer("\n> ", "n\n");
        let (code, seen) = session.end();
        assert_eq!((code, fixture.names().len()), (Some(3), 0), "{seen}");
        assert!(seen.contains("error[approval::denied]"), "{seen}");
    });
}

#[test]
fn a_flagged_change_is_asked_about_on_its_own() {
    each(|fixture| {
        let script = "echo a > file; echo b > .envrc; echo c > .npmrc";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.answer("[d]iff\r\n> ", "y\n");
        session.until(".envrc: file");
        session.answer("commit it? [y]es  [n]o\r\n> ", "n\n");
        session.until(".npmrc: file");
        session.answer("commit it? [y]es  [n]o\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(0), "{seen}");
        assert_eq!(fixture.names(), [".npmrc", "file"], "{seen}");
    });
}

#[test]
fn selected_paths_alone_are_committed() {
    each(|fixture| {
        let mut session = Session::start(fixture, &["exec", "--", "touch", "a", "b"]);
        session.answer("\n> ", "y\n");
        session.answer("[d]iff\r\n> ", "s\n");
        session.answer("[q]uit\r\n> ", "n\n");
        session.answer("[q]uit\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!((code, fixture.names()), (Some(0), vec!["b".to_owned()]), "{seen}");
    });
}

#[test]
fn ctrl_c_ends_the_program_and_the_host_lives_on_to_ask() {
    each(|fixture| {
        // Nothing but a loop: a shell that just starts a program can lose a signal.
        let script = "trap 'exit 130' INT; echo kept > file; echo up; while :; do :; done";
        let mut session = Session::start(fixture, &["exec", "--", "sh", "-c", script]);
        session.answer("\n> ", "y\n");
        session.answer("up\r\n", "\x03");
        session.answer("[d]iff\r\n> ", "y\n");
        let (code, seen) = session.end();
        assert_eq!(code, Some(130), "{seen}");
        assert_eq!(fixture.read("file").as_deref(), Some("kept\n"));
    });
}
