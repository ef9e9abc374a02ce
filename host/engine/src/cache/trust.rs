//! What makes a file trusted: its owner, its mode, and that it is the file that was written.

use cap_std::fs::{Metadata, OpenOptions};

/// The most a stamp can say; a longer file is no stamp.
pub(super) const STAMP_BYTES: u64 = 256;

/// The identity of a file as it stood when it was written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size_bytes: u64,
    changed_secs: i64,
    changed_nanos: i64,
}

impl Stamp {
    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Self {
        use cap_std::fs::MetadataExt as _;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size_bytes: metadata.size(),
            changed_secs: metadata.ctime(),
            changed_nanos: metadata.ctime_nsec(),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { device, inode, size_bytes, changed_secs, changed_nanos } = self;
        format!("ringfence-code 1 {device} {inode} {size_bytes} {changed_secs} {changed_nanos}\n")
    }
}

/// Tells whether the file or directory belongs to this user and nobody else may write it.
#[cfg(unix)]
pub fn is_private(metadata: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    let user = rustix::process::geteuid().as_raw();
    metadata.uid() == user && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

/// Tells whether it is a plain file without a second name.
#[cfg(unix)]
pub(super) fn is_plain(metadata: &Metadata) -> bool {
    use cap_std::fs::MetadataExt as _;
    metadata.is_file() && metadata.nlink() == 1
}

/// Makes files created with `options` readable and writable by the user alone.
#[cfg(unix)]
pub(super) fn only_for_the_user(options: &mut OpenOptions) {
    use cap_std::fs::OpenOptionsExt as _;
    options.mode(0o600);
}
