//! The part of the system every sandboxed program can read.

use serde::{Serialize, Serializer};
use std::path::Path;

/// A named, versioned list of system paths: read and execute, never write.
///
/// The name is part of the plan's digest, so a longer list is another plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Baseline {
    /// The name and version.
    pub name: &'static str,
    /// Directories and files with everything below them.
    pub paths: &'static [&'static str],
    /// The environment variables a program may get without a grant: none says who or where.
    pub environment: &'static [&'static str],
}

/// What programs of a Linux system need: the programs and libraries, and from `/etc` only what
/// holds no secret and no name of a person. `passwd`, `group`, `hosts` and `nsswitch.conf` are
/// written anew for each sandbox.
const LINUX: Baseline = Baseline {
    name: "linux-1",
    paths: &[
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/etc/alternatives",
        "/etc/ld.so.cache",
        "/etc/localtime",
        "/etc/os-release",
        "/etc/protocols",
        "/etc/services",
        "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf",
    ],
    environment: ENVIRONMENT,
};

const MACOS: Baseline = Baseline {
    name: "macos-1",
    paths: &[
        "/usr",
        "/bin",
        "/sbin",
        "/System/Library",
        "/Library/Apple",
        "/Library/Developer/CommandLineTools",
        "/private/etc/ssl",
        "/private/etc/protocols",
        "/private/etc/services",
        "/private/var/db/timezone",
    ],
    environment: ENVIRONMENT,
};

const WINDOWS: Baseline = Baseline {
    name: "windows-1",
    paths: &[r"C:\Windows", r"C:\Program Files", r"C:\Program Files (x86)"],
    environment: &["PATH", "PATHEXT", "SystemRoot", "COMSPEC", "TEMP", "TMP", "LANG", "TERM"],
};

const ENVIRONMENT: &[&str] =
    &["COLUMNS", "HOME", "LANG", "LC_ALL", "LINES", "NO_COLOR", "PATH", "TERM", "TMPDIR", "TZ"];

impl Baseline {
    /// Returns the baseline of the system this was built for.
    pub const fn native() -> Self {
        if cfg!(target_os = "windows") {
            WINDOWS
        } else if cfg!(target_os = "macos") {
            MACOS
        } else {
            LINUX
        }
    }

    /// Tells whether `path` is one of the paths or below one.
    pub fn covers(&self, path: &Path) -> bool {
        self.paths.iter().any(|base| path.starts_with(base))
    }
}

impl Serialize for Baseline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}
