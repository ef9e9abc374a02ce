//! `lock`, and what a lockfile refuses.

use super::common::{Fixture, key};

#[test]
fn a_workspace_is_bound_to_the_bundle_that_was_locked() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    let one = fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes", "--lock"], 0, &[]);
    let lockfile = std::fs::read_to_string(fixture.file("ringfence.lock")).unwrap();
    assert!(lockfile.contains("source = \"file:a.rfz\""), "{lockfile}");
    fixture.check(&["lock", "--check"], 0, &["adder 1.0.0: as locked"]);
    let two = fixture.pack("a.rfz", &Fixture::manifest("adder", "1.1.0", &[]), Some(&acme));
    fixture.check(&["update"], 0, &[]);
    let says = format!("locked to `adder` 1.0.0 ({one}), and this is {two}");
    fixture.check(&["lock", "--check"], 3, &["error[lock::mismatch]", &says]);
    fixture.check(&["install", "--locked", "--yes"], 3, &["error[lock::mismatch]"]);
    fixture.check(&["lock"], 0, &["adder 1.1.0: locked"]);
    fixture.check(&["lock", "--check"], 0, &["adder 1.1.0: as locked"]);
    // What is locked can be installed from nothing but the lockfile.
    fixture.check(&["remove", "adder"], 0, &[]);
    fixture.check(&["install", "--locked", "--yes"], 0, &["adder 1.1.0: installed"]);
    fixture.pack("b.rfz", &Fixture::manifest("other", "1.0.0", &[]), Some(&acme));
    let absent = ["install", "b.rfz", "--locked", "--yes"];
    fixture.check(&absent, 3, &["error[lock::absent]", "`other` is not in the lockfile"]);
    // The same text for the same bundles, whoever writes it.
    let before = std::fs::read(fixture.file("ringfence.lock")).unwrap();
    fixture.check(&["lock", "adder"], 0, &[]);
    assert_eq!(std::fs::read(fixture.file("ringfence.lock")).unwrap(), before);
}

#[test]
fn a_lockfile_that_is_no_lockfile_stops_what_would_rely_on_it() {
    let fixture = Fixture::new();
    fixture.lay("adder", &Fixture::manifest("adder", "1.0.0", &[]));
    fixture.check(&["install", "./adder", "--yes", "--allow-unsigned", "--lock"], 0, &[]);
    let path = fixture.file("ringfence.lock");
    let text = std::fs::read_to_string(&path).unwrap();
    for (text, says) in [
        (text.replace("digest", "digset"), "unknown field `digset`"),
        (text.replace("format = 1", "format = 9"), "it is of form 9"),
        (text[..text.len() / 2].to_owned(), "cause: line"),
    ] {
        std::fs::write(&path, text).unwrap();
        fixture.check(&["lock", "--check"], 2, &["error[lock::file]", says]);
    }
    std::fs::remove_file(&path).unwrap();
    #[cfg(unix)]
    {
        std::fs::write(fixture.path("elsewhere/lock"), &text).unwrap();
        std::os::unix::fs::symlink(fixture.path("elsewhere/lock"), &path).unwrap();
        fixture.check(&["lock", "--check"], 2, &["is not a plain file"]);
    }
}
