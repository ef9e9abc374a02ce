//! `mcp serve` follows what is installed: clients are told, and the new list is served.

use serde_json::json;

use super::common::{Fixture, key};
use super::live::Live;

const CHANGED: &str = "notifications/tools/list_changed";

#[test]
fn clients_are_told_of_what_is_installed_updated_and_removed() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    let mut live = Live::start(fixture.start_program(&["mcp", "serve", "--installed"]));
    assert_eq!(live.tools(1), Vec::<String>::new());
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    live.told(CHANGED);
    assert_eq!(live.tools(2), ["adder_add"]);
    let sum = json!({ "name": "adder_add", "arguments": { "a": 2, "b": 3 } });
    assert_eq!(live.ask(3, "tools/call", &sum)["result"]["structuredContent"]["result"], 5);
    fixture.pack("b.rfz", &Fixture::manifest("other", "1.0.0", &[]), Some(&acme));
    fixture.check(&["install", "b.rfz", "--yes"], 0, &[]);
    live.told(CHANGED);
    assert_eq!(live.tools(4), ["adder_add", "other_add"]);
    fixture.check(&["remove", "adder"], 0, &[]);
    live.told(CHANGED);
    assert_eq!(live.tools(5), ["other_add"]);
    let gone = live.ask(6, "tools/call", &sum);
    assert_eq!(gone["error"]["message"], "there is no tool `adder_add`");
    assert!(live.end().0.success());
}

#[test]
fn a_new_version_that_asks_for_more_than_was_given_is_not_offered() {
    let fixture = Fixture::new();
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.0.0", &[]), Some(&acme));
    fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    let mut live = Live::start(fixture.start_program(&["mcp", "serve", "adder"]));
    assert_eq!(live.tools(1), ["adder_add"]);
    // A person agrees to the update, and still nobody gave this server more than it had.
    let wider = Fixture::manifest("adder", "1.1.0", &["/etc"]);
    fixture.pack("a.rfz", &wider, Some(&acme));
    fixture.check(&["update", "adder", "--yes"], 0, &[]);
    live.told(CHANGED);
    assert_eq!(live.tools(2), Vec::<String>::new());
    // The next one asks for nothing again.
    fixture.pack("a.rfz", &Fixture::manifest("adder", "1.2.0", &[]), Some(&acme));
    fixture.check(&["update", "adder"], 0, &[]);
    live.told(CHANGED);
    assert_eq!(live.tools(3), ["adder_add"]);
    assert!(live.end().0.success());
}

#[test]
fn a_directory_of_the_same_name_does_not_take_the_place_of_an_installed_plugin() {
    let fixture = Fixture::new();
    for name in ["one", "two"] {
        let from = format!("source-{name}");
        fixture.lay(&from, &Fixture::manifest(name, "1.0.0", &[]));
        fixture.check(&["install", &format!("./{from}"), "--yes", "--allow-unsigned"], 0, &[]);
    }
    // Only what was named is offered, and not everything that is installed.
    let mut live = Live::start(fixture.start_program(&["mcp", "serve", "one"]));
    assert_eq!(live.tools(1), ["one_add"]);
    fixture.lay("one", &Fixture::manifest("trojan", "1.0.0", &[]));
    let next = Fixture::manifest("one", "1.1.0", &[]);
    let next = next.replace("component", "description = \"Adds\"\ncomponent");
    fixture.lay("source-one", &next);
    fixture.check(&["update", "one"], 0, &[]);
    live.told(CHANGED);
    let listed = live.ask(2, "tools/list", &json!({}));
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 1, "{listed}");
    assert_eq!((&tools[0]["name"], &tools[0]["description"]), (&json!("one_add"), &json!("Adds")));
    assert!(live.end().0.success());
    // The twin: as a path it is another plugin.
    let mut live = Live::start(fixture.start_program(&["mcp", "serve", "./one"]));
    assert_eq!(live.tools(1), ["trojan_add"]);
    assert!(live.end().0.success());
}

#[test]
fn two_plugins_of_one_name_are_not_offered_together() {
    let fixture = Fixture::new();
    fixture.lay("first", &Fixture::manifest("adder", "1.0.0", &[]));
    fixture.lay("second", &Fixture::manifest("adder", "2.0.0", &[]));
    let both = ["mcp", "serve", "./first", "./second"];
    fixture.check(&both, 2, &["mcp::two-plugins", "two of the plugins are called `adder`"]);
    // The twin: of another name it is.
    fixture.lay("second", &Fixture::manifest("other", "2.0.0", &[]));
    let mut live = Live::start(fixture.start_program(&both));
    assert_eq!(live.tools(1), ["adder_add", "other_add"]);
    assert!(live.end().0.success());
    // Nor does what is installed meanwhile take the place of what was named by its path.
    let acme = key();
    fixture.trust(&acme, "Acme", "");
    let installed = ["mcp", "serve", "./first", "--installed"];
    let mut live = Live::start(fixture.start_program(&installed));
    assert_eq!(live.tools(1), ["adder_add"]);
    for (name, version) in [("adder", "3.0.0"), ("third", "1.0.0")] {
        fixture.pack("a.rfz", &Fixture::manifest(name, version, &[]), Some(&acme));
        fixture.check(&["install", "a.rfz", "--yes"], 0, &[]);
    }
    live.told(CHANGED);
    assert_eq!(live.tools(2), ["adder_add", "third_add"]);
    assert!(live.end().0.success());
}
