//! What layers say together, and what a file may not say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::SecretKey;
use ringfence_capability::Diagnostic as _;

fn layer(kind: LayerKind, text: &str) -> TrustLayer {
    TrustLayer::parse(kind, "trust.toml", text).unwrap()
}

fn key(public: PublicKey, rest: &str) -> String {
    format!("[[key]]\nid = \"{}\"\npublic = \"{public}\"\n{rest}\n", public.id())
}

fn about(public: PublicKey, rest: &str) -> String {
    format!("[[key]]\nid = \"{}\"\n{rest}\n", public.id())
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_key_is_trusted_to_write_in_the_workspace_unless_more_is_said() {
    let public = SecretKey::generate().unwrap().public();
    let store = TrustStore::new([layer(LayerKind::User, &key(public, ""))]).unwrap();
    let known = store.key(public.id()).unwrap();
    assert_eq!(known.max_profile, Profile::WorkspaceWrite);
    assert_eq!((known.state, known.layer), (KeyState::Active, LayerKind::User));
    assert!(known.covers("anything"));
    assert_eq!(known.name, public.id().to_string());
}

#[test]
fn every_layer_takes_away_and_none_gives() {
    let public = SecretKey::generate().unwrap().public();
    let host = "max-profile = \"net-read-only\"\nplugins = [\"web-*\"]\nnot-after = \"2030-01-01\"";
    let user = "max-profile = \"trusted\"\nplugins = [\"*\"]\nnot-after = \"2040-01-01\"";
    let workspace = "max-profile = \"read-only\"\nnot-before = \"2020-01-01\"";
    let layers = [
        layer(LayerKind::Workspace, &about(public, workspace)),
        layer(LayerKind::User, &key(public, user)),
        layer(LayerKind::Host, &key(public, host)),
    ];
    let store = TrustStore::new(layers).unwrap();
    let known = store.key(public.id()).unwrap();
    assert_eq!((known.max_profile, known.layer), (Profile::ReadOnly, LayerKind::Host));
    assert!(known.covers("web-fetch") && !known.covers("other"));
    assert_eq!(known.not_after, Some(time("2030-01-02T00:00:00Z")));
    assert_eq!(known.not_before, Some(time("2020-01-01T00:00:00Z")));
}

#[test]
fn any_layer_revokes_and_none_takes_that_back() {
    let public = SecretKey::generate().unwrap().public();
    let revoked = "state = \"revoked\"\nreason = \"stolen\"";
    for (host, user) in [(revoked, ""), ("", revoked)] {
        let layers = [
            layer(LayerKind::Host, &key(public, host)),
            layer(LayerKind::User, &key(public, user)),
        ];
        let store = TrustStore::new(layers).unwrap();
        let known = store.key(public.id()).unwrap();
        assert_eq!((known.state, known.reason.as_deref()), (KeyState::Revoked, Some("stolen")));
    }
}

#[test]
fn a_workspace_brings_no_key() {
    let public = SecretKey::generate().unwrap().public();
    let error = TrustLayer::parse(LayerKind::Workspace, "w", &key(public, "")).unwrap_err();
    assert!(error.to_string().contains("a workspace can only narrow keys"), "{error}");
    // What it says about a key nobody brought counts for nothing.
    let narrowing = layer(LayerKind::Workspace, &about(public, "max-profile = \"trusted\""));
    assert!(TrustStore::new([narrowing]).unwrap().key(public.id()).is_none());
    // The twin: a user's file with the same text brings it.
    assert!(TrustLayer::parse(LayerKind::User, "u", &key(public, "")).is_ok());
}

#[test]
fn two_layers_cannot_have_different_keys_under_one_id() {
    let (one, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
    let mut forged = other.public();
    forged.id = one.public().id();
    let layers =
        [layer(LayerKind::Host, &key(one.public(), "")), layer(LayerKind::User, &key(forged, ""))];
    let error = TrustStore::new(layers).unwrap_err();
    assert!(error.to_string().contains("has another key under this id"), "{error}");
}

#[test]
fn files_are_read_strictly() {
    let public = SecretKey::generate().unwrap().public();
    let other = SecretKey::generate().unwrap().public();
    let cases: Vec<(String, &str)> = vec![
        ("[[keys]]\n".to_owned(), "unknown field `keys`"),
        (key(public, "max-profil = \"trusted\""), "unknown field `max-profil`"),
        (key(public, "max-profile = \"all\""), "`all` is not a profile"),
        (key(public, "not-after = \"soon\""), "is not a day"),
        (key(public, "not-after = \"2026-13-01\""), "is not a day"),
        (key(public, "plugins = []"), "1 to 64 names"),
        (key(public, "plugins = [\"a*b\"]"), "`plugins`"),
        (key(public, "state = \"lost\""), "unknown variant `lost`"),
        (key(public, "state = \"retired\""), "`retired-at`"),
        (key(public, "retired-at = \"2026-01-01\""), "`retired-at`"),
        (key(public, "name = \"\""), "`name` is one line"),
        (key(public, "name = \"a\\u001bb\""), "`name` is one line"),
        (key(public, &key(public, "")), "it is there twice"),
        (
            format!("[[key]]\nid = \"{}\"\npublic = \"{other}\"\n", public.id()),
            "`public` is the key",
        ),
        ("[[key]]\nid = \"abc\"\n".to_owned(), "is not a public key"),
        ("[[key]]\nname = \"x\"\n".to_owned(), "missing field `id`"),
        ("[[revoked]]\ndigest = \"x\"\nreason = \"y\"\n".to_owned(), "`digest`"),
        (
            format!("[[revoked]]\ndigest = \"sha256:{}\"\n", "0".repeat(64)),
            "missing field `reason`",
        ),
        ("x".repeat(usize::try_from(MAX_TRUST_BYTES).unwrap() + 1), "more than"),
    ];
    for (text, why) in cases {
        let error = TrustLayer::parse(LayerKind::User, "trust.toml", &text).unwrap_err();
        assert!(error.to_string().contains(why), "{why}: {error}");
        assert!(error.hint().is_some() && error.code().starts_with("trust::store"));
    }
    let error = TrustLayer::parse(LayerKind::User, "trust.toml", "\n\nx = 1\n").unwrap_err();
    assert!(error.to_string().starts_with("trust.toml:3: "), "{error}");
}

#[test]
fn a_change_leaves_the_rest_of_the_file_as_it_was() {
    let keys: Vec<_> = (0..3).map(|_| SecretKey::generate().unwrap().public()).collect();
    let text = format!(
        "# Ours.\n{}# The second.\n{}\n[[revoked]]\ndigest = \"sha256:{}\"\nreason = \"r\" # why\n",
        key(keys[0], "name = \"a\" # first"),
        key(keys[1], "name = \"b\""),
        "0".repeat(64),
    );
    let before = layer(LayerKind::User, &text);
    let mut entry = KeyEntry::new(keys[2]);
    entry.name = Some("c \"quoted\" \\".to_owned());
    entry.max_profile = Some(Profile::ReadOnly);
    entry.plugins = Some(vec!["x-*".to_owned(), "y".to_owned()]);
    entry.not_before = Some(time("2026-01-01T00:00:00Z"));
    entry.not_after = Some(time("2027-01-01T12:30:00Z"));
    entry.state = KeyState::Retired(time("2026-06-01T00:00:00Z"));
    entry.reason = Some("why".to_owned());
    let added = before.with_key(&entry).unwrap();
    assert!(added.text().starts_with(text.trim_end()));
    assert_eq!(added.keys()[2], entry);
    assert_eq!(added.without_key(keys[2].id()).unwrap().keys(), before.keys());

    let removed = added.without_key(keys[0].id()).unwrap();
    assert!(removed.text().starts_with("# Ours.\n# The second.\n[[key]]"), "{}", removed.text());
    assert!(removed.text().contains("# why"));
    let again = removed.with_key(&KeyEntry::about(keys[1].id())).unwrap();
    assert_eq!(again.keys().len(), 2);
    let digest = "sha256:".to_owned() + &"1".repeat(64);
    let revoked = again.with_revoked(&Revoked::new(digest.parse().unwrap(), "bad")).unwrap();
    assert_eq!(revoked.revoked().len(), 2);
    assert_eq!(layer(LayerKind::User, "").without_key(keys[0].id()).unwrap().text(), "");
}

#[test]
fn a_text_that_is_not_understood_is_left_alone() {
    let public = SecretKey::generate().unwrap().public();
    let inline = format!("key = [{{ id = \"{}\", public = \"{public}\" }}]\n", public.id());
    let error = layer(LayerKind::User, &inline).without_key(public.id()).unwrap_err();
    assert!(error.to_string().contains("change it by hand"), "{error}");
}
