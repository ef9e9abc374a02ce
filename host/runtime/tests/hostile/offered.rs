//! Plugins as one registry of tools, of which the plugins change while it serves.

use ringfence::mcp::{McpError, Registry as _};
use ringfence::{Host, Limits, OfferedPlugin, RunOptions, Toolbox};

use crate::common::{Place, guest_bytes};

fn offered(host: &Host, name: &str) -> OfferedPlugin {
    let plugin = Host::open_bytes(guest_bytes("memory-grow"), name).unwrap();
    host.offer(&plugin, RunOptions::default()).unwrap()
}

fn names(tools: &Toolbox) -> Vec<String> {
    let catalog = tools.catalog();
    catalog.tools().iter().map(|tool| tool.name.clone()).collect()
}

#[test]
fn what_cannot_be_offered_beside_the_rest_keeps_nothing_else_from_changing() {
    let place = Place::new();
    let host = place.host(Limits::default());
    let plugin = |name: &str| offered(&host, name);
    let tools = Toolbox::new(&[plugin("first"), plugin("gone")]).unwrap().changing();
    assert_eq!(names(&tools), ["first_attempt", "gone_attempt"]);

    let left_out = tools.replace(vec![plugin("first"), plugin("first"), plugin("new")]);
    let [(twice, McpError::TwoPlugins { plugin: named })] = &left_out[..] else {
        panic!("one is left out")
    };
    assert_eq!((twice.name(), named.as_str()), ("first", "first"));
    assert_eq!(names(&tools), ["first_attempt", "new_attempt"], "what went is not offered on");
    // The twin: together they can be offered, and nothing is left out.
    assert!(tools.replace(vec![plugin("first"), plugin("gone"), plugin("new")]).is_empty());
    assert_eq!(names(&tools), ["first_attempt", "gone_attempt", "new_attempt"]);
}
