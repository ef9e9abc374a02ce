//! `install`, `list` and `remove`.

use super::common::{Fixture, key};

#[test]
fn nothing_is_installed_without_a_yes_and_the_refusal_has_the_command_for_exactly_this() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    let digest = fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &["."]), Some(&acme));
    let hint = format!("`ringfence install a.rfz --accept {digest}`");
    let signed = format!("by Acme ({}), trusted up to `workspace-write`", acme.public().id());
    fixture.check(
        &["install", "a.rfz"],
        3,
        &["adder 1.0.0", &digest, &signed, "allow   fs.read:workspace  reads it", &hint],
    );
    assert!(fixture.names("receipts").is_empty() && fixture.names("bundles").is_empty());
    let other = format!("sha256:{}", "0".repeat(64));
    let wrong = ["install", "a.rfz", "--accept", &other];
    fixture.check(&wrong, 3, &["error[install::another-bundle]"]);
    fixture.check(&["install", "a.rfz", "--accept", &digest], 0, &["adder 1.0.0: installed"]);
    fixture.check(&["list"], 0, &["adder 1.0.0  signed by Acme"]);
    fixture.check(&["list", "--check"], 0, &["adder 1.0.0"]);
    fixture.check(&["install", "a.rfz"], 0, &["adder 1.0.0: already installed"]);
    let forbid = "plugin.install forbid";
    assert_eq!(fixture.audit(), [forbid, forbid, "plugin.install allow"]);
}

#[test]
fn what_nobody_signed_needs_a_flag_and_what_cannot_be_verified_has_none() {
    let fixture = Fixture::new();
    let manifest = Fixture::manifest("adder", "1.0.0", &[]);
    fixture.lay("adder", &manifest);
    let flag = "`--allow-unsigned`, under at most `read-only`";
    fixture.check(&["install", "./adder", "--yes"], 3, &["error[install::unsigned]", flag]);
    let stranger = key();
    fixture.pack("stranger.rfz", &manifest, Some(&stranger));
    let forced = ["install", "stranger.rfz", "--yes", "--allow-unsigned", "--allow-downgrade"];
    fixture.check(&forced, 3, &["error[trust::unknown-key]"]);
    let acme = key();
    fixture.trust(&acme, "Acme", "state = \"revoked\"\nreason = \"stolen\"");
    fixture.pack("revoked.rfz", &manifest, Some(&acme));
    let forced = ["install", "revoked.rfz", "--yes", "--allow-unsigned"];
    fixture.check(&forced, 3, &["revoked: stolen"]);
    fixture.check(&["list"], 0, &["nothing is installed"]);
    // The twins: the flag, and trust in the key.
    let unsigned = ["install", "./adder", "--yes", "--allow-unsigned"];
    fixture.check(&unsigned, 0, &["adder 1.0.0: installed"]);
    fixture.trust(&stranger, "Stranger", "");
    fixture.check(&["install", "stranger.rfz", "--yes"], 0, &["installed", "by another key"]);
}

#[test]
fn a_name_belongs_to_the_key_it_was_first_installed_from() {
    let fixture = Fixture::new();
    let (acme, other) = (key(), key());
    fixture.trust(&acme, "Acme", "");
    fixture.trust(&other, "Other", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.pack("b.rfz", &Fixture::manifest("adder", "2.0.0", &[]), Some(&other));
    fixture.pack("c.rfz", &Fixture::manifest("adder", "2.0.0", &[]), None);
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let taken = "the name `adder` belongs to the key";
    let frees = "`ringfence remove adder` frees the name";
    for file in ["b.rfz", "c.rfz"] {
        let args = ["install", file, "--yes", "--allow-unsigned", "--allow-downgrade"];
        fixture.check(&args, 3, &["error[store::name-taken]", taken, frees]);
    }
    fixture.check(&["list"], 0, &["adder 1.0.0  signed by Acme"]);
    // The twin: a name that is free again.
    fixture.check(&["remove", "adder"], 0, &["adder: removed 1.0.0"]);
    fixture.check(&["install", "b.rfz", "--yes"], 0, &["adder 2.0.0: installed"]);
    let mut told = vec!["plugin.install allow"];
    told.extend(["plugin.install forbid"; 2]);
    told.extend(["plugin.remove allow", "plugin.install allow"]);
    assert_eq!(fixture.audit(), told);
}

#[test]
fn a_key_that_follows_another_by_its_statement_takes_its_names_over() {
    let fixture = Fixture::new();
    let (old, new) = (key(), key());
    fixture.trust(&old, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&old));
    fixture.pack("b.rfz", &Fixture::manifest("adder", "1.1.0", &[]), Some(&new));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let from = old.public().id();
    let reason = format!("reason = \"comes after key {from}, by its statement\"");
    fixture.trust(&new, "Acme", &reason);
    fixture.check(&["install", "b.rfz", "--yes"], 0, &["is signed by another key", "installed"]);
    fixture.check(&["list"], 0, &["adder 1.1.0", &new.public().id().to_string()]);
}

