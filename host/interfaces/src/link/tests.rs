//! Tests of what is linked, what is refused, and what each refusal says.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use ringfence_capability::{Capability, Fidelity, Grant, Origin, PathScope};

fn grants(capabilities: impl IntoIterator<Item = Capability>) -> GrantSet {
    GrantSet::new(capabilities.into_iter().map(|c| Grant::new(c, Origin::BuiltIn)).collect())
}

struct Case<'a> {
    granted: &'a [Capability],
    without: &'a [Kind],
    unused: &'a [&'a str],
}

const NOTHING: Case<'_> = Case { granted: &[], without: &[], unused: &[] };

/// Returns `link`, `unknown`, or the capabilities a refusal names.
fn check(import: &str, authority: bool, case: &Case<'_>) -> String {
    let grants = grants(case.granted.iter().cloned());
    let unused: Vec<_> = case.unused.iter().map(ToString::to_string).collect();
    let plan = LinkPlan {
        grants: &grants,
        without: case.without,
        unused: &unused,
        plugin: "p",
        profile: "offline",
    };
    match answer(import, authority, &plan) {
        Answer::Link => "link".to_owned(),
        Answer::Unknown => "unknown".to_owned(),
        Answer::Refuse(kinds) => kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" "),
    }
}

#[test]
fn without_a_grant_only_the_inert_baseline_is_linked() {
    for (import, expected) in [
        ("wasi:io/streams@0.2.6", "link"),
        ("wasi:cli/environment@0.2.0", "link"),
        ("wasi:cli/stdout@0.3.0", "link"),
        ("ringfence:host/log@0.1.0", "link"),
        ("wasi:http/types@0.2.4", "link"),
        ("wasi:filesystem/preopens@0.2.6", "fs.read fs.write"),
        ("wasi:filesystem/types@0.3.0", "fs.read fs.write"),
        ("wasi:http/outgoing-handler@0.2.0", "http.read http.write"),
        ("wasi:http/client@0.3.0", "http.read http.write"),
        ("wasi:sockets/tcp@0.2.3", "socket"),
        ("wasi:clocks/wall-clock@0.2.6", "clock"),
        ("wasi:random/random@0.2.6", "random"),
        ("wasi:keyvalue/store@0.2.0-draft2", "kv"),
        ("wasi:config/store@0.2.0-rc.1", "config"),
        ("ringfence:host/log@0.9.0", "unknown"),
        ("evil:host/anything@1.0.0", "unknown"),
        ("wasi:filesystem/types@0.9.0", "unknown"),
    ] {
        assert_eq!(check(import, true, &NOTHING), expected, "{import}");
    }
}

#[test]
fn a_grant_links_its_own_interface_and_no_other() {
    let read = [Capability::FsRead(PathScope::workspace(".", "/").unwrap())];
    let case = Case { granted: &read, ..NOTHING };
    assert_eq!(check("wasi:filesystem/types@0.2.6", true, &case), "link");
    assert_eq!(check("wasi:sockets/tcp@0.2.6", true, &case), "socket");
}

#[test]
fn what_is_optional_or_never_used_is_linked_only_where_it_can_say_denied() {
    let optional = Case { without: &[Kind::HttpRead, Kind::Clock], ..NOTHING };
    let unused = Case { unused: &["wasi:sockets/*", "wasi:clocks/wall-clock"], ..NOTHING };
    for (import, case, expected) in [
        ("wasi:http/outgoing-handler@0.2.0", &optional, "link"),
        ("wasi:clocks/wall-clock@0.2.0", &optional, "clock"),
        ("wasi:sockets/tcp@0.2.0", &unused, "link"),
        ("wasi:sockets-evil/tcp@0.2.0", &unused, "unknown"),
        ("wasi:clocks/wall-clock@0.2.0", &unused, "clock"),
        ("wasi:http/outgoing-handler@0.2.0", &unused, "http.read http.write"),
    ] {
        assert_eq!(check(import, true, case), expected, "{import}");
    }
}

#[test]
fn an_interface_imported_for_its_types_alone_needs_no_grant() {
    assert_eq!(check("wasi:clocks/wall-clock@0.2.6", false, &NOTHING), "link");
    let granted = [Capability::Clock(Fidelity::Real)];
    assert_eq!(
        check("wasi:clocks/wall-clock@0.2.6", true, &Case { granted: &granted, ..NOTHING }),
        "link"
    );
}

#[test]
fn the_refusal_names_import_capability_profile_and_the_line_that_grants_it() {
    let error = LinkError::NotGranted {
        plugin: "tool.wasm".to_owned(),
        profile: "offline".to_owned(),
        refused: [
            ("wasi:sockets/tcp@0.2.6", Kind::Socket),
            ("wasi:clocks/wall-clock@0.2.6", Kind::Clock),
            ("wasi:sockets/udp@0.2.6", Kind::Socket),
        ]
        .map(|(import, kind)| Refused { import: import.to_owned(), needs: vec![kind] })
        .to_vec(),
    };
    assert_eq!(
        error.to_string(),
        "`tool.wasm` imports `wasi:sockets/tcp@0.2.6`, which profile `offline` did not grant (it needs `socket`), and 2 more"
    );
    assert_eq!(
        error.hint().unwrap(),
        "for `wasi:sockets/tcp@0.2.6`, `wasi:sockets/udp@0.2.6`: add `[[request]]` capability = \"socket\", \
         addresses = [\"…\"], reason = \"…\" to plugin.toml, or run with `--socket ADDRESS:PORT --profile \
         trusted --trust-digest DIGEST`; if only its language runtime imports it, name it in \
         `stub-imports` of plugin.toml\n      for `wasi:clocks/wall-clock@0.2.6`: add `[[request]]` \
         capability = \"clock\", reason = \"…\" to plugin.toml, or run with `--clock real`"
    );
    assert_eq!(error.class(), Class::Refused);
}

#[test]
fn everything_that_can_be_linked_is_known_to_the_import_table() {
    for (interface, wasi) in provider::names() {
        let versions: &[&str] = match (wasi, interface.split(':').next()) {
            (2, _) => &["0.2.0"],
            (3, _) => &["0.3.0"],
            (_, Some("ringfence")) => &["0.1.0"],
            _ => &["0.2.0-draft", "0.2.0-draft2", "0.2.0-rc.1"],
        };
        let known = versions.iter().any(|version| {
            let class = import_capability(&format!("{interface}@{version}"));
            matches!(class, ImportClass::Baseline | ImportClass::Needs(_))
        });
        assert!(known, "{interface} of WASI 0.{wasi}");
    }
}
