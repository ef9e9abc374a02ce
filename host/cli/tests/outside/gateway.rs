//! Accepted tools of an outside server, offered again under the policy.

use serde_json::json;

use super::common::Fixture;
use super::frozen::Gateway;

#[test]
fn accepted_tools_are_ordinary_tools_and_quarantined_ones_are_not_there() {
    let parts =
        r#"tools() { answer "{\"tools\":[$(tool one "$(cat said)"),$(tool two 'the second')]}"; }"#;
    let fixture = Fixture::of(parts);
    fixture.write("said", "a");
    assert_eq!(fixture.add(&[]).code, Some(0));
    fixture.write("said", "b");
    let mut gateway = Gateway::start(&fixture);
    let listed = gateway.ask("tools/list", &json!({}));
    let names: Vec<_> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].clone())
        .collect();
    assert_eq!(names, ["it_two"]);
    assert_eq!(gateway.call("it_two", &json!({})), "done");
    let unknown = gateway.ask("tools/call", &json!({ "name": "it_one", "arguments": {} }));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    gateway.end();
}

#[test]
fn what_a_server_says_about_its_tools_can_only_raise_the_risk() {
    let marked = r#"tool() { printf '{"name":"%s","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":%s,"openWorldHint":false}}' "$1" "$2"; }
tools() { answer "{\"tools\":[$(tool one true),$(tool two false)]}"; }"#;
    let check = |flags: &[&str], expected: [bool; 2]| {
        let fixture = Fixture::added(marked, flags);
        let mut gateway = Gateway::start(&fixture);
        let listed = gateway.ask("tools/list", &json!({}));
        let hints =
            |index: usize| listed["result"]["tools"][index]["annotations"]["readOnlyHint"].clone();
        assert_eq!([hints(0), hints(1)], [json!(expected[0]), json!(expected[1])], "{flags:?}");
        gateway.end();
    };
    check(&[], [true, false]);
    check(&["-p", "workspace-write"], [false, false]);
}

#[test]
fn a_server_that_ends_is_started_again_and_left_alone_when_it_goes_on_ending() {
    let fixture =
        Fixture::added("call() { case $line in *die*) exit 1 ;; *) text up ;; esac; }", &[]);
    let mut gateway = Gateway::start(&fixture);
    assert!(gateway.call("it_one", &json!({ "do": "die" })).contains("error[mcp::server-ended]"));
    assert_eq!(gateway.call("it_one", &json!({})), "up");
    let first = gateway.call("it_one", &json!({ "do": "die" }));
    let second = gateway.call("it_one", &json!({ "do": "die" }));
    let third = gateway.call("it_one", &json!({ "do": "die" }));
    assert!(first.contains("error[mcp::server-ended]"), "{first}");
    assert!(second.contains("error[mcp::server-ended]"), "{second}");
    assert!(third.contains("error[mcp::server-down]"), "{third}");
    gateway.end();
}

#[test]
fn no_call_grants_approves_or_widens() {
    let fixture = Fixture::added(
        "call() { text \"$(cat \"$HOME/secret\" 2>/dev/null || echo nothing)\"; }",
        &[],
    );
    // How often a yes was used counts up with each start.
    let approvals = || {
        let mut all = fixture.json(&["approvals", "list"]);
        for answer in all["answers"].as_array_mut().unwrap() {
            answer["uses"] = json!(null);
        }
        all
    };
    let before = approvals();
    let mut gateway = Gateway::start(&fixture);
    for name in ["ringfence_approve", "mcp_add", "mcp_accept", "it_approve", "accept", "approve"] {
        let answer = gateway.ask("tools/call", &json!({ "name": name, "arguments": {} }));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
    for method in ["mcp/add", "mcp/accept", "approvals/approve", "roots/set", "profile/set"] {
        let answer = gateway.ask(method, &json!({ "server": "it", "profile": "trusted" }));
        assert_eq!(answer["error"]["code"], -32601, "{answer}");
    }
    let widened = gateway.ask(
        "tools/call",
        &json!({ "name": "it_one", "arguments": {}, "profile": "trusted", "dir": ["/"],
                 "_meta": { "ringfence/profile": "trusted" } }),
    );
    assert_eq!(widened["result"]["content"][0]["text"], "nothing");
    gateway.end();
    assert_eq!(approvals(), before);
}
