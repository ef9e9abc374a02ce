//! Manifests, right and wrong ones; every error has its place and its fix.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::testing::{mutated, told};
use proptest::prelude::*;
use ringfence_capability::{Necessity, Origin};

const HEAD: &str = "[plugin]\nname = \"x\"\nversion = \"1.0.0\"\ncomponent = \"x.wasm\"\n";

const EVERYTHING: &str = r#"
[plugin]
name = "web-fetch"
version = "0.1.0"
description = "Fetches a page"
component = "out/web-fetch.wasm"
license = "MIT OR Apache-2.0"
needs-profile = "net-read-only"
stub-imports = ["wasi:sockets/*"]

[[request]]
capability = "http"
hosts = ["*.wikipedia.org", "localhost:8080", "[::1]:9"]
methods = "read"
reason = "reads the article"

[[request]]
capability = "fs.write"
path = "out"
reason = "writes the page"
optional = true

[[request]]
capability = "fs.read"
path = "/usr/share/dict"
guest = "/dict"
reason = "spelling"

[[request]]
capability = "secret"
name = "API_KEY"
hosts = ["api.example.com"]
header = "X-Api-Key"
format = "key={}"
reason = "pays for the search"

[[request]]
capability = "kv"
size = "1MiB"
reason = "remembers pages"

[[request]]
capability = "clock"
source = "deterministic"
reason = "time stamps"

[[request]]
capability = "env"
names = ["LANG", "TZ"]
reason = "language"

[limits]
memory = "64MiB"
wall-time = "20s"
tables = 4

[tool.fetch]
effect = "external"
idempotent = true

[tool."page.read"]
effect = "read"
"#;

#[test]
fn every_key_arrives_where_it_belongs() {
    let manifest = parse(EVERYTHING, "p/plugin.toml").unwrap();
    assert_eq!(
        (manifest.name.as_str(), manifest.component.as_str()),
        ("web-fetch", "out/web-fetch.wasm")
    );
    assert_eq!(manifest.license.as_deref(), Some("MIT OR Apache-2.0"));
    assert_eq!(manifest.needs_profile, Some(Profile::NetReadOnly));
    assert_eq!(manifest.stub_imports, ["wasi:sockets/*"]);
    let requests: Vec<String> =
        manifest.requests.iter().map(|r| format!("{} at {}", r.capability, r.origin)).collect();
    assert_eq!(
        requests,
        [
            "http.read:*.wikipedia.org at p/plugin.toml:13",
            "http.read:localhost:8080 at p/plugin.toml:13",
            "http.read:[::1]:9 at p/plugin.toml:13",
            "fs.write:workspace/out at p/plugin.toml:19",
            "fs.read:/usr/share/dict at p/plugin.toml:25",
            "secret:API_KEY@api.example.com at p/plugin.toml:32",
            "kv:web-fetch at p/plugin.toml:37",
            "clock:deterministic at p/plugin.toml:42",
            "env:LANG at p/plugin.toml:49",
            "env:TZ at p/plugin.toml:49",
        ]
    );
    assert_eq!(manifest.requests[3].necessity, Necessity::Optional);
    assert_eq!(manifest.requests[0].necessity, Necessity::Required);
    assert_eq!(manifest.requests[0].reason, "reads the article");
    let secret = &manifest.secrets[0];
    assert_eq!((secret.header.as_str(), secret.format.as_str()), ("x-api-key", "key={}"));
    let limits: Vec<_> = manifest.limits.iter().collect();
    assert_eq!(limits, [(Limit::Memory, 64 << 20), (Limit::Tables, 4), (Limit::WallTime, 20_000)]);
    assert_eq!(manifest.limits.over(&Limits::default()).tables, 4);
    assert_eq!(manifest.tools["fetch"], ToolMeta { effect: Effect::External, idempotent: true });
    assert_eq!(manifest.tools["page.read"], ToolMeta { effect: Effect::Read, idempotent: false });
}

