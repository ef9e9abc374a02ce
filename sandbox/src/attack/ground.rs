//! The host's side of an attack: files, sockets, objects and a process that nobody but the attack
//! is about, in a directory of their own. Dropping it takes everything away.

use super::outcome::reason;
use super::scene::{Room, Scene};
use sha2::Digest as _;
use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the ground is made of.
pub(super) struct Ground {
    home: PathBuf,
    /// The room of the run; none where there is no sandbox of this library.
    pub(super) room: Option<Room>,
    pub(super) mark: String,
    pub(super) tcp: Option<TcpListener>,
    pub(super) udp: Option<UdpSocket>,
    pub(super) victim: Option<Child>,
    /// The program's side of a terminal.
    pub(super) terminal: Option<OwnedFd>,
    /// Kept until the end, such as a listener on a path or a thread that races.
    pub(super) kept: Vec<Box<dyn Any>>,
    /// Files elsewhere that are removed at the end.
    pub(super) elsewhere: Vec<PathBuf>,
}

/// What a secret file holds, and no other.
pub(super) const TREASURE: &str = "treasure-of-the-host";

/// The names that only a person may change.
pub(super) const PROTECTED: [&str; 6] =
    [".git", ".vscode", ".mcp.json", ".envrc", ".bashrc", ".github"];

impl Ground {
    /// Lays the ground in a new directory below `base`.
    pub(super) fn lay(base: &Path, room: Option<Room>) -> io::Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mark = u64::from_ne_bytes(random).to_string();
        fs::create_dir_all(base)?;
        let home = base.canonicalize()?.join(format!("attack-{mark}"));
        fs::create_dir(&home)?;
        let ground = Self {
            home,
            room,
            mark,
            tcp: None,
            udp: None,
            victim: None,
            terminal: None,
            kept: Vec::new(),
            elsewhere: Vec::new(),
        };
        ground.lay_outside()?;
        ground.lay_workspace()?;
        Ok(ground)
    }

    fn lay_outside(&self) -> io::Result<()> {
        for directory in ["outside/.ssh", "outside/.aws", "outside/browser", "state"] {
            fs::create_dir_all(self.home.join(directory))?;
        }
        for name in ["victim", "linked"] {
            fs::write(self.outside(name), "before")?;
        }
        for name in ["secret", ".ssh/id_ed25519", ".aws/credentials", "browser/Login Data"] {
            fs::write(self.outside(name), TREASURE)?;
        }
        Ok(())
    }

    fn lay_workspace(&self) -> io::Result<()> {
        fs::create_dir(self.workspace())?;
        for repository in [".git", "nested/.git", "upper/.GIT"] {
            for directory in ["objects", "refs/heads", "hooks"] {
                fs::create_dir_all(self.inside(repository).join(directory))?;
            }
            fs::write(self.inside(repository).join("HEAD"), "ref: refs/heads/main\n")?;
            let config = "[core]\n\trepositoryformatversion = 0\n";
            fs::write(self.inside(repository).join("config"), config)?;
        }
        fs::write(self.inside(".git/hooks/pre-commit"), "#!/bin/sh\n")?;
        fs::write(self.inside("file.txt"), "before")?;
        fs::write(self.inside("nested/source.txt"), "before")?;
        symlink("../outside/victim", self.inside("planted"))?;
        symlink("../outside", self.inside("planted-directory"))?;
        fs::hard_link(self.outside("linked"), self.inside("hard"))
    }

    /// Returns what the program inside is told.
    pub(super) fn scene(&self) -> Scene {
        Scene {
            workspace: self.workspace(),
            outside: self.outside(""),
            mark: self.mark.clone(),
            proxied: self.room.is_some_and(|room| room.proxied),
            scope: ".".to_owned(),
            mounts: mounts(),
            ..Scene::default()
        }
    }

    pub(super) fn workspace(&self) -> PathBuf {
        self.home.join("ws")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.home.join("state")
    }

    /// Returns a path that was not granted.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.home.join("outside").join(name)
    }

    /// Returns a path in the workspace.
    pub(super) fn inside(&self, name: &str) -> PathBuf {
        self.workspace().join(name)
    }

    /// Starts a process that waits.
    pub(super) fn start_victim(&mut self) -> Result<i32, String> {
        let mut command = Command::new("/bin/sleep");
        command.arg("600").env("ATTACK_SECRET", TREASURE).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let victim = command.spawn().map_err(|error| format!("sleep: {}", reason(&error)))?;
        let pid = i32::try_from(victim.id()).map_err(|error| error.to_string())?;
        self.victim = Some(victim);
        Ok(pid)
    }

    /// Tells whether the waiting process was ended.
    pub(super) fn victim_ended(&self) -> bool {
        let pid = self.victim.as_ref().map(Child::id);
        let status = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let status = status.unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        !state.is_some_and(|state| state.trim_start().starts_with('S'))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.kept.clear();
        if let Some(victim) = &mut self.victim {
            let _ = victim.kill();
            let _ = victim.wait();
        }
        for path in &self.elsewhere {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        }
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Tells whether this process is root.
pub(super) fn is_root() -> bool {
    // SAFETY: the call only returns a number.
    unsafe { libc::geteuid() == 0 }
}

/// Returns the number of this process's mount namespace; 0 when it cannot be told.
pub(super) fn mounts() -> u64 {
    fs::metadata("/proc/self/ns/mnt").map_or(0, |namespace| namespace.ino())
}

/// Returns a digest of everything below `root` that a program could change.
pub(super) fn fingerprint(root: &Path) -> String {
    let mut text = String::new();
    describe(root, &mut text);
    sha2::Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn describe(path: &Path, text: &mut String) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let times = (found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec());
    let content = if found.is_file() && found.len() < 1 << 16 {
        fs::read(path).unwrap_or_default()
    } else {
        Vec::new()
    };
    let (mode, owner, links) = (found.mode(), (found.uid(), found.gid()), found.nlink());
    let _ = writeln!(text, "{} {mode:o} {owner:?} {links} {times:?} {content:?}", path.display());
    if !found.is_dir() {
        return;
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        describe(&entry, text);
    }
}
