//! The system part of every sandbox's root, looked up once: what is a directory to mount, a small
//! file to copy, a link to repeat.

use super::layout::Layout;
use super::prepared::{Ground, Owner};
use super::rights;
use super::sys::{ATTR_NODEV, ATTR_NOEXEC, ATTR_NOSUID, ATTR_RDONLY};
use crate::{Baseline, SandboxError};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is copied instead of mounted.
const COPIED_BYTES: u64 = 16 * 1024;

/// The devices every sandbox has. `random` is a link: both give the same numbers.
const DEVICES: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"];

/// Links of `/dev`.
const LINKS: [(&str, &str); 5] = [
    ("/dev/random", "urandom"),
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// What the baseline's paths are on this system.
#[derive(Debug)]
pub(super) struct Base {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Directory(PathBuf),
    File(PathBuf),
    Copy(PathBuf, Vec<u8>),
    Link(PathBuf, PathBuf),
}

impl Base {
    /// Looks at the system. What does not exist is not part of the sandbox.
    pub(super) fn look(baseline: &Baseline) -> Self {
        Self { parts: baseline.paths.iter().filter_map(|path| look_at(Path::new(path))).collect() }
    }

    /// Returns the part of a root that every plan has.
    pub(super) fn ground(&self, owner: &Owner) -> Result<Ground, SandboxError> {
        let mut layout = Layout::default();
        self.lay(&mut layout)?;
        lay_names(&mut layout, owner.user, owner.group)?;
        layout.proc(Path::new("/proc"))?;
        Ok(Ground { mounts: layout.mounts, layout: layout.pieces })
    }

    fn lay(&self, layout: &mut Layout) -> Result<(), SandboxError> {
        const SYSTEM: u64 = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV;
        for part in &self.parts {
            match part {
                Part::Directory(path) => layout.bind_directory(path, SYSTEM, rights::READ)?,
                Part::File(path) => layout.bind_file(path, SYSTEM, rights::VISIBLE, None)?,
                Part::Copy(path, text) => layout.text(path, text.clone())?,
                Part::Link(path, target) => layout.link(path, target)?,
            }
        }
        for device in DEVICES {
            const DEVICE: u64 = ATTR_RDONLY | ATTR_NOSUID | ATTR_NOEXEC;
            layout.bind_file(Path::new(device), DEVICE, rights::DEVICE, None)?;
        }
        for (at, target) in LINKS {
            layout.link(Path::new(at), Path::new(target))?;
        }
        Ok(())
    }
}

fn look_at(path: &Path) -> Option<Part> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let path = path.to_owned();
    if metadata.is_symlink() {
        let target = fs::read_link(&path).ok()?;
        return Some(Part::Link(path, target));
    }
    if metadata.is_dir() {
        return Some(Part::Directory(path));
    }
    if metadata.len() > COPIED_BYTES {
        return Some(Part::File(path));
    }
    let mut text = Vec::new();
    fs::File::open(&path).ok()?.take(COPIED_BYTES).read_to_end(&mut text).ok()?;
    Some(Part::Copy(path, text))
}

/// Adds the files of `/etc` that are written anew: nobody's names but the own user's number.
fn lay_names(layout: &mut Layout, uid: u32, gid: u32) -> Result<(), SandboxError> {
    let own = |number: u32, line: String| if number == 0 { String::new() } else { line };
    let passwd = format!(
        "root:x:0:0:root:/tmp:/bin/sh\n{}nobody:x:65534:65534:nobody:/:/bin/false\n",
        own(uid, format!("user:x:{uid}:{gid}:user:/tmp:/bin/sh\n")),
    );
    let group = format!("root:x:0:\n{}nogroup:x:65534:\n", own(gid, format!("user:x:{gid}:\n")));
    layout.text(Path::new("/etc/passwd"), passwd.into_bytes())?;
    layout.text(Path::new("/etc/group"), group.into_bytes())?;
    let hosts = b"127.0.0.1 localhost sandbox\n::1 localhost\n".to_vec();
    layout.text(Path::new("/etc/hosts"), hosts)?;
    let switch = b"passwd: files\ngroup: files\nhosts: files\n".to_vec();
    layout.text(Path::new("/etc/nsswitch.conf"), switch)
}
