//! What lies at a path: its kind, mode, content digest, attributes and identity.

use super::dir;
use super::path::{RawText, hex, unhex};
use ringfence_capability::Digest;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;

/// How much of a file is read at a time.
const CHUNK_BYTES: usize = 128 * 1024;

/// What a path is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[non_exhaustive]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: RawText,
    },
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice {
        /// The device number as the kernel has it.
        device: u64,
    },
    /// A block device.
    BlockDevice {
        /// The device number as the kernel has it.
        device: u64,
    },
}

/// What tells one file from another, and one state of it from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The device that holds it.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// How many names it has.
    pub links: u64,
    /// The owner.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// When its content changed last: seconds and nanoseconds.
    pub modified: (i64, i64),
    /// When anything about it changed last: seconds and nanoseconds.
    pub changed: (i64, i64),
}

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is.
    #[serde(flatten)]
    pub kind: Kind,
    /// The permission bits with set-id and sticky bits.
    pub mode: u32,
    /// The size; of a directory that goes away, of everything in it.
    pub size_bytes: u64,
    /// The content of a file; of a directory that goes away, of everything in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The extended attributes that are carried over, values in hexadecimal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Which file it is.
    pub identity: Identity,
}

impl Kind {
    /// Returns the word for it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink { .. } => "symbolic link",
            Self::Fifo => "named pipe",
            Self::Socket => "socket",
            Self::CharacterDevice { .. } => "character device",
            Self::BlockDevice { .. } => "block device",
        }
    }

    /// Returns whether it is neither file, directory nor link.
    pub fn is_special(&self) -> bool {
        !matches!(self, Self::File | Self::Directory | Self::Symlink { .. })
    }
}

impl Node {
    /// Returns whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// Returns whether a program that reads both would see the same thing.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (self.mode == other.mode || matches!(self.kind, Kind::Symlink { .. }))
            && (self.kind != Kind::File || self.digest == other.digest)
            && self.attributes == other.attributes
    }

    /// Returns whether `now` is this very file in this very state; the time of the last change of
    /// attributes counts only where `Rigour::Everything` asks for it, since renaming sets it.
    pub(super) fn is_still(&self, now: &Self, rigour: Rigour) -> bool {
        let (one, other) = (&self.identity, &now.identity);
        let same_file =
            (one.device, one.inode, &self.kind) == (other.device, other.inode, &now.kind);
        if self.is_directory() {
            // A directory that only holds other changes is the same while it is that directory.
            return same_file && (self.digest.is_none() || self.digest == now.digest);
        }
        same_file
            && self.mode == now.mode
            && self.size_bytes == now.size_bytes
            && one.modified == other.modified
            && (self.digest == now.digest || self.digest.is_none() || now.digest.is_none())
            && (rigour == Rigour::AfterRename || one.changed == other.changed)
    }

    /// Returns the extended attributes as bytes.
    pub(super) fn attribute_bytes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let pairs = self.attributes.iter();
        pairs.filter_map(|(name, value)| Some((name.clone().into_bytes(), unhex(value)?))).collect()
    }

    /// Returns what lies at `name` in `parent`, without the content of files.
    pub(super) fn read(parent: impl AsFd, name: &OsStr) -> Result<Option<Self>, Errno> {
        let Some(stat) = dir::stat(&parent, name)? else { return Ok(None) };
        Self::from_stat(parent, name, &stat).map(Some)
    }

    /// Returns the node that `stat` tells of.
    pub(super) fn from_stat(parent: impl AsFd, name: &OsStr, stat: &Stat) -> Result<Self, Errno> {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink { target: RawText(dir::link_target(parent, name)?) },
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharacterDevice { device: stat.st_rdev },
            FileType::BlockDevice => Kind::BlockDevice { device: stat.st_rdev },
            FileType::Unknown => return Err(Errno::INVAL),
        };
        let size_bytes = match kind {
            Kind::File => u64::try_from(stat.st_size).unwrap_or(0),
            _ => 0,
        };
        Ok(Self {
            kind,
            mode: stat.st_mode & 0o7777,
            size_bytes,
            digest: None,
            attributes: BTreeMap::new(),
            identity: Identity::of(stat),
        })
    }

    /// Adds content digest and attributes of a file that was opened for it.
    pub(super) fn read_content(&mut self, file: File) -> Result<(), Errno> {
        self.read_attributes(&file)?;
        self.digest = Some(digest_of(file)?);
        Ok(())
    }

    /// Adds the attributes.
    pub(super) fn read_attributes(&mut self, fd: impl AsFd) -> Result<(), Errno> {
        self.attributes = dir::attributes(fd, is_carried)?
            .into_iter()
            .filter_map(|(name, value)| Some((String::from_utf8(name).ok()?, hex(&value))))
            .collect();
        Ok(())
    }
}

