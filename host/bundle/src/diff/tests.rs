//! Pairs of plugins and what differs, and that widening cannot be reached by small steps.
#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "tests")]

use super::{Change, Diff, Side};
use crate::inspect::{Interface, inspect};
use crate::testing::{component, folder};
use crate::{Plugin, open};
use ringfence_capability::{Grant, GrantSet};

mod properties;

/// A plugin of the manifest `head` (below `[plugin]`) and `rest`, and of a world with `items`.
fn plugin(head: &str, rest: &str, items: &str) -> (Plugin, Interface) {
    let version = if head.contains("version") { "" } else { "version = \"1.0.0\"\n" };
    let manifest =
        format!("[plugin]\nname = \"p\"\ncomponent = \"p.wasm\"\n{version}{head}\n{rest}");
    let http = "package wasi:http@0.2.6; interface outgoing-handler { handle: func(); }";
    let types = "package wasi:cli@0.2.6; interface stdout { get: func(); }";
    let world = format!("package a:b; world w {{ {items} }}");
    let code = component(&[http, types, &world]);
    let (_temp, dir) = folder(&[("plugin.toml", manifest.as_bytes()), ("p.wasm", &code)]);
    let plugin = open(&dir, ".", "p").unwrap();
    let interface = inspect(&plugin.component, "p").unwrap();
    (plugin, interface)
}

type Made = (Plugin, Interface);

fn diff(old: &Made, new: &Made) -> Diff {
    Diff::between(&Side::new(&old.0, &old.1, None), &Side::new(&new.0, &new.1, None))
}

/// Returns a change in one line; not the digest and the size, which nearly always differ.
fn rows(diff: &Diff) -> Vec<String> {
    let row = |change: &Change| {
        let (direction, about) = (change.direction.name(), change.about.name());
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let (item, old, new) = (&change.item, side(&change.old), side(&change.new));
        format!("{direction} {about} {item}: {old} => {new}")
    };
    let noise = |change: &&Change| !matches!(change.about.name(), "digest" | "size");
    diff.changes().iter().filter(noise).map(row).collect()
}

#[track_caller]
fn check(old: &Made, new: &Made, expected: &[&str], verdict: &str) {
    let diff = diff(old, new);
    assert_eq!(rows(&diff), expected);
    assert_eq!(diff.to_string(), verdict);
    assert_eq!(diff.asks_for_more(), verdict.contains("asks for more"));
}

fn request(capability: &str, keys: &str) -> String {
    format!("[[request]]\ncapability = \"{capability}\"\n{keys}\nreason = \"r\"\n")
}

#[test]
fn requests_are_compared_by_what_they_reach() {
    let http = |hosts: &str, methods: &str| {
        request("http", &format!("hosts = [{hosts}]\nmethods = \"{methods}\""))
    };
    let nothing = "asks for nothing more";
    let no_rows: &[&str] = &[];
    for (old, new, expected, verdict) in [
        (
            http("\"a.org\", \"b.org\"", "read"),
            http("\"b.org\", \"a.org\"", "read"),
            no_rows,
            nothing,
        ),
        (
            http("\"a.x.org\", \"b.x.org\"", "read"),
            http("\"*.x.org\"", "read"),
            &["wider request http.read:*.x.org: http.read:a.x.org, http.read:b.x.org => -"],
            "asks for more: http.read:*.x.org",
        ),
        (
            http("\"*.x.org\"", "read"),
            http("\"a.x.org\"", "read"),
            &["narrower request http.read:*.x.org: - => http.read:a.x.org"],
            nothing,
        ),
        (
            http("\"x.org\"", "read"),
            http("\"x.org\"", "write"),
            &["wider request http.write:x.org: http.read:x.org => -"],
            "asks for more: http.write:x.org",
        ),
        (
            http("\"x.org\"", "read"),
            http("\"x.org:8443\"", "read"),
            &[
                "wider request http.read:x.org:8443: - => -",
                "narrower request http.read:x.org: - => -",
            ],
            "asks for more: http.read:x.org:8443",
        ),
    ] {
        check(&plugin("", &old, ""), &plugin("", &new, ""), expected, verdict);
    }
}

