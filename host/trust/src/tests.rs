//! Keys, signatures and statements, and what is refused about each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::*;
use base64::Engine as _;
use ringfence_capability::Diagnostic as _;

/// A key and a signature that the program of minisign (0.11) made over `hello\n`.
const PUBLIC: &str = include_str!("../tests/data/minisign.pub");
const SIGNATURE: &str = include_str!("../tests/data/hello.minisig");
/// Its secret half, not encrypted.
const SECRET: &str = include_str!("../tests/data/minisign.key");

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

#[test]
fn what_minisign_writes_is_read() {
    let key = PublicKey::from_file(PUBLIC).unwrap();
    let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
    assert!(PUBLIC.contains(&key.id().to_string()), "the id is shown as minisign shows it");
    assert_eq!(signature.key(), key.id());
    assert_eq!(signature.verify(b"hello\n", &key), Some("plugin:a@1.0.0 time:1800000000"));
    assert_eq!(signature.verify(b"hello", &key), None);
    assert_eq!(signature.to_file(), SIGNATURE);
    let secret = SecretKey::from_file(SECRET, None).unwrap();
    assert_eq!(secret.public(), key);
    // Ed25519 has one signature for a key and a message.
    let again = Signature::sign(b"hello\n", "plugin:a@1.0.0 time:1800000000", &secret);
    assert_eq!(again.to_file().lines().nth(1), SIGNATURE.lines().nth(1));
}

#[test]
fn a_key_file_is_opened_by_its_passphrase_only() {
    let key = SecretKey::generate().unwrap();
    let right = Passphrase::new("correct horse".to_owned());
    let text = key.to_file(&Protection::Passphrase(right.clone())).unwrap();
    assert_eq!(SecretKey::is_encrypted(&text), Ok(true));
    assert_eq!(SecretKey::from_file(&text, Some(&right)).unwrap().public(), key.public());
    let wrong = Passphrase::new("correct horse ".to_owned());
    assert_eq!(SecretKey::from_file(&text, Some(&wrong)).unwrap_err(), KeyError::WrongPassphrase);
    assert_eq!(SecretKey::from_file(&text, None).unwrap_err(), KeyError::NeedsPassphrase);

    let plain = key.to_file(&Protection::None).unwrap();
    assert_eq!(SecretKey::is_encrypted(&plain), Ok(false));
    assert_eq!(SecretKey::from_file(&plain, None).unwrap().public(), key.public());
}

#[test]
fn damaged_key_files_are_refused() {
    for (what, text) in [
        ("empty", String::new()),
        ("one line", "untrusted comment: x\n".to_owned()),
        ("a public key", PUBLIC.to_owned()),
        ("no comment", SECRET.lines().nth(1).unwrap().to_owned() + "\n\n"),
        ("a third line", format!("{SECRET}x\n")),
        ("base64 of something", "untrusted comment: x\nAAAA\n".to_owned()),
    ] {
        let error = SecretKey::from_file(&text, None).unwrap_err();
        assert_eq!(error.code(), "trust::not-a-secret-key", "{what}");
    }
    // One bit of the id, the key, its public half, or the checksum, in a file that has one.
    let whole = SecretKey::generate().unwrap().to_file(&Protection::None).unwrap();
    let (comment, line) = whole.trim_end().split_once('\n').unwrap();
    let engine = base64::engine::general_purpose::STANDARD;
    for at in [54, 62, 94, 126, 157] {
        let mut bytes = engine.decode(line).unwrap();
        bytes[at] ^= 1;
        let text = format!("{comment}\n{}\n", engine.encode(bytes));
        let error = SecretKey::from_file(&text, None).unwrap_err();
        assert_eq!(error.code(), "trust::not-a-secret-key", "byte {at}");
    }
    // A file that asks for more memory than anybody needs.
    let mut bytes = engine.decode(line).unwrap();
    bytes[2..4].copy_from_slice(b"Sc");
    bytes[46..54].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    let text = format!("{comment}\n{}\n", engine.encode(bytes));
    let passphrase = Passphrase::new("x".to_owned());
    let error = SecretKey::from_file(&text, Some(&passphrase)).unwrap_err();
    assert_eq!(error, KeyError::Costly);
}

