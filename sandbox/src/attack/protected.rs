//! Attacks on what host tools execute or take orders from: repositories and configuration.

use super::files::overwrite;
use super::ground::Ground;
use super::outcome::Tries;
use super::scene::{Room, Scene};
use super::writes::{lay, on_host};
use super::{Attack, PLAIN, Twin};
use crate::danger::Protection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Direct writes without the read-only mounts.
const NAMES: Twin = Twin::Direct(&[Protection::ProtectedNames]);

const WRITING: Attack = Attack { rooms: Room::writes, twin: NAMES, ..PLAIN };

pub(super) const ATTACKS: &[Attack] = &[
    Attack {
        number: 7,
        name: "write_hooks_and_configuration_of_git",
        title: "changes .git/config and a hook",
        held: &["EROFS", "EACCES", "not on the host"],
        inside: |scene, tries| {
            tries.io("configuration", overwrite(&scene.inside(".git/config")));
            tries.io("hook", overwrite(&scene.inside(".git/hooks/pre-commit")));
            tries.io("new hook", plant(&scene.inside(".git/hooks/post-checkout")));
            Ok(())
        },
        judge: |ground, outcome| on_host(outcome, changed(ground, ".git")),
        ..WRITING
    },
    Attack {
        number: 8,
        name: "rename_git_away_and_back",
        title: "renames .git, changes it and renames it back",
        held: &["EBUSY", "EROFS", "EACCES", "EXDEV", "ENOENT", "not on the host"],
        inside: |scene, tries| {
            tries.io("away", fs::rename(scene.inside(".git"), scene.inside("moved")));
            tries.io("hook", plant(&scene.inside("moved/hooks/post-checkout")));
            tries.io("back", fs::rename(scene.inside("moved"), scene.inside(".git")));
            Ok(())
        },
        judge: |ground, outcome| on_host(outcome, changed(ground, ".git")),
        ..WRITING
    },
    Attack {
        number: 9,
        name: "plant_a_hook_in_an_empty_directory_of_a_nested_repository",
        title: "makes the first hook of a repository inside the repository",
        held: &["EROFS", "EACCES", "not on the host"],
        inside: |scene, tries| {
            tries.io("hook", plant(&scene.inside("nested/.git/hooks/post-checkout")));
            Ok(())
        },
        judge: |ground, outcome| on_host(outcome, changed(ground, "nested/.git")),
        ..WRITING
    },
    Attack {
        number: 10,
        name: "replace_a_nested_repository_by_renaming_its_parent",
        title: "renames the directory above a repository and makes another in its place",
        held: &["EBUSY", "EROFS", "EACCES", "EXDEV", "not on the host"],
        inside: |scene, tries| {
            tries.io("away", fs::rename(scene.inside("nested"), scene.inside("moved")));
            let hooks = scene.inside("nested/.git/hooks");
            let made = fs::create_dir_all(&hooks);
            tries.io("hook", made.and_then(|()| plant(&hooks.join("post-checkout"))));
            Ok(())
        },
        judge: |ground, outcome| on_host(outcome, changed(ground, "nested/.git")),
        ..WRITING
    },
    Attack {
        number: 11,
        name: "make_configuration_that_was_not_there",
        title: "makes the files from which host tools take orders",
        held: &["EROFS", "EACCES", "not on the host"],
        admitted: Some("one that does not exist yet can be made"),
        inside: |scene, tries| {
            for directory in [".vscode", "deep/.github"] {
                // Where this fails, so does what follows.
                let _ = fs::create_dir_all(scene.inside(directory));
            }
            for name in NEW {
                tries.io(name, plant(&scene.inside(name)));
            }
            Ok(())
        },
        judge: |ground, outcome| {
            on_host(outcome, NEW.iter().any(|name| ground.inside(name).exists()))
        },
        ..WRITING
    },
    Attack {
        number: 12,
        name: "write_a_name_in_another_case",
        title: "changes a repository directory called .GIT",
        held: &["EROFS", "EACCES", "not on the host"],
        inside: |scene, tries| {
            tries.io("configuration", overwrite(&scene.inside("upper/.GIT/config")));
            tries.io("hook", plant(&scene.inside("upper/.GIT/hooks/post-checkout")));
            Ok(())
        },
        judge: |ground, outcome| on_host(outcome, changed(ground, "upper/.GIT")),
        ..WRITING
    },
    Attack {
        number: 12,
        name: "make_a_name_in_another_spelling",
        title: "makes names that careless file systems read as protected ones",
        held: &["EROFS", "EACCES", "not on the host"],
        admitted: Some("one that does not exist yet can be made"),
        inside: |scene, tries| {
            for name in SPELLINGS {
                tries.io(name, plant(&scene.inside(name)));
            }
            Ok(())
        },
        judge: |ground, outcome| {
            on_host(outcome, SPELLINGS.iter().any(|name| ground.inside(name).exists()))
        },
        ..WRITING
    },
    Attack {
        number: 13,
        name: "make_a_git_file_that_leads_outside",
        title: "makes a .git file that names a repository elsewhere, and a bare repository",
        held: &["EROFS", "EACCES", "not on the host"],
        admitted: Some("one that does not exist yet can be made"),
        inside: redirect,
        judge: |ground, outcome| {
            let led = ground.inside("sub/.git").exists();
            on_host(outcome, led || ground.inside("bare/config").exists())
        },
        ..WRITING
    },
    Attack {
        number: 14,
        name: "have_the_host_s_git_run_a_program",
        title: "plants core.fsmonitor and a hook, which the host's git then runs",
        held: &["EROFS", "EACCES", "not on the host"],
        arrange: |ground, _| {
            let missing = |_| "there is no git on this machine".to_owned();
            git(ground, &["--version"]).map_err(missing)?;
            lay(ground, "run.sh", "#!/bin/sh\n").and_then(|()| {
                let open = fs::Permissions::from_mode(0o755);
                fs::set_permissions(ground.inside("run.sh"), open).map_err(|e| e.to_string())
            })
        },
        inside: plant_fsmonitor,
        judge: |ground, outcome| {
            // What the person does next; how it ends does not matter.
            let _ = git(ground, &["status"]);
            on_host(outcome, ground.inside("ran-on-the-host").exists())
        },
        ..WRITING
    },
];