#[test]
fn what_is_left_out_has_its_documented_default() {
    let request = |keys: &str| {
        let text = format!("{HEAD}[[request]]\n{keys}\nreason = \"r\"\n");
        let manifest = parse(&text, "plugin.toml").unwrap();
        let shown = manifest.requests[0].capability.clone();
        let origin = Origin::File { path: "plugin.toml".to_owned(), line: 5 };
        (shown, manifest.requests[0].origin == origin, manifest.secrets)
    };
    let guest = |keys: &str| match request(keys).0 {
        ringfence_capability::Capability::FsRead(scope) => scope.guest().to_owned(),
        other => panic!("{other}"),
    };
    assert_eq!(guest("capability = \"fs.read\""), "/");
    assert_eq!(guest("capability = \"fs.read\"\npath = \"docs/a\""), "/docs/a");
    assert_eq!(guest("capability = \"fs.read\"\npath = \"/srv\""), "/srv");
    for (keys, capability) in [
        ("capability = \"http\"\nhosts = [\"a.org\"]", "http.read:a.org"),
        ("capability = \"http\"\nhosts = [\"a.org\"]\nmethods = \"write\"", "http.write:a.org"),
        ("capability = \"kv\"", "kv:x"),
        ("capability = \"clock\"", "clock:real"),
        ("capability = \"random\"", "random:real"),
    ] {
        assert_eq!(request(keys).0.to_string(), capability);
    }
    assert!(request("capability = \"clock\"").1, "a request without a list is at its own line");
    let kv = request("capability = \"kv\"").0;
    assert!(matches!(
        kv,
        ringfence_capability::Capability::Kv { size_bytes: DEFAULT_KV_BYTES, .. }
    ));
    let secret = &request("capability = \"secret\"\nname = \"K\"\nhosts = [\"a.org\"]").2[0];
    assert_eq!((secret.header.as_str(), secret.format.as_str()), ("authorization", "Bearer {}"));
    let bare = parse(HEAD, "plugin.toml").unwrap();
    assert_eq!((bare.description.as_str(), bare.license, bare.needs_profile), ("", None, None));
}

/// Checks that `text` is refused at `place` for `reason` and that the fix is told.
fn refused(text: &str, place: &str, reason: &str) {
    match parse(text, "plugin.toml") {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => {
            let told = told(&error);
            let at = told.contains(&format!("plugin.toml:{place}: "));
            assert!(at && told.contains(reason), "{text}\n{place} {reason}\n{told}");
        }
    }
}

#[test]
fn a_wrong_manifest_is_refused_at_the_place_with_the_fix() {
    for (text, place, reason) in [
        ("", "1:1", "hint: add `[plugin]`"),
        ("[plugin\n", "1:8", "not valid TOML"),
        ("plugin = 3\n", "1:10", "`plugin` is a table, not integer"),
        ("[plugin]\n", "1:1", "`[plugin]` has no `name`"),
        ("[plugin]\nname = \"X\"\n", "2:8", "1 to 64 characters of `a-z 0-9 -`"),
        ("[plugin]\nname = \"x\"\nname = \"y\"\n", "3:1", "duplicate key"),
        ("[plugin]\nnmae = \"x\"\n", "2:1", "did you mean `name`?"),
        ("[plugin]\nneeds_profile = \"offline\"\n", "2:1", "did you mean `needs-profile`?"),
        ("[plugin]\ncolour = 1\n", "2:1", "the keys here are `name`, "),
        ("[requests]\n", "1:2", "did you mean `request`?"),
        ("[plugin]\nname = \"x\"\nversion = \"1\"\n", "3:11", "a semantic version such as `1.2.3`"),
        ("[plugin]\nname = \"x\"\nversion = \"1.0.0\"\n", "1:1", "has no `component`"),
    ] {
        refused(text, place, reason);
    }
    for (component, reason) in [
        ("../x.wasm", "no `..`"),
        ("a/../x.wasm", "no `..`"),
        ("/x.wasm", "relative to the directory"),
        ("C:x.wasm", "relative to the directory"),
        ("a\\\\x.wasm", "relative to the directory"),
        ("", "no empty parts"),
        ("a//b", "no empty parts"),
    ] {
        refused(&HEAD.replace("x.wasm", component), "4:13", reason);
    }
    for (line, place, reason) in [
        ("needs-profile = \"root\"", "5:17", "`offline`, `read-only`"),
        ("description = \"a\\u001b[2Jb\"", "5:15", "control and direction characters"),
        ("description = \"a\\u202eb\"", "5:15", "control and direction characters"),
        ("stub-imports = [\"*\"]", "5:17", "`wasi:sockets/*`"),
        ("[limits]\nmemmory = \"1MiB\"", "6:1", "did you mean `memory`?"),
        ("[limits]\nmemory = \"64\"", "6:10", "size such as `64MiB`"),
        ("[limits]\nmemory = 64", "6:10", "size such as `64MiB`"),
        ("[limits]\nwall-time = true", "6:13", "not boolean"),
        ("[tool.f]\neffect = \"reed\"", "6:10", "`read`, `write`, `external` or `exec`"),
        ("[tool.f]", "5:7", "`[tool.f]` has no `effect`"),
        ("[tool.f]\neffect = \"read\"\nidempotnet = true", "7:1", "did you mean `idempotent`?"),
    ] {
        refused(&format!("{HEAD}{line}\n"), place, reason);
    }
}

