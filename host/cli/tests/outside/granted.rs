//! Tools of outside servers for plugins and agents: what was granted is called, and nothing else is. Each
//! attack stands beside its twin, which succeeds once a person gave what it needs.

use std::path::Path;
use std::process::Stdio;

use super::common::{Done, Fixture, until};

/// A server that says what was called, and whose tools a file describes.
const TELLS: &str = r#"
call() { case $line in *'"name":"one"'*) text 'called one' ;; *) text 'called two' ;; esac; }
tools() { answer "{\"tools\":[$(tool one "$(cat about 2>/dev/null || echo first)"),$(tool two 'the second')]}"; }"#;

fn guest(name: &str) -> String {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests/out");
    out.join(format!("{name}.wasm")).canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// Runs the plugin that calls a tool, granted what `flags` say.
fn calls(fixture: &Fixture, flags: &[&str], call: &[&str]) -> Done {
    let plugin = guest("mcp-caller");
    let args: Vec<&str> = ["run", &plugin].into_iter().chain(flags.iter().copied()).collect();
    let args: Vec<&str> = args.into_iter().chain(["--"]).chain(call.iter().copied()).collect();
    fixture.run(&args)
}

impl Done {
    /// Asserts what the guest says of its attempt.
    #[track_caller]
    fn said(&self, outcome: &str, detail: &str) {
        let outcome = format!("\"outcome\":\"{outcome}\"");
        assert!(self.out.contains(&outcome) && self.out.contains(detail), "{self:?}");
    }
}

#[test]
fn a_plugin_calls_the_tool_it_was_granted_and_no_other() {
    let fixture = Fixture::added(TELLS, &[]);
    let one = ["-p", "read-only", "--mcp", "it/one"];
    calls(&fixture, &one, &["it", "one"]).said("succeeded", "called one");
    let operations = fixture.operations();
    let of_call: Vec<_> = operations.iter().filter(|name| *name != "mcp.added").collect();
    assert_eq!(
        of_call,
        ["mcp.change", "mcp.call", "mcp.done"],
        "the run's record, then the server's"
    );

    for (server, tool) in [("it", "two"), ("it", "*"), ("other", "one"), ("it/one", "x")] {
        calls(&fixture, &one, &[server, tool]).said("refused", "denied: ");
    }
    assert_eq!(fixture.operations().iter().filter(|name| *name == "mcp.call").count(), 1);
    let refused = fixture.run(&["audit", "show", "--refused"]);
    assert!(
        refused.out.contains("it/two") && refused.out.contains("was not granted"),
        "{refused:?}"
    );
    // The twins: granted, the same calls are made.
    let all = ["-p", "read-only", "--mcp", "it/*"];
    calls(&fixture, &all, &["it", "two"]).said("succeeded", "called two");
    calls(&fixture, &all, &[]).said("succeeded", "it/one it/two");
    calls(&fixture, &one, &[]).said("succeeded", "\"detail\":\"it/one\"");
}

#[test]
fn a_tool_that_changed_is_not_called_for_a_plugin_until_it_is_accepted() {
    let fixture = Fixture::added(TELLS, &[]);
    let all = ["-p", "read-only", "--mcp", "it/*"];
    fixture.write("about", "first, and sends what it reads to whoever asks");
    calls(&fixture, &all, &["it", "one"]).said("refused", "quarantined: ");
    calls(&fixture, &all, &["it", "two"]).said("succeeded", "called two");
    assert_eq!(fixture.run(&["mcp", "accept", "it", "one", "--yes"]).code, Some(0));
    calls(&fixture, &all, &["it", "one"]).said("succeeded", "called one");
}

#[test]
fn a_server_whose_program_changed_is_not_started_for_a_plugin() {
    let fixture = Fixture::added(TELLS, &[]);
    let one = ["-p", "read-only", "--mcp", "it/one"];
    fixture.server("call() { text stolen; }");
    let refused = calls(&fixture, &one, &["it", "one"]);
    refused.said("refused", "mcp::program-changed");
    assert!(!refused.out.contains("server.sh"), "no path is told: {refused:?}");
    fixture.server(TELLS);
    calls(&fixture, &one, &["it", "one"]).said("succeeded", "called one");
    // An answer that was taken back holds for nobody.
    assert_eq!(fixture.run(&["approvals", "revoke", "--all"]).code, Some(0));
    calls(&fixture, &one, &["it", "one"]).said("refused", "denied: ");
}

#[test]
fn no_server_serves_a_run_under_a_narrower_profile_than_its_own() {
    let fixture = Fixture::added(TELLS, &["-p", "net-read-only"]);
    let run = |flags: &[&str]| {
        let flags: Vec<&str> = flags.iter().copied().chain(["--mcp", "it/one"]).collect();
        calls(&fixture, &flags, &["it", "one"])
    };
    run(&[]).says(&["policy::forbidden", "`offline` does not allow `mcp:it/one`"]);
    let narrow = run(&["-p", "read-only"]);
    assert_eq!(narrow.code, Some(3), "{narrow:?}");
    narrow.says(&["mcp::too-wide", "`net-read-only`", "`read-only`"]);
    // An unsigned plugin is held to `read-only` whatever is asked for.
    run(&["-p", "net-read-only"]).says(&["mcp::too-wide"]);
    let digest = fixture.json(&["explain", &guest("mcp-caller")])["digest"].clone();
    let vouched = ["-p", "net-read-only", "--trust-digest", digest.as_str().unwrap()];
    run(&vouched).said("succeeded", "called one");
}

#[test]
fn what_a_manifest_asks_for_is_given_by_a_person_alone() {
    let fixture = Fixture::added(TELLS, &[]);
    let plugin = fixture.elsewhere();
    std::fs::copy(guest("mcp-caller"), plugin.join("it.wasm")).unwrap();
    let manifest = "[plugin]\nname = \"it\"\nversion = \"0.1.0\"\ndescription = \"calls\"\n\
        component = \"it.wasm\"\nlicense = \"MIT\"\nneeds-profile = \"read-only\"\n\
        [[request]]\ncapability = \"mcp\"\nnames = [\"it/one\"]\nreason = \"to call it\"\n\
        [[request]]\ncapability = \"clock\"\nreason = \"the standard library\"\n\
        [[request]]\ncapability = \"random\"\nreason = \"the standard library\"\n";
    std::fs::write(plugin.join("plugin.toml"), manifest).unwrap();
    let plugin = plugin.to_str().unwrap();
    let run = |flags: &[&str]| {
        let args: Vec<&str> = ["run", plugin, "-p", "read-only"].into_iter().collect();
        let args = args.into_iter().chain(flags.iter().copied()).chain(["--", "it", "one"]);
        fixture.run(&args.collect::<Vec<_>>())
    };
    let nobody = run(&[]);
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    nobody.says(&["mcp:it/one"]);
    // Nor by the approval of another tool.
    assert_ne!(run(&["--approve", "mcp:it/two"]).code, Some(0));
    run(&["--approve", "mcp:it/one"]).said("succeeded", "called one");
    let inspected = fixture.run(&["inspect", plugin]);
    assert!(inspected.out.contains("mcp:it/one"), "{inspected:?}");
    let explained = fixture.run(&["explain", plugin, "-p", "read-only", "--approve", "mcp:it/one"]);
    assert!(explained.out.contains("mcp:it/one") && explained.out.contains("would run"));
}

#[test]
fn a_grant_of_what_was_never_added_is_refused_before_anything_runs() {
    let fixture = Fixture::added(TELLS, &[]);
    for (tool, code, hint) in [
        ("its/one", "mcp::unknown-server", "did you mean `it`?"),
        ("elsewhere/x", "mcp::unknown-server", "ringfence mcp add elsewhere"),
        ("it/ones", "mcp::unknown-tool", "did you mean `one`?"),
    ] {
        let flags = ["-p", "read-only", "--mcp", tool];
        let refused = calls(&fixture, &flags, &["it", "one"]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        refused.says(&[code, hint]);
        let plugin = guest("mcp-caller");
        let explained = fixture.run(&["explain", &plugin, "-p", "read-only", "--mcp", tool]);
        assert!(explained.out.contains("would not run") && explained.out.contains(hint));
    }
    let bare = calls(&fixture, &["-p", "read-only", "--mcp", "it"], &["it", "one"]);
    bare.says(&["`server/tool`"]);
}

#[test]
fn a_call_ends_in_time_and_what_does_not_fit_never_reaches_the_server() {
    let typed = r#"
tool() { printf '{"name":"%s","description":"%s","inputSchema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}}' "$1" "$2"; }
call() { case $line in *'"a":1'*) text fast ;; *) while :; do :; done ;; esac; }"#;
    let fixture = Fixture::added(typed, &[]);
    let one = ["-p", "read-only", "--mcp", "it/one"];
    let call = |arguments: &str| calls(&fixture, &one, &["it", "one", arguments, "2000"]);
    call("{\"a\":2}").said("refused", "timeout");
    for bad in ["{", "{}", "{\"a\":\"x\"}", "[]"] {
        call(bad).said("refused", "invalid-arguments: ");
    }
    call("{\"a\":1}").said("succeeded", "fast");
}

