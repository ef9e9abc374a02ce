//! Running the battery's program as root and as an ordinary user.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The number of the user who owns nothing.
const NOBODY: u32 = 65_534;

/// A user with a copy of the program and a directory, both within reach.
pub(crate) struct User {
    pub(crate) name: &'static str,
    number: Option<u32>,
    place: TempDir,
}

/// Returns this user, and for root an ordinary one as well.
pub(crate) fn users() -> Vec<User> {
    let own = User::new(if is_root() { "root" } else { "an ordinary user" }, None);
    let other = is_root().then(|| User::new("an ordinary user", Some(NOBODY)));
    std::iter::once(own).chain(other).collect()
}

pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

impl User {
    fn new(name: &'static str, number: Option<u32>) -> Self {
        // A stage cannot lie below `/tmp`, and a build directory may be closed to others.
        let place = tempfile::Builder::new().prefix("ringfence-escape").tempdir_in("/var/tmp");
        let place = place.unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(place.path(), open).unwrap();
        let program = env!("CARGO_BIN_EXE_ringfence-escape");
        std::fs::copy(program, place.path().join("ringfence-escape")).unwrap();
        let user = Self { name, number, place };
        std::fs::create_dir(user.base()).unwrap();
        user.give(&user.base());
        user
    }

    /// Returns the user's own directory.
    pub(crate) fn base(&self) -> PathBuf {
        self.place.path().join("base")
    }

    /// Makes a directory in the user's own.
    pub(crate) fn make(&self, name: &str) -> PathBuf {
        let path = self.base().join(name);
        let mut made = self.base();
        for part in Path::new(name) {
            made.push(part);
            let _ = std::fs::create_dir(&made);
            self.give(&made);
        }
        path
    }

    fn give(&self, path: &Path) {
        if let Some(number) = self.number {
            chown(path, Some(number), Some(number)).unwrap();
        }
    }

    /// Returns the program with these arguments, as this user.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.place.path().join("ringfence-escape"));
        command.args(arguments).current_dir("/var/tmp").stdin(Stdio::null());
        if let Some(number) = self.number {
            command.uid(number).gid(number).env("HOME", "/nonexistent");
        }
        command
    }

    /// Returns what the program prints, by lines of JSON.
    pub(crate) fn lines(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let output = self.program(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {text}{errors}", self.name);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Notes that a test could not run here.
pub(crate) fn skip(test: &str, why: &str) {
    let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") else { return };
    let mut list = std::fs::OpenOptions::new().create(true).append(true).open(list).unwrap();
    list.write_all(format!("{test}: skipped, because {why}\n").as_bytes()).unwrap();
}
