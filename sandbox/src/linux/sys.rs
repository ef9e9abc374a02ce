//! The system calls of the set-up, each made directly.
//!
//! Everything here may run between `clone` and `execve` in a copy of a process with many threads:
//! nothing allocates, locks or unwinds. An error is the kernel's number.

use libc::{c_int, c_long, c_void};
use std::ffi::CStr;
use std::os::fd::RawFd;
use std::ptr;

pub(super) mod process;

/// What the kernel answered instead of doing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Errno(pub(super) i32);

pub(super) type Answer<T = ()> = Result<T, Errno>;

/// How `openat2` walks a path.
pub(super) const NO_SYMLINKS: u64 = libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_MAGICLINKS;

pub(super) const ATTR_RDONLY: u64 = 0x1;
pub(super) const ATTR_NOSUID: u64 = 0x2;
pub(super) const ATTR_NODEV: u64 = 0x4;
pub(super) const ATTR_NOEXEC: u64 = 0x8;

const OPEN_TREE_CLONE: c_long = 1;
const AT_RECURSIVE: c_long = 0x8000;
const AT_EMPTY_PATH: c_long = 0x1000;
const CLOEXEC: c_long = libc::O_CLOEXEC as c_long;

/// The arguments of `mount_setattr`, as in the kernel's `struct mount_attr`.
#[repr(C)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

/// The arguments of `openat2`, as in the kernel's `struct open_how`.
#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// Reads what the kernel returned: the last page of numbers stands for errors.
#[expect(clippy::cast_possible_truncation, reason = "an error number has 12 bits")]
fn answer(returned: c_long) -> Answer<c_long> {
    if (-4095..0).contains(&returned) { Err(Errno(-returned as i32)) } else { Ok(returned) }
}

/// Makes a system call whose arguments are numbers, or addresses the caller vouches for.
///
/// Not through the C library: that keeps the error number in a place of the thread, which two
/// processes on the same memory would share.
///
/// # Safety
/// Every address among the arguments is valid for what the call does with it.
unsafe fn call(number: c_long, args: [c_long; 5]) -> Answer<c_long> {
    let [first, second, third, fourth, fifth] = args;
    let returned: c_long;
    // SAFETY: the caller vouches for the addresses. The instruction changes the registers named
    // here, the memory the call writes, and nothing else.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number => returned,
            in("rdi") first, in("rsi") second, in("rdx") third, in("r10") fourth, in("r8") fifth,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first => returned,
            in("x1") second, in("x2") third, in("x3") fourth, in("x4") fifth,
            options(nostack),
        );
    }
    answer(returned)
}

/// Returns what the last failed function of the C library says.
fn last() -> Errno {
    // SAFETY: `__errno_location` returns the address of this thread's own error number.
    Errno(unsafe { *libc::__errno_location() })
}

/// Makes a system call that takes no addresses.
fn plain(number: c_long, args: [c_long; 5]) -> Answer<c_long> {
    // SAFETY: the callers in this file pass numbers only (a null address among them at most).
    unsafe { call(number, args) }
}

fn address<T: ?Sized>(reference: &T) -> c_long {
    ptr::from_ref(reference).cast::<c_void>() as c_long
}

#[expect(clippy::cast_possible_wrap, reason = "no type is larger than `isize::MAX`")]
const fn size<T>() -> c_long {
    size_of::<T>() as c_long
}

fn text(path: &CStr) -> c_long {
    path.as_ptr() as c_long
}

#[expect(clippy::cast_possible_truncation, reason = "the kernel returns descriptors as `int`")]
fn descriptor(returned: c_long) -> RawFd {
    returned as RawFd
}

pub(super) fn open(dir: RawFd, path: &CStr, flags: c_int, mode: u32) -> Answer<RawFd> {
    let flags = c_long::from(flags) | CLOEXEC;
    // SAFETY: `path` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_openat, [dir.into(), text(path), flags, mode.into(), 0]) }
        .map(descriptor)
}