#[test]
fn directories_sizes_and_commands_are_compared_by_what_they_reach() {
    let fs = |kind: &str, path: &str| request(kind, &format!("path = \"{path}\""));
    let nothing = "asks for nothing more";
    for (old, new, expected, verdict) in [
        (
            fs("fs.write", "."),
            fs("fs.read", "docs"),
            &["narrower request fs.write:workspace: - => fs.read:workspace/docs"][..],
            nothing,
        ),
        (
            fs("fs.read", "docs"),
            fs("fs.read", "docs-private"),
            &[
                "wider request fs.read:workspace/docs-private: - => -",
                "narrower request fs.read:workspace/docs: - => -",
            ],
            "asks for more: fs.read:workspace/docs-private",
        ),
        (
            request("fs.read", "path = \"docs\""),
            request("fs.read", "path = \"docs\"\nguest = \"/d\"\noptional = true"),
            &[
                "neither request fs.read:workspace/docs: required, seen as /docs => optional, seen as /d",
            ],
            nothing,
        ),
        (
            request("kv", "size = \"1MiB\""),
            request("kv", "size = \"2MiB\""),
            &["wider request kv:p (2MiB): kv:p (1MiB) => -"],
            "asks for more: kv:p (2MiB)",
        ),
        (
            request("exec", "argv = [[\"cargo\", \"test\"]]"),
            request("exec", "argv = [[\"cargo\", \"test\", \"-**\"]]"),
            &["wider request exec:cargo test -**: exec:cargo test => -"],
            "asks for more: exec:cargo test -**",
        ),
        (
            request("clock", "source = \"deterministic\""),
            request("clock", "source = \"real\""),
            &["wider request clock:real: - => -", "narrower request clock:deterministic: - => -"],
            "asks for more: clock:real",
        ),
    ] {
        check(&plugin("", &old, ""), &plugin("", &new, ""), expected, verdict);
    }
}

#[test]
fn limits_profiles_and_secrets_have_a_direction() {
    let limits = |text: &str| format!("[limits]\n{text}");
    let secret = |keys: &str| request("secret", &format!("name = \"KEY\"\n{keys}"));
    let profile = |name: &str| format!("needs-profile = \"{name}\"");
    let nothing = "asks for nothing more";
    for (old, new, expected, verdict) in [
        (
            (String::new(), limits("memory = \"1GiB\"\nlog = \"1KiB\"")),
            (String::new(), String::new()),
            &["narrower limit memory: 1024MiB => 256MiB", "wider limit log: 1KiB => 1MiB"][..],
            "asks for more: log 1MiB",
        ),
        (
            (String::new(), limits("memory = \"256MiB\"")),
            (String::new(), String::new()),
            &[],
            nothing,
        ),
        (
            (profile("read-only"), String::new()),
            (profile("trusted"), String::new()),
            &["wider needs-profile needs-profile: read-only => trusted"],
            "asks for more: needs-profile trusted",
        ),
        ((profile("offline"), String::new()), (String::new(), String::new()), &[], nothing),
        (
            (String::new(), secret("hosts = [\"*.x.org\"]")),
            (String::new(), secret("hosts = [\"a.x.org\"]")),
            &[
                "narrower request secret:KEY@*.x.org: - => secret:KEY@a.x.org",
                "narrower secret KEY: authorization: Bearer {} => authorization: Bearer {}",
            ],
            nothing,
        ),
        (
            (String::new(), secret("hosts = [\"a.x.org\"]")),
            (String::new(), secret("hosts = [\"a.x.org\"]\nheader = \"x-trace\"")),
            &[
                "wider secret KEY: authorization: Bearer {} => x-trace: Bearer {}",
                "narrower secret KEY: authorization: Bearer {} => x-trace: Bearer {}",
            ],
            "asks for more: secret KEY",
        ),
    ] {
        let [old, new] = [old, new].map(|(head, rest)| plugin(&head, &rest, ""));
        check(&old, &new, expected, verdict);
    }
}

#[test]
fn functions_have_a_direction() {
    let read = "[tool.f]\neffect = \"read\"\n";
    let nothing = "asks for nothing more";
    let f = "export f: func(a: u32) -> u32;";
    for (old, new, expected, verdict) in [
        (
            ("", read, f),
            ("", "[tool.f]\neffect = \"exec\"\n", f),
            &["wider effect f: read => exec"][..],
            "asks for more: f exec",
        ),
        (
            ("", read, f),
            ("", "", f),
            &["wider effect f: read => not stated"],
            "asks for more: f not stated",
        ),
        (("", "", f), ("", read, f), &["narrower effect f: not stated => read"], nothing),
        (("", "", ""), ("", read, f), &["neither export f: - => (a: u32) -> u32"], nothing),
        (
            ("", "", ""),
            ("", "", f),
            &["wider effect f: - => not stated", "neither export f: - => (a: u32) -> u32"],
            "asks for more: f not stated",
        ),
        (
            ("", read, f),
            ("", read, "export f: func(a: u32, b: string);"),
            &["neither export f: (a: u32) -> u32 => (a: u32, b: string)"],
            nothing,
        ),
        (("", read, f), ("", "", ""), &["neither export f: (a: u32) -> u32 => -"], nothing),
    ] {
        let [old, new] = [old, new].map(|(head, rest, items)| plugin(head, rest, items));
        check(&old, &new, expected, verdict);
    }
}