/// As [`refused`], for a request of which `capability` and `reason` are right and stand first.
fn request_refused(capability: &str, keys: &str, place: &str, reason: &str) {
    let head = format!("{HEAD}[[request]]\ncapability = \"{capability}\"\nreason = \"r\"\n");
    refused(&format!("{head}{keys}\n"), place, reason);
}

#[test]
fn a_request_without_its_usual_keys_is_refused() {
    for (keys, place, reason) in [
        ("capability = \"fs.reed\"", "6:14", "did you mean `fs.read`?"),
        ("capability = \"http.read\"", "6:14", "did you mean `http`?"),
        ("capability = \"sudo\"", "6:14", "the capabilities are `fs.read`"),
        ("path = \".\"", "5:1", "has no `capability`"),
        ("capability = \"fs.read\"", "5:1", "has no `reason`"),
        ("capability = \"fs.read\"\nreason = \" \"", "7:10", "says to the operator"),
    ] {
        refused(&format!("{HEAD}[[request]]\n{keys}\n"), place, reason);
    }
    let long = "r".repeat(MAX_REASON_CHARS + 1);
    let long = format!("{HEAD}[[request]]\ncapability = \"clock\"\nreason = \"{long}\"\n");
    refused(&long, "7:10", "it is too long");
    request_refused("fs.read", "optional = \"yes\"", "8:12", "`true` or `false`");
    request_refused("env", "names = [\"A\"]\nhosts = []", "9:1", "unknown key `hosts`");
}

