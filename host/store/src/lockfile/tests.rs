//! Lockfiles: the same text for the same bundles, and nothing else is read.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn locked(name: &str, byte: u8) -> Locked {
    Locked {
        name: name.to_owned(),
        version: Version::new(1, 0, u64::from(byte)),
        digest: Digest::from_bytes([byte; 32]),
        source: Source::File(format!("plugins/{name}.rfz")),
    }
}

fn lockfile(names: &[(&str, u8)]) -> Lockfile {
    let mut lockfile = Lockfile::default();
    for (name, byte) in names {
        lockfile.put(locked(name, *byte));
    }
    lockfile
}

#[test]
fn the_same_bundles_give_the_same_text_whatever_the_order() {
    let one = lockfile(&[("b", 2), ("a", 1)]);
    let text = one.text().unwrap();
    assert_eq!(text, lockfile(&[("a", 9), ("b", 2), ("a", 1)]).text().unwrap());
    assert_eq!(Lockfile::read(text.as_bytes(), FILE).unwrap(), one);
    let expected = format!(
        "{HEAD}format = 1\n\n[[plugin]]\nname = \"a\"\nversion = \"1.0.1\"\ndigest = \"{}\"\n\
         source = \"file:plugins/a.rfz\"\n",
        Digest::from_bytes([1; 32])
    );
    assert!(text.starts_with(&expected), "{text}");
    let none = Lockfile::default();
    assert_eq!(Lockfile::read(none.text().unwrap().as_bytes(), FILE).unwrap(), none);
}

#[test]
fn only_the_locked_bundle_passes_and_what_is_not_named_is_free() {
    let lockfile = lockfile(&[("a", 1)]);
    lockfile.check("a", Digest::from_bytes([1; 32])).unwrap();
    lockfile.check("b", Digest::from_bytes([7; 32])).unwrap();
    let error = lockfile.check("a", Digest::from_bytes([7; 32])).unwrap_err();
    assert_eq!((error.code(), error.class()), ("lock::mismatch", Class::Refused));
    assert!(error.to_string().starts_with("this workspace is locked to `a` 1.0.1 (sha256:01"));
}

#[test]
fn a_lockfile_of_a_stranger_is_read_strictly() {
    let text = lockfile(&[("a", 1), ("b", 2)]).text().unwrap();
    for (text, line, why) in [
        (String::new(), 1, "missing field `format`"),
        (text.replace("format = 1", "format = 2"), 1, "it is of form 2"),
        (text.replace("version = \"1.0.1\"", "versoin = \"1.0.1\""), 6, "unknown field `versoin`"),
        (text.replace("\"b\"", "\"a\""), 1, "`a` stands in it twice"),
        (text.replace("\"b\"", "\"../b\""), 1, "`../b` is no name"),
        (text.replace("\"b\"", "\"b\\u001b[2J\""), 1, "`b\u{fffd}[2J` is no name"),
        (text.replace("sha256:01", "sha256:0"), 7, "64 lower-case hexadecimal digits"),
        (text.replace("file:", "https:"), 8, "begins with `file:`"),
        ("x".repeat(1 + usize::try_from(MAX_BYTES).unwrap()), 1, "larger than"),
    ] {
        let LockError::File { file, problem } =
            Lockfile::read(text.as_bytes(), "w/ringfence.lock").unwrap_err()
        else {
            unreachable!()
        };
        assert_eq!(file, "w/ringfence.lock");
        assert!(problem.why.contains(why), "{why}: {problem}");
        assert_eq!(problem.line, line, "{why}: {problem}");
    }
    let entry = |n: usize| text_of(&format!("p{n}"));
    let many: String = (0..=MAX_PLUGINS).map(entry).collect();
    let error = Lockfile::read(format!("format = 1\n{many}").as_bytes(), FILE).unwrap_err();
    assert!(matches!(&error, LockError::File { problem, .. } if problem.why.contains("more than")));
}

fn text_of(name: &str) -> String {
    let digest = Digest::from_bytes([1; 32]);
    format!(
        "[[plugin]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndigest = \"{digest}\"\nsource = \"file:x\"\n"
    )
}

#[test]
fn no_damage_makes_reading_panic_or_pass_for_something_else() {
    let text = lockfile(&[("a", 1), ("b", 2)]).text().unwrap();
    crate::mutate::each(text.as_bytes(), 4_000, |bytes| {
        if let Ok(read) = Lockfile::read(bytes, FILE) {
            let again = read.text().unwrap();
            assert_eq!(Lockfile::read(again.as_bytes(), FILE).unwrap(), read);
        }
    });
}
