//! A store that is open to others, damaged or not ours is refused, and left as it is.

use crate::common::{Home, claim, keep, request};
use ringfence_approval::{Answer, Place, Store, StoreError};
use ringfence_capability::Diagnostic;
use std::fs;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;

const FILE: &str = "leases.sqlite";

fn open(home: &Home) -> Result<Store, StoreError> {
    Store::open(&Place::open(home.state.path())?, home.clock())
}

/// A store with one answer, closed, with `harm` done to it, is refused with `code` and a fix.
fn check(code: &str, harm: impl FnOnce(&Home)) {
    let home = Home::new();
    keep(&home.store(), &request(), &Answer::DenyAlways);
    assert_eq!(claim(&open(&home).unwrap(), &request()), "denied");
    harm(&home);
    let before = fs::read(home.file(FILE)).ok();
    let refused = open(&home).unwrap_err();
    assert_eq!(refused.code(), code, "{refused}");
    assert!(refused.hint().is_some(), "{refused} comes without a fix");
    assert_eq!(fs::read(home.file(FILE)).ok(), before, "it was changed");
}

#[test]
#[cfg(unix)]
fn it_is_made_for_its_user_only() {
    let home = Home::new();
    let _store = home.store();
    let mode = |name: &str| fs::metadata(home.file(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode(FILE), 0o600);
}

#[cfg(unix)]
fn chmod(home: &Home, name: &str, mode: u32) {
    fs::set_permissions(home.file(name), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
#[cfg(unix)]
fn one_that_others_may_read_or_write_is_refused() {
    check("approval::store-too-open", |home| chmod(home, "", 0o750));
    check("approval::store-too-open", |home| chmod(home, "", 0o777));
    check("approval::store-too-open", |home| chmod(home, FILE, 0o644));
    check("approval::store-too-open", |home| chmod(home, FILE, 0o660));
    check("approval::store-too-open", |home| {
        let state = home.state.path();
        fs::set_permissions(state, fs::Permissions::from_mode(0o777)).unwrap();
    });
}

#[test]
#[cfg(unix)]
fn one_below_a_directory_that_hands_its_group_down_is_fine() {
    let home = Home::new();
    keep(&home.store(), &request(), &Answer::Once);
    chmod(&home, "", 0o2700);
    assert_eq!(claim(&open(&home).unwrap(), &request()), "allowed");
}

#[test]
#[cfg(unix)]
fn one_of_another_user_is_refused() {
    use std::os::unix::fs::chown;
    if !rustix::process::geteuid().is_root() {
        let name = "one_of_another_user_is_refused";
        crate::common::skip(name, "only root can give a file away");
        return;
    }
    check("approval::store-foreign-owner", |home| {
        chown(home.file(FILE), Some(65534), None).unwrap();
    });
    check("approval::store-foreign-owner", |home| {
        chown(home.file(""), Some(65534), None).unwrap();
    });
}

#[test]
fn a_damaged_one_is_refused() {
    check("approval::store-untrusted", |home| fs::write(home.file(FILE), b"").unwrap());
    check("approval::store-untrusted", |home| fs::write(home.file(FILE), [7; 8192]).unwrap());
    check("approval::store-untrusted", |home| {
        let bytes = fs::read(home.file(FILE)).unwrap();
        fs::write(home.file(FILE), &bytes[..bytes.len() / 2]).unwrap();
    });
    check("approval::store-untrusted", |home| {
        let mut bytes = fs::read(home.file(FILE)).unwrap();
        bytes[4096..].fill(0xa5);
        fs::write(home.file(FILE), bytes).unwrap();
    });
}

#[test]
#[cfg(unix)]
fn one_in_another_place_is_refused() {
    check("approval::store-untrusted", |home| {
        let elsewhere = home.state.path().join("elsewhere");
        fs::rename(home.file(FILE), &elsewhere).unwrap();
        std::os::unix::fs::symlink(elsewhere, home.file(FILE)).unwrap();
    });
    check("approval::store-untrusted", |home| {
        fs::remove_file(home.file(FILE)).unwrap();
        fs::create_dir(home.file(FILE)).unwrap();
        chmod(home, FILE, 0o700);
    });
}

fn sql(home: &Home, statement: &str) {
    let connection = rusqlite::Connection::open(home.file(FILE)).unwrap();
    connection.execute_batch(statement).unwrap();
}

#[test]
fn one_that_this_version_did_not_make_is_refused() {
    check("approval::store-untrusted", |home| sql(home, "PRAGMA application_id = 1"));
    check("approval::store-version", |home| sql(home, "PRAGMA user_version = 2"));
    check("approval::store-untrusted", |home| sql(home, "CREATE TABLE more (a)"));
    // A trigger that turns every denial into nothing.
    check("approval::store-untrusted", |home| {
        sql(
            home,
            "CREATE TRIGGER evil AFTER UPDATE ON clock BEGIN UPDATE lease SET revoked = 1; END",
        );
    });
}

#[test]
fn one_that_is_gone_while_its_journal_is_not_is_not_made_anew() {
    for journal in ["leases.sqlite-wal", "leases.sqlite-journal"] {
        check("approval::store-untrusted", |home| {
            fs::remove_file(home.file(FILE)).unwrap();
            fs::write(home.file(journal), b"x").unwrap();
            #[cfg(unix)]
            chmod(home, journal, 0o600);
        });
    }
}

#[test]
fn one_with_a_write_ahead_log_is_changed_to_a_rollback_journal() {
    let home = Home::new();
    keep(&home.store(), &request(), &Answer::Always { pattern: None });
    sql(&home, "PRAGMA journal_mode = wal");
    {
        // While another process reads it, it cannot be changed and is not used.
        let reader = rusqlite::Connection::open(home.file(FILE)).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM lease").unwrap();
        let busy = open(&home).unwrap_err();
        assert_eq!(busy.code(), "approval::store-busy");
    }
    assert_eq!(claim(&home.store(), &request()), "allowed");
    let mode = rusqlite::Connection::open(home.file(FILE)).unwrap();
    let mode = mode.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!(mode.unwrap(), "delete");
}

#[test]
fn a_row_that_does_not_agree_with_itself_is_a_denial() {
    let home = Home::new();
    let store = home.store();
    let harmless = crate::common::changed_exec(|e| e.argv[1] = "help".into());
    keep(&store, &harmless, &Answer::Always { pattern: None });
    let matches = request().subject();
    // The yes for something harmless is made to match something else.
    sql(&home, &format!("UPDATE lease SET matches = x'{}'", matches.hex()));
    let refused = store.claim(&request(), &crate::common::run("run-1")).unwrap_err();
    assert_eq!(refused.code(), "approval::store-untrusted");
}

#[test]
fn one_that_is_removed_while_it_is_open_keeps_nothing() {
    let home = Home::new();
    let store = home.store();
    fs::remove_file(home.file(FILE)).unwrap();
    let by = crate::common::me();
    let refused = store.keep(&request(), &Answer::Always { pattern: None }, None, by).unwrap_err();
    assert_eq!(refused.code(), "approval::store-untrusted", "{refused}");
}