/// How exactly a node must be what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rigour {
    /// In everything that can be seen.
    Everything,
    /// In everything but what a rename changes.
    AfterRename,
}

impl Identity {
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        clippy::cast_possible_wrap,
        reason = "the field types differ between architectures; the values fit"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            links: stat.st_nlink as u64,
            user: stat.st_uid,
            group: stat.st_gid,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }
}

/// Returns whether an extended attribute is carried over to the workspace: what users and access
/// lists set, never what the overlay keeps for itself and never file capabilities.
pub(super) fn is_carried(name: &[u8]) -> bool {
    (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
        || name.starts_with(b"system.posix_acl_")
}

/// Returns the SHA-256 of what is left to read.
pub(super) fn digest_of(mut file: File) -> Result<Digest, Errno> {
    let mut hash = Sha256::new();
    let mut buffer = buffer_for(&file);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
            }
        }
    }
}

/// Returns a buffer to read a file with: no larger than needed, for most files are small.
pub(super) fn buffer_for(file: &File) -> Vec<u8> {
    let length = file.metadata().map_or(0, |meta| meta.len());
    // One byte more than there is, so that the end shows at the second read.
    let length = usize::try_from(length).unwrap_or(CHUNK_BYTES).saturating_add(1);
    vec![0; length.clamp(512, CHUNK_BYTES)]
}

/// What a whole tree is: a digest over names, kinds and states, and how much there is.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    /// Over every name, kind, mode, size, inode and time.
    pub(super) digest: Digest,
    /// How many entries there are, the top not counted.
    pub(super) entries: u64,
    /// The bytes in all files.
    pub(super) size_bytes: u64,
}

/// Returns what lies in the directory `top`, telling `seen` of every entry (components from the
/// top, and the node). `seen` ends the walk with an error.
pub(super) fn read_tree<E: From<Errno>>(
    top: OwnedFd,
    mut seen: impl FnMut(&[&OsStr], &Node) -> Result<(), E>,
) -> Result<Tree, E> {
    let mut hash = Sha256::new();
    let (mut entries, mut size_bytes) = (0, 0);
    let mut stack = vec![Level::open(top)?];
    while let Some(level) = stack.last_mut() {
        let Some(name) = level.names.pop() else {
            stack.pop();
            hash.update(b"/");
            continue;
        };
        let Some(node) = Node::read(&level.fd, &name)? else { continue };
        entries += 1;
        size_bytes += node.size_bytes;
        hash.update(fact(&name, &node));
        level.current = name;
        if node.is_directory() {
            let child = dir::open_directory(&level.fd, &level.current)?;
            let path: Vec<&OsStr> = stack.iter().map(|level| level.current.as_os_str()).collect();
            seen(&path, &node)?;
            stack.push(Level::open(child)?);
        } else {
            let path: Vec<&OsStr> = stack.iter().map(|level| level.current.as_os_str()).collect();
            seen(&path, &node)?;
        }
    }
    Ok(Tree { digest: Digest::from_bytes(hash.finalize().into()), entries, size_bytes })
}

/// One directory of a walk.
struct Level {
    fd: OwnedFd,
    /// What is still to be looked at, last first.
    names: Vec<std::ffi::OsString>,
    current: std::ffi::OsString,
}

impl Level {
    fn open(fd: OwnedFd) -> Result<Self, Errno> {
        let mut names = dir::names(&fd)?;
        names.reverse();
        Ok(Self { fd, names, current: std::ffi::OsString::new() })
    }
}

/// Returns what the digest of a tree holds of one entry. Times and sizes of directories are left
/// out: what happens in them shows in their entries.
fn fact(name: &OsStr, node: &Node) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut bytes = Vec::with_capacity(name.len() + 64);
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(node.kind.label().as_bytes());
    bytes.push(0);
    if let Kind::Symlink { target } = &node.kind {
        bytes.extend_from_slice(&target.0);
        bytes.push(0);
    }
    bytes.extend_from_slice(&node.mode.to_le_bytes());
    bytes.extend_from_slice(&node.identity.inode.to_le_bytes());
    if !node.is_directory() {
        bytes.extend_from_slice(&node.size_bytes.to_le_bytes());
        bytes.extend_from_slice(&node.identity.modified.0.to_le_bytes());
        bytes.extend_from_slice(&node.identity.modified.1.to_le_bytes());
    }
    bytes
}