pub(super) fn open_beneath(dir: RawFd, path: &CStr, flags: c_int, resolve: u64) -> Answer<RawFd> {
    #[expect(clippy::cast_sign_loss, reason = "flags are a set of bits")]
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: 0, resolve };
    let size = size::<OpenHow>();
    // SAFETY: `path` and `how` live through the call, which only reads them.
    unsafe { call(libc::SYS_openat2, [dir.into(), text(path), address(&how), size, 0]) }
        .map(descriptor)
}

pub(super) fn close(fd: RawFd) {
    let _ = plain(libc::SYS_close, [fd.into(), 0, 0, 0, 0]);
}

pub(super) fn close_range(first: u32, last: u32) -> Answer {
    plain(libc::SYS_close_range, [first.into(), last.into(), 0, 0, 0]).map(drop)
}

pub(super) fn write(fd: RawFd, bytes: &[u8]) -> Answer {
    // SAFETY: `bytes` is valid for reads of its length.
    let written = unsafe {
        call(libc::SYS_write, [fd.into(), bytes.as_ptr() as c_long, length(bytes), 0, 0])
    }?;
    if written == length(bytes) { Ok(()) } else { Err(Errno(libc::EIO)) }
}

pub(super) fn read(fd: RawFd, bytes: &mut [u8]) -> Answer<usize> {
    // SAFETY: `bytes` is valid for writes of its length.
    let read = unsafe {
        call(libc::SYS_read, [fd.into(), bytes.as_mut_ptr() as c_long, length(bytes), 0, 0])
    }?;
    Ok(usize::try_from(read).unwrap_or(0))
}

#[expect(clippy::cast_possible_wrap, reason = "no slice is larger than `isize::MAX`")]
fn length<T>(slice: &[T]) -> c_long {
    slice.len() as c_long
}

/// Writes a whole small file in one call, as files of `/proc` want it.
pub(super) fn write_file(path: &CStr, bytes: &[u8]) -> Answer {
    let fd = open(libc::AT_FDCWD, path, libc::O_WRONLY, 0)?;
    let written = write(fd, bytes);
    close(fd);
    written
}

/// Returns device and inode of an open file.
pub(super) fn identity(fd: RawFd) -> Answer<(u64, u64)> {
    // SAFETY: all-zero bytes are a valid `stat`, and `fstat` only writes into it.
    let (result, stat) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut stat), stat)
    };
    if result != 0 {
        return Err(last());
    }
    Ok((stat.st_dev, stat.st_ino))
}

pub(super) fn make_dir(dir: RawFd, path: &CStr, mode: u32) -> Answer {
    // SAFETY: `path` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_mkdirat, [dir.into(), text(path), mode.into(), 0, 0]) }.map(drop)
}

pub(super) fn make_link(dir: RawFd, path: &CStr, target: &CStr) -> Answer {
    // SAFETY: both are valid strings that the kernel only reads.
    unsafe { call(libc::SYS_symlinkat, [text(target), dir.into(), text(path), 0, 0]) }.map(drop)
}

pub(super) fn remove_dir(dir: RawFd, path: &CStr) -> Answer {
    let flags = c_long::from(libc::AT_REMOVEDIR);
    // SAFETY: `path` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_unlinkat, [dir.into(), text(path), flags, 0, 0]) }.map(drop)
}

pub(super) fn change_dir(path: &CStr) -> Answer {
    // SAFETY: `path` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_chdir, [text(path), 0, 0, 0, 0]) }.map(drop)
}

pub(super) fn change_dir_to(fd: RawFd) -> Answer {
    plain(libc::SYS_fchdir, [fd.into(), 0, 0, 0, 0]).map(drop)
}

