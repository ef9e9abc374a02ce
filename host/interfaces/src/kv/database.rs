//! The `SQLite` file: one table of entries, and what each namespace holds.

use super::{Bucket, KvError};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest key.
pub(super) const MAX_KEY_BYTES: usize = 2048;

/// The largest value; larger data belongs in a file.
pub(super) const MAX_VALUE_BYTES: usize = 8 << 20;

/// The most keys one batch may name: a batch that changes something locks out other processes.
pub(super) const MAX_BATCH_KEYS: usize = 1000;

/// What an entry counts for besides its key, its value and its namespace: the version, the headers
/// of the record and its share of a page that is not full. Without it, a quota of contents would
/// let in millions of entries that have next to none.
pub(super) const ROW_BYTES: u16 = 64;

/// How many keys are listed at once.
const PAGE_KEYS: u32 = 256;

/// How long other processes may keep the file locked: for one statement, and for opening it in all.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// How long between two attempts to open a file that another process is preparing.
const PAUSE: Duration = Duration::from_millis(5);

/// The format of the tables below and of what `held` counts. Another one is refused, never
/// converted.
pub(super) const FORMAT: i64 = 2;

/// `version` is new for every change in a namespace: a value that was changed and changed back is
/// not taken for one that was not.
const SCHEMA: &str = "
    CREATE TABLE held (
        namespace TEXT PRIMARY KEY, bytes INTEGER NOT NULL, version INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE entry (
        namespace TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, version INTEGER NOT NULL,
        PRIMARY KEY (namespace, key)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 2;
";

/// A value and which change of its namespace it came with.
pub(super) type Versioned = Option<(Vec<u8>, i64)>;

pub(super) struct Database {
    connection: Connection,
}

impl From<rusqlite::Error> for KvError {
    fn from(error: rusqlite::Error) -> Self {
        tracing::debug!(%error, "the key-value store failed");
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Unusable,
        }
    }
}

impl Database {
    pub(super) fn open(path: &Path) -> Result<Self, KvError> {
        Self::open_within(path, BUSY)
    }

    /// Opens the file, or gives up after `wait` in all when other processes keep it locked.
    pub(super) fn open_within(path: &Path, wait: Duration) -> Result<Self, KvError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match Self::try_open(path, left) {
                // Two processes that turn the same new file into a shared one get in each other's way.
                Err(KvError::Busy) if Instant::now() + PAUSE < deadline => {
                    // What is waited for is another process, which cannot wake this one.
                    std::thread::park_timeout(PAUSE);
                }
                done => return done,
            }
        }
    }

    fn try_open(path: &Path, wait: Duration) -> Result<Self, KvError> {
        create_private(path).map_err(|_| KvError::Unusable)?;
        let connection = Connection::open(path)?;
        connection.busy_timeout(wait)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // Waits for whoever prepares the file; changing the mode itself does not wait.
        connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
        let mode = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        connection.query_row("PRAGMA journal_mode = WAL", (), mode)?;
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL;
             PRAGMA trusted_schema = OFF;
             PRAGMA journal_size_limit = 4194304;
             PRAGMA cache_size = -1024;",
        )?;
        let mut database = Self { connection };
        let transaction = database.begin()?;
        match transaction.query_row("PRAGMA user_version", (), |row| row.get(0))? {
            0 => transaction.execute_batch(SCHEMA)?,
            FORMAT => {}
            _ => return Err(KvError::Unusable),
        }
        transaction.commit()?;
        database.connection.busy_timeout(BUSY)?;
        Ok(database)
    }

    pub(super) fn get(&self, bucket: &Bucket, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        Ok(get(&self.connection, bucket, key)?.map(|(value, _)| value))
    }

    pub(super) fn get_versioned(&self, bucket: &Bucket, key: &str) -> Result<Versioned, KvError> {
        get(&self.connection, bucket, key)
    }

    pub(super) fn exists(&self, bucket: &Bucket, key: &str) -> Result<bool, KvError> {
        let sql = "SELECT 1 FROM entry WHERE namespace = ?1 AND key = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.exists((&bucket.namespace, key))?)
    }

    /// Returns a page of keys that follow `after`, in order, and whether there are more.
    pub(super) fn keys_after(
        &self,
        bucket: &Bucket,
        after: Option<&str>,
    ) -> Result<(Vec<String>, bool), KvError> {
        if after.is_some_and(|after| check_key(after).is_err()) {
            return Err(KvError::BadCursor);
        }
        let sql = "SELECT key FROM entry WHERE namespace = ?1 AND key > ?2 ORDER BY key LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let wanted = (&bucket.namespace, after.unwrap_or(""), PAGE_KEYS + 1);
        page(statement.query_map(wanted, |row| row.get(0))?)
    }

    /// Returns a page of keys, in order, without the first `skip`, and whether there are more.
    pub(super) fn keys_from(
        &self,
        bucket: &Bucket,
        skip: u64,
    ) -> Result<(Vec<String>, bool), KvError> {
        let skip = i64::try_from(skip).map_err(|_| KvError::BadCursor)?;
        let sql = "SELECT key FROM entry WHERE namespace = ?1 ORDER BY key LIMIT ?2 OFFSET ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        page(statement.query_map((&bucket.namespace, PAGE_KEYS + 1, skip), |row| row.get(0))?)
    }

    /// Sets all of these or none.
    pub(super) fn set(
        &mut self,
        bucket: &Bucket,
        entries: &[(String, Vec<u8>)],
    ) -> Result<(), KvError> {
        check_batch(entries.len())?;
        let transaction = self.begin()?;
        for (key, value) in entries {
            set(&transaction, bucket, key, value)?;
        }
        Ok(transaction.commit()?)
    }

    /// Deletes all of these or none.
    pub(super) fn delete(&mut self, bucket: &Bucket, keys: &[String]) -> Result<(), KvError> {
        check_batch(keys.len())?;
        let transaction = self.begin()?;
        for key in keys {
            let freed = size(&transaction, bucket, key)?;
            let sql = "DELETE FROM entry WHERE namespace = ?1 AND key = ?2";
            transaction.prepare_cached(sql)?.execute((&bucket.namespace, key))?;
            hold(&transaction, bucket, -freed)?;
        }
        Ok(transaction.commit()?)
    }

    /// Adds to the integer at a key, written in decimal; a key that is not there counts as 0.
    pub(super) fn increment<N>(
        &mut self,
        bucket: &Bucket,
        key: &str,
        add: impl FnOnce(N) -> Option<N>,
    ) -> Result<N, KvError>
    where
        N: std::str::FromStr + ToString + Default,
    {
        let transaction = self.begin()?;
        let before = match get(&transaction, bucket, key)? {
            None => N::default(),
            Some((bytes, _)) => {
                let text = std::str::from_utf8(&bytes).map_err(|_| KvError::NotInteger)?;
                text.parse().map_err(|_| KvError::NotInteger)?
            }
        };
        let after = add(before).ok_or(KvError::NotInteger)?;
        set(&transaction, bucket, key, after.to_string().as_bytes())?;
        transaction.commit()?;
        Ok(after)
    }

    /// Sets a value if it still is the one of version `seen`; otherwise returns the version it has.
    pub(super) fn swap(
        &mut self,
        bucket: &Bucket,
        key: &str,
        seen: Option<i64>,
        value: &[u8],
    ) -> Result<Result<(), Option<i64>>, KvError> {
        let transaction = self.begin()?;
        let sql = "SELECT version FROM entry WHERE namespace = ?1 AND key = ?2";
        let now = transaction
            .prepare_cached(sql)?
            .query_row((&bucket.namespace, key), |row| row.get(0))
            .optional()?;
        if now != seen {
            return Ok(Err(now));
        }
        set(&transaction, bucket, key, value)?;
        transaction.commit()?;
        Ok(Ok(()))
    }

    #[cfg(test)]
    pub(super) fn pretend_format(&self, format: i64) {
        let done = self.connection.pragma_update(None, "user_version", format);
        assert!(done.is_ok(), "the format can be set");
    }

    fn begin(&mut self) -> Result<Transaction<'_>, KvError> {
        // Taking the lock at once: one taken later cannot be waited for.
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }
}

