//! What is not to get in over HTTP, and what is not to make the server hang, with twins that get in.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::common::{Functions, call, modern};
use crate::http_client::{Reply, TOKEN, Web, modern_headers, post_head};
use ringfence_mcp::wire::MAX_LINE;

fn add(id: u64) -> Value {
    let params = json!({ "name": "calc_add", "arguments": { "a": 2, "b": 3 } });
    modern(id, "tools/call", params)
}

/// Returns the status of a good call with these words of its head replaced.
async fn status(web: &Web, replaced: &[(&str, &str)]) -> u16 {
    let body = add(1).to_string();
    let mut head = post_head(&modern_headers(&add(1)), body.len());
    for (from, to) in replaced {
        assert!(head.contains(from), "{from}");
        head = head.replace(from, to);
    }
    web.send(&head, body.as_bytes()).await.status
}

#[tokio::test]
async fn a_page_whose_name_leads_here_gets_nothing_and_the_twin_with_that_name_allowed_does() {
    let (host, origin) =
        ("Host: localhost\r\n", "Host: localhost\r\nOrigin: http://evil.example\r\n");
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let web = Web::new(&Functions::new()).await;
    assert_eq!(status(&web, &[]).await, 200);
    assert_eq!(status(&web, &[(host, "Host: evil.example\r\n")]).await, 403);
    assert_eq!(status(&web, &[(host, origin)]).await, 403);
    assert_eq!(status(&web, &[(host, "Host: localhost\r\nHost: evil.example\r\n")]).await, 400);
    let absolute = ("POST /mcp", "POST http://evil.example/mcp");
    assert_eq!(status(&web, &[absolute]).await, 403);
    // Nor with neither name nor token: what is refused first tells nothing of the rest.
    let neither = [(host, "Host: evil.example\r\n"), (&*bearer, "")];
    assert_eq!(status(&web, &neither).await, 403);
    let twin = Web::called(&Functions::new(), &["evil.example"]).await;
    assert_eq!(status(&twin, &[(host, "Host: evil.example\r\n")]).await, 200);
    assert_eq!(status(&twin, &[(host, origin)]).await, 200);
}

#[tokio::test]
async fn without_the_token_nothing_is_read_and_the_connection_ends() {
    let web = Web::new(&Functions::new()).await;
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    for wrong in ["", "Authorization: Bearer wrong\r\n", "Authorization: Basic eDp5\r\n"] {
        assert_eq!(status(&web, &[(&bearer, wrong)]).await, 401, "{wrong}");
    }
    // A body that never comes is not waited for.
    let head = post_head("", MAX_LINE).replace(&bearer, "");
    let reply = web.send(&head, b"{").await;
    assert_eq!(reply.status, 401);
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"ringfence\""));
    reply.closed().await;
    for method in ["GET", "DELETE", "OPTIONS"] {
        let head = format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(web.send(&head, b"").await.status, 401, "{method}");
    }
}

