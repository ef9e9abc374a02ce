//! Removing old files of a log, and saying so in it.

use crate::AuditError;
use crate::entry::Entry;
use crate::log::AuditLog;
use crate::names;
use crate::own::Pruned;
use crate::tail;
use jiff::Timestamp;
use std::io;

impl AuditLog {
    /// Removes the full files whose last record was written before `before`, and returns what was
    /// removed; nothing when there is no such file. A signed record says so first, which is what
    /// keeps `verify` from missing them.
    ///
    /// # Errors
    /// Any [`AuditError`]; then what was not removed yet stays, and a later call removes it.
    pub fn prune(&self, before: Timestamp) -> Result<Option<Pruned>, AuditError> {
        let (dir, names) = (self.dir(), self.names());
        let fail = |what, name: &str| {
            let name = name.to_owned();
            move |source| AuditError::Io { name, what, source }
        };
        let numbers = names.segments(dir).map_err(fail("list", &names.live))?;
        let mut old = Vec::new();
        let mut pruned: Option<Pruned> = None;
        for name in numbers.into_iter().map(|number| names.segment(number)) {
            let mut file = names::open_to_read(dir, &name).map_err(fail("open", &name))?;
            let length = file.metadata().map_err(fail("read", &name))?.len();
            let broken = || AuditError::BrokenTail { name: name.clone() };
            let (_, last) = tail::last(&mut file, &name, 0, length)?.ok_or_else(broken)?;
            let written: Timestamp = last.time.parse().map_err(|_| broken())?;
            if written >= before {
                break;
            }
            old.push(name);
            pruned = Some(Pruned { files: old.len() as u64, through: last.seq, hash: last.hash });
        }
        let Some(pruned) = pruned else { return Ok(None) };
        self.append_own(Entry::removed(pruned.clone()))?;
        for name in old {
            match dir.remove_file(&name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done.map_err(fail("remove", &name))?,
            }
        }
        Ok(Some(pruned))
    }
}
