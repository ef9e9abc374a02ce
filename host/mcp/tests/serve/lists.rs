//! What is listed, in pages, and what a client hears of changes.

use serde_json::json;

use crate::common::{Client, Functions, initialize, modern, tool, tools};
use ringfence_mcp::ServerOptions;

#[tokio::test]
async fn tools_are_listed_with_their_schemas_and_hints_and_nothing_that_steers() {
    let mut client = Client::begun(&Functions::new()).await;
    let listed = client.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert_eq!(tools.len(), 7);
    assert_eq!(tools[0]["name"], "calc_add");
    assert_eq!(tools[0]["description"], "Does `calc_add`\u{fffd}[31m");
    assert_eq!(tools[0]["inputSchema"]["required"], json!(["a", "b"]));
    assert_eq!(tools[0]["outputSchema"]["required"], json!(["result"]));
    let worst = json!({ "readOnlyHint": false, "destructiveHint": true, "idempotentHint": false, "openWorldHint": true });
    assert_eq!(tools[0]["annotations"], worst);
}

#[tokio::test]
async fn a_long_list_comes_in_pages_that_hold_everything_once() {
    let many =
        (0..10).map(|n| tool(&format!("t_{n}"), json!({ "type": "object" }), None)).collect();
    let options = ServerOptions { page: 4, ..ServerOptions::default() };
    let mut client = Client::new(&Functions::with(many), options);
    client.begin().await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    for id in 1.. {
        let params = cursor.as_ref().map_or(json!({}), |cursor| json!({ "cursor": cursor }));
        let page = json!({ "jsonrpc": "2.0", "id": id, "method": "tools/list", "params": params });
        let page = client.ask(&page).await;
        let tools = page["result"]["tools"].as_array().unwrap();
        assert!(tools.len() <= 4);
        seen.extend(tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        cursor = page["result"].get("nextCursor").cloned();
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..10).map(|n| format!("t_{n}")).collect::<Vec<_>>());
    let wrong = json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/list", "params": { "cursor": "0-4" } });
    assert_eq!(client.ask(&wrong).await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_client_is_told_when_tools_come_or_go() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    // An answer to this comes after the notification before it was taken in.
    client.ask(&json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await;
    tokio::task::yield_now().await;
    functions.change(tools().into_iter().take(2).collect());
    assert_eq!(client.next().await.unwrap()["method"], "notifications/tools/list_changed");
    let listed = client.ask(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" })).await;
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_of_the_newest_revision_asks_to_be_told() {
    let functions = Functions::new();
    let mut client = Client::new(&functions, ServerOptions::default());
    let found = client.ask(&modern(1, "server/discover", json!({}))).await;
    assert_eq!(found["result"]["capabilities"]["tools"]["listChanged"], true, "{found}");
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let taken = client.ask(&modern(2, "subscriptions/listen", wanted)).await;
    assert_eq!(taken["method"], "notifications/subscriptions/acknowledged", "{taken}");
    functions.change(tools().into_iter().take(1).collect());
    let told = client.next().await.unwrap();
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 2, "{told}");
}

#[tokio::test]
async fn both_revisions_may_begin_at_the_same_moment() {
    for (first, second) in [
        (modern(1, "server/discover", json!({})), initialize(2)),
        (initialize(2), modern(1, "server/discover", json!({}))),
    ] {
        let mut client = Client::new(&Functions::new(), ServerOptions::default());
        client.bytes(format!("{first}\n{second}\n").as_bytes()).await;
        for _ in 0..2 {
            let answer = client.next().await.unwrap();
            match answer["id"].as_u64() {
                Some(1) => assert!(answer["result"]["supportedVersions"].is_array(), "{answer}"),
                _ => assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}"),
            }
        }
        let listed = json!({ "jsonrpc": "2.0", "id": 3, "method": "tools/list" });
        assert!(client.ask(&listed).await["result"]["tools"].is_array());
    }
}