const NEW: [&str; 6] = [
    ".mcp.json",
    ".vscode/tasks.json",
    ".envrc",
    ".bashrc",
    "deep/.github/workflow",
    "nested/.envrc",
];

const SPELLINGS: [&str; 4] = [".Envrc", ".MCP.json", ".envrc.", ".bashrc "];

fn plant(path: &Path) -> std::io::Result<()> {
    fs::write(path, "#!/bin/sh\n")
}

/// Tells whether a repository of the ground is another than the one that was laid.
fn changed(ground: &Ground, name: &str) -> bool {
    let repository = ground.inside(name);
    let config = fs::read_to_string(repository.join("config")).unwrap_or_default();
    let hooks: Vec<_> = fs::read_dir(repository.join("hooks"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    let laid = if name == ".git" { hooks == ["pre-commit"] } else { hooks.is_empty() };
    let hook = fs::read_to_string(repository.join("hooks/pre-commit"));
    let same = hook.is_ok_and(|hook| hook == "#!/bin/sh\n") || name != ".git";
    config != "[core]\n\trepositoryformatversion = 0\n" || !laid || !same
}

fn redirect(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    fs::create_dir(scene.inside("sub")).map_err(|error| error.to_string())?;
    tries.io("file", fs::write(scene.inside("sub/.git"), "gitdir: ../../outside\n"));
    for directory in ["bare/objects", "bare/refs"] {
        fs::create_dir_all(scene.inside(directory)).map_err(|error| error.to_string())?;
    }
    let head = fs::write(scene.inside("bare/HEAD"), "ref: refs/heads/main\n");
    let config = fs::write(scene.inside("bare/config"), "[core]\n\tfsmonitor = ./run.sh\n");
    tries.io("bare repository", head.and(config));
    Ok(())
}

fn plant_fsmonitor(scene: &Scene, tries: &mut Tries) -> Result<(), String> {
    let script = "#!/bin/sh\necho > ran-on-the-host\n";
    fs::write(scene.inside("run.sh"), script).map_err(|error| error.to_string())?;
    let config = "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = ./run.sh\n";
    tries.io("configuration", fs::write(scene.inside(".git/config"), config));
    Ok(())
}

fn git(ground: &Ground, arguments: &[&str]) -> std::io::Result<()> {
    let mut command = Command::new("git");
    command.args(arguments).current_dir(ground.workspace());
    // Not what the person or the repository around this one says.
    command.env("GIT_CEILING_DIRECTORIES", ground.workspace()).env("HOME", ground.outside(""));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().map(drop)
}