/// Returns a detached copy of the mount tree at an open path.
pub(super) fn clone_tree(fd: RawFd) -> Answer<RawFd> {
    let flags = OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH | CLOEXEC;
    // SAFETY: the empty path is a valid string.
    unsafe { call(libc::SYS_open_tree, [fd.into(), text(c""), flags, 0, 0]) }.map(descriptor)
}

/// Adds attributes to a whole mount tree and cuts it off from the host's later mounts.
pub(super) fn restrict_tree(fd: RawFd, set: u64) -> Answer {
    let attr = MountAttr { set, clear: 0, propagation: libc::MS_PRIVATE, userns_fd: 0 };
    let size = size::<MountAttr>();
    let flags = AT_EMPTY_PATH | AT_RECURSIVE;
    // SAFETY: the path and `attr` live through the call, which only reads them.
    unsafe { call(libc::SYS_mount_setattr, [fd.into(), text(c""), flags, address(&attr), size]) }
        .map(drop)
}

/// Adds attributes to one mount, not to those below it.
pub(super) fn restrict_mount(fd: RawFd, set: u64) -> Answer {
    let attr = MountAttr { set, clear: 0, propagation: 0, userns_fd: 0 };
    let size = size::<MountAttr>();
    // SAFETY: the path and `attr` live through the call, which only reads them.
    unsafe {
        call(libc::SYS_mount_setattr, [fd.into(), text(c""), AT_EMPTY_PATH, address(&attr), size])
    }
    .map(drop)
}

/// Attaches a detached mount at an open directory or file.
pub(super) fn attach(tree: RawFd, target: RawFd) -> Answer {
    const EMPTY_PATHS: c_long = 0x04 | 0x40;
    // SAFETY: the empty paths are valid strings.
    unsafe {
        call(libc::SYS_move_mount, [tree.into(), text(c""), target.into(), text(c""), EMPTY_PATHS])
    }
    .map(drop)
}

pub(super) fn fs_open(kind: &CStr) -> Answer<RawFd> {
    // SAFETY: `kind` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_fsopen, [text(kind), 1, 0, 0, 0]) }.map(descriptor)
}

pub(super) fn fs_option(fs: RawFd, key: &CStr, value: &CStr) -> Answer {
    // SAFETY: both are valid strings that the kernel only reads.
    unsafe { call(libc::SYS_fsconfig, [fs.into(), 1, text(key), text(value), 0]) }.map(drop)
}

pub(super) fn fs_flag(fs: RawFd, key: &CStr) -> Answer {
    // SAFETY: `key` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_fsconfig, [fs.into(), 0, text(key), 0, 0]) }.map(drop)
}

/// Makes the file system and a detached mount of it.
pub(super) fn fs_mount(fs: RawFd, attributes: u64) -> Answer<RawFd> {
    plain(libc::SYS_fsconfig, [fs.into(), 6, 0, 0, 0])?;
    #[expect(clippy::cast_possible_wrap, reason = "attributes are a few low bits")]
    let mount = plain(libc::SYS_fsmount, [fs.into(), 1, attributes as c_long, 0, 0]);
    close(fs);
    mount.map(descriptor)
}

/// Makes the current directory the root and drops the old root.
pub(super) fn pivot_here() -> Answer {
    // SAFETY: the paths are valid strings that the kernel only reads.
    unsafe { call(libc::SYS_pivot_root, [text(c"."), text(c"."), 0, 0, 0]) }.map(drop)
}

pub(super) fn detach(path: &CStr) -> Answer {
    let flags = c_long::from(libc::MNT_DETACH);
    // SAFETY: `path` is a valid string that the kernel only reads.
    unsafe { call(libc::SYS_umount2, [text(path), flags, 0, 0, 0]) }.map(drop)
}

pub(super) fn set_host_name(name: &[u8]) -> Answer {
    // SAFETY: `name` is valid for reads of its length.
    unsafe { call(libc::SYS_sethostname, [name.as_ptr() as c_long, length(name), 0, 0, 0]) }
        .map(drop)
}