#[test]
fn going_back_to_an_older_version_needs_a_flag() {
    let fixture = Fixture::new();
    for version in ["1.0.0", "1.1.0"] {
        fixture.pack(&format!("{version}.rfz"), &Fixture::manifest("adder", version, &[]), None);
    }
    let install = |file: &'static str| ["install", file, "--yes", "--allow-unsigned"];
    fixture.check(&install("1.1.0.rfz"), 0, &[]);
    let says = ["error[store::downgrade]", "`adder` 1.1.0 is installed, and 1.0.0 is older"];
    fixture.check(&install("1.0.0.rfz"), 3, &says);
    fixture.check(&["list"], 0, &["adder 1.1.0  not"]);
    let back = [&install("1.0.0.rfz")[..], &["--allow-downgrade"]].concat();
    fixture.check(&back, 0, &["is an older version", "adder 1.0.0: installed"]);
    fixture.check(&["list"], 0, &["adder 1.1.0  (older)", "adder 1.0.0  not"]);
    fixture.check(&["list", "--unused"], 0, &["adder 1.1.0  "]);
    fixture.check(&["remove", "adder@1.0.0"], 2, &["error[store::is-current]"]);
    fixture.check(&["remove", "--unused"], 0, &["adder 1.1.0"]);
    assert_eq!(fixture.names("bundles").len(), 1);
}

#[test]
fn what_was_changed_in_the_store_is_named() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.pack("evil.rfz", &Fixture::manifest("adder", "1.0.0", &["."]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let file = fixture.data("bundles").join(&fixture.names("bundles")[0]);
    let whole = std::fs::read(&file).unwrap();
    let evil = std::fs::read(fixture.file("evil.rfz")).unwrap();
    for (bytes, says) in [
        (evil, "problem: the bundle of `adder` in the store is not what was installed"),
        (whole[..1_000].to_vec(), "problem: the bundle of `adder` 1.0.0 in the store is damaged"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        fixture.check(&["list", "--check"], 3, &[says]);
    }
    std::fs::remove_file(&file).unwrap();
    fixture.check(&["list"], 3, &["problem: the bundle of `adder` 1.0.0 is gone"]);
    fixture.check(
        &["install", "a.rfz", "--yes"],
        0,
        &["cannot be read, so all of it counts as new"],
    );
    fixture.check(&["list", "--check"], 0, &["adder 1.0.0"]);
    let receipt = fixture.data("receipts/adder.toml");
    let text = std::fs::read(&receipt).unwrap();
    std::fs::write(&receipt, &text[..text.len() / 2]).unwrap();
    fixture.check(&["list"], 3, &["problem: the receipt `", "adder.toml` is damaged"]);
    fixture.check(&["install", "a.rfz", "--yes"], 3, &["error[store::damaged-receipt]"]);
}

#[test]
fn a_key_revoked_later_is_noticed_at_the_next_look() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    fixture.check(&["list", "--check"], 0, &["adder 1.0.0"]);
    std::fs::remove_file(fixture.path("home/.config/ringfence/trust.toml")).unwrap();
    fixture.trust(&acme, "Acme", "state = \"revoked\"\nreason = \"stolen\"");
    fixture.check(&["list", "--check"], 3, &["problem: ", "which was revoked: stolen"]);
    // Refused before anything in the bundle is believed, and written down all the same.
    fixture.pack("b.rfz", &Fixture::manifest("adder", "2.0.0", &[]), Some(&acme));
    fixture.check(&["install", "b.rfz", "--yes"], 3, &["trust::revoked-key"]);
    fixture.check(&["update", "adder"], 3, &["trust::revoked-key"]);
    let told = ["plugin.install allow", "plugin.install forbid", "plugin.update forbid"];
    assert_eq!(fixture.audit(), told);
}

#[test]
fn bad_words_say_what_to_write() {
    let fixture = Fixture::new();
    fixture.lay("adder", &Fixture::manifest("adder", "1.0.0", &[]));
    for (args, says) in [
        (&["install", "nowhere.rfz"][..], "the bundle `nowhere.rfz` cannot be read"),
        (&["install", "adder/a.wasm"], "put a `plugin.toml` beside it"),
        (&["install", "oci:nothing"], "it names no registry"),
        (&["install"], "<SOURCE>"),
        (&["install", "adder", "--accept", "1234"], "64 lower-case hexadecimal digits"),
        (&["install", "--locked"], "`ringfence lock NAME` writes it"),
        (&["remove", "adder"], "`adder` is not installed"),
        (&["update", "adder"], "`adder` is not installed"),
        (&["lock", "adder"], "`adder` is not installed"),
    ] {
        let args =
            [args, if args[0] == "install" { &["--allow-unsigned"] } else { &[][..] }].concat();
        fixture.check(&args, 2, &[says]);
    }
}

#[test]
#[cfg(unix)]
fn a_place_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    fixture.lay("adder", &Fixture::manifest("adder", "1.0.0", &[]));
    let install = ["install", "./adder", "--yes", "--allow-unsigned"];
    std::fs::create_dir(fixture.data("")).unwrap();
    let open = |mode| {
        std::fs::set_permissions(fixture.data(""), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    open(0o777);
    fixture.check(&install, 3, &["error[store::too-open]", "`chmod 700 "]);
    open(0o700);
    fixture.check(&install, 0, &["installed"]);
}
