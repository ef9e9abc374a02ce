//! Many processes at once: nothing that was installed is lost, and readers never see a half.

use super::{BACK, Home, bundle, candidate, wanted};
use crate::{Store, StoreError};
use semver::Version;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const DATA: &str = "RINGFENCE_TEST_STORE_SHARED";
const NUMBER: &str = "RINGFENCE_TEST_STORE_NUMBER";
const PROCESSES: u64 = 5;
const EACH: u64 = 8;

/// Not a test of its own: installs versions that no other process installs.
#[test]
fn child_process_installs() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let number: u64 = std::env::var(NUMBER).unwrap().parse().unwrap();
    let store = Store::open(&PathBuf::from(data)).unwrap();
    for patch in 0..EACH {
        let version = Version::new(1, number, patch);
        let sealed = bundle(&version.to_string());
        // What another process did in between is looked at, and then it is tried again.
        loop {
            let seen = store.receipt("word-count").unwrap();
            match store.install(&candidate(&sealed, &version, None), BACK, seen.as_ref()) {
                Ok(_) => break,
                Err(StoreError::Changed { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let (_, installed) = store.find(&wanted(&format!("word-count@{version}"))).unwrap();
        assert_eq!(store.read("word-count", &installed).unwrap().digest(), sealed.digest());
        let (_, current) = store.find(&wanted("word-count")).unwrap();
        store.read("word-count", &current).unwrap();
    }
}

#[test]
fn nothing_that_many_processes_install_at_once_is_lost() {
    let home = Home::new();
    let start = |number: u64| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "store::tests::many::child_process_installs"]);
        child.env(DATA, home.data()).env(NUMBER, number.to_string());
        child.stdout(Stdio::null()).spawn().unwrap()
    };
    for mut child in (0..PROCESSES).map(start).collect::<Vec<_>>() {
        assert!(child.wait().unwrap().success());
    }
    let receipt = home.store().receipt("word-count").unwrap().unwrap();
    let mut found: Vec<_> = receipt.versions().iter().map(|one| one.version.clone()).collect();
    found.sort();
    let all = |number| (0..EACH).map(move |patch| Version::new(1, number, patch));
    assert_eq!(found, (0..PROCESSES).flat_map(all).collect::<Vec<_>>());
    assert_eq!(home.bundles().len(), found.len());
}
