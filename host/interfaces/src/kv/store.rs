//! The key-value store in one SQLite file, which many processes may use at once.
//!
//! Invariants: a change, the check of its quota and its record are one transaction, and nothing is
//! committed that was not recorded; `space.bytes` is the sum of the keys and values of a namespace;
//! no statement reaches the rows of two namespaces. Start with [`Store::open`].

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::error::StoreError;
use super::file;
use crate::NotRecorded;

/// The longest key.
pub(super) const KEY_BYTES: usize = 1024;
/// The longest value.
pub(super) const VALUE_BYTES: usize = 1024 * 1024;
/// The most keys of one batch: a batch holds the only write lock of the file.
pub(super) const BATCH_KEYS: usize = 1000;
/// The most a batch may carry either way, keys and values together.
pub(super) const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// The keys of one page of a listing.
pub(super) const PAGE_KEYS: usize = 100;
/// How long an operation waits for other processes.
pub(super) const BUSY: Duration = Duration::from_secs(2);

/// Records a change that is about to be committed; an error undoes it.
pub(super) type Record<'a> = &'a dyn Fn() -> Result<(), NotRecorded>;

/// A namespace and the most it may hold.
#[derive(Debug, Clone)]
pub(super) struct Namespace {
    pub(super) name: Arc<str>,
    pub(super) size_bytes: u64,
}

/// Some keys of a namespace, and where the next page begins when there is one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    pub(super) next: Option<u64>,
}

/// An open store.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
}

impl Store {
    /// Opens the store in `path`, and creates it when it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: file::open(path)? })
    }

    /// Returns the value of `key`.
    pub(super) fn get(&self, space: &Namespace, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        value(&self.connection, &space.name, key)
    }

    /// Tells whether `key` has a value.
    pub(super) fn exists(&self, space: &Namespace, key: &str) -> Result<bool, StoreError> {
        check_key(key)?;
        let sql = "SELECT EXISTS (SELECT 1 FROM entry WHERE key = ?2
                   AND space = (SELECT id FROM space WHERE name = ?1))";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.query_row(params![&*space.name, key], |row| row.get(0))?)
    }

    /// Returns the values of `keys`, all of one moment.
    pub(super) fn get_many(
        &mut self,
        space: &Namespace,
        keys: Vec<String>,
    ) -> Result<Vec<Option<(String, Vec<u8>)>>, StoreError> {
        let mut total = check_keys(&keys)?;
        let moment = self.connection.transaction()?;
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let value = value(&moment, &space.name, &key)?;
            total += value.as_ref().map_or(0, Vec::len);
            if total > BATCH_BYTES {
                return Err(StoreError::BatchTooLarge);
            }
            found.push(value.map(|value| (key, value)));
        }
        Ok(found)
    }

    /// Returns a page of keys, in the order in which they were added.
    pub(super) fn keys(&self, space: &Namespace, after: Option<u64>) -> Result<Page, StoreError> {
        // No entry has a position that large: the page is empty.
        let after = i64::try_from(after.unwrap_or(0)).unwrap_or(i64::MAX);
        let sql = "SELECT key, position FROM entry WHERE position > ?2
                   AND space = (SELECT id FROM space WHERE name = ?1) ORDER BY position LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![&*space.name, after, PAGE_KEYS + 1])?;
        let (mut keys, mut last) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if keys.len() == PAGE_KEYS {
                return Ok(Page { keys, next: Some(last) });
            }
            keys.push(row.get(0)?);
            last = u64::try_from(row.get::<_, i64>(1)?).map_err(|_| StoreError::Damaged)?;
        }
        Ok(Page { keys, next: None })
    }

    /// Sets all of `entries`, or none.
    pub(super) fn set(
        &mut self,
        space: &Namespace,
        entries: &[(String, Vec<u8>)],
        record: Record<'_>,
    ) -> Result<(), StoreError> {
        if entries.iter().any(|(_, value)| value.len() > VALUE_BYTES) {
            return Err(StoreError::ValueTooLong);
        }
        let values: usize = entries.iter().map(|(_, value)| value.len()).sum();
        if check_keys(entries.iter().map(|(key, _)| key))?.saturating_add(values) > BATCH_BYTES {
            return Err(StoreError::BatchTooLarge);
        }
        self.change(space, record, |space| {
            entries.iter().try_for_each(|(key, value)| space.put(key, value))
        })
    }

    /// Deletes all of `keys`; those that are not there are skipped.
    pub(super) fn delete(
        &mut self,
        space: &Namespace,
        keys: &[String],
        record: Record<'_>,
    ) -> Result<(), StoreError> {
        check_keys(keys)?;
        self.change(space, record, |space| keys.iter().try_for_each(|key| space.remove(key)))
    }

    /// Adds `delta` to the decimal number in `key`, which is 0 when it is not there.
    pub(super) fn increment(
        &mut self,
        space: &Namespace,
        key: &str,
        delta: u64,
        record: Record<'_>,
    ) -> Result<u64, StoreError> {
        check_key(key)?;
        let name = Arc::clone(&space.name);
        self.change(space, record, |space| {
            let old = value(space.transaction, &name, key)?;
            let old = old.map_or(Ok(0), |digits| number(&digits).ok_or(StoreError::NotANumber))?;
            let sum = old.checked_add(delta).ok_or(StoreError::Overflow)?;
            space.put(key, sum.to_string().as_bytes())?;
            Ok(sum)
        })
    }

    /// Runs `work` in a transaction of its own and commits what it did, if the quota allows it.
    fn change<T>(
        &mut self,
        space: &Namespace,
        record: Record<'_>,
        work: impl FnOnce(&mut Space<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        // The write lock is taken at once: one taken later could fail without waiting its turn.
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let mut changed = Space::load(&transaction, &space.name)?;
        let before = changed.bytes;
        let value = work(&mut changed)?;
        // Shrinking is allowed even to a namespace whose quota was lowered below what it holds.
        let used = u64::try_from(changed.bytes).map_err(|_| StoreError::Damaged)?;
        if used > space.size_bytes && changed.bytes > before {
            return Err(StoreError::Quota { size_bytes: space.size_bytes });
        }
        changed.save()?;
        record()?;
        transaction.commit()?;
        Ok(value)
    }
}

