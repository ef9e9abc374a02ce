//! Bundles that were changed, signed by the wrong key or for something else: each is refused for its
//! reason, and the same bundle without that change is accepted.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use ringfence_bundle::Manifest;
use ringfence_bundle::archive::{SIGNATURE_FILE, Sealed, read, seal};
use ringfence_capability::{Class, Diagnostic as _, Profile};
use ringfence_trust::{
    Checked, LayerKind, SecretKey, Signature, Timestamp, TrustLayer, TrustStore, TrustedComment,
    examine, verify,
};

const MANIFEST: &str =
    "[plugin]\nname = \"web-fetch\"\nversion = \"1.2.3\"\ncomponent = \"a.wasm\"\n";
/// When everything happens.
const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn bundle(manifest: &str) -> Sealed {
    let component = wat::parse_str("(component)").unwrap();
    let files = [("plugin.toml", manifest.as_bytes().to_vec()), ("a.wasm", component)];
    seal(files.map(|(path, bytes)| (path.to_owned(), bytes)).into(), "a.rfz").unwrap()
}

fn signature(sealed: &Sealed, comment: &str, key: &SecretKey) -> Vec<u8> {
    Signature::sign(sealed.sums(), comment, key).to_file().into_bytes()
}

fn comment(seconds: i64) -> String {
    format!("plugin:web-fetch@1.2.3 time:{seconds}")
}

fn signed(key: &SecretKey) -> Sealed {
    let sealed = bundle(MANIFEST);
    let bytes = signature(&sealed, &comment(NOW - DAY), key);
    sealed.with_signature(SIGNATURE_FILE, bytes).unwrap()
}

/// The store that trusts `key`; `rest` are further lines about it, or further tables.
fn store(key: &SecretKey, rest: &str) -> TrustStore {
    let (id, public) = (key.public().id(), key.public());
    let text = format!("[[key]]\nid = \"{id}\"\npublic = \"{public}\"\nname = \"P\"\n{rest}\n");
    TrustStore::new([TrustLayer::parse(LayerKind::User, "trust.toml", &text).unwrap()]).unwrap()
}

fn day(seconds: i64) -> String {
    format!("\"{}\"", time(seconds))
}

#[track_caller]
fn refused(what: &str, sealed: Sealed, store: &TrustStore, code: &str) {
    let error = match verify(sealed, store, time(NOW)) {
        Err(error) => error,
        Ok(checked) => panic!("{what} is accepted: {:?}", checked.signer()),
    };
    assert_eq!(error.code(), code, "{what}: {error}");
    assert_eq!(error.class(), Class::Refused, "{what}");
    assert!(error.hint().is_some(), "{what}");
}

#[track_caller]
fn accepted(sealed: Sealed, store: &TrustStore) -> Checked {
    let checked = verify(sealed, store, time(NOW)).unwrap();
    assert!(checked.signer().is_some(), "it is verified");
    checked
}

#[test]
fn a_bundle_signed_with_a_trusted_key_is_verified() {
    let key = SecretKey::generate().unwrap();
    let sealed = signed(&key);
    let digest = sealed.digest();
    let Checked::Verified(verified) = verify(sealed, &store(&key, ""), time(NOW)).unwrap() else {
        panic!("it is not signed");
    };
    assert_eq!(verified.max_profile(), Profile::WorkspaceWrite);
    assert_eq!((verified.signer().key, verified.signer().name.as_str()), (key.public().id(), "P"));
    assert_eq!(verified.signer().signed_at, time(NOW - DAY));
    assert_eq!(verified.identity, digest);
    assert_eq!(verified.component, wat::parse_str("(component)").unwrap());
    let capped = accepted(signed(&key), &store(&key, "max-profile = \"read-only\""));
    let Checked::Verified(capped) = capped else { panic!("it is not signed") };
    assert_eq!(capped.max_profile(), Profile::ReadOnly);
}