#[tokio::test]
async fn what_is_no_request_of_the_protocol_is_answered_with_why() {
    let web = Web::new(&Functions::new()).await;
    for (from, to, expected) in [
        ("POST /mcp", "POST /other", 404),
        ("POST /mcp", "PUT /mcp", 405),
        ("POST /mcp", "OPTIONS /mcp", 405),
        ("Content-Type: application/json", "Content-Type: text/plain", 415),
        ("Accept: application/json, text/event-stream", "Accept: application/json", 406),
        ("Accept: application/json, text/event-stream", "Accept: */*", 200),
        ("Mcp-Method: tools/call", "Mcp-Method: tools/list", 400),
        ("Mcp-Name: calc_add", "Mcp-Name: say_no", 400),
        ("MCP-Protocol-Version: 2026-07-28", "MCP-Protocol-Version: 2025-11-25", 400),
        ("Content-Length:", "Transfer-Encoding: chunked\r\nContent-Length:", 400),
    ] {
        assert_eq!(status(&web, &[(from, to)]).await, expected, "{to}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_message_is_answered_and_the_connection_goes_on() {
    let web = Web::new(&Functions::new()).await;
    for (body, code, id) in [
        ("", -32700, Value::Null),
        ("{nonsense", -32700, Value::Null),
        ("\u{0}\u{1}", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#, -32600, Value::Null),
        ("42", -32600, Value::Null),
        (r#"{"id":5}"#, -32600, json!(5)),
        (r#"{"jsonrpc":"1.0","id":6,"method":"tools/list"}"#, -32600, json!(6)),
        (r#"{"jsonrpc":"2.0","id":{},"method":"tools/list"}"#, -32600, Value::Null),
    ] {
        let mut reply = web.send(&post_head("", body.len()), body.as_bytes()).await;
        let answer = reply.json().await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!((answer["error"]["code"].as_i64(), &answer["id"]), (Some(code), &id), "{body}");
    }
    let (bad, good) = ("{nonsense", add(1).to_string());
    let mut both = format!("{bad}{}", post_head(&modern_headers(&add(1)), good.len()));
    both.push_str(&good);
    let mut reply = web.send(&post_head("", bad.len()), both.as_bytes()).await;
    assert_eq!((reply.status, reply.json().await["error"]["code"].as_i64()), (400, Some(-32700)));
    assert_eq!(reply.following().await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_its_length_or_where_it_passes_the_bound() {
    let web = Web::new(&Functions::new()).await;
    let reply = web.send(&post_head("", MAX_LINE + 1), b"{").await;
    assert_eq!(reply.status, 413);
    reply.closed().await;
    let head = post_head("", 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    let piece = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    let reply = web.send(&head, piece.repeat(17).as_bytes()).await;
    assert_eq!(reply.status, 413);
    // The twin: just as much as is allowed is read.
    let message = add(1).to_string();
    let body = format!("{message}{}", " ".repeat(MAX_LINE - message.len()));
    let head = post_head(&modern_headers(&add(1)), body.len());
    assert_eq!(web.send(&head, body.as_bytes()).await.status, 200);
    for length in [70_000, 300_000] {
        let long = format!("X-Long: {}\r\nAccept:", "x".repeat(length));
        assert_eq!(status(&web, &[("Accept:", &long)]).await, 431, "{length}");
    }
    let many = "X-Many: 1\r\n".repeat(100);
    assert_eq!(status(&web, &[("Accept:", &format!("{many}Accept:"))]).await, 431);
}

#[tokio::test]
async fn a_request_that_is_cut_off_or_comes_byte_by_byte_holds_nobody_up() {
    let web = Web::new(&Functions::new()).await;
    let body = add(1).to_string();
    let whole = format!("{}{body}", post_head(&modern_headers(&add(1)), body.len()));
    for end in [1, 40, whole.len() - body.len() - 2, whole.len() - 1] {
        let mut stream = TcpStream::connect(web.at).await.unwrap();
        stream.write_all(&whole.as_bytes()[..end]).await.unwrap();
        drop(stream);
    }
    let (first, rest) = whole.split_at(whole.len() - 5);
    let mut slow = TcpStream::connect(web.at).await.unwrap();
    slow.write_all(first.as_bytes()).await.unwrap();
    // Others are answered while one is half-written.
    assert_eq!(status(&web, &[]).await, 200);
    for byte in rest.as_bytes() {
        slow.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(Reply::read(slow).await.status, 200);
}

#[tokio::test]
async fn a_second_request_of_the_same_id_in_a_session_is_refused_and_the_first_is_answered() {
    let functions = Functions::new();
    let web = Web::new(&functions).await;
    let (session, other) = (web.session().await, web.session().await);
    let wait = call(1, "wait", json!({}));
    let add = call(1, "calc_add", json!({ "a": 1, "b": 1 }));
    let second = async {
        functions.began.notified().await;
        let refused = web.post(&session, &add).await.json().await;
        assert_eq!((&refused["id"], &refused["error"]["data"]), (&Value::Null, &json!(1)));
        // Another session may have the same number.
        let answer = web.post(&other, &add).await.json().await;
        assert_eq!(answer["result"]["structuredContent"]["result"], 2);
        functions.go.notify_one();
    };
    let (mut reply, ()) = tokio::join!(web.post(&session, &wait), second);
    assert_eq!(reply.json().await["result"]["content"][0]["text"], "waited");
}