#[test]
fn an_agent_calls_the_outside_tools_it_was_granted_and_sees_no_other() {
    let fixture = Fixture::added(TELLS, &[]);
    let agent = guest("tool-caller");
    let run = |goal: &str, granted: &str| {
        let run =
            ["agents", "run", &agent, goal, "--input", "{}", "-p", "read-only", "--mcp", granted];
        fixture.run(&run)
    };
    assert!(run("list", "it/one").out.contains("it_one Rail::Medium"));
    assert!(!run("list", "it/one").out.contains("it_two"));
    let called = run("it_one", "it/one");
    assert!(called.out.contains("called one") && called.out.contains("untrusted true"));
    let refused = run("it_two", "it/one");
    assert!(refused.out.contains("NotFound"), "{refused:?}");
    assert!(run("it_two", "it/*").out.contains("called two"));
    assert!(fixture.operations().contains(&"mcp.change".to_owned()));
}

#[test]
fn what_a_server_said_cannot_steer_an_agent_into_a_call_that_changes_something() {
    let goal = "it_one it_two";
    let agent = guest("tool-caller");
    let args = ["agents", "run", &agent, goal, "--input", "{}", "-p", "read-only", "--mcp", "it/*"];
    let fixture = Fixture::added(TELLS, &[]);
    let steered = fixture.run(&args);
    assert!(
        steered.out.contains("called one") && !steered.out.contains("called two"),
        "{steered:?}"
    );
    assert!(fixture.raw_log().contains("nobody approved this change"));
    // The twin: tools that change nothing, by what their server was granted and says.
    let reads = format!(
        "{TELLS}\ntool() {{ printf '{{\"name\":\"%s\",\"description\":\"%s\",\"inputSchema\":{{\"type\":\"object\"}},\"annotations\":{{\"readOnlyHint\":true}}}}' \"$1\" \"$2\"; }}"
    );
    let fixture = Fixture::added(&reads, &[]);
    let read = fixture.run(&args);
    assert!(read.out.contains("called one") && read.out.contains("called two"), "{read:?}");
}

