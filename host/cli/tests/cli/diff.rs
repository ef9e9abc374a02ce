//! `diff`: what a person reads, what a program reads, and how it ends.

use super::{ADD, Fixture, check, text};

fn lay(fixture: &Fixture, dir: &str, version: &str, rest: &str) {
    let manifest = format!(
        "[plugin]\nname = \"adder\"\nversion = \"{version}\"\ncomponent = \"a.wasm\"\n\n{rest}\n\
         [tool.add]\neffect = \"read\"\n"
    );
    fixture.write(&format!("{dir}/plugin.toml"), manifest.as_bytes());
    fixture.write(&format!("{dir}/a.wasm"), &wat::parse_str(ADD).unwrap());
}

fn http(hosts: &str) -> String {
    format!("[[request]]\ncapability = \"http\"\nhosts = [{hosts}]\nreason = \"r\"\n")
}

#[test]
fn a_wider_plugin_is_told_in_lines_with_the_verdict_last() {
    let fixture = Fixture::new();
    lay(&fixture, "old", "1.0.0", &http("\"a.example.com\""));
    lay(&fixture, "new", "1.1.0", &http("\"*.example.com\""));
    let done = fixture.run(&["diff", "old", "new"]);
    let out = text(&done.stdout);
    let lines: Vec<_> = out.lines().filter(|line| !line.contains("digest: sha256:")).collect();
    assert_eq!(
        lines,
        [
            "adder 1.0.0 -> adder 1.1.0",
            "asks for more:",
            "  + http.read:*.example.com  (was http.read:a.example.com)",
            "differs in:",
            "  ~ version: 1.0.0 -> 1.1.0",
            "asks for more: http.read:*.example.com",
        ]
    );
    assert_eq!((done.status.code(), text(&done.stderr).as_str()), (Some(0), ""));
}

#[test]
fn the_exit_code_says_on_request_whether_an_update_would_stop() {
    let fixture = Fixture::new();
    lay(&fixture, "one", "1.0.0", "");
    lay(&fixture, "two", "1.1.0", &http("\"a.example.com\""));
    let nothing = "asks for nothing more\n";
    check(&fixture, &["diff", "one", "one"], 0, "they are the same\nasks for nothing more\n", &[]);
    check(&fixture, &["diff", "--exit-code", "one", "one"], 0, nothing, &[]);
    check(&fixture, &["diff", "one", "two"], 0, "asks for more: http.read:a.example.com\n", &[]);
    check(&fixture, &["diff", "--exit-code", "one", "two"], 1, "asks for more", &[]);
    // It asks for less, and is an older version all the same.
    let older = "asks for nothing more; is an older version\n";
    check(&fixture, &["diff", "--exit-code", "two", "one"], 1, older, &[]);
    check(&fixture, &["diff", "one", "nowhere"], 2, "", &["no file or directory `nowhere`"]);
}

#[test]
fn programs_read_the_changes_and_the_verdict_as_json() {
    let fixture = Fixture::new();
    lay(&fixture, "old", "1.0.0", "[limits]\nmemory = \"64MiB\"\n");
    lay(&fixture, "new", "1.0.0", "[limits]\nmemory = \"32MiB\"\n");
    let done = fixture.run(&["--json", "diff", "old", "new"]);
    let json: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&json["asks-for-more"], &json["is-older"]), (&false.into(), &false.into()));
    assert_eq!(json["verdict"], "asks for nothing more");
    assert_eq!(json["old"]["name"], "adder");
    let limit = serde_json::json!({
        "about": "limit", "direction": "narrower", "item": "memory", "old": "64MiB", "new": "32MiB",
    });
    assert_eq!(json["changes"][0], limit);
}
