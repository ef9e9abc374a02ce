//! The last commit can be taken back, once, and only over what it left.

use super::support::{Place, conflicts, everything};
use crate::staging::{Effect, StagingError, Undo};

#[test]
fn undo_restores_everything_once() {
    let setup = "umask 022; mkdir -p d/e; echo a > d/f; echo b > d/e/g; ln -s d l; echo x > x; \
                 chmod 640 x; mkdir -m 750 m";
    let script = "rm -r d; echo new > x; chmod 600 x; rm l; mkdir l; echo y > l/y; chmod 700 m";
    let Some(place) = Place::new("undo", setup) else { return };
    let before = place.tree();
    let (mut stage, changes) = place.staged(script);
    stage.commit(&changes, &everything(&changes)).unwrap();
    assert_ne!(place.tree(), before);
    let undo = Undo::of(&place.state, &place.workspace).unwrap();
    let paths: Vec<String> =
        undo.paths().iter().map(|(path, effect)| format!("{path} {effect:?}")).collect();
    assert_eq!(paths, ["d Deleted", "l Changed", "x Changed", "m Changed"]);
    undo.apply().unwrap();
    assert_eq!(place.tree(), before);
    let again = Undo::of(&place.state, &place.workspace).unwrap_err();
    assert!(matches!(again, StagingError::NothingToUndo { .. }));
    assert_eq!(place.leftovers(), Vec::<String>::new());
}

#[test]
fn undo_refuses_what_changed_since() {
    let setup = "echo a > a; echo b > b; mkdir d";
    let cases: [(&str, &[&str]); 5] = [
        ("echo more >> a", &["a: it is not what it was"]),
        ("rm new/x", &["new: it is not what it was"]),
        ("echo back > b", &["b: it appeared"]),
        ("rm -r new; rm a", &["a: it is gone", "new: it is gone"]),
        ("chmod 711 d", &["d: its attributes changed"]),
    ];
    for (since, expected) in cases {
        let Some(place) = Place::new("undo refused", setup) else { return };
        let (mut stage, changes) =
            place.staged("echo 1 > a; rm b; mkdir new; echo 2 > new/x; chmod 700 d");
        stage.commit(&changes, &everything(&changes)).unwrap();
        place.shell(since);
        let now = place.tree();
        let undo = Undo::of(&place.state, &place.workspace).unwrap();
        assert_eq!(conflicts(undo.apply().unwrap_err()), expected, "{since}");
        assert_eq!(place.tree(), now, "{since}");
    }
}

#[test]
fn only_the_last_commit_of_each_workspace_can_be_undone() {
    let (Some(place), Some(other)) = (Place::new("last", "echo 0 > f"), Place::new("last", "true"))
    else {
        return;
    };
    for content in ["1", "2"] {
        let (mut stage, changes) = place.staged(&format!("echo {content} > f"));
        stage.commit(&changes, &everything(&changes)).unwrap();
    }
    assert!(Undo::of(&place.state, &other.workspace).is_err());
    let undo = Undo::of(&place.state, &place.workspace).unwrap();
    assert_eq!(undo.paths()[0].1, Effect::Changed);
    undo.apply().unwrap();
    assert_eq!(place.tree()["f"].split(' ').next_back(), Some("\"1\\n\""));
    assert!(Undo::of(&place.state, &place.workspace).is_err());
}