pub(super) fn control(option: c_int, value: c_long) -> Answer<c_long> {
    plain(libc::SYS_prctl, [option.into(), value, 0, 0, 0])
}

pub(super) fn clear_ambient() -> Answer {
    let clear = c_long::from(libc::PR_CAP_AMBIENT_CLEAR_ALL);
    plain(libc::SYS_prctl, [libc::PR_CAP_AMBIENT.into(), clear, 0, 0, 0]).map(drop)
}

/// Drops the effective, permitted and inheritable capabilities.
pub(super) fn clear_capabilities() -> Answer {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let data = [0_u32; 6];
    // SAFETY: header and data have the sizes of version 3 and live through the call.
    unsafe { call(libc::SYS_capset, [address(&header), address(&data), 0, 0, 0]) }.map(drop)
}

pub(super) fn limit(resource: u32, most: u64) -> Answer {
    let value = [most, most];
    // SAFETY: `value` is a `struct rlimit64` that the kernel only reads; the last argument is null.
    unsafe { call(libc::SYS_prlimit64, [0, resource.into(), address(&value), 0, 0]) }.map(drop)
}

/// Returns the hard limit, which an unprivileged process cannot raise.
pub(super) fn hard_limit(resource: u32) -> Answer<u64> {
    let mut value = [0_u64; 2];
    let into = (&raw mut value) as c_long;
    // SAFETY: `value` is a `struct rlimit64` that the kernel writes; the third argument is null.
    unsafe { call(libc::SYS_prlimit64, [0, resource.into(), 0, into, 0]) }?;
    Ok(value[1])
}

/// Returns the Landlock version of the kernel.
pub(super) fn landlock_version() -> Answer<c_long> {
    plain(libc::SYS_landlock_create_ruleset, [0, 0, 1, 0, 0])
}

/// Makes a Landlock ruleset that handles these rights.
pub(super) fn landlock_ruleset(files: u64, network: u64, scopes: u64) -> Answer<RawFd> {
    let attr = [files, network, scopes];
    let size = size::<[u64; 3]>();
    // SAFETY: `attr` is laid out as `struct landlock_ruleset_attr` and only read.
    unsafe { call(libc::SYS_landlock_create_ruleset, [address(&attr), size, 0, 0, 0]) }
        .map(descriptor)
}

/// The arguments of a rule for a path, as in `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    rights: u64,
    parent: i32,
}

pub(super) fn landlock_path(ruleset: RawFd, parent: RawFd, rights: u64) -> Answer {
    let attr = PathBeneath { rights, parent };
    // SAFETY: `attr` lives through the call, which only reads it.
    unsafe { call(libc::SYS_landlock_add_rule, [ruleset.into(), 1, address(&attr), 0, 0]) }
        .map(drop)
}

pub(super) fn landlock_port(ruleset: RawFd, port: u16, rights: u64) -> Answer {
    let attr = [rights, port.into()];
    // SAFETY: `attr` is laid out as `struct landlock_net_port_attr` and only read.
    unsafe { call(libc::SYS_landlock_add_rule, [ruleset.into(), 2, address(&attr), 0, 0]) }
        .map(drop)
}

pub(super) fn landlock_restrict(ruleset: RawFd) -> Answer {
    plain(libc::SYS_landlock_restrict_self, [ruleset.into(), 0, 0, 0, 0]).map(drop)
}

/// Installs a system call filter.
pub(super) fn seccomp(filter: &[libc::sock_filter]) -> Answer {
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno(libc::E2BIG))?,
        filter: filter.as_ptr().cast_mut(),
    };
    let mode = c_long::from(libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: `program` and the filter it points at live through the call, which only reads them.
    unsafe { call(libc::SYS_seccomp, [mode, 0, address(&program), 0, 0]) }.map(drop)
}

pub(super) fn exit(code: i32) -> ! {
    loop {
        let _ = plain(libc::SYS_exit_group, [code.into(), 0, 0, 0, 0]);
    }
}