#[test]
fn a_bundle_without_a_signature_is_unsigned_and_one_with_any_never_is() {
    let (key, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    for store in [store(&key, ""), TrustStore::default()] {
        let checked = verify(bundle(MANIFEST), &store, time(NOW)).unwrap();
        assert!(matches!(checked, Checked::Unsigned(_)));
    }
    refused("an unknown key", signed(&other), &store(&key, ""), "trust::unknown-key");
    refused("nobody is trusted", signed(&key), &TrustStore::default(), "trust::unknown-key");
}

#[test]
fn the_hint_about_an_unknown_key_names_the_command_that_trusts_it() {
    let key = SecretKey::generate().unwrap();
    let error = verify(signed(&key), &TrustStore::default(), time(NOW)).unwrap_err();
    let hint = error.hint().unwrap();
    assert!(
        hint.contains(&format!("`ringfence trust add {} --name NAME`", key.public())),
        "{hint}"
    );
    // A signature that names a key it was not made with: the key is not offered.
    let (sealed, other) = (signed(&key), SecretKey::generate().unwrap());
    let text = String::from_utf8(sealed.signatures().next().unwrap().1.to_vec()).unwrap();
    let lied = text.replace(&key.public().to_string(), &other.public().to_string());
    let sealed = sealed.with_signature(SIGNATURE_FILE, lied.into_bytes()).unwrap();
    let hint = verify(sealed, &TrustStore::default(), time(NOW)).unwrap_err().hint().unwrap();
    assert!(!hint.contains(&other.public().to_string()), "{hint}");
}

#[test]
fn signatures_that_do_not_hold_are_refused() {
    let (key, thief) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let trust = store(&key, "");
    let sealed = signed(&key);
    accepted(sealed.clone(), &trust);
    let own = sealed.signatures().next().unwrap().1.to_vec();
    let with = |bytes: Vec<u8>| sealed.clone().with_signature(SIGNATURE_FILE, bytes).unwrap();

    let other = bundle(&MANIFEST.replace("1.2.3", "1.2.4"));
    let swapped = signature(&other, &comment(NOW - DAY), &key);
    refused("of another bundle", with(swapped), &trust, "trust::broken-signature");
    let moved = other.with_signature(SIGNATURE_FILE, own.clone()).unwrap();
    refused("moved to another bundle", moved, &trust, "trust::broken-signature");

    // The id of the trusted key in front of a signature by another.
    let id = |key: &SecretKey| key.public().id().to_string();
    let forged = forged(&signature(&sealed, &comment(NOW - DAY), &thief), &key);
    refused("by a thief in its name", with(forged), &trust, "trust::broken-signature");
    let text = String::from_utf8(own).unwrap();
    let renamed = text.replace("web-fetch@", "web-fetcx@").into_bytes();
    refused("with another comment", with(renamed), &trust, "trust::broken-signature");
    let later = text.replace(&(NOW - DAY).to_string(), &NOW.to_string()).into_bytes();
    refused("with another time", with(later), &trust, "trust::broken-signature");
    let old = text.replacen("\nRU", "\nRW", 1).into_bytes();
    refused("of the old algorithm", with(old), &trust, "trust::unknown-algorithm");
    let unknown = text.replacen("\nRU", "\nQU", 1).into_bytes();
    refused("of an unknown algorithm", with(unknown), &trust, "trust::unknown-algorithm");
    refused("cut off", with(text.as_bytes()[..100].to_vec()), &trust, "trust::malformed-signature");
    refused("empty", with(Vec::new()), &trust, "trust::malformed-signature");

    let named = |id: &str| {
        let bare = sealed.clone().without_signatures();
        bare.with_signature(&format!("SHA256SUMS.{id}.minisig"), text.clone().into_bytes()).unwrap()
    };
    accepted(named(&id(&key)), &trust);
    refused("under another name", named(&id(&thief)), &trust, "trust::malformed-signature");
    let name = format!("SHA256SUMS.{}.minisig", id(&key));
    let twice = sealed.clone().with_signature(&name, text.into_bytes()).unwrap();
    refused("twice", twice, &trust, "trust::malformed-signature");
}

/// Returns a signature file with the id of another key in it.
fn forged(file: &[u8], key: &SecretKey) -> Vec<u8> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let text = String::from_utf8(file.to_vec()).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut bytes = engine.decode(&lines[1]).unwrap();
    let public = engine.decode(key.public().to_string()).unwrap();
    bytes[2..10].copy_from_slice(&public[2..10]);
    lines[1] = engine.encode(bytes);
    (lines.join("\n") + "\n").into_bytes()
}

