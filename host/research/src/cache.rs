//! What runs keep for the next one: pages of the network, answers of steps that only compute, and what
//! providers learned.
//!
//! Invariants: an entry is found only by the plugin that wrote it, with the grants it had, for the same
//! question to it; an entry whose hash is not that of its content is dropped, never used; all entries
//! together stay below a bound; a cache that cannot be used costs time and never a result.
//!
//! Start with [`Cache::open`]; [`crate::Cached`] uses it around steps.

mod file;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cap_std::fs::Dir;
use ringfence_capability::{Class, Diagnostic};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

pub use file::Flight;

/// What all entries may hold together, unless somebody says otherwise.
pub const MAX_BYTES: u64 = 512 << 20;
/// What one entry may hold.
const MAX_ENTRY_BYTES: usize = 64 << 20;
/// What an entry counts for besides its content.
const ROW_BYTES: u64 = 256;
/// How often the last use of an entry is written down, in seconds: reading should not write each time.
const USED_SECONDS: u64 = 3600;

/// Why the cache cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file cannot be made, opened or locked.
    #[error("the research cache `{}` cannot be used", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else could have written what is in it.
    #[error("the research cache `{}` is open to others: {why}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file is something else, or damaged.
    #[error("the research cache `{}` is not sound: {why}", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An operation failed.
    #[error("the research cache failed")]
    Sql {
        /// Why.
        #[from]
        source: rusqlite::Error,
    },
}

impl Diagnostic for CacheError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "research::cache-file",
            Self::Open { .. } => "research::cache-open",
            Self::Unsound { .. } => "research::cache-unsound",
            Self::Sql { .. } => "research::cache",
        }
    }

    fn class(&self) -> Class {
        Class::Internal
    }

    fn hint(&self) -> Option<String> {
        let clear = "`ringfence research cache clear` removes it; it holds nothing that cannot be made again";
        match self {
            Self::Io { .. } => Some("name another place with `--cache-dir DIR`".to_owned()),
            Self::Open { path, .. } => Some(format!(
                "let `{}` be yours, no link and writable by you alone, or name another place with `--cache-dir DIR`",
                path.display()
            )),
            Self::Unsound { .. } | Self::Sql { .. } => Some(clear.to_owned()),
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "statistics have to name every one")]
pub enum Kind {
    /// A document that was retrieved.
    Page,
    /// What a search found.
    Search,
    /// What a step that only computes answered.
    Answer,
    /// What a provider learned.
    Memory,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Page, Self::Search, Self::Answer, Self::Memory];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Search => "search",
            Self::Answer => "answer",
            Self::Memory => "memory",
        }
    }
}

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    kind: Kind,
    hash: [u8; 32],
    plugin: String,
}

impl Key {
    /// Returns the key of what a plugin, known by its digest, made of `parts`.
    pub fn new(kind: Kind, plugin: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in [kind.name().as_bytes(), plugin.as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self { kind, hash: hash.finalize().into(), plugin: plugin.to_owned() }
    }
}

/// What is kept of something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers make it")]
pub struct Entry {
    /// Its bytes.
    pub body: Vec<u8>,
    /// When it was made or found still to hold, in seconds since 1970.
    pub checked: u64,
}

/// How much there is of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "statistics are read")]
pub struct Held {
    /// The kind.
    pub kind: Kind,
    /// Entries.
    pub entries: u64,
    /// What they hold together.
    pub bytes: u64,
}

/// The cache, shared by all processes of a user.
#[derive(Debug)]
pub struct Cache {
    connection: Mutex<Connection>,
    dir: Dir,
    path: PathBuf,
    now: fn() -> u64,
    most_bytes: u64,
}

impl Cache {
    /// Opens the cache in a directory that only its owner can write to, and makes it when there is none.
    ///
    /// # Errors
    /// When it cannot be made or is not sound.
    pub fn open(path: &Path, now: fn() -> u64, most_bytes: u64) -> Result<Self, CacheError> {
        let (dir, connection) = file::open(path)?;
        let connection = Mutex::new(connection);
        Ok(Self { connection, dir, path: path.to_owned(), now, most_bytes })
    }

    /// Removes the cache of a directory, sound or not.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(path: &Path) -> Result<(), CacheError> {
        file::remove(path)
    }

    /// Returns the time, in seconds since 1970.
    pub fn now(&self) -> u64 {
        (self.now)()
    }

