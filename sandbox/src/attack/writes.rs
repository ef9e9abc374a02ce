//! Attacks through the workspace that may be written, or only read.

use super::call::{Arg, call, number, path, size};
use super::files::{metadata, overwrite};
use super::ground::Ground;
use super::outcome::{Outcome, Tries};
use super::scene::{Room, Scene};
use super::{Attack, PLAIN, Twin};
use crate::danger::Protection;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, symlink};

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 5,
        name: "write_through_a_hard_link_that_was_there",
        title: "writes to a file outside through a second name it already had in the workspace",
        held: &["EROFS", "EACCES", "not on the host"],
        admitted: Some("another hard link"),
        twin: Twin::Open,
        inside: |scene, tries| {
            tries.io("write", overwrite(&scene.inside("hard")));
            Ok(())
        },
        judge: |ground, outcome| {
            let linked = fs::read_to_string(ground.outside("linked")).unwrap_or_default();
            on_host(outcome, linked != "before")
        },
        ..PLAIN
    },
    Attack {
        number: 6,
        name: "change_a_workspace_that_may_only_be_read",
        title: "changes content and metadata in a workspace that was granted for reading",
        held: &["EROFS"],
        twin: Twin::Open,
        rooms: |room| !room.writes(),
        inside: |scene, tries| {
            tries.io("make", fs::write(scene.inside("new"), "x"));
            tries.io("remove", fs::remove_file(scene.inside("nested/source.txt")));
            metadata(&scene.inside("file.txt"), tries)
        },
        ..PLAIN
    },
    Attack {
        number: 15,
        name: "leave_a_set_id_program",
        title: "leaves a set-user-id or set-group-id file in the workspace",
        held: &["EPERM", "not on the host"],
        twin: Twin::Direct(&[Protection::Seccomp]),
        rooms: Room::writes,
        inside: set_id,
        judge: |ground, outcome| {
            let bits = |name| fs::metadata(ground.inside(name)).map_or(0, |file| file.mode());
            on_host(outcome, ["a", "b", "c", "d"].into_iter().any(|name| bits(name) & 0o6000 != 0))
        },
        ..PLAIN
    },
    Attack {
        number: 15,
        name: "leave_a_program_with_capabilities",
        title: "gives a file in the workspace capabilities",
        held: &["EPERM"],
        twin: Twin::OpenAsRoot,
        rooms: Room::writes,
        inside: |scene, tries| {
            // Version 2, effective, every capability.
            let mut value = [0xff_u8; 20];
            value[..4].copy_from_slice(&0x0200_0001_u32.to_le_bytes());
            let file = path(&scene.inside("file.txt"))?;
            let set = call(
                libc::SYS_setxattr,
                &mut [
                    Arg::Text(&file),
                    Arg::Text(c"security.capability"),
                    Arg::Bytes(&value),
                    size(value.len()),
                    number(0),
                ],
            );
            tries.call("capabilities of a file", set);
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 16,
        name: "leave_a_device",
        title: "leaves a device in the workspace or in scratch space",
        held: &["EPERM", "EACCES"],
        twin: Twin::OpenAsRoot,
        rooms: Room::writes,
        inside: |scene, tries| {
            // The whole first disk, and memory.
            for (kind, device) in [(libc::S_IFBLK, 0x0800), (libc::S_IFCHR, 0x0101)] {
                let at = path(&scene.inside(&format!("device-{device}")))?;
                tries.call("device", node(&at, kind | 0o666, device));
            }
            Ok(())
        },
        ..PLAIN
    },
    Attack {
        number: 16,
        name: "leave_a_pipe_or_a_socket",
        title: "leaves a named pipe or a socket in the workspace for a host tool to hang on",
        held: &["EPERM", "not on the host"],
        twin: Twin::Direct(&[Protection::Seccomp, Protection::Landlock]),
        rooms: Room::is_staged,
        inside: |scene, tries| {
            tries.call("pipe", node(&path(&scene.inside("pipe"))?, libc::S_IFIFO | 0o666, 0));
            tries.io("socket", std::os::unix::net::UnixListener::bind(scene.inside("socket")));
            Ok(())
        },
        judge: |ground, outcome| {
            let special = |name| {
                let found = fs::symlink_metadata(ground.inside(name)).map(|file| file.file_type());
                found.is_ok_and(|kind| kind.is_fifo() || kind.is_socket())
            };
            on_host(outcome, special("pipe") || special("socket"))
        },
        ..PLAIN
    },
    Attack {
        number: 61,
        name: "reach_the_workspace_past_the_stage",
        title: "links, renames, truncates and removes, and looks for one that is not staged",
        held: &["not on the host"],
        twin: Twin::Direct(&[Protection::ProtectedNames]),
        rooms: Room::is_staged,
        arrange: |ground, _| {
            // Every path of this attack is one that a general yes does not cover.
            let directory = ground.inside(".github");
            fs::create_dir(&directory).map_err(|error| error.to_string())?;
            fs::write(directory.join("one"), "before").map_err(|error| error.to_string())
        },
        inside: past_the_stage,
        judge: |ground, outcome| {
            let names = fs::read_dir(ground.inside(".github")).into_iter().flatten().flatten();
            let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
            let one = fs::read_to_string(ground.inside(".github/one")).unwrap_or_default();
            on_host(outcome, names != ["one"] || one != "before")
        },
        ..PLAIN
    },
];

/// Says of something that worked inside whether it reached the host.
pub(super) fn on_host(outcome: Outcome, reached: bool) -> Outcome {
    match (outcome, reached) {
        (Outcome::Escaped(what), false) => Outcome::held(&what, "not on the host"),
        (Outcome::Held(_), true) => Outcome::Escaped("it is on the host all the same".to_owned()),
        (other, _) => other,
    }
}

/// Makes a node of the file system.
fn node(at: &std::ffi::CStr, mode: u32, device: i64) -> Result<i64, i32> {
    let at = Arg::Text(at);
    call(libc::SYS_mknodat, &mut [number(libc::AT_FDCWD), at, number(mode), number(device)])
}

fn set_id(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    for name in ["a", "b"] {
        fs::write(scene.inside(name), "#!/bin/sh\n").map_err(|error| error.to_string())?;
    }
    let a = path(&scene.inside("a"))?;
    let here = || number(libc::AT_FDCWD);
    tries.call("fchmodat", call(libc::SYS_fchmodat, &mut [here(), Arg::Text(&a), number(0o4755)]));
    let b = path(&scene.inside("b"))?;
    tries.call(
        "fchmodat2",
        call(libc::SYS_fchmodat2, &mut [here(), Arg::Text(&b), number(0o6755), number(0)]),
    );
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o4755);
    tries.io("open", options.open(scene.inside("c")));
    tries.call("mknod", node(&path(&scene.inside("d"))?, libc::S_IFREG | 0o4755, 0));
    Ok(())
}

fn past_the_stage(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let at = |name: &str| scene.inside(".github").join(name);
    tries.io("link", symlink("/etc/passwd", at("link")));
    tries.io("second name", fs::hard_link(at("one"), at("two")));
    tries.io("directory", fs::create_dir(at("directory")));
    tries.io("truncate", OpenOptions::new().write(true).truncate(true).open(at("one")));
    tries.io("rename", fs::rename(at("one"), at("three")));
    tries.io("remove", fs::remove_file(at("three")));
    Ok(())
}

/// Lays a file in the workspace.
pub(super) fn lay(ground: &Ground, name: &str, content: &str) -> Result<(), String> {
    fs::write(ground.inside(name), content).map_err(|error| error.to_string())
}