#[test]
fn keys_are_believed_in_their_time_and_state_only() {
    let key = SecretKey::generate().unwrap();
    let line = |name: &str, seconds| format!("{name} = {}", day(seconds));
    for rest in [
        line("not-before", NOW - 2 * DAY),
        line("not-after", NOW + 1),
        format!("state = \"retired\"\n{}", line("retired-at", NOW - DAY)),
        "state = \"active\"".to_owned(),
    ] {
        accepted(signed(&key), &store(&key, &rest));
    }
    for (rest, code) in [
        (line("not-before", NOW + 1), "trust::not-yet-valid"),
        // Valid now, and not when it says it was signed.
        (line("not-before", NOW - DAY / 2), "trust::not-yet-valid"),
        (line("not-after", NOW), "trust::expired"),
        (format!("state = \"retired\"\n{}", line("retired-at", NOW - DAY - 1)), "trust::retired"),
        ("state = \"revoked\"".to_owned(), "trust::revoked-key"),
    ] {
        refused(&rest, signed(&key), &store(&key, &rest), code);
    }
    for (ahead, ok) in [(9 * 60, true), (11 * 60, false)] {
        let sealed = bundle(MANIFEST);
        let bytes = signature(&sealed, &comment(NOW + ahead), &key);
        let sealed = sealed.with_signature(SIGNATURE_FILE, bytes).unwrap();
        if ok {
            accepted(sealed, &store(&key, ""));
        } else {
            refused("of the future", sealed, &store(&key, ""), "trust::signed-in-future");
        }
    }
}

#[test]
fn a_signature_counts_for_the_plugin_it_was_made_for() {
    let key = SecretKey::generate().unwrap();
    let with = |comment: &str| {
        let sealed = bundle(MANIFEST);
        let bytes = signature(&sealed, comment, &key);
        sealed.with_signature(SIGNATURE_FILE, bytes).unwrap()
    };
    let trust = store(&key, "");
    accepted(with(&comment(NOW)), &trust);
    for (comment, code) in [
        ("plugin:web-other@1.2.3 time:1800000000", "trust::other-plugin"),
        ("plugin:web-fetch@1.2.4 time:1800000000", "trust::other-plugin"),
        ("plugin:web-fetch@1.2.3+build time:1800000000", "trust::other-plugin"),
        ("timestamp:1800000000\tfile:SHA256SUMS", "trust::malformed-signature"),
        ("plugin:web-fetch@1.2.3", "trust::malformed-signature"),
    ] {
        refused(comment, with(comment), &trust, code);
    }
    accepted(signed(&key), &store(&key, "plugins = [\"other\", \"web-*\"]"));
    for patterns in ["[\"other\"]", "[\"web\"]", "[\"web-fetcher\"]"] {
        let trust = store(&key, &format!("plugins = {patterns}"));
        refused(patterns, signed(&key), &trust, "trust::out-of-scope");
    }
}

#[test]
fn what_was_revoked_is_refused_signed_or_not() {
    let key = SecretKey::generate().unwrap();
    let (sealed, component) = (signed(&key), signed(&key).file_digest("a.wasm").unwrap());
    let revoked = |digest| format!("[[revoked]]\ndigest = \"{digest}\"\nreason = \"a hole\"");
    for digest in [sealed.digest(), component] {
        let trust = store(&key, &revoked(digest));
        refused("signed", sealed.clone(), &trust, "trust::revoked-digest");
        let bare = sealed.clone().without_signatures();
        refused("not signed", bare, &trust, "trust::revoked-digest");
    }
    let other = bundle(&MANIFEST.replace("1.2.3", "1.2.4")).digest();
    accepted(sealed, &store(&key, &revoked(other)));
}

