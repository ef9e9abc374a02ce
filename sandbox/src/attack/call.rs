//! System calls as an attacker makes them: by number, past every library.

use std::ffi::CStr;
use std::io;

/// One argument of a system call.
pub(super) enum Arg<'a> {
    Number(i64),
    Text(&'a CStr),
    Bytes(&'a [u8]),
    Room(&'a mut [u8]),
}

/// Makes a system call and returns its answer or the error number.
///
/// It is used for calls that read and write nothing but the buffers they are given here: none that
/// maps, unmaps or moves memory of this process, and none that makes a second one.
pub(super) fn call(number: libc::c_long, arguments: &mut [Arg<'_>]) -> Result<i64, i32> {
    let mut words = [0_i64; 6];
    for (word, argument) in words.iter_mut().zip(arguments) {
        *word = match argument {
            Arg::Number(value) => *value,
            Arg::Text(text) => text.as_ptr() as i64,
            Arg::Bytes(bytes) => bytes.as_ptr() as i64,
            Arg::Room(room) => room.as_mut_ptr() as i64,
        };
    }
    // SAFETY: every pointer among the words is one to a live buffer that `arguments` borrows, and
    // the calls this is used for stay within the sizes that follow them.
    let answer = unsafe {
        libc::syscall(number, words[0], words[1], words[2], words[3], words[4], words[5])
    };
    if answer < 0 {
        return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO));
    }
    Ok(answer)
}

/// Returns a number as an argument.
pub(super) fn number<'a>(value: impl Into<i64>) -> Arg<'a> {
    Arg::Number(value.into())
}

/// Returns a size, or a pointer that is one, as an argument.
pub(super) fn size<'a>(value: usize) -> Arg<'a> {
    Arg::Number(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Returns a path as the kernel reads it.
pub(super) fn path(path: &std::path::Path) -> Result<std::ffi::CString, String> {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(path.as_os_str().as_bytes()).map_err(|_| "a path holds NUL".to_owned())
}

/// Returns a socket of this kind.
pub(super) fn socket(family: i32, kind: i32, protocol: i32) -> Result<i64, i32> {
    call(libc::SYS_socket, &mut [number(family), number(kind), number(protocol)])
}
