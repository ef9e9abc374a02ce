//! Attacks on files that were not granted.

use super::call::Arg;
use super::call::{call, number, path, size};
use super::ground::{Ground, TREASURE};
use super::outcome::{Outcome, Tries};
use super::scene::Scene;
use super::{Attack, FILES, PLAIN, Twin};
use crate::danger::Protection;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 1,
        name: "write_outside",
        title: "changes, makes, renames and removes files outside of the workspace",
        held: &["ENOENT", "EROFS", "EACCES"],
        twin: FILES,
        inside: write_outside,
        ..PLAIN
    },
    Attack {
        number: 2,
        name: "write_through_a_planted_link",
        title: "writes through links in the workspace that lead out of it",
        held: &["ENOENT", "EROFS", "EACCES"],
        twin: FILES,
        inside: |scene, tries| {
            tries.io("link", overwrite(&scene.inside("planted")));
            tries.io("link above", overwrite(&scene.inside("planted-directory/victim")));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 3,
        name: "swap_a_link_in_while_mounting",
        title: "swaps a granted directory with a link out of the workspace while it is mounted",
        held: &["nothing of the host", "sandbox::unreachable", "sandbox::path"],
        twin: Twin::Open,
        rooms: |room| !room.is_staged(),
        arrange: swap,
        inside: look_through_swapped,
        repeats: 15,
        ..PLAIN
    },
    Attack {
        number: 4,
        name: "hard_link_from_outside",
        title: "gives a file outside a second name in the workspace",
        held: &["ENOENT", "EXDEV", "EROFS", "EACCES"],
        twin: FILES,
        inside: link_from_outside,
        ..PLAIN
    },
    Attack {
        number: 6,
        name: "change_metadata_outside",
        title: "changes mode, owner, times and attributes of a file outside",
        held: &["ENOENT"],
        twin: FILES,
        inside: |scene, tries| metadata(&scene.outside("victim"), tries),
        ..PLAIN
    },
    Attack {
        number: 17,
        name: "read_secrets",
        title: "reads keys, credentials and browser data of the host",
        held: &["ENOENT", "EACCES"],
        twin: FILES,
        inside: |scene, tries| {
            for name in ["secret", ".ssh/id_ed25519", ".aws/credentials", "browser/Login Data"] {
                tries.io(name, fs::read(scene.outside(name)));
            }
            for path in ["/etc/shadow", "/etc/ssh", "/run", "/sys", "/boot"] {
                tries.io(path, fs::metadata(path));
            }
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 18,
        name: "read_a_file_made_after_the_start",
        title: "reads a secret file that the host makes after the start",
        held: &["ENOENT"],
        twin: FILES,
        during: |ground| {
            let _ = fs::write(ground.outside(".env"), TREASURE);
        },
        inside: |scene, tries| {
            tries.io("absolute", fs::read(scene.outside(".env")));
            tries.io("relative", fs::read("../outside/.env"));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 19,
        name: "magic_links_of_proc",
        title: "goes out through root, cwd and descriptor links of /proc",
        held: &["ENOENT", "EACCES"],
        twin: FILES,
        inside: magic_links,
        ..PLAIN
    },
    Attack {
        number: 20,
        name: "open_without_a_path_walk",
        title: "opens a file outside by openat2 and as a path descriptor",
        held: &["ENOSYS", "ENOENT"],
        twin: Twin::Without(&[Protection::Files, Protection::Landlock, Protection::Seccomp]),
        inside: open_oddly,
        ..PLAIN
    },
    Attack {
        number: 20,
        name: "open_by_handle",
        title: "opens a file outside by its handle, past every path",
        held: &["EPERM"],
        twin: Twin::OpenAsRoot,
        arrange: take_handle,
        inside: open_handle,
        ..PLAIN
    },
    Attack {
        number: 22,
        name: "scratch_space_of_the_host",
        title: "reads and leaves files in the host's /tmp and /dev/shm",
        held: &["ENOENT", "not on the host"],
        twin: FILES,
        arrange: |ground, _| {
            for (directory, to) in [("/tmp", "host"), ("/dev/shm", "host")] {
                let path = Path::new(directory).join(format!("{to}-{}", ground.mark));
                fs::write(&path, TREASURE).map_err(|error| error.to_string())?;
                ground.elsewhere.push(path);
                ground.elsewhere.push(Path::new(directory).join(&ground.mark));
            }
            Ok(())
        },
        inside: |scene, tries| {
            for directory in ["/tmp", "/dev/shm"] {
                let host = Path::new(directory).join(format!("host-{}", scene.mark));
                tries.io("read", fs::read(host));
                let _ = fs::write(Path::new(directory).join(&scene.mark), "x");
            }
            Ok(())
        },
        judge: |ground, outcome| {
            let left = |directory| Path::new(directory).join(&ground.mark).exists();
            match outcome {
                Outcome::Held(_) if left("/tmp") || left("/dev/shm") => {
                    Outcome::Escaped("a file was left in the host's scratch space".to_owned())
                }
                other => other,
            }
        },
        ..PLAIN
    },
];

/// Writes to a file that is there.
pub(super) fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    io::Write::write_all(&mut file, b"after")
}

fn write_outside(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let victim = scene.outside("victim");
    for path in [victim.as_path(), Path::new("../outside/victim")] {
        tries.io("write", overwrite(path));
        tries.io("truncate", OpenOptions::new().write(true).truncate(true).open(path));
    }
    tries.io("make", fs::write(scene.outside("new"), "x"));
    tries.io("make beside the workspace", fs::write("../new", "x"));
    tries.io("make a directory", fs::create_dir(scene.outside("directory")));
    tries.io("make a link", symlink("x", scene.outside("link")));
    tries.io("rename", fs::rename(&victim, scene.outside("renamed")));
    tries.io("bring in", fs::rename(scene.outside("secret"), scene.inside("secret")));
    tries.io("remove", fs::remove_file(scene.outside("linked")));
    Ok(())
}

fn link_from_outside(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    tries.io("link", fs::hard_link(scene.outside("secret"), scene.inside("stolen")));
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open("/usr/bin/env")
        .map_err(|error| error.to_string())?;
    let from = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let (from, to) = (path(Path::new(&from))?, path(&scene.inside("system-program"))?);
    let linked = call(
        libc::SYS_linkat,
        &mut [
            number(libc::AT_FDCWD),
            Arg::Text(&from),
            number(libc::AT_FDCWD),
            Arg::Text(&to),
            number(libc::AT_SYMLINK_FOLLOW),
        ],
    );
    tries.call("link an open system program", linked);
    Ok(())
}

/// Tries to change everything about a file but its content.
pub(super) fn metadata(target: &Path, tries: &mut Tries) -> Result<(), String> {
    tries.io("mode", fs::set_permissions(target, fs::Permissions::from_mode(0o604)));
    tries.io("owner", std::os::unix::fs::chown(target, Some(crate::attack::process::uid()), None));
    let text = path(target)?;
    let long_ago = [0_u8; 32];
    let times = call(
        libc::SYS_utimensat,
        &mut [number(libc::AT_FDCWD), Arg::Text(&text), Arg::Bytes(&long_ago), number(0)],
    );
    tries.call("times", times);
    let attribute = call(
        libc::SYS_setxattr,
        &mut [Arg::Text(&text), Arg::Text(c"user.x"), Arg::Bytes(b"x"), size(1), number(0)],
    );
    tries.call("attribute", attribute);
    Ok(())
}

fn magic_links(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let absolute = scene.outside("secret");
    let below = absolute.strip_prefix("/").unwrap_or(&absolute);
    for root in ["/proc/self/root", "/proc/1/root", "/proc/thread-self/root"] {
        tries.io(root, fs::read(Path::new(root).join(below)));
    }
    for directory in ["/proc/self/cwd", "/proc/1/cwd"] {
        tries.io(directory, fs::read(Path::new(directory).join("../outside/secret")));
    }
    let here = fs::File::open(".").map_err(|error| error.to_string())?;
    let descriptor = std::os::fd::AsRawFd::as_raw_fd(&here);
    let through = format!("/proc/self/fd/{descriptor}/../outside/secret");
    tries.io("descriptor", fs::read(through));
    Ok(())
}

fn open_oddly(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let text = path(&scene.outside("secret"))?;
    // Flags, mode and resolution, all of them 0: read only, any way.
    let opened = call(
        libc::SYS_openat2,
        &mut [number(libc::AT_FDCWD), Arg::Text(&text), Arg::Bytes(&[0; 24]), size(24)],
    );
    tries.call("openat2", opened);
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_PATH);
    tries.io("path descriptor", options.open(scene.outside("secret")));
    Ok(())
}