#[test]
fn of_several_signers_each_known_one_must_hold_and_the_furthest_counts() {
    let keys: Vec<_> = (0..3).map(|_| SecretKey::generate().unwrap()).collect();
    let sealed = bundle(MANIFEST);
    let mut all = sealed.clone();
    for key in &keys {
        let name = format!("SHA256SUMS.{}.minisig", key.public().id());
        all = all.with_signature(&name, signature(&sealed, &comment(NOW), key)).unwrap();
    }
    let entry = |key: &SecretKey, rest: &str| {
        format!("[[key]]\nid = \"{}\"\npublic = \"{}\"\n{rest}\n", key.public().id(), key.public())
    };
    let two = |one: &str, other: &str| {
        let text = entry(&keys[0], one) + &entry(&keys[1], other);
        TrustStore::new([TrustLayer::parse(LayerKind::User, "t", &text).unwrap()]).unwrap()
    };
    let profile = |name| format!("max-profile = \"{name}\"");
    let checked = accepted(all.clone(), &two(&profile("read-only"), &profile("trusted")));
    let Checked::Verified(verified) = checked else { panic!("it is not signed") };
    assert_eq!(verified.signer().key, keys[1].public().id());
    assert_eq!(verified.max_profile(), Profile::Trusted);
    refused("one is revoked", all.clone(), &two("state = \"revoked\"", ""), "trust::revoked-key");
    refused(
        "one is out of scope",
        all.clone(),
        &two("", "plugins = [\"x\"]"),
        "trust::out-of-scope",
    );
    let name = format!("SHA256SUMS.{}.minisig", keys[0].public().id());
    let broken = forged(&signature(&sealed, &comment(NOW), &keys[2]), &keys[0]);
    let broken = all.clone().with_signature(&name, broken).unwrap();
    refused("one is broken", broken, &two("", ""), "trust::broken-signature");

    let outcomes: Vec<_> = examine(&all, &two("", ""), time(NOW))
        .into_iter()
        .map(|signed| (signed.key.unwrap(), signed.outcome.is_ok(), signed.claimed))
        .collect();
    let mut expected: Vec<_> = keys.iter().map(|key| key.public().id()).collect();
    expected.sort_by_key(ToString::to_string);
    assert_eq!(outcomes.iter().map(|(key, _, _)| *key).collect::<Vec<_>>(), expected);
    for (key, holds, claimed) in outcomes {
        let unknown = key == keys[2].public().id();
        assert_eq!((holds, claimed), (!unknown, unknown.then(|| keys[2].public())));
    }
}

#[test]
fn nothing_of_the_manifest_is_read_before_the_signature_held() {
    // A manifest that cannot be read, under a signature that does not hold: the signature is refused.
    let (key, thief) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let sealed = bundle("this is no manifest");
    let forged = forged(&signature(&sealed, &comment(NOW), &thief), &key);
    let forged = sealed.clone().with_signature(SIGNATURE_FILE, forged).unwrap();
    refused("forged", forged, &store(&key, ""), "trust::broken-signature");
    // The twin: with a signature that holds, the manifest is what is refused.
    let bytes = signature(&sealed, &comment(NOW), &key);
    let held = sealed.with_signature(SIGNATURE_FILE, bytes).unwrap();
    let error = verify(held, &store(&key, ""), time(NOW)).unwrap_err();
    assert_eq!(error.code(), "bundle::manifest");
}

#[test]
fn a_changed_archive_never_reaches_the_signature() {
    let key = SecretKey::generate().unwrap();
    let sealed = signed(&key);
    let mut bytes = Vec::new();
    sealed.write(&mut bytes).unwrap();
    accepted(read(bytes.as_slice(), "a.rfz").unwrap(), &store(&key, ""));
    // Every single bit, each by itself: refused while reading, or by the check.
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let Ok(sealed) = read(changed.as_slice(), "a.rfz") else { continue };
            // What is left are the comment that is not signed, and ways to write the same base64.
            match verify(sealed, &store(&key, ""), time(NOW)) {
                Err(error) => assert!(error.code().starts_with("trust::"), "{at}: {error:?}"),
                Ok(checked) => {
                    assert!(checked.signer().is_some(), "byte {at} made it unsigned");
                    assert!(untrusted(&bytes, at), "byte {at} can be changed");
                }
            }
        }
    }
}

/// Tells whether a byte of an archive is in the comment of a signature that nobody signs.
fn untrusted(bytes: &[u8], at: usize) -> bool {
    let line = b"untrusted comment: ";
    let start = bytes.windows(line.len()).position(|window| window == line).unwrap();
    let end = start + bytes[start..].iter().position(|byte| *byte == b'\n').unwrap();
    (start..end).contains(&at)
}

#[test]
fn the_comment_is_made_of_the_manifest() {
    let manifest: Manifest = ringfence_bundle::manifest::parse(MANIFEST, "plugin.toml").unwrap();
    let comment = TrustedComment::new(&manifest, time(NOW));
    assert_eq!(comment.to_string(), "plugin:web-fetch@1.2.3 time:1800000000");
}
