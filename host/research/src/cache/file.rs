//! The files of the cache: the database, found sound before it is believed, and the files of the turns.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::CacheError;

const NAME: &str = "cache.sqlite";
/// Marks the file as ours: the bytes `RFrc`.
const APPLICATION: i32 = 0x5246_7263;
const VERSION: i32 = 1;
/// How long one process waits for the others: each holds the file for milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many turns there can be at once.
pub(super) const FLIGHTS: u8 = 64;

const SCHEMA: [&str; 4] = [
    "CREATE TABLE held (only INTEGER PRIMARY KEY CHECK (only = 1), bytes INTEGER NOT NULL) STRICT",
    "CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL CHECK (kind IN ('page', 'search', 'answer', 'memory')),
        key BLOB NOT NULL CHECK (length(key) = 32),
        plugin TEXT NOT NULL,
        label TEXT NOT NULL,
        body BLOB NOT NULL,
        sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
        checked_s INTEGER NOT NULL,
        used_s INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        UNIQUE (kind, key)
    ) STRICT",
    "CREATE INDEX entry_used ON entry (used_s, id)",
    "INSERT INTO held VALUES (1, 0)",
];

/// Opens the database in the directory at `path`, both made when there are none.
pub(super) fn open(path: &Path) -> Result<(Dir, Connection), CacheError> {
    let (dir, real) = directory(path)?;
    let file = real.join(NAME);
    if let Ok(found) = dir.symlink_metadata(NAME) {
        private(&file, &found, found.is_file())?;
    }
    let mut connection = connect(&file).map_err(|error| explained(error, &file))?;
    prepare(&mut connection, &file).map_err(|error| match error {
        CacheError::Sql { source } => explained(source, &file),
        other => other,
    })?;
    Ok((dir, connection))
}

/// Opens a directory that only its user can write to, and returns it with its path without links: a link may
/// lead to where it lies, such as a linked home, but neither it nor a file in it is one.
fn directory(path: &Path) -> Result<(Dir, PathBuf), CacheError> {
    let fail = |source| CacheError::Io { path: path.to_owned(), source };
    let mut builder = cap_std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    cap_std::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(fail(io::ErrorKind::InvalidInput.into()));
    };
    Dir::create_ambient_dir_all(above, ambient_authority()).map_err(fail)?;
    let above = Dir::open_ambient_dir(above, ambient_authority()).map_err(fail)?;
    above.create_dir_with(name, &builder).or_else(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Ok(()),
        _ => Err(fail(error)),
    })?;
    let found = above.symlink_metadata(name).map_err(fail)?;
    private(path, &found, found.is_dir())?;
    let real = path.parent().map(Path::canonicalize).transpose().map_err(fail)?;
    let dir = above.open_dir(name).map_err(fail)?;
    Ok((dir, real.unwrap_or_default().join(name)))
}

/// Removes every file of the cache.
pub(super) fn remove(path: &Path) -> Result<(), CacheError> {
    let (dir, _) = directory(path)?;
    let companions = [NAME, "cache.sqlite-wal", "cache.sqlite-shm", "cache.sqlite-journal"];
    let flights = (0..FLIGHTS).map(|number| format!("flight-{number}"));
    for name in companions.map(str::to_owned).into_iter().chain(flights) {
        match dir.remove_file(&name) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(CacheError::Io { path: path.join(name), source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses what others could have written to, and what is of another kind, such as a link.
fn private(path: &Path, found: &Metadata, is_of_kind: bool) -> Result<(), CacheError> {
    let open = |why: &str| CacheError::Open { path: path.to_owned(), why: why.to_owned() };
    if !is_of_kind {
        return Err(open("it is a link or of another kind"));
    }
    #[cfg(unix)]
    {
        use cap_std::fs::MetadataExt as _;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(open("it belongs to somebody else"));
        }
        if found.mode() & 0o022 != 0 {
            return Err(open("others can write to it"));
        }
    }
    #[cfg(not(unix))]
    let _ = found;
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Losing the last entries to a power failure costs nothing but time.
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

/// Makes the tables of an empty file; checks that any other holds these tables and nothing else: a trigger
/// somebody put there would run inside each change.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), CacheError> {
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let schema = || -> rusqlite::Result<BTreeSet<String>> {
        let mut statement =
            transaction.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    if number("application_id")? == 0 && schema()?.is_empty() {
        for statement in SCHEMA {
            transaction.execute_batch(statement)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    let unsound = |why: &str| CacheError::Unsound { path: path.to_owned(), why: why.to_owned() };
    if number("application_id")? != APPLICATION {
        return Err(unsound("it was not written by ringfence"));
    }
    if number("user_version")? != VERSION {
        return Err(unsound("it is of another version"));
    }
    let known = SCHEMA.iter().filter(|sql| sql.starts_with("CREATE"));
    if schema()? != known.map(|sql| (*sql).to_owned()).collect() {
        return Err(unsound("its tables are not those this host makes"));
    }
    transaction.commit()?;
    Ok(())
}

/// Tells damage from other failures: it has a fix the person can apply.
fn explained(source: rusqlite::Error, path: &Path) -> CacheError {
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => CacheError::Unsound {
            path: path.to_owned(),
            why: "it is not a sound database".to_owned(),
        },
        _ => CacheError::Sql { source },
    }
}

/// The turn to make an entry.
#[derive(Debug)]
pub struct Flight {
    _file: File,
}

pub(super) fn flight(dir: &Dir, path: &Path, number: u8) -> Result<Option<Flight>, CacheError> {
    let name = format!("flight-{number}");
    let fail = |source| CacheError::Io { path: path.join(&name), source };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = dir.open_with(&name, &options).map_err(fail)?.into_std();
    match file.try_lock() {
        Ok(()) => Ok(Some(Flight { _file: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(fail(source)),
    }
}
