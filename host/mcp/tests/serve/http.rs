//! Over HTTP: both revisions, sessions, streams, withdrawal and the end.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::common::{Functions, call, initialize, modern, tool, tools};
use crate::http_client::Web;

fn add(id: u64) -> Value {
    call(id, "calc_add", json!({ "a": 2, "b": 3 }))
}

fn modern_call(id: u64, name: &str, input: Value) -> Value {
    let mut params = json!({ "name": name });
    params["arguments"] = input;
    modern(id, "tools/call", params)
}

#[tokio::test]
async fn a_request_of_the_newest_revision_stands_alone() {
    let web = Web::new(&Functions::new()).await;
    let mut reply = web.modern(&modern_call(1, "calc_add", json!({ "a": 2, "b": 3 }))).await;
    assert_eq!((reply.status, reply.header("mcp-session-id")), (200, None));
    let answer = reply.json().await;
    assert_eq!(answer["result"]["structuredContent"]["result"], 5, "{answer}");
    for (message, status, code) in [
        (modern(2, "no/such/method", json!({})), 404, -32601),
        (modern(3, "initialize", json!({})), 404, -32601),
        (modern(4, "ping", json!({})), 404, -32601),
        (json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/list", "params": {} }), 400, -32602),
    ] {
        let mut reply = web.modern(&message).await;
        let answer = reply.json().await;
        assert_eq!((reply.status, answer["error"]["code"].as_i64()), (status, Some(code)));
        assert_eq!(answer["id"], message["id"], "{answer}");
    }
}

#[tokio::test]
async fn an_older_revision_begins_a_session_and_ends_it() {
    let web = Web::new(&Functions::new()).await;
    let session = web.session().await;
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(web.post(&session, &initialized).await.status, 202);
    let mut reply = web.post(&session, &add(1)).await;
    assert_eq!(reply.json().await["result"]["structuredContent"]["result"], 5);
    assert_eq!(web.post("", &add(2)).await.status, 400);
    assert_eq!(web.post("Mcp-Session-Id: guessed\r\n", &add(3)).await.status, 404);
    assert_eq!(web.post(&session, &initialize(4)).await.status, 400);
    assert_eq!(web.bare("DELETE", &session).await.status, 204);
    assert_eq!(web.post(&session, &add(5)).await.status, 404);
    assert_eq!(web.bare("DELETE", &session).await.status, 404);
}

#[tokio::test]
async fn what_a_tool_says_before_its_answer_makes_a_stream_of_it() {
    let web = Web::new(&Functions::new()).await;
    let session = web.session().await;
    let mut legacy = call(1, "say_steps", json!({}));
    legacy["params"]["_meta"] = json!({ "progressToken": "p" });
    let mut now = modern_call(1, "say_steps", json!({}));
    now["params"]["_meta"]["progressToken"] = json!("p");
    for mut reply in [web.post(&session, &legacy).await, web.modern(&now).await] {
        for step in [0.0, 50.0, 100.0] {
            let event = reply.event().await.unwrap();
            assert_eq!(event["method"], "notifications/progress", "{event}");
            assert_eq!(event["params"]["progress"], step, "{event}");
        }
        let answer = reply.event().await.unwrap();
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(false)));
        assert_eq!(reply.event().await, None);
    }
}

#[tokio::test]
async fn a_question_goes_out_on_the_stream_of_its_call_and_the_answer_comes_as_a_message() {
    let mut all = tools();
    all.push(tool("ask", json!({ "type": "object" }), None));
    let web = Web::new(&Functions::with(all)).await;
    let mut begin = initialize(0);
    begin["params"]["capabilities"] = json!({ "elicitation": {} });
    let session = web.session_of(&begin).await;
    let mut reply = web.post(&session, &call(1, "ask", json!({}))).await;
    let question = reply.event().await.unwrap();
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["message"], "plugin `t` asks: how many?");
    let result = json!({ "action": "accept", "content": { "n": 7 } });
    let answer = json!({ "jsonrpc": "2.0", "id": question["id"], "result": result });
    // Somebody else's session answers nothing.
    assert_eq!(web.post(&web.session_of(&begin).await, &answer).await.status, 202);
    assert_eq!(web.post(&session, &answer).await.status, 202);
    let answer = reply.event().await.unwrap();
    let said = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains("Filled") && said.contains('7'), "{answer}");
}

#[tokio::test]
async fn a_call_is_withdrawn_by_a_message_or_by_hanging_up() {
    let functions = Functions::new();
    let web = Web::new(&functions).await;
    let session = web.session().await;
    let message = call(1, "wait", json!({}));
    let withdraw = async {
        functions.began.notified().await;
        let withdraw = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } });
        assert_eq!(web.post(&session, &withdraw).await.status, 202);
    };
    let (mut reply, ()) = tokio::join!(web.post(&session, &message), withdraw);
    assert_eq!(reply.event().await, None);
    functions.dropped.notified().await;
    let message = modern_call(1, "wait", json!({}));
    tokio::select! {
        _ = web.modern(&message) => panic!("nothing was to be answered"),
        () = functions.began.notified() => {}
    }
    // The connection is dropped with the future above.
    functions.dropped.notified().await;
    assert_eq!(functions.withdrawn.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn changes_are_heard_on_a_stream_of_the_session_and_there_is_one() {
    let functions = Functions::new();
    let web = Web::new(&functions).await;
    let session = web.session().await;
    assert_eq!(web.bare("GET", "").await.status, 405);
    let mut stream = web.bare("GET", &session).await;
    assert_eq!((stream.status, stream.is_stream()), (200, true));
    assert_eq!(web.bare("GET", &session).await.status, 409);
    functions.change(tools().into_iter().take(2).collect());
    let told = stream.event().await.unwrap();
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(web.bare("DELETE", &session).await.status, 204);
    assert_eq!(stream.event().await, None);
}

#[tokio::test]
async fn a_subscription_is_a_stream_that_begins_with_what_was_taken_and_ends_with_the_server() {
    let functions = Functions::new();
    let mut web = Web::new(&functions).await;
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let mut stream = web.modern(&modern(7, "subscriptions/listen", wanted)).await;
    let taken = stream.event().await.unwrap();
    assert_eq!(taken["method"], "notifications/subscriptions/acknowledged", "{taken}");
    functions.change(tools().into_iter().take(1).collect());
    let told = stream.event().await.unwrap();
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    let _ = web.stop.take().unwrap().send(());
    assert_eq!(stream.event().await, None);
    web.server.await.unwrap();
}
