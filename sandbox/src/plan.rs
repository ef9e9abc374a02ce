//! What a sandboxed program may reach, as data: made from the grants of a run, the same on every
//! system, printable, and hashed into what a person approves.
//!
//! Invariants: a plan has no public constructor but [`SandboxPlan::from_grants`]; it never reaches
//! more than the grants, the profile's ceiling and the named system baseline together; taking a
//! grant away never adds to it.

mod baseline;
mod build;
mod display;
#[cfg(all(test, unix))]
mod tests;

pub use baseline::Baseline;

use crate::SandboxError;
use ringfence_capability::{Digest, GrantSet, Profile};
use serde::{Serialize, Serializer};
use sha2::Digest as _;
use std::path::{Path, PathBuf};

/// What a sandboxed program may reach. Anything it does not name does not exist in the sandbox.
// The fields stand in alphabetical order: that makes the serialized form canonical.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxPlan {
    baseline: Baseline,
    environment: Vec<String>,
    files: Vec<FileRule>,
    limits: ProcessLimits,
    network: Network,
    #[serde(serialize_with = "profile_name")]
    profile: Profile,
    protected: Vec<String>,
    working_directory: PathBuf,
    workspace: PathBuf,
}

/// What a plan is made from besides the grants.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the caller states every part")]
pub struct PlanContext {
    /// The profile, whose ceiling bounds the grants once more.
    pub profile: Profile,
    /// The root of the workspace: absolute, without symbolic links.
    pub workspace: PathBuf,
    /// Where the program starts.
    pub working_directory: PathBuf,
    /// The names of path components that only a person may change, such as `.git`.
    pub protected: Vec<String>,
    /// How writes to the workspace are done.
    pub write: WriteMode,
    /// The environment variables the program gets, by name; each needs a grant or the baseline.
    pub environment: Vec<String>,
    /// How much the program may use.
    pub limits: ProcessLimits,
}

/// How writes to the workspace are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "back ends must handle both")]
pub enum WriteMode {
    /// Into a stage beside it, which a person commits or discards afterwards.
    #[default]
    Staged,
    /// Into the workspace itself.
    Direct,
}

/// One path and what may be done at and below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct FileRule {
    /// What may be done.
    pub access: Access,
    /// The path: absolute, without `.` and `..`.
    pub path: PathBuf,
}

/// What may be done with a path. The longest matching rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "back ends must handle every access")]
pub enum Access {
    /// Reading and executing.
    Read,
    /// Reading, and writing into the stage.
    Staged,
    /// Reading and writing in place.
    Write,
}

/// Whether the program has a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "back ends must handle both")]
pub enum Network {
    /// None.
    Absent,
    /// Only the host's proxy, which applies the rules of the `http` capability.
    Proxy,
}

/// How much the program and everything it starts may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a caller states limits with `..default()`")]
pub struct ProcessLimits {
    /// Processor time of each process.
    pub cpu_seconds: u64,
    /// The largest file a process may write.
    pub file_size_bytes: u64,
    /// Writable private memory of each process.
    pub memory_bytes: u64,
    /// Open descriptors of each process.
    pub open_files: u64,
    /// Processes and threads together.
    pub processes: u64,
    /// The size of `/tmp` and of `/dev/shm`, each.
    pub scratch_bytes: u64,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        Self {
            cpu_seconds: 3600,
            file_size_bytes: 4 * GIB,
            memory_bytes: 8 * GIB,
            open_files: 4096,
            processes: 1024,
            scratch_bytes: GIB,
        }
    }
}

impl SandboxPlan {
    /// Returns the plan for a program that runs under `grants`.
    ///
    /// The plan is the least of the grants and of what the profile lets through: a write grant
    /// under a profile without writes is a read rule, an http grant under `Offline` is nothing.
    ///
    /// # Errors
    /// [`SandboxError::Path`] for a relative root, `..`, or a grant that would cover the system;
    /// [`SandboxError::WorkingDirectory`] for a start outside the granted files;
    /// [`SandboxError::Environment`] for a variable that was not granted.
    pub fn from_grants(grants: &GrantSet, context: &PlanContext) -> Result<Self, SandboxError> {
        build::plan(grants, context)
    }

    /// Returns the profile it was made under.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the rules for files beyond the baseline, by path.
    pub fn files(&self) -> &[FileRule] {
        &self.files
    }

    /// Returns the system files every sandboxed program can read.
    pub fn baseline(&self) -> Baseline {
        self.baseline
    }

    /// Returns the root of the workspace.
    pub fn workspace(&self) -> &Path {
        &self.workspace
    }

    /// Returns where the program starts.
    pub fn working_directory(&self) -> &Path {
        &self.working_directory
    }

    /// Returns the names of path components that only a person may change.
    pub fn protected(&self) -> &[String] {
        &self.protected
    }

    /// Returns whether the program has a network.
    pub fn network(&self) -> Network {
        self.network
    }

    /// Returns the names of the environment variables the program may get.
    pub fn environment(&self) -> &[String] {
        &self.environment
    }

    /// Returns how much the program may use.
    pub fn limits(&self) -> &ProcessLimits {
        &self.limits
    }

    /// Tells whether some writes go into a stage.
    pub fn is_staged(&self) -> bool {
        self.files.iter().any(|rule| rule.access == Access::Staged)
    }

    /// Returns what may be done with `path` by the longest rule that covers it, baseline included.
    pub fn access(&self, path: &Path) -> Option<Access> {
        let covering = self.files.iter().filter(|rule| path.starts_with(&rule.path));
        let longest = covering.max_by_key(|rule| rule.path.as_os_str().len());
        longest.map(|rule| rule.access).or_else(|| {
            let read = self.baseline.covers(path);
            read.then_some(Access::Read)
        })
    }

    /// Returns the plan as canonical JSON: keys sorted, no white space.
    pub fn canonical_json(&self) -> String {
        // Every path was checked to be UTF-8 and every key is a string, so this cannot fail; an
        // empty text would hash to a digest nobody approved.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the SHA-256 of [`canonical_json`](Self::canonical_json), which an approval binds.
    pub fn digest(&self) -> Digest {
        Digest::from_bytes(sha2::Sha256::digest(self.canonical_json()).into())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn profile_name<S: Serializer>(profile: &Profile, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(profile.name())
}
