//! The file of the key-value store: made private, opened with care, its format checked.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::error::StoreError;
use super::store::BUSY;

/// The format of the tables below; another one is refused, never converted in place.
const VERSION: i64 = 1;

/// `position` is counted per namespace, so that a listing tells nothing of other namespaces.
const SCHEMA: &str = "
    CREATE TABLE space (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL DEFAULT 0,
        next INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE TABLE entry (
        space INTEGER NOT NULL REFERENCES space (id),
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        position INTEGER NOT NULL,
        UNIQUE (space, key),
        UNIQUE (space, position)
    ) STRICT;
    PRAGMA user_version = 1;
";

/// Opens the store's file, and creates it when it is not there; its directory must be.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    create(path).map_err(|_| StoreError::Unavailable)?;
    // SQLite reads a name that begins with `file:` as an address with options.
    let path = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    share(&connection)?;
    connection.execute_batch(
        "PRAGMA synchronous = NORMAL; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 4194304;",
    )?;
    prepare(&mut connection)?;
    Ok(connection)
}

/// Creates an empty file that only its owner may read and write, unless there is one.
fn create(path: &Path) -> io::Result<()> {
    // Closing a file drops every lock this process has on it, also those of SQLite: no other thread
    // may get past this point before the new file is closed.
    static CREATING: Mutex<()> = Mutex::new(());
    let _creating = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let dir = Dir::open_ambient_dir(parent.unwrap_or(Path::new(".")), ambient_authority())?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match dir.open_with(name, &options) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Puts the file into the mode in which readers and a writer do not hinder each other.
fn share(connection: &Connection) -> Result<(), StoreError> {
    let deadline = Instant::now() + BUSY;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0));
        match mode {
            Ok(mode) => {
                let mode: String = mode;
                return if mode == "wal" { Ok(()) } else { Err(StoreError::Unavailable) };
            }
            // The change of mode does not wait for others that do the same; taking the lock does.
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                match connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK") {
                    Err(error) if !is_busy(&error) => return Err(error.into()),
                    _ => std::thread::yield_now(),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Creates the tables of a new file and refuses a file of another format.
fn prepare(connection: &mut Connection) -> Result<(), StoreError> {
    if version(connection)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have done it in the meantime.
    if version(&transaction)? == VERSION {
        return Ok(());
    }
    let sql = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = transaction.query_row(sql, [], |row| row.get(0))?;
    if version(&transaction)? != 0 || tables != 0 {
        return Err(StoreError::Version);
    }
    transaction.execute_batch(SCHEMA)?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}
