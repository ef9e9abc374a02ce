//! Adding, listing, calling and removing.

use super::common::Fixture;

#[test]
fn a_server_is_added_listed_called_and_removed() {
    let fixture = Fixture::added("", &[]);
    let listed = fixture.json(&["mcp", "list"]);
    assert_eq!(listed[0]["name"], "it");
    assert_eq!(listed[0]["tools"], serde_json::json!(["one", "two"]));
    let roles: Vec<_> =
        listed[0]["pinned"].as_array().unwrap().iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["program", "script"]);
    let done = fixture.call("one", &[]);
    assert_eq!((done.code, done.out.as_str()), (Some(0), "done\n"), "{done:?}");
    let answer = fixture.json(&["mcp", "call", "it", "two"]);
    assert_eq!(answer["content"][0]["text"], "done");
    let removed = fixture.json(&["mcp", "remove", "it"]);
    assert_eq!(removed["approvals-revoked"], 1);
    let gone = fixture.call("one", &[]);
    assert_eq!(gone.code, Some(2));
    gone.says(&["there is no outside server `it`"]);
    assert_eq!(
        fixture.operations(),
        ["mcp.added", "mcp.call", "mcp.done", "mcp.call", "mcp.done", "mcp.removed"]
    );
}

#[test]
fn nothing_starts_without_a_yes_and_the_refusal_has_the_command_for_exactly_this() {
    let fixture = Fixture::of("touch started");
    let done = fixture.run(&[
        "mcp",
        "add",
        "it",
        "-p",
        "workspace-write",
        "--write",
        "direct",
        "--",
        "bash",
        "server.sh",
    ]);
    assert_eq!(done.code, Some(3), "{done:?}");
    done.says(&["error[approval::nobody-to-ask]", "ringfence mcp add --approve sha256:"]);
    assert!(!fixture.work().join("started").exists());
    assert_eq!(fixture.json(&["mcp", "list"]), serde_json::json!([]));
    // A yes to other arguments, another profile or another script is none to this.
    let subject = fixture.subject(&[]);
    for other in [&["-p", "net-read-only"][..], &["--dir", "/var/tmp:ro"]] {
        let all: Vec<&str> = ["mcp", "add", "it", "--approve", &subject]
            .into_iter()
            .chain(other.iter().copied())
            .chain(["--", "bash", "server.sh"])
            .collect();
        let done = fixture.run(&all);
        assert_eq!(done.code, Some(3), "{done:?}");
        done.says(&["error[cli::stale-approval]"]);
    }
    fixture.server("# another");
    let done = fixture.run(&["mcp", "add", "it", "--approve", &subject, "--", "bash", "server.sh"]);
    done.says(&["error[cli::stale-approval]"]);
}

#[test]
fn policy_decides_about_a_server_before_anybody_is_asked() {
    let fixture = Fixture::of("");
    let offline = fixture.run(&["mcp", "add", "it", "-p", "offline", "--", "bash", "server.sh"]);
    assert_eq!(offline.code, Some(3));
    offline.says(&["error[policy::forbidden]", "mcp:it"]);
    for denied in ["mcp:it", "exec:bash **"] {
        let done = fixture.run(&["mcp", "add", "it", "--deny", denied, "--", "bash", "server.sh"]);
        assert_eq!(done.code, Some(3), "{done:?}");
        done.says(&["error[policy::forbidden]"]);
    }
}

#[test]
fn an_approval_that_was_taken_back_stops_the_server() {
    let fixture = Fixture::added("", &[]);
    assert_eq!(fixture.run(&["approvals", "revoke", "--all"]).code, Some(0));
    let done = fixture.call("one", &[]);
    assert_eq!(done.code, Some(3), "{done:?}");
    done.says(&["error[approval::nobody-to-ask]"]);
}

#[test]
fn input_that_does_not_fit_never_reaches_the_server() {
    let typed = r#"tool() { printf '{"name":"%s","inputSchema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}' "$1"; }
call() { echo reached >&2; text done; }"#;
    let fixture = Fixture::added(typed, &[]);
    let done = fixture.call("one", &["--input", r#"{"n":"1"}"#]);
    assert_eq!(done.code, Some(2));
    done.says(&["error[mcp::input]", "/n: expected integer"]);
    assert_eq!(fixture.operations(), ["mcp.added"]);
    assert_eq!(fixture.call("one", &["--input", r#"{"n":1}"#]).code, Some(0));
}

#[test]
fn a_damaged_record_is_named_and_starts_nothing() {
    let fixture = Fixture::added("", &[]);
    let path = fixture.home().join(".local/share/ringfence/mcp/it.json");
    let text = std::fs::read_to_string(&path).unwrap();
    // Who could write the record could not put another definition under an accepted digest.
    std::fs::write(&path, text.replace("the first", "the  first")).unwrap();
    let done = fixture.call("one", &[]);
    assert_eq!(done.code, Some(3), "{done:?}");
    done.says(&["is not that of its definition", "ringfence mcp remove it"]);
    std::fs::write(&path, "{").unwrap();
    assert_eq!(fixture.call("one", &[]).code, Some(3));
    assert_eq!(fixture.run(&["mcp", "remove", "it"]).code, Some(0));
}