#[test]
fn a_wrong_scope_is_refused_at_the_place_with_the_fix() {
    for (capability, keys, place, reason) in [
        ("fs.read", "path = \"../x\"", "8:8", "`..`"),
        ("fs.read", "guest = \"x\"", "8:9", "a guest path is absolute"),
        ("fs.read", "path = \"a\\u001b[2J\"", "8:8", "control and direction characters"),
        ("fs.read", "guest = \"/a\\u202e\"", "8:9", "control and direction characters"),
        ("http", "", "5:1", "has no `hosts`"),
        ("http", "hosts = []", "8:9", "it is empty"),
        ("http", "hosts = \"a.org\"", "8:9", "a list such as"),
        ("http", "hosts = [\"a.org\",\n \"https://b.org/\"]", "9:2", "without `https://`"),
        ("http", "hosts = [\"a.org:0\"]", "8:10", "from 1 to 65535"),
        ("http", "hosts = [\"a.org:+80\"]", "8:10", "from 1 to 65535"),
        ("http", "hosts = [\"a.org:\"]", "8:10", "from 1 to 65535"),
        ("http", "hosts = [\"127.1\"]", "8:10", "its usual form"),
        ("http", "hosts = [\"a.org\", \"A.org\"]", "5:1", "already requested at"),
        ("http", "hosts = [\"a.org\"]\nmethods = \"GET\"", "9:11", "`read` or `write`"),
        ("socket", "addresses = [\"a.org\"]", "8:14", "ends in a port"),
        ("env", "names = [\"A B\"]", "8:10", "1 to 128 characters"),
        ("kv", "size = \"big\"", "8:8", "size such as"),
        ("clock", "source = \"fake\"", "8:10", "`real` or `deterministic`"),
        ("exec", "", "5:1", "has no `argv`"),
        ("exec", "names = [\"ls\"]", "8:1", "unknown key `names`"),
        ("exec", "argv = \"ls -l\"", "8:8", "a list of commands such as [[\"ls\"]]"),
        ("exec", "argv = []", "8:8", "it is empty"),
        ("exec", "argv = [\"ls -l\"]", "8:9", "not a line of a shell"),
        ("exec", "argv = [[]]", "8:9", "it is empty"),
        ("exec", "argv = [[\"ls\"], [1]]", "8:18", "a string in quotes"),
        ("exec", "argv = [[\"./ls\"]]", "8:10", "what a relative one runs can change"),
        ("exec", "argv = [[\"*\"]]", "8:10", "`*` stands at the end of an argument"),
        ("exec", "argv = [[\"ls\",\n \"**\", \"a\"]]", "9:8", "nothing follows `**`"),
        ("exec", "argv = [[\"ls\",\n \"a**\"]]", "9:2", "`**` stands alone"),
        ("exec", "argv = [[\"ls\", \"a\\u202e\"]]", "8:16", "as `\\xNN`"),
        ("exec", "argv = [[\"ls\"], [\"ls\"]]", "5:1", "`exec:ls` is already requested at"),
    ] {
        request_refused(capability, keys, place, reason);
    }
    for (line, reason) in [
        ("header = \"Host\"", "controls how a request travels"),
        ("header = \"a b\"", "a name such as `authorization`"),
        ("format = \"Bearer\"", "one `{}`"),
        ("format = \"{}\\r\\nx: y\"", "one `{}`"),
    ] {
        let keys = format!("name = \"K\"\nhosts = [\"a.org\"]\n{line}");
        request_refused("secret", &keys, "10:10", reason);
    }
}

#[test]
fn requests_that_exclude_each_other_or_are_too_many_are_refused() {
    let directory = |path: &str| {
        let keys = format!("path = \"{path}\"\nguest = \"/\"\n");
        format!("[[request]]\ncapability = \"fs.read\"\nreason = \"r\"\n{keys}")
    };
    let two = format!("{HEAD}{}{}", directory("a"), directory("b"));
    refused(&two, "10:1", "guest path `/` is already `a` at plugin.toml:8");
    let names: Vec<String> = (0..=MAX_REQUESTS).map(|n| format!("\"N{n}\"")).collect();
    let names = format!("names = [{}]", names.join(","));
    request_refused("env", &names, "5:1", "more than 500 requested capabilities");
}

#[test]
fn a_manifest_names_no_namespace_of_another_plugin() {
    let own =
        "a plugin's namespace is its name, or begins with it and `/`; sharing one takes `--kv`";
    for (namespace, reason) in [
        ("y", own),
        ("xy", own),
        ("x-y", own),
        ("X", own),
        ("/x", own),
        ("y/x", own),
        ("a b", "1 to 128 characters"),
    ] {
        request_refused("kv", &format!("namespace = \"{namespace}\""), "8:13", reason);
    }
    for namespace in ["x", "x/pages", "x/y/z"] {
        let keys = format!("capability = \"kv\"\nreason = \"r\"\nnamespace = \"{namespace}\"\n");
        let manifest = parse(&format!("{HEAD}[[request]]\n{keys}"), "plugin.toml").unwrap();
        assert_eq!(manifest.requests[0].capability.to_string(), format!("kv:{namespace}"));
    }
}