#[test]
fn nothing_shows_a_secret() {
    let key = SecretKey::from_file(SECRET, None).unwrap();
    let line = SECRET.lines().nth(1).unwrap();
    let passphrase = Passphrase::new("hunter2".to_owned());
    let protection = Protection::Passphrase(passphrase.clone());
    // A secret key given where a public one belongs.
    let mistaken =
        [line.parse::<PublicKey>().unwrap_err(), PublicKey::from_file(SECRET).unwrap_err()];
    let shown = format!("{key:?} {passphrase:?} {protection:?} {mistaken:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(&line[90..110]), "{shown}");
    assert!(shown.starts_with("SecretKey(") && shown.contains("Passphrase(…)"), "{shown}");
}

#[test]
fn signatures_are_read_strictly() {
    let lines: Vec<&str> = SIGNATURE.lines().collect();
    let of = |lines: [&str; 4]| format!("{}\n{}\n{}\n{}\n", lines[0], lines[1], lines[2], lines[3]);
    let long = format!("trusted comment: {}", "x".repeat(MAX_COMMENT_BYTES + 1));
    for (what, text) in [
        ("empty", String::new()),
        ("no end of line", SIGNATURE.trim_end().to_owned()),
        ("more", format!("{SIGNATURE}\n")),
        ("CRLF", SIGNATURE.replace('\n', "\r\n")),
        ("no comment", of(["x", lines[1], lines[2], lines[3]])),
        ("no trusted comment", of([lines[0], lines[1], "x", lines[3]])),
        ("a control character", of([lines[0], lines[1], "trusted comment: a\x1bb", lines[3]])),
        ("a long comment", of([lines[0], lines[1], &long, lines[3]])),
        ("short", of([lines[0], "RUQ=", lines[2], lines[3]])),
        ("no base64", of([lines[0], "RUR+", lines[2], "§"])),
        ("swapped", of([lines[0], lines[3], lines[2], lines[1]])),
    ] {
        let error = Signature::parse(text.as_bytes()).unwrap_err();
        let algorithm = matches!(error, SignatureProblem::Algorithm { .. });
        assert!(error == SignatureProblem::Form || (what == "swapped" && algorithm), "{what}");
    }
    assert_eq!(Signature::parse(b"\xff"), Err(SignatureProblem::Form));
    let old = SIGNATURE.replacen("\nRUQ", "\nRWQ", 1);
    let error = Signature::parse(old.as_bytes()).unwrap_err();
    assert_eq!(error, SignatureProblem::Algorithm { name: "Ed".to_owned(), old: true });
}

#[test]
fn the_comment_of_a_signature_cannot_be_exchanged() {
    let key = PublicKey::from_file(PUBLIC).unwrap();
    let changed = SIGNATURE.replace("a@1.0.0", "b@1.0.0");
    let signature = Signature::parse(changed.as_bytes()).unwrap();
    assert_eq!(signature.verify(b"hello\n", &key), None);
}

#[test]
fn a_comment_has_one_form() {
    let good = "plugin:a-b@1.0.0-rc.1+x time:1800000000";
    let comment = TrustedComment::parse(good).unwrap();
    assert_eq!((comment.name.as_str(), comment.time), ("a-b", time(1_800_000_000)));
    assert_eq!(comment.to_string(), good);
    for bad in [
        "",
        "timestamp:1800000000\tfile:SHA256SUMS",
        "plugin:a time:1",
        "plugin:a@1.0.0",
        "plugin:a@1.0 time:1",
        "plugin:a@1.0.0 time:01",
        "plugin:a@1.0.0 time:1 ",
        "plugin:a@1.0.0  time:1",
        "plugin:a@1.0.0 time:99999999999999",
        "Plugin:a@1.0.0 time:1",
    ] {
        assert_eq!(TrustedComment::parse(bad), Err(SignatureProblem::Comment), "{bad:?}");
    }
}

fn store_of(text: &str) -> TrustStore {
    TrustStore::new([TrustLayer::parse(LayerKind::User, "t", text).unwrap()]).unwrap()
}

fn trusting(key: &SecretKey, rest: &str) -> TrustStore {
    let public = key.public();
    store_of(&format!("[[key]]\nid = \"{}\"\npublic = \"{public}\"\n{rest}", public.id()))
}

#[test]
fn a_key_comes_after_another_when_both_say_so() {
    let (old, new) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let now = time(1_800_000_000);
    let text = Rotation::new(&old, &new, now).to_string();
    let store = trusting(&old, "name = \"P\"\nmax-profile = \"read-only\"\nplugins = [\"a-*\"]\n");
    let rotation = Rotation::parse(&text).unwrap();
    assert_eq!(rotation.to_string(), text);
    let (after, before) = rotation.apply(&store, now).unwrap();
    assert_eq!(after.public, Some(new.public()));
    assert_eq!(after.max_profile, Some(ringfence_capability::Profile::ReadOnly));
    assert_eq!(after.plugins.as_deref(), Some(&["a-*".to_owned()][..]));
    assert_eq!((before.id, before.state), (old.public().id(), KeyState::Retired(now)));

    // Each thing it needs, taken away.
    let thief = SecretKey::generate().unwrap();
    let forged = Rotation::new(&thief, &new, now).to_string();
    let id = |key: &SecretKey| key.public().id().to_string();
    let renamed = forged.replace(&id(&thief), &id(&old));
    let unwilling = Rotation::new(&old, &thief, now).to_string();
    let stolen = unwilling.replacen(&thief.public().to_string(), &new.public().to_string(), 1);
    for (what, text, store, at, why) in [
        ("nobody trusts the old key", &text, TrustStore::default(), now, "not trusted here"),
        ("it was revoked", &text, trusting(&old, "state = \"revoked\""), now, "was revoked"),
        (
            "it was retired",
            &text,
            trusting(&old, "state = \"retired\"\nretired-at = \"2026-01-01\""),
            now,
            "retired already",
        ),
        ("it expired", &text, trusting(&old, "not-after = \"2020-01-01\""), now, "not valid"),
        ("it is of the future", &text, store.clone(), time(1_700_000_000), "of the future"),
        ("another key signed", &forged, store.clone(), now, "not trusted here"),
        ("in the name of the old one", &renamed, store.clone(), now, "does not hold"),
        ("the new key did not sign", &stolen, store.clone(), now, "does not hold"),
    ] {
        let error = match Rotation::parse(text) {
            Ok(rotation) => rotation.apply(&store, at).unwrap_err(),
            Err(error) => error,
        };
        assert!(error.to_string().contains(why), "{what}: {error}");
        assert_eq!(error.code(), "trust::statement");
    }
    for damaged in [String::new(), text.replace("time: 1", "time: 01"), format!("{text}---\n")] {
        assert!(Rotation::parse(&damaged).is_err(), "{damaged}");
    }
}

#[test]
fn a_key_takes_itself_back() {
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let text = Revocation::new(&key, "stolen", time(1_800_000_000)).unwrap().to_string();
    assert!(Revocation::is_one(&text));
    let revocation = Revocation::parse(&text).unwrap();
    let entry = revocation.apply(&trusting(&key, "")).unwrap();
    assert_eq!((entry.id, entry.state), (key.public().id(), KeyState::Revoked));
    assert!(revocation.apply(&TrustStore::default()).is_err());
    let id = |key: &SecretKey| key.public().id().to_string();
    // In the name of another key, and with another reason.
    let renamed = text.replace(&id(&key), &id(&other));
    for forged in [renamed, text.replace("stolen", "stolen?")] {
        let refused = Revocation::parse(&forged).and_then(|statement| {
            statement.apply(&trusting(&other, "")).or_else(|_| statement.apply(&trusting(&key, "")))
        });
        assert!(refused.is_err(), "{forged}");
    }
    assert!(Revocation::new(&key, "two\nlines", time(0)).is_err());
}