/// One namespace inside a transaction that changes it.
struct Space<'t> {
    transaction: &'t Transaction<'t>,
    id: i64,
    bytes: i64,
    next: i64,
}

impl<'t> Space<'t> {
    fn load(transaction: &'t Transaction<'t>, name: &str) -> Result<Self, StoreError> {
        let sql = "INSERT INTO space (name) VALUES (?1) ON CONFLICT (name) DO NOTHING";
        transaction.prepare_cached(sql)?.execute([name])?;
        let sql = "SELECT id, bytes, next FROM space WHERE name = ?1";
        let mut statement = transaction.prepare_cached(sql)?;
        let row = statement.query_row([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let (id, bytes, next) = row?;
        Ok(Self { transaction, id, bytes, next })
    }

    fn save(&self) -> Result<(), StoreError> {
        let sql = "UPDATE space SET bytes = ?2, next = ?3 WHERE id = ?1";
        self.transaction.prepare_cached(sql)?.execute([self.id, self.bytes, self.next])?;
        Ok(())
    }

    fn put(&mut self, key: &str, value: &[u8]) -> Result<(), StoreError> {
        if let Some(old) = self.size(key)? {
            let sql = "UPDATE entry SET value = ?3 WHERE space = ?1 AND key = ?2";
            self.transaction.prepare_cached(sql)?.execute(params![self.id, key, value])?;
            return self.add(length(value.len())? - old);
        }
        let sql = "INSERT INTO entry (space, key, value, position) VALUES (?1, ?2, ?3, ?4)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        statement.execute(params![self.id, key, value, self.next])?;
        self.next = self.next.checked_add(1).ok_or(StoreError::Damaged)?;
        self.add(length(key.len() + value.len())?)
    }

    fn remove(&mut self, key: &str) -> Result<(), StoreError> {
        let Some(old) = self.size(key)? else { return Ok(()) };
        let sql = "DELETE FROM entry WHERE space = ?1 AND key = ?2";
        self.transaction.prepare_cached(sql)?.execute(params![self.id, key])?;
        self.add(-(old + length(key.len())?))
    }

    /// Returns the size of the value of `key`.
    fn size(&self, key: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT octet_length(value) FROM entry WHERE space = ?1 AND key = ?2";
        let mut statement = self.transaction.prepare_cached(sql)?;
        Ok(statement.query_row(params![self.id, key], |row| row.get(0)).optional()?)
    }

    fn add(&mut self, difference: i64) -> Result<(), StoreError> {
        self.bytes = self.bytes.checked_add(difference).ok_or(StoreError::Damaged)?;
        Ok(())
    }
}

/// Returns the value of `key`; one that this store would not have written is not read at all.
fn value(connection: &Connection, space: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT CASE WHEN octet_length(value) <= ?3 THEN value END FROM entry WHERE key = ?2
               AND space = (SELECT id FROM space WHERE name = ?1)";
    let mut statement = connection.prepare_cached(sql)?;
    let row = statement.query_row(params![space, key, VALUE_BYTES], |row| row.get(0));
    Ok(row.optional()?)
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn length(bytes: usize) -> Result<i64, StoreError> {
    i64::try_from(bytes).map_err(|_| StoreError::ValueTooLong)
}

fn check_key(key: &str) -> Result<(), StoreError> {
    if key.len() > KEY_BYTES { Err(StoreError::KeyTooLong) } else { Ok(()) }
}

/// Checks the keys of a batch and returns how long they are together.
fn check_keys<'k>(
    keys: impl IntoIterator<Item = &'k String, IntoIter: ExactSizeIterator>,
) -> Result<usize, StoreError> {
    let keys = keys.into_iter();
    if keys.len() > BATCH_KEYS {
        return Err(StoreError::TooManyKeys);
    }
    let mut total = 0;
    for key in keys {
        check_key(key)?;
        total += key.len();
    }
    Ok(total)
}

#[cfg(test)]
mod tests;
