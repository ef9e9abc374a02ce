//! Attacks on what the machine has only so much of.

use super::outcome::Tries;
use super::scene::Scene;
use super::{Attack, FILES, PLAIN, Twin};
use crate::danger::Protection;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

const MIB: u64 = 1 << 20;

/// Without the limits of processes, files and memory.
const LIMITS: Twin = Twin::Without(&[Protection::Limits]);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 52,
        name: "multiply_without_end",
        title: "starts process after process",
        held: &["EAGAIN"],
        admitted: Some("counts no processes of root"),
        twin: LIMITS,
        arrange: |_, scene| {
            // The least that can be set for root, and more than twice that.
            scene.limits.processes = 310;
            scene.amount = 700;
            Ok(())
        },
        inside: multiply,
        ..PLAIN
    },
    Attack {
        number: 53,
        name: "write_a_file_without_end",
        title: "writes, and announces, a file that is too long",
        held: &["EFBIG"],
        twin: LIMITS,
        arrange: |ground, scene| {
            scene.limits.file_size_bytes = MIB;
            ground.elsewhere.push(Path::new("/tmp").join(&ground.mark));
            Ok(())
        },
        inside: |scene, tries| {
            // SAFETY: ignoring a signal takes no handler; the write then fails instead.
            unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
            let path = Path::new("/tmp").join(&scene.mark);
            let mut file = File::create(path).map_err(|error| error.to_string())?;
            tries.io("announce", file.set_len(2 * MIB));
            let far = file.seek(SeekFrom::Start(2 * MIB)).and_then(|_| file.write_all(b"x"));
            tries.io("write far out", far);
            let all = file.rewind().and_then(|()| fill(&mut file, 2 * MIB));
            tries.io("write", all);
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 53,
        name: "fill_scratch_space",
        title: "fills /tmp and /dev/shm, which are the machine's memory",
        held: &["ENOSPC"],
        twin: FILES,
        arrange: |ground, scene| {
            scene.limits.scratch_bytes = MIB;
            for directory in ["/tmp", "/dev/shm"] {
                ground.elsewhere.push(Path::new(directory).join(&ground.mark));
            }
            Ok(())
        },
        inside: |scene, tries| {
            for directory in ["/tmp", "/dev/shm"] {
                let path = Path::new(directory).join(&scene.mark);
                let filled = File::create(path).and_then(|mut file| fill(&mut file, 4 * MIB));
                tries.io(directory, filled);
            }
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 53,
        name: "fill_scratch_space_with_names",
        title: "makes empty files without end, each of which takes memory of the kernel",
        held: &["ENOSPC"],
        twin: FILES,
        arrange: |ground, scene| {
            scene.limits.scratch_bytes = MIB;
            // A file for each 200 bytes: far more than the space could hold of anything.
            scene.amount = 5_000;
            ground.elsewhere.push(Path::new("/tmp").join(&ground.mark));
            Ok(())
        },
        inside: |scene, tries| {
            let place = Path::new("/tmp").join(&scene.mark);
            std::fs::create_dir(&place).map_err(|error| error.to_string())?;
            let make = |number: u64| File::create_new(place.join(number.to_string()));
            let failed = (0..scene.amount).find_map(|number| make(number).err());
            tries.io("names", failed.map_or(Ok(()), Err));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 54,
        name: "take_memory_without_end",
        title: "takes more memory of its own than it may",
        held: &["ENOMEM"],
        twin: LIMITS,
        arrange: |_, scene| {
            scene.limits.memory_bytes = 256 * MIB;
            scene.amount = 512 * MIB;
            Ok(())
        },
        inside: |scene, tries| {
            tries.call("private", map(scene.amount, libc::MAP_PRIVATE));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 54,
        name: "take_shared_memory_without_end",
        title: "takes more memory to share with its children than it may",
        held: &["ENOMEM"],
        admitted: Some("shared memory is not counted"),
        twin: LIMITS,
        arrange: |_, scene| {
            scene.limits.memory_bytes = 256 * MIB;
            scene.amount = 512 * MIB;
            Ok(())
        },
        inside: |scene, tries| {
            tries.call("shared", map(scene.amount, libc::MAP_SHARED));
            Ok(())
        },
        ..PLAIN
    },
];

/// Writes this many bytes.
fn fill(file: &mut File, size: u64) -> io::Result<()> {
    let block = vec![1; 64 * 1024];
    for _ in 0..size / 65_536 {
        file.write_all(&block)?;
    }
    Ok(())
}

fn map(size: u64, kind: i32) -> Result<i64, i32> {
    let size = usize::try_from(size).map_err(|_| libc::ENOMEM)?;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = kind | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address the kernel picks; nothing in it is touched.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), size, access, kind, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOMEM));
    }
    // SAFETY: the mapping was just made and nobody else knows of it.
    unsafe { libc::munmap(at, size) };
    Ok(0)
}

fn multiply(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let mut children = Vec::new();
    let mut refused = None;
    for _ in 0..scene.amount {
        // SAFETY: this process has one thread; the copy only waits for a signal.
        match unsafe { libc::fork() } {
            0 => loop {
                // SAFETY: the call takes nothing.
                unsafe { libc::pause() };
            },
            child if child > 0 => children.push(child),
            _ => {
                refused = Some(io::Error::last_os_error());
                break;
            }
        }
    }
    for child in children {
        // SAFETY: the calls take numbers; the child is one of this process's own.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
    }
    tries.io("processes", refused.map_or(Ok(()), Err));
    Ok(())
}
