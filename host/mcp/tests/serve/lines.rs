//! Lines that are no messages: each is answered or ends the talk, and none hangs or fills memory.

use serde_json::{Value, json};

use crate::common::{Client, Functions, call, initialize, modern, tool, tools};
use ringfence_mcp::ServerOptions;
use ringfence_mcp::wire::MAX_LINE;

#[tokio::test]
async fn what_is_no_message_is_answered_and_the_talk_goes_on() {
    let mut client = Client::begun(&Functions::new()).await;
    for (line, code, id) in [
        ("{nonsense", -32700, Value::Null),
        ("\u{0}\u{1}\u{2}", -32700, Value::Null),
        ("[]", -32600, Value::Null),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#, -32600, Value::Null),
        ("42", -32600, Value::Null),
        (r#"{"id":5}"#, -32600, Value::Null),
        (r#"{"jsonrpc":"1.0","id":6,"method":"tools/list"}"#, -32600, json!(6)),
        (r#"{"jsonrpc":"2.0","id":7,"method":"no/such/method"}"#, -32601, json!(7)),
        (
            r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":5}}"#,
            -32602,
            json!("x"),
        ),
    ] {
        client.bytes(format!("{line}\n").as_bytes()).await;
        if line == r#"{"id":5}"# {
            // An answer to nothing: nobody waits for it, and answering it would go on for ever.
            continue;
        }
        let answer = client.next().await.unwrap();
        assert_eq!(
            (answer["error"]["code"].as_i64(), &answer["id"]),
            (Some(code), &id),
            "{line}: {answer}"
        );
    }
    let answer = client.ask(&call(8, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!(answer["id"], 8);
}

#[tokio::test]
async fn nothing_but_garbage_ends_the_talk() {
    let mut client = Client::begun(&Functions::new()).await;
    for _ in 0..40 {
        client.bytes(b"garbage\n").await;
    }
    let mut answers = 0;
    while client.next().await.is_some() {
        answers += 1;
    }
    assert_eq!(answers, 16);
    client.server.await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_long_is_answered_by_its_own_id() {
    let mut client = Client::begun(&Functions::new()).await;
    let (head, tail) =
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"x":""#, r#""},"id":"big"}"#);
    client.bytes(head.as_bytes()).await;
    let piece = vec![b'x'; 1024 * 1024];
    for _ in 0..=MAX_LINE / piece.len() {
        client.bytes(&piece).await;
    }
    client.bytes(format!("{tail}\n").as_bytes()).await;
    let answer = client.next().await.unwrap();
    assert_eq!(answer["id"], "big");
    assert_eq!(answer["error"]["message"], "a message has at most 16777216 bytes");
    let answer = client.ask(&call(2, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!(answer["id"], 2);
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte_and_several_at_once() {
    let mut client = Client::begun(&Functions::new()).await;
    for byte in format!("{}\n", call(1, "calc_add", json!({ "a": 1, "b": 1 }))).as_bytes() {
        client.bytes(&[*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.next().await.unwrap()["id"], 1);
    let two = format!(
        "{}\r\n\n  \n{}\n",
        call(2, "calc_add", json!({ "a": 1, "b": 1 })),
        call(3, "calc_add", json!({ "a": 1, "b": 1 }))
    );
    client.bytes(two.as_bytes()).await;
    let mut ids =
        [client.next().await.unwrap()["id"].as_u64(), client.next().await.unwrap()["id"].as_u64()];
    ids.sort_unstable();
    assert_eq!(ids, [Some(2), Some(3)]);
}

#[tokio::test]
async fn a_message_that_is_cut_off_by_the_end_is_no_message() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    let half = call(1, "wait", json!({})).to_string();
    client.bytes(half.as_bytes()).await;
    client.hang_up().await;
    assert_eq!(client.next().await, None);
    client.server.await.unwrap();
}

#[tokio::test]
async fn a_second_request_of_the_same_id_is_refused_and_the_first_is_answered() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    let refused = client.ask(&call(1, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!((&refused["id"], &refused["error"]["data"]), (&Value::Null, &json!(1)), "{refused}");
    functions.go.notify_one();
    let answer = client.next().await.unwrap();
    assert_eq!(
        (&answer["id"], &answer["result"]["content"][0]["text"]),
        (&json!(1), &json!("waited"))
    );
}

#[tokio::test]
async fn no_more_than_so_many_requests_wait_for_an_answer() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    for id in 1..=256 {
        client.send(&call(id, "wait", json!({}))).await;
    }
    let refused = client.ask(&call(257, "wait", json!({}))).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(257), &json!(-32000)));
}

#[tokio::test]
async fn what_comes_before_the_first_request_does_not_end_the_talk() {
    let mut client = Client::new(&Functions::new(), ServerOptions::default());
    for early in [
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } }),
        json!({ "jsonrpc": "2.0", "id": 7, "result": {} }),
        json!({ "jsonrpc": "2.0", "id": 7, "error": { "code": 1, "message": "no" } }),
    ] {
        client.send(&early).await;
    }
    let answer = client.ask(&initialize(1)).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-11-25", "{answer}");
}

#[tokio::test]
async fn a_second_beginning_is_answered() {
    let mut client = Client::begun(&Functions::new()).await;
    let answer = client.ask(&initialize(9)).await;
    assert_eq!(answer["id"], 9);
    let answer = client.ask(&call(1, "calc_add", json!({ "a": 1, "b": 1 }))).await;
    assert_eq!(answer["id"], 1);
}

/// Returns numbers that are the same in every run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(below.max(1)).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn whatever_becomes_of_a_message_it_is_answered_or_passed_over_and_the_talk_goes_on() {
    let mut client = Client::begun(&Functions::new()).await;
    let whole = [
        call(1, "calc_add", json!({ "a": 1, "b": 2 })).to_string(),
        modern(1, "tools/call", json!({ "name": "calc_add", "arguments": {} })).to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "cursor": "9-1" } })
            .to_string(),
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } })
            .to_string(),
        json!({ "jsonrpc": "2.0", "id": 1, "result": { "action": "accept" } }).to_string(),
    ];
    let mut next = numbers(7);
    for round in 0..400 {
        let mut bytes = whole[next(whole.len())].clone().into_bytes();
        for _ in 0..=next(3) {
            let at = next(bytes.len());
            match next(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, u8::try_from(next(256)).unwrap()),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 if !bytes.is_empty() => bytes[at] ^= 1 << next(8),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes.retain(|byte| *byte != b'\n');
        bytes.push(b'\n');
        client.bytes(&bytes).await;
        // The marker's own answer comes, however many others come before it.
        let marker = format!("marker {round}");
        client.send(&json!({ "jsonrpc": "2.0", "id": marker, "method": "ping" })).await;
        loop {
            let answer = client.next().await.expect("the talk goes on");
            assert!(answer.get("result").is_some() || answer.get("error").is_some(), "{answer}");
            if answer["id"] == *marker {
                break;
            }
        }
    }
}