#[test]
fn a_manifest_asks_for_a_bounded_store() {
    let most = Limit::Memory.format(MAX_KV_BYTES);
    let one = format!("it is at most {most}");
    for size in ["64MiB", "67108864B"] {
        let text = format!("{HEAD}[[request]]\ncapability = \"kv\"\nreason = \"r\"\n");
        assert!(parse(&format!("{text}size = \"{size}\"\n"), "plugin.toml").is_ok(), "{size}");
    }
    for size in ["67108865B", "65MiB", "1024GiB"] {
        request_refused("kv", &format!("size = \"{size}\""), "8:8", &one);
    }
    let store = |namespace: &str, size: &str| {
        let keys = format!("namespace = \"{namespace}\"\nsize = \"{size}\"\n");
        format!("[[request]]\ncapability = \"kv\"\nreason = \"r\"\n{keys}")
    };
    let both = |size: &str| format!("{HEAD}{}{}", store("x", "48MiB"), store("x/a", size));
    assert!(parse(&both("16MiB"), "plugin.toml").is_ok());
    refused(&both("17MiB"), "10:1", &format!("together are at most {most}"));
    refused(&both("17MiB"), "10:1", "`65MiB`");
    // A namespace that states no size counts too.
    let unsized_one = "[[request]]\ncapability = \"kv\"\nreason = \"r\"\n";
    let text = format!("{HEAD}{}{unsized_one}", store("x/a", "49MiB"));
    refused(&text, "10:1", "`65MiB`");
}

#[test]
fn every_capability_can_be_requested() {
    let every =
        "fs.read fs.write http socket env config secret kv clock random model tool agent mcp exec";
    for capability in every.split(' ') {
        let keys = match capability {
            "http" => "hosts = [\"a.org\"]",
            "socket" => "addresses = [\"a.org:1\"]",
            "secret" => "name = \"K\"\nhosts = [\"a.org\"]",
            "env" | "config" | "model" | "tool" | "agent" | "mcp" => "names = [\"a/b\"]",
            "exec" => "argv = [[\"a\", \"b\", \"**\"]]",
            _ => "",
        };
        let text =
            format!("{HEAD}[[request]]\ncapability = \"{capability}\"\nreason = \"r\"\n{keys}\n");
        let manifest =
            parse(&text, "plugin.toml").unwrap_or_else(|error| panic!("{}", told(&error)));
        assert!(manifest.requests[0].capability.kind().name().starts_with(capability));
    }
}

#[test]
fn commands_are_patterns_and_each_is_a_request() {
    let keys =
        "argv = [\n  [\"cargo\", \"test\", \"-p\", \"*\", \"**\"],\n  ['echo', '\\*', \"a b\"],\n]";
    let text = format!("{HEAD}[[request]]\ncapability = \"exec\"\nreason = \"r\"\n{keys}\n");
    let manifest = parse(&text, "plugin.toml").unwrap_or_else(|error| panic!("{}", told(&error)));
    let shown: Vec<_> =
        manifest.requests.iter().map(|r| format!("{} at {}", r.capability, r.origin)).collect();
    assert_eq!(
        shown,
        ["exec:cargo test -p * ** at plugin.toml:9", "exec:echo \\* \"a b\" at plugin.toml:10"]
    );
}

#[test]
fn the_name_of_a_bare_component_is_always_a_valid_one() {
    let long = "a".repeat(200);
    for (file, name) in [
        ("word_count.wasm", "word-count"),
        ("Été 2.component.wasm", "t--2-component"),
        ("...", "plugin"),
        ("--.wasm", "plugin"),
        (".wasm", "plugin"),
        (&long, &long[..64]),
    ] {
        let manifest = Manifest::of_bare(file);
        assert_eq!(manifest.name, name, "{file}");
        let again = HEAD.replace("\"x\"", &format!("\"{name}\""));
        assert!(parse(&again, "plugin.toml").is_ok(), "{name}");
    }
}

#[test]
fn a_damaged_manifest_never_panics() {
    for seed in 0..3_000 {
        let bytes = mutated(EVERYTHING.as_bytes(), seed);
        if let Err(error) = parse_bytes(&bytes, "plugin.toml") {
            assert!(matches!(error, BundleError::Manifest { .. }), "{error}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_accepted_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        let _ = parse_bytes(&bytes, "plugin.toml");
    }

    #[test]
    fn any_values_are_refused_or_accepted_without_a_panic(value in "\\PC{0,40}") {
        for key in ["name", "version", "component", "description", "needs-profile", "stub-imports"] {
            let text = HEAD.replace("name = \"x\"\n", &format!("{key} = {value:?}\n"));
            let _ = parse(&text, "plugin.toml");
        }
        let text = format!("{HEAD}[[request]]\ncapability=\"http\"\nreason=\"r\"\nhosts=['{value}']\n");
        let _ = parse(&text, "plugin.toml");
    }
}
