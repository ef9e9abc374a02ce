//! The system calls behind a run, each in one short function with an owner for what it returns.
//!
//! Not verified on this system: type-checked only, see [`super`].

use std::io;
use std::mem;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    DUPLICATE_SAME_ACCESS, DuplicateHandle, HANDLE, INVALID_HANDLE_VALUE, LocalFree, MAX_PATH,
};
use windows_sys::Win32::Security::Isolation::DeriveAppContainerSidFromAppContainerName;
use windows_sys::Win32::Security::{
    CreateRestrictedToken, DISABLE_MAX_PRIVILEGE, DeriveCapabilitySidsFromName, FreeSid,
    GetLengthSid, LUA_TOKEN, PSID, TOKEN_ADJUST_DEFAULT, TOKEN_ASSIGN_PRIMARY, TOKEN_DUPLICATE,
    TOKEN_QUERY,
};
use windows_sys::Win32::System::SystemInformation::{
    GetSystemDirectoryW, GetSystemWindowsDirectoryW,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// A security identifier, copied out of the memory of whoever made it.
#[derive(Debug, Clone)]
pub(super) struct Sid {
    // Whole words, because the structure is aligned to them.
    words: Vec<u32>,
}

impl Sid {
    /// Returns the identifier of the container with this name.
    pub(super) fn of_container(name: &str) -> io::Result<Self> {
        let name = zero_ended(name.encode_utf16());
        let mut raw: PSID = ptr::null_mut();
        // SAFETY: `name` ends in a zero and outlives the call; `raw` is a place for one pointer.
        let result =
            unsafe { DeriveAppContainerSidFromAppContainerName(name.as_ptr(), &raw mut raw) };
        if result < 0 || raw.is_null() {
            return Err(io::Error::from_raw_os_error(result));
        }
        // SAFETY: the call succeeded, so `raw` is a valid identifier until it is freed below.
        let sid = unsafe { Self::copied(raw) };
        // SAFETY: `raw` came from the call that documents this way to free it, and is not used
        // again.
        unsafe { FreeSid(raw) };
        Ok(sid)
    }

    /// Returns the identifiers of the capability with this name.
    pub(super) fn of_capability(name: &str) -> io::Result<Vec<Self>> {
        let name = zero_ended(name.encode_utf16());
        let (mut groups, mut sids): (*mut PSID, *mut PSID) = (ptr::null_mut(), ptr::null_mut());
        let (mut group_count, mut count) = (0, 0);
        // SAFETY: `name` ends in a zero; the four places are valid for the duration of the call.
        let done = unsafe {
            DeriveCapabilitySidsFromName(
                name.as_ptr(),
                &raw mut groups,
                &raw mut group_count,
                &raw mut sids,
                &raw mut count,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call succeeded, so both lists hold as many identifiers as it said, and both
        // are ours to free, once.
        let found = unsafe {
            let found = Self::taken(sids, count);
            Self::taken(groups, group_count);
            found
        };
        Ok(found)
    }

    /// Returns the pointer that calls take. It is only read.
    pub(super) fn as_ptr(&self) -> PSID {
        self.words.as_ptr().cast_mut().cast()
    }

    /// Copies an identifier.
    ///
    /// # Safety
    /// `raw` must point to a valid identifier.
    // SAFETY: unsafe to call because it reads through `raw`; what the caller promises stands above.
    unsafe fn copied(raw: PSID) -> Self {
        // SAFETY: the caller promises a valid identifier, whose length this is.
        let bytes = unsafe { GetLengthSid(raw) } as usize;
        let mut words = vec![0_u32; bytes.div_ceil(4)];
        // SAFETY: `words` holds at least `bytes` bytes, and the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(raw.cast::<u8>(), words.as_mut_ptr().cast(), bytes) };
        Self { words }
    }

    /// Copies a list of identifiers and frees them and the list.
    ///
    /// # Safety
    /// `list` must hold `count` valid identifiers, all from `LocalAlloc`, and not be used again.
    unsafe fn taken(list: *mut PSID, count: u32) -> Vec<Self> {
        let mut copies = Vec::new();
        for index in 0..count as usize {
            // SAFETY: `index` is below the count of the list, and each identifier is freed once.
            unsafe {
                let raw = *list.add(index);
                copies.push(Self::copied(raw));
                LocalFree(raw);
            }
        }
        // SAFETY: the list itself is freed once; freeing a null pointer does nothing.
        unsafe { LocalFree(list.cast()) };
        copies
    }
}

/// Returns the owner of a handle a call returned, or the error it left.
pub(super) fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() || handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the handle is valid, and the call that returned it left it to us.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Returns a token like that of this process without privileges and without administrators.
pub(super) fn restricted_token() -> io::Result<OwnedHandle> {
    let rights = TOKEN_DUPLICATE | TOKEN_ASSIGN_PRIMARY | TOKEN_QUERY | TOKEN_ADJUST_DEFAULT;
    let mut own: HANDLE = ptr::null_mut();
    // SAFETY: the handle of the current process needs no closing; `own` is a place for one handle.
    if unsafe { OpenProcessToken(GetCurrentProcess(), rights, &raw mut own) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let own = owned(own)?;
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: `own` is open; the three lists are empty; `token` is a place for one handle.
    let done = unsafe {
        CreateRestrictedToken(
            own.as_raw_handle(),
            DISABLE_MAX_PRIVILEGE | LUA_TOKEN,
            0,
            ptr::null(),
            0,
            ptr::null(),
            0,
            ptr::null(),
            &raw mut token,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    owned(token)
}

/// Returns a copy of a handle that a child can inherit.
pub(super) fn inheritable(handle: BorrowedHandle<'_>) -> io::Result<OwnedHandle> {
    let mut copy: HANDLE = ptr::null_mut();
    // SAFETY: `handle` is open for the duration of the call; `copy` is a place for one handle.
    let done = unsafe {
        let process = GetCurrentProcess();
        let from = handle.as_raw_handle();
        DuplicateHandle(process, from, process, &raw mut copy, 0, 1, DUPLICATE_SAME_ACCESS)
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    owned(copy)
}

/// Returns the directory of Windows, without a closing zero.
pub(super) fn windows_directory() -> io::Result<Vec<u16>> {
    // SAFETY: `directory` hands over a buffer of the size it says.
    directory(|buffer, size| unsafe { GetSystemWindowsDirectoryW(buffer, size) })
}

/// Returns the directory of the system's programs, without a closing zero.
pub(super) fn system_directory() -> io::Result<Vec<u16>> {
    // SAFETY: `directory` hands over a buffer of the size it says.
    directory(|buffer, size| unsafe { GetSystemDirectoryW(buffer, size) })
}

/// Returns UTF-16 units with a zero at the end.
pub(super) fn zero_ended(units: impl IntoIterator<Item = u16>) -> Vec<u16> {
    units.into_iter().chain([0]).collect()
}

/// Returns the size of a type as calls want it.
pub(super) fn size_of_value<T>() -> u32 {
    u32::try_from(mem::size_of::<T>()).unwrap_or(u32::MAX)
}

fn directory(call: impl FnOnce(*mut u16, u32) -> u32) -> io::Result<Vec<u16>> {
    let mut buffer = vec![0_u16; MAX_PATH as usize + 1];
    let length = call(buffer.as_mut_ptr(), MAX_PATH) as usize;
    if length == 0 || length >= MAX_PATH as usize {
        return Err(io::Error::last_os_error());
    }
    buffer.truncate(length);
    Ok(buffer)
}