#[test]
fn imports_have_a_direction() {
    let nothing = "asks for nothing more";
    let http = "import wasi:http/outgoing-handler@0.2.6;";
    for (old, new, expected, verdict) in [
        (
            ("", "", ""),
            ("", "", http),
            &["wider import wasi:http/outgoing-handler: - => 0.2.6"][..],
            "asks for more: import wasi:http/outgoing-handler",
        ),
        (
            ("", "", ""),
            ("stub-imports = [\"wasi:http/*\"]", "", http),
            &["neither import wasi:http/outgoing-handler: - => 0.2.6"],
            nothing,
        ),
        (
            ("stub-imports = [\"wasi:http/*\"]", "", http),
            ("", "", http),
            &["wider import wasi:http/outgoing-handler: 0.2.6 => 0.2.6"],
            "asks for more: import wasi:http/outgoing-handler",
        ),
        (
            ("", "", ""),
            ("", "", "import wasi:cli/stdout@0.2.6;"),
            &["neither import wasi:cli/stdout: - => 0.2.6"],
            nothing,
        ),
        (
            ("", "", ""),
            ("", "", "import unheard: func();"),
            &["wider import unheard: - => no version"],
            "asks for more: import unheard",
        ),
    ] {
        let [old, new] = [old, new].map(|(head, rest, items)| plugin(head, rest, items));
        check(&old, &new, expected, verdict);
    }
}

#[test]
fn an_import_for_what_was_already_asked_is_nothing_more() {
    let asked = request("http", "hosts = [\"x.org\"]");
    let old = plugin("", &asked, "");
    let new = plugin("", &asked, "import wasi:http/outgoing-handler@0.2.6;");
    let row = "neither import wasi:http/outgoing-handler: - => 0.2.6";
    check(&old, &new, &[row], "asks for nothing more");
}

#[test]
fn another_signer_and_an_older_version_need_a_person_whatever_is_asked() {
    let new = plugin("version = \"1.1.0\"\nlicense = \"MIT\"", "", "");
    let old = plugin("version = \"1.0.0\"", "", "");
    let diff = |old: &Made, by: Option<&str>, new: &Made, to: Option<&str>| {
        Diff::between(&Side::new(&old.0, &old.1, by), &Side::new(&new.0, &new.1, to))
    };
    let (acme, other) = (Some("RWQacme"), Some("RWQother"));
    for (diff, verdict, person) in [
        (diff(&old, acme, &new, acme), "asks for nothing more", false),
        (diff(&old, None, &new, None), "asks for nothing more", false),
        (diff(&old, acme, &new, other), "asks for nothing more; is signed by another key", true),
        (diff(&old, None, &new, acme), "asks for nothing more; is signed by another key", true),
        (diff(&old, acme, &new, None), "asks for nothing more; is no longer signed", true),
        (diff(&new, acme, &old, acme), "asks for nothing more; is an older version", true),
        (
            diff(&new, acme, &old, None),
            "asks for nothing more; is no longer signed; is an older version",
            true,
        ),
    ] {
        assert_eq!((diff.to_string().as_str(), diff.needs_a_person()), (verdict, person));
        assert!(!diff.asks_for_more());
    }
    let rows = rows(&diff(&old, acme, &new, other));
    assert_eq!(
        rows,
        [
            "neither version version: 1.0.0 => 1.1.0",
            "neither signer signer: RWQacme => RWQother",
            "neither license license: - => MIT",
        ]
    );
}

#[test]
fn a_component_without_a_manifest_is_taken_to_ask_for_a_clock_and_random_numbers() {
    let code = wat::parse_str("(component)").unwrap();
    let bare = Plugin::from_bytes(code, "p.wasm").unwrap();
    let interface = inspect(&bare.component, "p").unwrap();
    let rest = request("clock", "") + &request("random", "");
    let asked = plugin("version = \"0.0.0\"", &rest, "");
    let rest = request("clock", "") + &request("env", "names = [\"HOME\"]");
    let more = plugin("version = \"0.0.0\"", &rest, "");
    let from = Side::new(&bare, &interface, None);
    let verdict = |to: &Made| Diff::between(&from, &Side::new(&to.0, &to.1, None)).to_string();
    assert_eq!(verdict(&asked), "asks for nothing more");
    assert_eq!(verdict(&more), "asks for more: env:HOME");
}

fn grants(plugin: &Plugin) -> GrantSet {
    let requests = plugin.manifest.requests.iter();
    GrantSet::new(requests.map(|r| Grant::new(r.capability.clone(), r.origin.clone())).collect())
}