/// The head of a file handle and the most that follows it.
const HANDLE_BYTES: usize = 8 + 128;

fn take_handle(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    let mut handle = vec![0; HANDLE_BYTES];
    handle[..4].copy_from_slice(&128_u32.to_ne_bytes());
    let text = path(&ground.outside("secret"))?;
    let mut mount = [0; 4];
    call(
        libc::SYS_name_to_handle_at,
        &mut [
            number(libc::AT_FDCWD),
            Arg::Text(&text),
            Arg::Room(&mut handle),
            Arg::Room(&mut mount),
            number(0),
        ],
    )
    .map_err(|_| "this file system has no handles".to_owned())?;
    scene.handle = handle;
    Ok(())
}

fn open_handle(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let here = fs::File::open(".").map_err(|error| error.to_string())?;
    let mut handle = scene.handle.clone();
    handle.resize(HANDLE_BYTES, 0);
    let descriptor = number(std::os::fd::AsRawFd::as_raw_fd(&here));
    let opened = call(
        libc::SYS_open_by_handle_at,
        &mut [descriptor, Arg::Bytes(&handle), number(libc::O_RDONLY)],
    );
    tries.call("open", opened);
    Ok(())
}

/// Swaps until it is dropped.
struct Swapper {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Swapper {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn swap(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    let (granted, link) = (ground.inside("sub"), ground.inside("swapped"));
    let made = fs::create_dir(&granted).and_then(|()| symlink("../outside", &link));
    made.map_err(|error| error.to_string())?;
    let (granted, link) = (path(&granted)?, path(&link)?);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let here = number(libc::AT_FDCWD);
            let there = number(libc::AT_FDCWD);
            let exchange = number(libc::RENAME_EXCHANGE);
            let mut arguments = [here, Arg::Text(&granted), there, Arg::Text(&link), exchange];
            let _ = call(libc::SYS_renameat2, &mut arguments);
        }
    });
    ground.kept.push(Box::new(Swapper { stop, thread: Some(thread) }));
    "sub".clone_into(&mut scene.scope);
    Ok(())
}

fn look_through_swapped(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    const LOOKS: usize = 3_000;
    let seen = (0..LOOKS).any(|_| fs::read(scene.inside("sub/secret")).is_ok());
    let here = fs::read("secret").is_ok();
    tries.check("the other side of the link", seen || here, "nothing of the host");
    Ok(())
}
