//! Adding the entries of a run to access lists, and taking them away.
//!
//! Each object is opened once and changed through its handle, so that what is taken back is what
//! was given, whatever became of the path. Not verified on this system, see [`super`].

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ACCESS_MODE, EXPLICIT_ACCESS_W, GRANT_ACCESS, GetSecurityInfo, REVOKE_ACCESS, SE_FILE_OBJECT,
    SetEntriesInAclW, SetSecurityInfo, TRUSTEE_IS_SID, TRUSTEE_W,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, NO_INHERITANCE, PSECURITY_DESCRIPTOR,
    SUB_CONTAINERS_AND_OBJECTS_INHERIT,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    READ_CONTROL, WRITE_DAC,
};

use super::access::{AccessEntry, Reach};
use super::sys::Sid;
use crate::SandboxError;

/// The entries of a run. Dropping it takes them away.
#[derive(Debug)]
pub(super) struct Grants {
    sid: Sid,
    given: Vec<(File, AccessEntry)>,
}

impl Grants {
    /// Adds the entries; on an error those already added are taken away.
    pub(super) fn give(sid: Sid, entries: Vec<AccessEntry>) -> Result<Self, SandboxError> {
        let mut grants = Self { sid, given: Vec::new() };
        for entry in entries {
            let path = entry.path.clone();
            let unreachable = |source| SandboxError::Unreachable { path, source };
            let file = open(&entry.path).map_err(unreachable)?;
            // First the record, so that an entry half made is taken away too.
            grants.given.push((file, entry));
            let Some((file, entry)) = grants.given.last() else { continue };
            change(file, &grants.sid, entry, GRANT_ACCESS)
                .map_err(|source| SandboxError::Setup { step: "access entries", source })?;
        }
        Ok(grants)
    }
}

impl Drop for Grants {
    fn drop(&mut self) {
        // The innermost first, so that no list is inherited again after it was cleaned.
        for (file, entry) in self.given.iter().rev() {
            // What cannot be taken away names an identifier that no process gets again.
            let _ = change(file, &self.sid, entry, REVOKE_ACCESS);
        }
    }
}

/// Returns whether a path leads where it says, compared as Windows compares names.
pub(super) fn is_real(path: &Path) -> io::Result<bool> {
    let real: PathBuf = super::container::plain_path(&std::fs::canonicalize(path)?);
    let folded = |path: &Path| path.to_string_lossy().to_lowercase();
    Ok(folded(&real) == folded(path))
}

fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .access_mode(READ_CONTROL | WRITE_DAC)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    if file.metadata()?.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    Ok(file)
}

/// Adds or takes away the entry for one identifier.
fn change(file: &File, sid: &Sid, entry: &AccessEntry, mode: ACCESS_MODE) -> io::Result<()> {
    let mut list: *mut ACL = ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    // SAFETY: the handle is open with `READ_CONTROL`; the places take one pointer each, and the
    // parts that are not asked for may be null.
    let result = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut list,
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    checked(result)?;
    // No list at all means everything is allowed to everyone: a list of one entry would lock out
    // the owner, so such an object is not touched.
    let changed = if list.is_null() {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    } else {
        replace(file, list, sid, entry, mode)
    };
    // SAFETY: the descriptor, and the list inside it, came from the call above and are freed once.
    unsafe { LocalFree(descriptor) };
    changed
}

/// Writes the list with the entry added or taken away.
fn replace(
    file: &File,
    list: *const ACL,
    sid: &Sid,
    entry: &AccessEntry,
    mode: ACCESS_MODE,
) -> io::Result<()> {
    let inheritance = match entry.reach {
        Reach::Tree => SUB_CONTAINERS_AND_OBJECTS_INHERIT,
        Reach::File => NO_INHERITANCE,
    };
    let trustee = TRUSTEE_W {
        TrusteeForm: TRUSTEE_IS_SID,
        // With this form the field holds an identifier, not a name.
        ptstrName: sid.as_ptr().cast(),
        ..TRUSTEE_W::default()
    };
    let access = EXPLICIT_ACCESS_W {
        grfAccessPermissions: entry.rights,
        grfAccessMode: mode,
        grfInheritance: inheritance,
        Trustee: trustee,
    };
    let mut new: *mut ACL = ptr::null_mut();
    // SAFETY: one entry is given, the identifier and the old list are valid and only read, `new` is
    // a place for one pointer.
    checked(unsafe { SetEntriesInAclW(1, &raw const access, list, &raw mut new) })?;
    // SAFETY: the handle is open with `WRITE_DAC`, `new` is the valid list just made, and nothing
    // but the list is set.
    let result = unsafe {
        SetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            new,
            ptr::null(),
        )
    };
    // SAFETY: `new` came from the call above, which documents this way to free it.
    unsafe { LocalFree(new.cast()) };
    checked(result)
}

fn checked(result: u32) -> io::Result<()> {
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(i32::from_ne_bytes(result.to_ne_bytes())))
}