pub(super) fn check_batch(keys: usize) -> Result<(), KvError> {
    if keys > MAX_BATCH_KEYS { Err(KvError::LargeBatch) } else { Ok(()) }
}

fn check_key(key: &str) -> Result<(), KvError> {
    let good = !key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.contains('\0');
    if good { Ok(()) } else { Err(KvError::BadKey) }
}

/// Makes the file, readable by its owner alone, when it is not there. What `SQLite` puts
/// beside it gets the same permissions.
///
/// A file that is there is never opened here: closing any descriptor of it would drop every POSIX
/// lock this process holds on it through `SQLite` (fcntl(2), "Advisory record locking").
fn create_private(path: &Path) -> io::Result<()> {
    static CREATING: Mutex<()> = Mutex::new(());
    let _alone = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = Dir::open_ambient_dir(parent, cap_std::ambient_authority())?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    match parent.open_with(name, &options) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn get(connection: &Connection, bucket: &Bucket, key: &str) -> Result<Versioned, KvError> {
    let sql = "SELECT value, version FROM entry WHERE namespace = ?1 AND key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    Ok(statement.query_row((&bucket.namespace, key), pair).optional()?)
}

fn set(
    transaction: &Transaction<'_>,
    bucket: &Bucket,
    key: &str,
    value: &[u8],
) -> Result<(), KvError> {
    check_key(key)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(KvError::LargeValue);
    }
    let after = key.len() + value.len() + bucket.namespace.len() + usize::from(ROW_BYTES);
    let after = i64::try_from(after).map_err(|_| KvError::LargeValue)?;
    let more = after - size(transaction, bucket, key)?;
    let version = hold(transaction, bucket, more)?;
    let sql = "INSERT INTO entry (namespace, key, value, version) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET value = excluded.value, version = excluded.version";
    transaction.prepare_cached(sql)?.execute((&bucket.namespace, key, value, version))?;
    Ok(())
}