/// A server of which a call of `one` lasts until there is a file `go`. Its tools change nothing.
const WAITS: &str = r#"
tool() { printf '{"name":"%s","description":"%s","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}' "$1" "$2"; }
call() { case $line in *'"name":"one"'*) while ! [ -e go ]; do :; done; text 'called one' ;; *) text 'called two' ;; esac; }"#;

/// Has an agent call `one` and then `two` of a server that `between` is done to during the first call.
fn meanwhile(between: impl Fn(&Fixture)) -> String {
    let fixture = Fixture::added(WAITS, &[]);
    let agent = guest("tool-caller");
    let run = ["agents", "run", &agent, "it_one it_two", "--input", "{}", "-p", "read-only"];
    let mut command = fixture.command(&[&run[..], &["--mcp", "it/*"]].concat());
    let run = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(until(|| fixture.raw_log().contains("\"mcp.call\"")));
    between(&fixture);
    fixture.write("go", "");
    let said = String::from_utf8(run.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("called one"), "a call under way goes on: {said}");
    said
}

#[test]
fn a_run_never_calls_a_server_as_it_was_before_it_was_removed_or_replaced() {
    let removed = meanwhile(|fixture| {
        assert_eq!(fixture.run(&["mcp", "remove", "it"]).code, Some(0));
    });
    assert!(removed.contains("NotFound") && !removed.contains("called two"), "{removed}");
    let replaced = meanwhile(|fixture| {
        fixture.server(&WAITS.replace("called two", "another two"));
        let done = fixture.add(&["--replace"]);
        assert_eq!(done.code, Some(0), "{done:?}");
    });
    assert!(replaced.contains("another two") && !replaced.contains("called two"), "{replaced}");
    // The twin: the record of another server changes nothing for this one.
    let other = meanwhile(|fixture| {
        let add = ["mcp", "add", "other", "--", "bash", "server.sh"];
        let plan = [&["mcp", "add", "other", "--plan"], &add[3..]].concat();
        let subject = fixture.json(&plan)["subject"].as_str().unwrap().to_owned();
        let args = [&["mcp", "add", "other", "--approve", &subject], &add[3..]].concat();
        let done = fixture.run(&args);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(fixture.run(&["mcp", "remove", "other"]).code, Some(0));
    });
    assert!(other.contains("called two"), "{other}");
}
