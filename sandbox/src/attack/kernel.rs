//! Attacks on the kernel: namespaces, mounts, keys, shared objects and seldom-used calls.

use super::call::{Arg, call, number, path, size};
use super::ground::{self, Ground};
use super::outcome::Tries;
use super::scene::Scene;
use super::{Attack, FILTER, PLAIN, Twin, start};
use crate::danger::Protection;

/// What stands between a program and mounts of its own.
const MOUNTS: Twin =
    Twin::Without(&[Protection::Seccomp, Protection::Capabilities, Protection::Landlock]);

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 21,
        name: "mount_an_alias",
        title: "shows a read-only directory a second time, to write there",
        held: &["EPERM"],
        twin: MOUNTS,
        inside: |scene, tries| {
            let from = path(&scene.inside("nested"))?;
            enter_namespaces(scene)?;
            let mounted = mount(Some(&from), c"/tmp", None, libc::MS_BIND | libc::MS_REC);
            tries.call("bind", mounted);
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 39,
        name: "make_a_user_namespace",
        title: "makes a user namespace, in which it would have every capability",
        held: &["EPERM", "ENOSYS"],
        twin: FILTER,
        inside: namespaces,
        ..PLAIN
    },
    Attack {
        number: 40,
        name: "mount_and_unmount",
        title: "mounts file systems, and takes away what is mounted over others",
        held: &["EPERM"],
        twin: MOUNTS,
        inside: |scene, tries| {
            enter_namespaces(scene)?;
            tries.call("unmount", call(libc::SYS_umount2, &mut [Arg::Text(c"/proc"), number(2)]));
            tries.call("proc", mount(None, c"/proc", Some(c"proc"), 0));
            let flags = libc::MS_REMOUNT | libc::MS_BIND;
            tries.call("remount", mount(None, c"/usr", None, flags));
            tries.call("memory", mount(None, c"/tmp", Some(c"tmpfs"), 0));
            let opened = call(libc::SYS_fsopen, &mut [Arg::Text(c"tmpfs"), number(0)]);
            tries.call("fsopen", opened);
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 41,
        name: "read_a_key_of_the_host",
        title: "reads a key from the host's session keyring",
        held: &["EPERM"],
        twin: FILTER,
        arrange: lay_key,
        inside: |scene, tries| {
            const READ: i64 = 11;
            let mut held = [0; 64];
            let long = size(held.len());
            let key = Arg::Number(scene.key);
            let arguments = &mut [Arg::Number(READ), key, Arg::Room(&mut held), long];
            tries.call("read", call(libc::SYS_keyctl, arguments));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 42,
        name: "use_shared_objects_of_the_host",
        title: "attaches shared memory, and uses semaphores and message queues of the host",
        held: &["EPERM", "EINVAL", "EIDRM", "ENOENT"],
        twin: Twin::Without(&[Protection::Ipc, Protection::Seccomp]),
        arrange: lay_objects,
        inside: |scene, tries| {
            let attached = call(libc::SYS_shmat, &mut [number(scene.memory), number(0), number(0)]);
            tries.call("memory", attached);
            let value = &mut [number(scene.semaphores), number(0), number(libc::GETVAL)];
            tries.call("semaphore", call(libc::SYS_semctl, value));
            let (message, queue) = ([1_u8; 24], number(scene.messages));
            let send = &mut [queue, Arg::Bytes(&message), size(8), number(libc::IPC_NOWAIT)];
            tries.call("message", call(libc::SYS_msgsnd, send));
            let name = std::ffi::CString::new(scene.mark.as_str()).map_err(|e| e.to_string())?;
            let open = &mut [Arg::Text(&name), number(libc::O_RDWR)];
            tries.call("queue", call(libc::SYS_mq_open, open));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 43,
        name: "use_weak_parts_of_the_kernel",
        title: "uses performance events, user faults and other seldom-used calls",
        held: &["EPERM"],
        twin: FILTER,
        inside: |_, tries| {
            tries.call("user faults", call(libc::SYS_userfaultfd, &mut [number(1)]));
            let personality = &mut [number(0x0004_0000)];
            tries.call("address layout", call(libc::SYS_personality, personality));
            let secret = call(libc::SYS_memfd_secret, &mut [number(0)]);
            // Where the kernel has none, there is nothing to hold.
            if secret != Err(libc::ENOSYS) {
                tries.call("secret memory", secret);
            }
            let mut event = [0_u8; 128];
            // Software, the processor's clock, 112 bytes, user space only.
            event[..8].copy_from_slice(&[1, 0, 0, 0, 112, 0, 0, 0]);
            event[40] = 0b0110_0000;
            let [own, any, none] = [number(0), number(-1), number(-1)];
            let open = &mut [Arg::Bytes(&event), own, any, none, number(0)];
            tries.call("performance events", call(libc::SYS_perf_event_open, open));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 43,
        name: "load_a_program_into_the_kernel",
        title: "makes a map and a program of the kernel",
        held: &["EPERM"],
        twin: Twin::OpenAsRoot,
        inside: |_, tries| {
            // An array of one four-byte number.
            let mut map = [0_u8; 64];
            for (at, value) in [(0, 2_u8), (4, 4), (8, 4), (12, 1)] {
                map[at] = value;
            }
            let make = &mut [number(0), Arg::Bytes(&map), size(map.len())];
            tries.call("map", call(libc::SYS_bpf, make));
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 44,
        name: "answer_calls_in_the_kernel_s_place",
        title: "installs a filter of its own that hands calls to a listener",
        held: &["EPERM"],
        twin: FILTER,
        inside: |_, tries| {
            // One instruction: let everything through.
            let instruction = [6_u8, 0, 0, 0, 0, 0, 0xff, 0x7f];
            let mut program = [0_u8; 16];
            program[0] = 1;
            program[8..].copy_from_slice(&(instruction.as_ptr() as usize).to_ne_bytes());
            let (filter, listener) = (number(1), number(8));
            let install = &mut [filter, listener, Arg::Bytes(&program)];
            tries.call("listener", call(libc::SYS_seccomp, install));
            Ok(())
        },
        ..PLAIN
    },
];

fn mount(
    from: Option<&std::ffi::CStr>,
    at: &std::ffi::CStr,
    kind: Option<&std::ffi::CStr>,
    flags: libc::c_ulong,
) -> Result<i64, i32> {
    let text = |text: Option<&'static std::ffi::CStr>| text.map_or(number(0), Arg::Text);
    let from = from.map_or_else(|| text(Some(c"none")), Arg::Text);
    let kind = kind.map_or_else(|| text(None), Arg::Text);
    let flags = Arg::Number(i64::try_from(flags).unwrap_or(0));
    call(libc::SYS_mount, &mut [from, Arg::Text(at), kind, flags, number(0)])
}

/// Tries to become someone who may mount, and goes on only where mounts are not the host's.
fn enter_namespaces(scene: &Scene) -> Result<(), String> {
    let flags = number(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
    let entered = call(libc::SYS_unshare, &mut [flags]).is_ok();
    let own = ground::mounts();
    if entered || (own != 0 && own != scene.mounts) {
        return Ok(());
    }
    Err("it has the host's mounts, which an attack must not change".to_owned())
}

fn namespaces(_: &Scene, tries: &mut Tries) -> Result<(), String> {
    const USER: i64 = 0x1000_0000;
    // A new process would share nothing and go on here: it ends at once.
    let born = |answer: Result<i64, i32>| {
        if answer == Ok(0) {
            // SAFETY: the copy ends without looking at anything it shares.
            unsafe { libc::_exit(0) }
        }
        answer
    };
    let flags = Arg::Number(USER | i64::from(libc::SIGCHLD));
    tries.call("clone", born(call(libc::SYS_clone, &mut [flags, number(0)])));
    let mut request = [0_u8; 88];
    request[..8].copy_from_slice(&USER.to_ne_bytes());
    request[32..40].copy_from_slice(&i64::from(libc::SIGCHLD).to_ne_bytes());
    let clone3 = &mut [Arg::Bytes(&request), size(request.len())];
    tries.call("clone3", born(call(libc::SYS_clone3, clone3)));
    tries.call("unshare", call(libc::SYS_unshare, &mut [Arg::Number(USER)]));
    Ok(())
}

/// A key that is revoked when it is dropped.
struct Key(i64);

impl Drop for Key {
    fn drop(&mut self) {
        const INVALIDATE: i64 = 21;
        let _ = call(libc::SYS_keyctl, &mut [Arg::Number(INVALIDATE), Arg::Number(self.0)]);
    }
}

fn lay_key(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    const SESSION: i64 = -3;
    const JOIN: i64 = 1;
    // A session of its own: the person's is left alone.
    let _ = call(libc::SYS_keyctl, &mut [Arg::Number(JOIN), number(0)]);
    let name = std::ffi::CString::new(ground.mark.as_str()).map_err(|e| e.to_string())?;
    let key = call(
        libc::SYS_add_key,
        &mut [
            Arg::Text(c"user"),
            Arg::Text(&name),
            Arg::Bytes(b"treasure"),
            size(8),
            Arg::Number(SESSION),
        ],
    );
    let key = key.map_err(|_| "this kernel, or a container, keeps no keys".to_owned())?;
    ground.kept.push(Box::new(Key(key)));
    scene.key = key;
    Ok(())
}

/// Objects of the ipc namespace that are removed when they are dropped.
struct Objects {
    memory: i32,
    semaphores: i32,
    messages: i32,
    queue: std::ffi::CString,
}

impl Drop for Objects {
    fn drop(&mut self) {
        let remove = || number(libc::IPC_RMID);
        let _ = call(libc::SYS_shmctl, &mut [number(self.memory), remove(), number(0)]);
        let _ = call(libc::SYS_semctl, &mut [number(self.semaphores), number(0), remove()]);
        let _ = call(libc::SYS_msgctl, &mut [number(self.messages), remove(), number(0)]);
        let _ = call(libc::SYS_mq_unlink, &mut [Arg::Text(&self.queue)]);
    }
}

fn lay_objects(ground: &mut Ground, scene: &mut Scene) -> Result<(), String> {
    let missing = |_| "this kernel has no such objects".to_owned();
    let own = || number(libc::IPC_PRIVATE);
    let mode = || number(libc::IPC_CREAT | 0o666);
    let make = |answer: Result<i64, i32>| -> Result<i32, String> {
        i32::try_from(answer.map_err(missing)?).map_err(|error| error.to_string())
    };
    scene.memory = make(call(libc::SYS_shmget, &mut [own(), size(4096), mode()]))?;
    scene.semaphores = make(call(libc::SYS_semget, &mut [own(), size(1), mode()]))?;
    scene.messages = make(call(libc::SYS_msgget, &mut [own(), mode()]))?;
    let queue = std::ffi::CString::new(ground.mark.as_str()).map_err(|e| e.to_string())?;
    let flags = number(libc::O_CREAT | libc::O_RDWR | libc::O_CLOEXEC);
    let open = &mut [Arg::Text(&queue), flags, number(0o666), number(0)];
    let descriptor = make(call(libc::SYS_mq_open, open))?;
    ground.kept.push(Box::new(start::owned(descriptor)));
    let (memory, semaphores, messages) = (scene.memory, scene.semaphores, scene.messages);
    ground.kept.push(Box::new(Objects { memory, semaphores, messages, queue }));
    Ok(())
}