/// Returns how much an entry counts for: nothing when it is not there.
fn size(transaction: &Transaction<'_>, bucket: &Bucket, key: &str) -> Result<i64, KvError> {
    let sql = "SELECT octet_length(key) + octet_length(value) + octet_length(namespace) + ?3
               FROM entry WHERE namespace = ?1 AND key = ?2";
    let mut statement = transaction.prepare_cached(sql)?;
    let row = (&bucket.namespace, key, ROW_BYTES);
    let size = statement.query_row(row, |row| row.get(0)).optional()?;
    Ok(size.unwrap_or(0))
}

/// Adds to what a namespace holds, and returns the version of the change. Growing past the quota
/// is refused; shrinking never is.
fn hold(transaction: &Transaction<'_>, bucket: &Bucket, more: i64) -> Result<i64, KvError> {
    let sql = "INSERT INTO held (namespace, bytes, version) VALUES (?1, ?2, 1)
               ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes, version = version + 1
               RETURNING bytes, version";
    let mut statement = transaction.prepare_cached(sql)?;
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (held, version): (i64, i64) = statement.query_row((&bucket.namespace, more), pair)?;
    let full = u64::try_from(held).is_ok_and(|held| held > bucket.quota);
    if full && more > 0 { Err(KvError::Full) } else { Ok(version) }
}

fn page(
    rows: impl Iterator<Item = rusqlite::Result<String>>,
) -> Result<(Vec<String>, bool), KvError> {
    let mut keys = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = keys.len() > PAGE_KEYS as usize;
    keys.truncate(PAGE_KEYS as usize);
    Ok((keys, more))
}
