//! A name in the place of a path.

use super::common::{Fixture, key};

const INPUT: [&str; 2] = ["--input", r#"{"a":2,"b":3}"#];

#[test]
fn every_command_takes_the_name_of_an_installed_plugin() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    for version in ["1.0.0", "1.1.0"] {
        fixture.pack("a.rfz", &Fixture::manifest("adder", version, &[]), Some(&acme));
        fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    }
    fixture.check(&[&["run", "adder"], &INPUT[..]].concat(), 0, &["5\n"]);
    fixture.check(&[&["run", "adder@1.0.0"], &INPUT[..]].concat(), 0, &["5\n"]);
    fixture.check(&[&["call", "adder", "add"], &INPUT[..]].concat(), 0, &["5\n"]);
    fixture.check(&["inspect", "adder"], 0, &["adder 1.1.0"]);
    fixture.check(&["explain", "adder"], 0, &["It would run."]);
    fixture.check(&["serve", "adder"], 2, &["is of kind `tools`"]);
    let same = "asks for nothing more";
    fixture.check(&["diff", "adder@1.0.0", "adder"], 0, &["adder 1.0.0 -> adder 1.1.0", same]);
    let unknown = "version 9.0.0 of `adder` is not installed";
    fixture.check(&["run", "adder@9.0.0"], 2, &[unknown, "installed of `adder`: 1.0.0, 1.1.0"]);
    fixture.check(&["run", "ader"], 2, &["`ader` is not installed", "did you mean `adder`?"]);
    // A path of that name comes first, and a word with a `/` is never a name.
    fixture.lay("adder", &Fixture::manifest("adder", "7.0.0", &[]));
    fixture.check(&["inspect", "adder"], 0, &["adder 7.0.0"]);
    fixture.check(&["inspect", "./nowhere"], 2, &["there is no file or directory `./nowhere`"]);
}

#[test]
fn what_runs_is_verified_anew_and_is_what_was_installed() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.pack("evil.rfz", &Fixture::manifest("adder", "1.0.0", &["."]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let run = [&["run", "adder"], &INPUT[..]].concat();
    fixture.check(&run, 0, &["5\n"]);
    let file = fixture.data("bundles").join(&fixture.names("bundles")[0]);
    let whole = std::fs::read(&file).unwrap();
    // Signed by the same key, and still not what the person agreed to.
    std::fs::copy(fixture.file("evil.rfz"), &file).unwrap();
    fixture.check(&run, 3, &["error[store::tampered]", "is not what was installed"]);
    // The twin: by its path it is a bundle like any other.
    fixture.check(&[&["run", "evil.rfz"], &INPUT[..]].concat(), 0, &["5\n"]);
    std::fs::write(&file, whole).unwrap();
    fixture.check(&run, 0, &["5\n"]);
    std::fs::remove_file(fixture.path("home/.config/ringfence/trust.toml")).unwrap();
    fixture.trust(&acme, "Acme", "state = \"revoked\"\nreason = \"stolen\"");
    fixture.check(&run, 3, &["which was revoked: stolen"]);
}

#[test]
fn a_locked_workspace_runs_what_it_is_locked_to() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes", "--lock"], 0, &[]);
    let run = [&["run", "adder"], &INPUT[..]].concat();
    fixture.check(&run, 0, &["5\n"]);
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.1.0", &[]), Some(&acme));
    fixture.check(&["update"], 0, &["1.1.0: updated"]);
    for args in [&run[..], &["inspect", "adder"], &["explain", "adder"]] {
        fixture.check(args, 3, &["error[lock::mismatch]"]);
    }
    // A person can name the version that is locked, and the twin: without the lockfile it runs.
    fixture.check(&[&["run", "adder@1.0.0"], &INPUT[..]].concat(), 0, &["5\n"]);
    std::fs::remove_file(fixture.file("ringfence.lock")).unwrap();
    fixture.check(&run, 0, &["5\n"]);
}

#[test]
fn no_plugin_is_granted_the_directory_of_what_is_installed() {
    let fixture = Fixture::new();
    fixture.lay("adder", &Fixture::manifest("adder", "1.0.0", &[]));
    fixture.check(&["install", "./adder", "--yes", "--allow-unsigned"], 0, &[]);
    let dir = |place: &str| format!("{}::/x:ro", fixture.path(place).display());
    let run = |dir: &str| {
        let args = ["run", "./adder", "-p", "read-only", "--dir", dir];
        fixture.run(&[&args[..], &INPUT[..]].concat())
    };
    for place in ["data", "data/bundles", "home/.local/share/ringfence"] {
        std::fs::create_dir_all(fixture.path(place)).unwrap();
        let done = run(&dir(place));
        assert_eq!(done.code, Some(3), "{place}: {}", done.err);
        assert!(done.err.contains("own files"), "{place}: {}", done.err);
    }
    // The twin: another directory beside it.
    assert_eq!(run(&dir("elsewhere")).code, Some(0));
}
