//! `update`: silent where nothing more is asked for, and nowhere else.

use super::common::{Fixture, key};

#[test]
fn an_update_that_asks_for_nothing_more_is_one_line_and_no_question() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &["docs", "src"]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    fixture.check(&["update"], 0, &["adder 1.0.0 is up to date\n"]);
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.1.0", &["src"]), Some(&acme));
    let check = fixture.check(&["update", "--check"], 0, &["can be updated"]);
    assert!(check.out.contains("- fs.read:workspace/docs"), "{}", check.out);
    let done = fixture.check(&["update"], 0, &[]);
    assert_eq!(done.out, "adder 1.0.0 -> 1.1.0: updated; asks for nothing more\n");
    fixture.check(&["update", "adder"], 0, &["adder 1.1.0 is up to date\n"]);
    assert_eq!(fixture.audit(), ["plugin.install allow", "plugin.update allow"]);
}

#[test]
fn an_update_that_widens_anything_stops_and_shows_it() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &["docs"]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let wider = Fixture::manifest("adder", "1.1.0", &["."]);
    let digest = fixture.pack("a.rfz", &wider, Some(&acme));
    let hint = format!("`ringfence update adder --accept {digest}`");
    fixture.check(
        &["update"],
        3,
        &[
            "+ fs.read:workspace  (was fs.read:workspace/docs)",
            "asks for more: fs.read:workspace",
            &hint,
        ],
    );
    fixture.check(&["list"], 0, &["adder 1.0.0  signed"]);
    // A digest that was looked at stands for nothing else.
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.2.0", &["."]), Some(&acme));
    let accept = ["update", "adder", "--accept", &digest];
    fixture.check(&accept, 3, &["error[install::another-bundle]"]);
    fixture.pack("a.rfz", &wider, Some(&acme));
    fixture.check(&accept, 0, &["adder 1.0.0 -> 1.1.0: updated; asks for more"]);
    let (yes, no) = ("plugin.update allow", "plugin.update forbid");
    assert_eq!(fixture.audit(), ["plugin.install allow", no, no, yes]);
}

#[test]
fn an_update_by_another_key_by_nobody_or_to_an_older_version_is_refused() {
    let fixture = Fixture::new();
    let (acme, other) = (key(), key());
    fixture.trust(&acme, "Acme", "");
    fixture.trust(&other, "Other", "");
    let install = |version: &str, signer| {
        fixture.pack("a.rfz", &Fixture::manifest("adder", version, &[]), signer);
    };
    install("1.1.0", Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    install("1.2.0", Some(&other));
    fixture.check(&["update", "--yes"], 3, &["error[store::name-taken]"]);
    install("1.2.0", None);
    fixture.check(&["update", "--yes"], 3, &["error[install::unsigned]"]);
    fixture.check(&["update", "--yes", "--allow-unsigned"], 3, &["error[store::name-taken]"]);
    install("1.0.0", Some(&acme));
    fixture.check(&["update", "--yes"], 3, &["error[store::downgrade]"]);
    fixture.check(&["list"], 0, &["adder 1.1.0  signed by Acme"]);
    let back = ["update", "--yes", "--allow-downgrade"];
    fixture.check(&back, 0, &["adder 1.1.0 -> 1.0.0: updated", "is an older version"]);
}

#[test]
fn one_that_is_refused_keeps_no_other_from_its_update() {
    let fixture = Fixture::new();
    for name in ["a", "b", "c"] {
        fixture.lay(name, &Fixture::manifest(name, "1.0.0", &[]));
        fixture.check(&["install", &format!("./{name}"), "--yes", "--allow-unsigned"], 0, &[]);
    }
    fixture.lay("a", &Fixture::manifest("a", "1.1.0", &["."]));
    fixture.lay("b", &Fixture::manifest("other", "1.1.0", &[]));
    fixture.lay("c", &Fixture::manifest("c", "1.1.0", &[]));
    let done = fixture.run(&["update"]);
    assert_eq!(done.code, Some(3), "{}{}", done.out, done.err);
    assert!(done.out.contains("c 1.0.0 -> 1.1.0: updated"), "{}", done.out);
    for part in ["the update of `a` asks for more", "holds `other` now, not `b`"] {
        assert!(done.err.contains(part), "{part}: {}", done.err);
    }
}

#[test]
fn programs_read_what_an_update_came_to() {
    let fixture = Fixture::new();
    fixture.lay("a", &Fixture::manifest("a", "1.0.0", &[]));
    fixture.check(&["install", "./a", "--yes", "--allow-unsigned"], 0, &[]);
    fixture.lay("a", &Fixture::manifest("a", "1.1.0", &[]));
    let done = fixture.check(&["--json", "update"], 0, &[]);
    let json: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    let result = &json["result"];
    assert_eq!((&json["ok"], result["outcome"].as_str()), (&true.into(), Some("updated")));
    assert_eq!(result["diff"]["verdict"], "asks for nothing more");
    assert_eq!(result["installed-before"]["version"], "1.0.0");
    fixture.lay("a", &Fixture::manifest("a", "1.2.0", &["."]));
    let done = fixture.check(&["--json", "update"], 3, &[]);
    let json: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(json["error"]["code"], "install::nobody-to-ask");
}
