//! A native program that is an outside server: what its approval is bound to, and the hold on it while it
//! runs. Its proxy is there only while a call is under way, and between calls it is stopped.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata};
use ringfence_audit::{Decision, Entry, Outcome, Target};
use ringfence_capability::{Digest, GrantSet, Limits, Name};
use ringfence_interfaces::http::{AddressRules, HttpRules};
use ringfence_interfaces::proxy::ProxySummary;
use ringfence_sandbox::Killer;
use serde_json::{Value, json};

use super::ExecError;
use super::proxy::{Rules, Serving};
use super::record::ExecLog;
use crate::RunError;

/// The most files of a stage that are looked at after a call.
const MAX_FILES: usize = 20_000;

/// What the approval of an outside server is bound to beside its command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct ServerBinding {
    /// The name it was added under.
    pub name: Name,
    /// Further files that must be what they were, with their digests.
    pub files: Vec<(PathBuf, Digest)>,
    /// What a person should know about what is not pinned.
    pub notes: Vec<String>,
}

impl ServerBinding {
    /// Returns it as a part of the plan that is approved.
    pub(super) fn as_json(&self) -> Value {
        let file = |(path, digest): &(PathBuf, Digest)| json!({ "path": path.to_string_lossy(), "digest": digest.to_string() });
        json!({
            "name": self.name.to_string(),
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
        })
    }
}

/// The hold on a server that runs. Dropping it changes nothing.
pub(crate) struct Hold {
    pub(super) killer: Box<dyn Killer>,
    pub(super) listener: Option<TcpListener>,
    pub(super) granted: GrantSet,
    pub(super) addresses: AddressRules,
    pub(super) limits: Limits,
    pub(super) log: ExecLog,
    pub(super) upper: Option<PathBuf>,
    pub(super) total: Arc<Mutex<ProxySummary>>,
}

/// The proxy while a call is under way. Dropping it closes it.
pub(crate) struct Opened {
    serving: Option<Serving>,
    total: Arc<Mutex<ProxySummary>>,
}

/// What lies in the stage of a server, as far as it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Written {
    files: BTreeMap<PathBuf, Look>,
    /// Whether there was more than was looked at.
    cut: bool,
}

/// What changes when a file does. Who writes a file can set its time of modification back, but not the time
/// at which it was changed in any way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    size_bytes: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    changed: (i64, i64),
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        use cap_std::fs::MetadataExt as _;
        Self {
            size_bytes: metadata.len(),
            modified: metadata.modified().ok().map(cap_std::time::SystemTime::into_std),
            #[cfg(unix)]
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Hold {
    /// Returns what was granted to it.
    pub(crate) fn granted(&self) -> &GrantSet {
        &self.granted
    }

    /// Lets the server go on.
    pub(crate) fn thaw(&self) {
        self.killer.thaw();
    }

    /// Stops the server and all it started; false where this system cannot.
    pub(crate) fn freeze(&self) -> bool {
        self.killer.freeze()
    }

    /// Kills the server and all it started.
    pub(crate) fn kill(&self) {
        self.killer.kill();
    }

    /// Opens the way out, where hosts were granted.
    pub(crate) fn open(&self) -> Result<Opened, ExecError> {
        let serve = |listener: &TcpListener| {
            let clone = listener.try_clone();
            let clone = clone.map_err(|source| ExecError::Host { what: "proxy", source })?;
            let rules = Rules {
                hosts: HttpRules::from_grants(&self.granted),
                addresses: self.addresses.clone(),
                limits: self.limits,
                // What is open when a call ends was not part of its answer.
                grace: std::time::Duration::ZERO,
            };
            Serving::start(clone, rules, &self.log)
        };
        let serving = self.listener.as_ref().map(serve).transpose()?;
        Ok(Opened { serving, total: Arc::clone(&self.total) })
    }

    /// Returns what lies in the stage now. The server is stopped meanwhile.
    pub(crate) fn written(&self) -> Written {
        let mut written = Written::default();
        let opened =
            self.upper.as_ref().map(|path| Dir::open_ambient_dir(path, ambient_authority()));
        if let Some(Ok(dir)) = opened {
            written.look(&dir, &PathBuf::new());
        }
        written
    }

    /// Returns whether there is a stage in which written files are seen.
    pub(crate) fn sees_writes(&self) -> bool {
        self.upper.is_some()
    }

    /// Records one thing about a call.
    pub(crate) fn record(
        &self,
        operation: &str,
        target: Target,
        decision: Decision,
        why: &str,
        outcome: Option<Outcome>,
    ) -> Result<(), RunError> {
        let entry = self.log.entry(operation).at(target);
        let entry = outcome.into_iter().fold(entry, Entry::came_to);
        self.log.append(&[self.log.judged(entry, decision, why)])
    }
}

impl Opened {
    /// Closes the way out: nothing of it goes on when this returns.
    pub(crate) fn close(mut self) -> Result<ProxySummary, ExecError> {
        let summary = self.serving.take().map(Serving::stop).transpose()?.unwrap_or_default();
        let mut total = self.total.lock().unwrap_or_else(PoisonError::into_inner);
        total.allowed += summary.allowed;
        total.refused += summary.refused;
        total.unlisted += summary.unlisted;
        total.moved.sent_bytes += summary.moved.sent_bytes;
        total.moved.received_bytes += summary.moved.received_bytes;
        Ok(summary)
    }
}

impl Written {
    fn look(&mut self, dir: &Dir, at: &std::path::Path) {
        let Ok(entries) = dir.entries() else {
            self.cut = true;
            return;
        };
        for entry in entries {
            if self.files.len() >= MAX_FILES {
                self.cut = true;
                return;
            }
            let looked = entry.and_then(|entry| entry.metadata().map(|metadata| (entry, metadata)));
            let Ok((entry, metadata)) = looked else {
                self.cut = true;
                continue;
            };
            let path = at.join(entry.file_name());
            if !metadata.is_dir() {
                self.files.insert(path, Look::of(&metadata));
            } else if let Ok(inner) = entry.open_dir() {
                self.look(&inner, &path);
            } else {
                self.cut = true;
            }
        }
    }

    /// Tells whether there may be more than was seen.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Returns the paths that are there or are others than before, and how many bytes they have.
    pub(crate) fn since(&self, before: &Self) -> (Vec<PathBuf>, u64) {
        let new = self.files.iter().filter(|(path, look)| before.files.get(*path) != Some(*look));
        let size = new.clone().map(|(_, look)| look.size_bytes).fold(0, u64::saturating_add);
        (new.map(|(path, _)| path.clone()).collect(), size)
    }
}
