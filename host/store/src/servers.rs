//! The outside servers a person added: one file each, whole or not there, under one lock.
//!
//! What is in a file is the business of whoever adds servers; here it is bytes with a name.

use std::io::{Read as _, Write as _};
use std::path::Path;

use cap_std::fs::File;
use fd_lock::RwLock;
use ringfence_capability::text;

use crate::StoreError;
use crate::place::Place;

/// The directory below the one of the user's data.
const DIRECTORY: &str = "mcp";
/// The file the processes take turns with.
const LOCK: &str = "lock";
/// The most bytes of one server: a thousand tools with their definitions.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The outside servers of one user.
#[derive(Debug)]
pub struct Servers {
    place: Place,
}

impl Servers {
    /// Opens the directory below `data`, made when missing.
    ///
    /// # Errors
    /// When a directory belongs to another user, is open to others, or cannot be made.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        Ok(Self { place: Place::make(data)?.make_below(DIRECTORY)? })
    }

    /// Opens the directory below `data` to look at it; nothing when there is none.
    ///
    /// # Errors
    /// As [`Servers::open`].
    pub fn look(data: &Path) -> Result<Option<Self>, StoreError> {
        let Some(root) = Place::open(data)? else { return Ok(None) };
        Ok(root.below(DIRECTORY)?.map(|place| Self { place }))
    }

    /// Returns the names, sorted.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        let files = self.place.names()?;
        let names = files.iter().filter_map(|file| file.strip_suffix(".json"));
        Ok(names.filter(|name| crate::store::is_name(name)).map(str::to_owned).collect())
    }

    /// Returns what is kept about `name`; nothing when it was not added.
    ///
    /// # Errors
    /// When the name is none, or the file cannot be read or is too large.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let file = file_of(name)?;
        let Some(open) = self.place.file(&file, MAX_BYTES)? else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = open.take(MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(crate::place::fail("read", &self.place.path_of(&file)))?;
        Ok(Some(bytes))
    }

    /// Keeps `bytes` about `name`, in place of what was there.
    ///
    /// # Errors
    /// When the name is none, or the file cannot be written; then what was there stays.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let file = file_of(name)?;
        let mut lock = RwLock::new(self.place.turn(LOCK)?);
        let _turn = lock.write().map_err(crate::place::fail("lock", &self.place.path_of(LOCK)))?;
        self.place.write(&file, |to: &mut File| to.write_all(bytes))
    }

    /// Forgets `name`; true when there was one.
    ///
    /// # Errors
    /// When the name is none, or the file cannot be removed.
    pub fn remove(&self, name: &str) -> Result<bool, StoreError> {
        let file = file_of(name)?;
        let mut lock = RwLock::new(self.place.turn(LOCK)?);
        let _turn = lock.write().map_err(crate::place::fail("lock", &self.place.path_of(LOCK)))?;
        let was_there = self.place.remove(&file)?;
        self.place.sync()?;
        Ok(was_there)
    }
}

fn file_of(name: &str) -> Result<String, StoreError> {
    if !crate::store::is_name(name) {
        return Err(StoreError::BadName { name: text::brief(name, 80) });
    }
    Ok(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_about_a_server_is_there_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Servers::look(&dir.path().join("data")).unwrap().is_none());
        let servers = Servers::open(&dir.path().join("data")).unwrap();
        assert_eq!(servers.read("time").unwrap(), None);
        servers.write("time", b"one").unwrap();
        servers.write("time", b"two").unwrap();
        assert_eq!(servers.read("time").unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(servers.names().unwrap(), ["time"]);
        assert!(servers.remove("time").unwrap());
        assert!(!servers.remove("time").unwrap());
        assert_eq!(servers.names().unwrap(), [""; 0]);
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let servers = Servers::open(&dir.path().join("data")).unwrap();
        for name in ["", "..", "../x", "a/b", "A", "-x", ".x"] {
            assert!(matches!(servers.write(name, b""), Err(StoreError::BadName { .. })), "{name}");
        }
    }
}
