//! Whatever a program does, committing it gives what doing it directly gives.

use super::support::{Place, everything};
use crate::staging::Undo;
use proptest::prelude::*;

const SETUP: &str = "umask 022; mkdir -p a/b c; echo 1 > a/x; echo 2 > a/b/y; echo 3 > c/x; \
    echo 4 > x; ln -s x y; ln -s a z; chmod 600 c/x";

/// Returns a path of a few, so that they meet.
fn a_path() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec!["a", "b", "c", "x", "y", "z"]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

/// Returns one command; that it can fail is part of it.
fn a_command() -> impl Strategy<Value = String> {
    // A directory that its owner cannot enter would be seen differently by its owner and by root.
    let modes = ["600 700", "644 755", "4755 1777", "400 500", "711 750"];
    let mode = prop::sample::select(modes.to_vec());
    prop_oneof![
        (a_path(), 0..3_u8).prop_map(|(path, text)| format!("echo {text} > {path}")),
        a_path().prop_map(|path| format!("echo more >> {path}")),
        a_path().prop_map(|path| format!("rm -rf {path}")),
        a_path().prop_map(|path| format!("mkdir -p {path}")),
        (a_path(), mode).prop_map(|(path, modes)| {
            let (file, directory) = modes.split_once(' ').unwrap();
            format!("if [ -d {path} ]; then chmod {directory} {path}; else chmod {file} {path}; fi")
        }),
        (a_path(), a_path()).prop_map(|(from, to)| format!("mv -T {from} {to}")),
        (a_path(), a_path()).prop_map(|(from, to)| format!("ln -sfn {from} {to}")),
        (a_path(), a_path()).prop_map(|(from, to)| format!("ln {from} {to}")),
        (a_path(), a_path()).prop_map(|(from, to)| format!("cp -dpT {from} {to}")),
        a_path().prop_map(|path| format!("mkfifo {path}")),
        a_path().prop_map(|path| format!("truncate -s 100k {path}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        .. ProptestConfig::default()
    })]

    #[test]
    fn a_committed_overlay_is_what_the_program_would_have_left(
        commands in prop::collection::vec(a_command(), 1..16)
    ) {
        let (Some(place), Some(direct)) =
            (Place::new("property", SETUP), Place::new("property", SETUP))
        else {
            return Ok(());
        };
        // Nobody waits at a pipe. A recursive copy is not among the commands: copied into itself it
        // takes what the order of the directory gives.
        let lines = commands.iter();
        let lines = lines.map(|command| format!("timeout 1 sh -c '{command}' 2>/dev/null || :"));
        let script = lines.collect::<Vec<_>>().join("\n");
        let script = format!("umask 022\n{script}");
        let before = place.tree();
        let (mut stage, changes) = place.staged(&script);
        let shown = changes.to_string();
        stage.commit(&changes, &everything(&changes)).unwrap();
        direct.direct(&script);
        prop_assert_eq!(place.tree(), direct.tree(), "{}\n{}", script, shown);
        prop_assert_eq!(place.leftovers(), Vec::<String>::new());
        if !changes.is_empty() {
            Undo::of(&place.state, &place.workspace).unwrap().apply().unwrap();
            prop_assert_eq!(place.tree(), before, "undo of {}\n{}", script, shown);
        }
    }
}