#[tokio::test]
async fn objects_within_objects_and_keys_said_twice_end_nothing() {
    let mut client = Client::begun(&Functions::new()).await;
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    client.bytes(format!("{deep}\n").as_bytes()).await;
    assert_eq!(client.next().await.unwrap()["error"]["code"], -32700);
    let nested = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"calc_add","arguments":{deep}}}}}"#
    );
    client.bytes(format!("{nested}\n").as_bytes()).await;
    assert_eq!(client.next().await.unwrap()["error"]["code"], -32700);
    // The last of two counts, for what is checked and for what is called.
    let twice = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"say_no","name":"calc_add","arguments":{"a":"x"},"arguments":{"a":1,"b":2}}}"#;
    client.bytes(format!("{twice}\n").as_bytes()).await;
    let answer = client.next().await.unwrap();
    assert_eq!(answer["result"]["structuredContent"], json!({ "result": 3 }), "{answer}");
    for id in ["null", "1.5", "true", "{}", "[1]", "18446744073709551616"] {
        let odd = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        client.bytes(format!("{odd}\n").as_bytes()).await;
        let answer = client.next().await.unwrap();
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&Value::Null, &json!(-32600)),
            "{id}"
        );
    }
}

#[tokio::test]
async fn an_answer_counts_once_and_only_for_what_was_asked() {
    let mut all = tools();
    all.push(tool("ask", json!({ "type": "object" }), None));
    let mut client = Client::new(&Functions::with(all), ServerOptions::default());
    let mut begin = initialize(0);
    begin["params"]["capabilities"] = json!({ "elicitation": {} });
    client.ask(&begin).await;
    let question = client.ask(&call(1, "ask", json!({}))).await;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    let asked = question["id"].as_i64().unwrap();
    let answer = |id: Value, n: i64| {
        let content = json!({ "action": "accept", "content": { "n": n } });
        json!({ "jsonrpc": "2.0", "id": id, "result": content })
    };
    // To something else, under the name of another type, and both a result and an error.
    client.send(&answer(json!(asked + 1), 1)).await;
    client.send(&answer(json!(asked.to_string()), 2)).await;
    let mut both = answer(json!(asked), 3);
    both["error"] = json!({ "code": 1, "message": "no" });
    client.send(&both).await;
    // Two calls answer between, and the question still stands.
    let sum = client.ask(&call(2, "calc_add", json!({ "a": 1, "b": 2 }))).await;
    assert_eq!(sum["id"], 2, "{sum}");
    client.send(&answer(json!(asked), 7)).await;
    client.send(&answer(json!(asked), 8)).await;
    let done = client.next().await.unwrap();
    assert_eq!(done["id"], 1, "{done}");
    let said = done["result"]["content"][0]["text"].as_str().unwrap();
    assert!(said.contains('7') && !said.contains('8'), "{said}");
    let after = client.ask(&call(3, "calc_add", json!({ "a": 1, "b": 2 }))).await;
    assert_eq!(after["id"], 3, "{after}");
}

#[tokio::test]
async fn a_withdrawal_of_something_else_ends_nothing() {
    let functions = Functions::new();
    let mut client = Client::begun(&functions).await;
    client.send(&call(1, "wait", json!({}))).await;
    functions.began.notified().await;
    for of in [json!(2), json!("1"), json!(null), json!([1]), json!(1.0e300)] {
        let params = json!({ "requestId": of });
        let withdrawn =
            json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params });
        client.send(&withdrawn).await;
    }
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled" })).await;
    functions.go.notify_one();
    let answer = client.next().await.unwrap();
    assert_eq!((&answer["id"], &answer["result"]["isError"]), (&json!(1), &json!(false)));
}
