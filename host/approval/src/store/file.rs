//! The file: making it whole or not at all, and finding it sound before it is believed.

use crate::place::PRIVATE_FILE;
use crate::{Place, StoreError};
use cap_std::fs::OpenOptions;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NAME: &str = "leases.sqlite";
/// Marks the file as ours: the bytes `RFap`.
const APPLICATION: i64 = 0x5246_6170;
const VERSION: i64 = 1;
/// How long one process waits for the others: each holds the file for milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

const SCHEMA: [&str; 8] = [
    "CREATE TABLE clock (only INTEGER PRIMARY KEY CHECK (only = 1), latest_ms INTEGER NOT NULL) STRICT",
    "CREATE TABLE lease (
        id TEXT PRIMARY KEY CHECK (length(id) = 12),
        effect TEXT NOT NULL CHECK (effect IN ('allow', 'deny')),
        scope TEXT NOT NULL CHECK (scope IN ('exact', 'pattern', 'deed')),
        matches BLOB NOT NULL CHECK (length(matches) = 32),
        pattern TEXT CHECK ((pattern IS NULL) = (scope <> 'pattern')),
        run TEXT,
        request BLOB NOT NULL,
        expires_ms INTEGER,
        uses_left INTEGER CHECK (uses_left >= 0),
        uses INTEGER NOT NULL CHECK (uses >= 0),
        created_ms INTEGER NOT NULL,
        channel TEXT NOT NULL,
        user INTEGER,
        revoked INTEGER NOT NULL CHECK (revoked IN (0, 1)),
        CHECK ((effect = 'deny') = (scope = 'deed'))
    ) STRICT",
    "CREATE INDEX lease_matches ON lease (matches)",
    "CREATE TABLE used (
        request BLOB PRIMARY KEY CHECK (length(request) = 32),
        expires_ms INTEGER NOT NULL,
        lease TEXT NOT NULL
    ) STRICT",
    "CREATE INDEX used_expires ON used (expires_ms)",
    "CREATE TABLE asked (
        id TEXT PRIMARY KEY CHECK (length(id) = 12),
        subject BLOB NOT NULL CHECK (length(subject) = 32),
        request BLOB NOT NULL,
        at_ms INTEGER NOT NULL
    ) STRICT",
    "CREATE UNIQUE INDEX asked_subject ON asked (subject)",
    "INSERT INTO clock VALUES (1, 0)",
];

/// Returns a connection to the store in `place`, made when there is none, and its path.
pub(super) fn open(place: &Place) -> Result<(Connection, PathBuf), StoreError> {
    let path = place.path().join(NAME);
    if !place.holds(NAME)? {
        for left in ["leases.sqlite-wal", "leases.sqlite-journal"] {
            if place.holds(left)? {
                let why = format!("it is gone, but `{left}` was left behind");
                return Err(StoreError::Untrusted { path, why });
            }
        }
        make(place)?;
        place.holds(NAME)?;
    }
    for companion in ["leases.sqlite-journal", "leases.sqlite-wal", "leases.sqlite-shm"] {
        place.holds(companion)?;
    }
    let connection = connect(&path).and_then(|connection| {
        check(&connection, &path)?;
        one_journal(&connection, &path)?;
        Ok(connection)
    });
    Ok((connection.map_err(|error| explained(error, &path))?, path))
}

/// Makes the file under another name and gives it its own when it is whole. Another process may do
/// the same: the first one wins.
fn make(place: &Place) -> Result<(), StoreError> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|source| crate::RequestError::NoRandomness { source })?;
    let name = format!(".leases-{:016x}.new", u64::from_be_bytes(random));
    let path = place.path().join(&name);
    let fail = |what| {
        let path = path.clone();
        move |source: io::Error| StoreError::Io { what, path, source }
    };
    place.dir().open_with(&name, &private()).map_err(fail("make"))?;
    let made = fill(&path).and_then(|()| match place.dir().hard_link(&name, place.dir(), NAME) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fail("name")(error)),
        _ => Ok(()),
    });
    place.dir().remove_file(&name).map_err(fail("remove"))?;
    made
}

fn fill(path: &Path) -> Result<(), StoreError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", VERSION)?;
    connection.execute_batch("BEGIN")?;
    for statement in SCHEMA {
        connection.execute_batch(statement)?;
    }
    connection.execute_batch("COMMIT")?;
    connection.close().map_err(|(_, source)| StoreError::Sql { source })
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // A statement is not prepared again because a value was bound that would favour another plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // A use that was counted must still be counted after a power failure: the removal of the journal
    // is on the disk, too, before a commit returns.
    connection.pragma_update(None, "synchronous", "extra")?;
    Ok(connection)
}

/// Makes sure that the file has a rollback journal, which costs nothing where nothing is written. A
/// write-ahead log, as earlier versions had, is made and removed by every process.
fn one_journal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    if mode == "delete" {
        return Ok(());
    }
    let until = Instant::now() + PATIENCE;
    loop {
        let changed = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
        let changed = connection.pragma_update_and_check(None, "journal_mode", "delete", changed);
        match changed.map_err(StoreError::from).map_err(|error| explained(error, path)) {
            Ok(mode) if mode == "delete" => return Ok(()),
            // Another process has it open, which this change does not wait for by itself.
            Ok(_) | Err(StoreError::Busy { .. }) if Instant::now() < until => {
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Ok(_) => return Err(StoreError::Busy { path: path.to_owned() }),
            Err(error) => return Err(error),
        }
    }
}

/// Checks that the file is ours, of this version, sound, and holds these tables and nothing else: a
/// trigger somebody put there would run inside each claim.
fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let untrusted =
        |why: &str| StoreError::Untrusted { path: path.to_owned(), why: why.to_owned() };
    // One look at the file for all of it, and one lock.
    let connection = connection.unchecked_transaction()?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number("application_id")? != APPLICATION {
        return Err(untrusted("it was not written by ringfence"));
    }
    let found = number("user_version")?;
    if found != VERSION {
        return Err(StoreError::Version { path: path.to_owned(), found, known: VERSION });
    }
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let found = statement.query_map([], |row| row.get::<_, String>(0))?;
    let found = found.collect::<Result<BTreeSet<_>, _>>()?;
    let known = SCHEMA.iter().filter(|sql| sql.starts_with("CREATE"));
    if found != known.map(|sql| (*sql).to_owned()).collect() {
        return Err(untrusted("its tables are not those this host makes"));
    }
    let sound: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if sound != "ok" {
        return Err(untrusted(&ringfence_capability::text::brief(&sound, 200)));
    }
    drop(statement);
    Ok(connection.finish()?)
}

/// Tells damage and waiting in vain from other failures: these have a fix the person can apply.
pub(super) fn explained(error: StoreError, path: &Path) -> StoreError {
    use rusqlite::ErrorCode::{
        DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase, ReadOnly,
    };
    let StoreError::Sql { source } = &error else { return error };
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => {
            StoreError::Untrusted { path, why: "it is not a sound database".to_owned() }
        }
        Some(DatabaseBusy | DatabaseLocked) => StoreError::Busy { path },
        Some(ReadOnly) => {
            let why = "it cannot be written, or was moved or removed meanwhile".to_owned();
            StoreError::Untrusted { path, why }
        }
        _ => error,
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(PRIVATE_FILE);
    }
    #[cfg(not(unix))]
    let _ = PRIVATE_FILE;
    options
}