    /// Returns what is kept under a key. An entry that is damaged is dropped.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn find(&self, key: &Key) -> Result<Option<Entry>, CacheError> {
        let connection = self.lock();
        let query = "SELECT body, sha256, checked_s, used_s FROM entry WHERE kind = ?1 AND key = ?2 AND plugin = ?3";
        let row =
            connection.query_row(query, params![key.kind.name(), key.hash, key.plugin], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?, row.get(3)?))
            });
        let Some((body, sha256, checked, used)) = row.optional()? else { return Ok(None) };
        let (checked, used): (i64, i64) = (checked, used);
        let entry = Entry { body, checked: u64::try_from(checked).unwrap_or(0) };
        if sha256 != sum(key, &entry) {
            tracing::warn!(
                kind = key.kind.name(),
                plugin = key.plugin,
                "a damaged entry of the research cache was dropped"
            );
            drop(connection);
            self.change(|transaction| delete(transaction, key))?;
            return Ok(None);
        }
        let now = self.now();
        if now.saturating_sub(u64::try_from(used).unwrap_or(0)) >= USED_SECONDS {
            let update = "UPDATE entry SET used_s = ?1 WHERE kind = ?2 AND key = ?3";
            connection.execute(update, params![seconds(now), key.kind.name(), key.hash])?;
        }
        Ok(Some(entry))
    }

    /// Keeps something, and drops what was used least recently when it does not fit otherwise. What is too
    /// large by itself is not kept.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn keep(&self, key: &Key, label: &str, entry: &Entry) -> Result<(), CacheError> {
        let bytes = entry.body.len() as u64 + label.len() as u64 + ROW_BYTES;
        if entry.body.len() > MAX_ENTRY_BYTES || bytes > self.most_bytes {
            return Ok(());
        }
        let (now, sum) = (seconds(self.now()), sum(key, entry));
        let most = self.most_bytes;
        self.change(|transaction| {
            delete(transaction, key)?;
            transaction.execute(
                "INSERT INTO entry (kind, key, plugin, label, body, sha256, checked_s, used_s, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![
                    key.kind.name(), key.hash, key.plugin, label, entry.body, sum,
                    seconds(entry.checked), now, seconds(bytes)
                ],
            )?;
            transaction.execute("UPDATE held SET bytes = bytes + ?1", [seconds(bytes)])?;
            evict(transaction, key, most)
        })
    }

    /// Forgets what is kept under a key.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn forget(&self, key: &Key) -> Result<(), CacheError> {
        self.change(|transaction| delete(transaction, key))
    }

    /// Returns how much there is of each kind.
    ///
    /// # Errors
    /// When the cache cannot be read.
    pub fn held(&self) -> Result<Vec<Held>, CacheError> {
        let connection = self.lock();
        let mut statement = connection
            .prepare("SELECT count(*), coalesce(sum(bytes), 0) FROM entry WHERE kind = ?1")?;
        let mut held = Vec::new();
        for kind in Kind::ALL {
            let row = statement.query_row([kind.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (entries, bytes): (i64, i64) = row;
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            held.push(Held { kind, entries: count(entries), bytes: count(bytes) });
        }
        Ok(held)
    }

    /// Returns what all entries may hold together.
    pub fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// Asks for the turn to make an entry, so that of several processes one does and the others wait;
    /// nothing while another has it. It ends when what is returned is dropped, or with the process.
    ///
    /// # Errors
    /// When the file of the turn cannot be opened.
    pub fn flight(&self, key: &Key) -> Result<Option<Flight>, CacheError> {
        file::flight(&self.dir, &self.path, key.hash[0] % file::FLIGHTS)
    }

    fn change<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, CacheError>,
    ) -> Result<T, CacheError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the hash of everything of an entry that is believed: a changed time would make an old page new.
fn sum(key: &Key, entry: &Entry) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(key.hash);
    hash.update(entry.checked.to_le_bytes());
    hash.update(&entry.body);
    hash.finalize().to_vec()
}

fn delete(transaction: &Transaction<'_>, key: &Key) -> Result<(), CacheError> {
    let gone = transaction.query_row(
        "DELETE FROM entry WHERE kind = ?1 AND key = ?2 RETURNING bytes",
        params![key.kind.name(), key.hash],
        |row| row.get::<_, i64>(0),
    );
    if let Some(bytes) = gone.optional()? {
        transaction.execute("UPDATE held SET bytes = bytes - ?1", [bytes])?;
    }
    Ok(())
}

/// Drops what was used least recently until the rest fits, but never the entry that was just made.
fn evict(transaction: &Transaction<'_>, made: &Key, most: u64) -> Result<(), CacheError> {
    let held = |transaction: &Transaction<'_>| {
        transaction.query_row("SELECT bytes FROM held", [], |row| row.get::<_, i64>(0))
    };
    while held(transaction)? > seconds(most) {
        let oldest = transaction.query_row(
            "DELETE FROM entry WHERE id = (
                 SELECT id FROM entry WHERE key <> ?1 ORDER BY used_s, id LIMIT 1
             ) RETURNING bytes",
            [made.hash],
            |row| row.get::<_, i64>(0),
        );
        let Some(bytes) = oldest.optional()? else { return Ok(()) };
        transaction.execute("UPDATE held SET bytes = bytes - ?1", [bytes])?;
    }
    Ok(())
}

/// Returns a number as the database has it.
fn seconds(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
