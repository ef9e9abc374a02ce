//! Damaged policies: refused with a message or read, never a panic and never more authority.
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "tests")]

#[path = "../../../fuzz/checks/policy.rs"]
mod policy;
#[path = "../../../fuzz/smoke.rs"]
mod smoke;
#[path = "../../../fuzz/checks/told.rs"]
mod told;

use smoke::Format;

/// A narrowing layer, which the built-in policies are not.
const NARROWING: &str = r#"
[default]
"http.read" = "forbid"
env = "prompt"
[[rule]]
capability = "http.read"
scope = "*.example.org:8080"
decision = "allow"
reason = "an allow-list"
[[rule]]
capability = "env"
scope = "AWS_*"
decision = "forbid"
reason = "cloud \"keys\" stay out"
[[rule]]
capability = "secret"
scope = "API_*@*.example.com"
decision = "forbid"
reason = "é \\ and more"
[[rule]]
capability = "fs.write"
scope = "workspace/src"
decision = "prompt"
reason = "r"
[[rule]]
capability = "socket"
scope = "[::1]:22"
decision = "forbid"
reason = "r"
[[rule]]
capability = "mcp"
scope = "git/*"
decision = "forbid"
reason = "r"
[[rule]]
capability = "exec"
argv = ["cargo", "test", "--*", "**"]
decision = "forbid"
reason = "r"
match = [["cargo", "test", "--lib"], ["/bin/CARGO.exe", "test", "--all", "-q"]]
not_match = [["cargo", "build"]]
[[rule]]
capability = "exec"
argv = ["sh", "-**"]
decision = "prompt"
reason = "r"
warning = "a shell"
"#;

/// Capabilities as they are shown, one a line: no policy, but the lines are read as flags too.
const FLAGS: &str = "fs.read:workspace/a\nfs.write:/etc/passwd\nhttp.read:docs.example.org:8080
http.write:*.example.org\nsocket:[::1]:22\nenv:HOME\nconfig:a.b\nsecret:API_KEY@api.example.com
kv:pages\nclock:real\nrandom:deterministic\nmodel:m\ntool:t\nagent:a\nmcp:git/log\nexec:git\nexec:cargo test -p * \"a b\" **\nexec:sh -**\n";

const POLICY: Format = Format {
    words: &[
        "[[rule]]",
        "[default]",
        "[[name]]",
        "capability",
        "scope",
        "argv",
        "match",
        "not_match",
        "warning",
        "decision",
        "reason",
        "allow",
        "prompt",
        "forbid",
        "fs.read",
        "fs.write",
        "http.read",
        "http.write",
        "socket",
        "env",
        "config",
        "secret",
        "kv",
        "clock",
        "random",
        "model",
        "tool",
        "agent",
        "mcp",
        "exec",
        "workspace",
        "elsewhere",
        "workspace/../..",
        "/",
        "*",
        "**",
        "-**",
        "-*",
        "\\*",
        "\\xff",
        "[\"ls\", \"**\"]",
        "*.",
        "*.*",
        "a@b",
        "@",
        ":",
        ":0",
        ":65536",
        "[::1]",
        "::ffff:127.0.0.1",
        "xn--a",
        "real",
        "deterministic",
        "\"",
        "'''",
        "\"\"\"",
        "\\u0000",
        "\\u001b",
        "\u{1b}[2J",
        "\u{202e}",
        "`",
        "é",
        "İ",
        "=",
        "[",
        "]",
        "{}",
        "[]",
        "1",
        "true",
        "nan",
        "..",
        ".git",
        "GIT~1",
        "\r\n",
        ".",
        " ",
    ],
    cut: lines,
    join: <[Vec<u8>]>::concat,
};

fn lines(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Returns the policies that come with the host.
fn policies() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies")).unwrap();
    let mut samples: Vec<Vec<u8>> =
        files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    // The order of a directory is not the same everywhere.
    samples.sort();
    samples.extend([NARROWING.into(), FLAGS.into()]);
    samples
}

#[test]
fn fuzz_smoke_policy() {
    let samples = policies();
    assert!(policy::policy(NARROWING.as_bytes()), "the sample is refused");
    smoke::run(300, |random| POLICY.mutate(random, &samples), policy::policy);
}
