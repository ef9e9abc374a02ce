//! Every kind of plugin and value, well behaved or not.

use ringfence::{
    CallResult, Diagnostic as _, Host, PluginKind, Prepared, RunError, RunOptions, Stdio,
};
use serde_json::{Value, json};

use crate::common::{
    End, Ended, Expect, Place, Run, block_on, check, guest_bytes, one, read, write,
};

/// Two kinds of tickets, functions that lend and take them, and one that traps.
const TICKETS: &str = r#"(component
  (type $ticket (resource (rep i32)))
  (type $token (resource (rep i32)))
  (core func $new-ticket (canon resource.new $ticket))
  (core func $drop-ticket (canon resource.drop $ticket))
  (core func $new-token (canon resource.new $token))
  (core module $code
    (import "" "new-ticket" (func $new-ticket (param i32) (result i32)))
    (import "" "drop-ticket" (func $drop-ticket (param i32)))
    (import "" "new-token" (func $new-token (param i32) (result i32)))
    (func (export "ticket") (param i32) (result i32) (call $new-ticket (local.get 0)))
    (func (export "token") (param i32) (result i32) (call $new-token (local.get 0)))
    (func (export "number") (param i32) (result i32) (local.get 0))
    (func (export "take") (param i32) (call $drop-ticket (local.get 0)))
    (func (export "take-two") (param i32 i32)
      (call $drop-ticket (local.get 0)) (call $drop-ticket (local.get 1)))
    (func (export "boom") unreachable))
  (core instance $i (instantiate $code (with "" (instance
    (export "new-ticket" (func $new-ticket))
    (export "drop-ticket" (func $drop-ticket))
    (export "new-token" (func $new-token))))))
  (export $ticket' "ticket" (type $ticket))
  (export $token' "token" (type $token))
  (func (export "make-ticket") (param "number" u32) (result (own $ticket')) (canon lift (core func $i "ticket")))
  (func (export "make-token") (param "number" u32) (result (own $token')) (canon lift (core func $i "token")))
  (func (export "number") (param "ticket" (borrow $ticket')) (result u32) (canon lift (core func $i "number")))
  (func (export "take") (param "ticket" (own $ticket')) (canon lift (core func $i "take")))
  (func (export "take-two") (param "a" (own $ticket')) (param "b" (own $ticket'))
    (canon lift (core func $i "take-two")))
  (func (export "boom") (canon lift (core func $i "boom"))))"#;

/// Interfaces whose functions have the same short name, two even the same interface name.
const SAME_NAMES: &str = r#"(component
  (core module $code
    (func (export "one") (result i32) (i32.const 1))
    (func (export "two") (result i32) (i32.const 2))
    (func (export "three") (result i32) (i32.const 3)))
  (core instance $i (instantiate $code))
  (func $one (result u32) (canon lift (core func $i "one")))
  (func $two (result u32) (canon lift (core func $i "two")))
  (func $three (result u32) (canon lift (core func $i "three")))
  (instance $first (export "pick" (func $one)) (export "only" (func $one)))
  (instance $second (export "pick" (func $two)))
  (instance $third (export "pick" (func $three)))
  (export "acme:a/first@1.0.0" (instance $first))
  (export "acme:a/same@1.0.0" (instance $second))
  (export "acme:b/same@2.0.0" (instance $third))
  (export "top" (func $three)))"#;

fn host(place: &Place) -> Host {
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile-cache");
    Host::builder()
        .workspace(place.path("ws"))
        .state(place.path("state"))
        .cache(cache)
        .build()
        .unwrap()
}

fn prepared(place: &Place, bytes: Vec<u8>) -> Result<Prepared, RunError> {
    let plugin = Host::open_bytes(bytes, "guest")?;
    host(place).prepare(&plugin, RunOptions::default())
}

/// Calls one function and returns what it gave, or the code and the text of the error.
fn call(
    prepared: &Prepared,
    function: &str,
    input: &Value,
) -> Result<CallResult, (String, String)> {
    let done = block_on(prepared.call(function, input, Stdio::captured()));
    done.map(|done| done.result).map_err(|error| (error.code().to_owned(), error.to_string()))
}

#[track_caller]
fn bad_input(result: Result<CallResult, (String, String)>, part: &str) {
    let (code, text) = result.unwrap_err();
    assert!(code == "engine::input" && text.contains(part), "{code}: {text}, wanted {part}");
}

/// Returns types, values to pass to the function that returns its argument, and what comes back.
fn there_and_back() -> Vec<(&'static str, Value, Value)> {
    let same = |ty, value: Value| (ty, value.clone(), value);
    let to = |ty, given, back| (ty, given, back);
    vec![
        same("bool", json!(true)),
        to("u64", json!(u64::MAX), json!("18446744073709551615")),
        same("u64", json!("18446744073709551615")),
        same("u64", json!(9_007_199_254_740_991_u64)),
        to("u64", json!(9_007_199_254_740_993_u64), json!("9007199254740993")),
        to("u64", json!("0"), json!(0)),
        to("s64", json!(i64::MIN), json!("-9223372036854775808")),
        same("s64", json!("-9223372036854775808")),
        same("s64", json!("9223372036854775807")),
        same("s64", json!(-1)),
        same("f64", json!("NaN")),
        same("f64", json!("Infinity")),
        same("f64", json!("-Infinity")),
        same("f64", json!(1.797_693_134_862_315_7e308)),
        same("f64", json!(5e-324)),
        same("f64", json!(-0.0)),
        same("f32", json!("NaN")),
        same("f32", json!("-Infinity")),
        same("f32", json!(0.1)),
        same("f32", json!(3.402_823_5e38)),
        same("char", json!("a")),
        same("char", json!("\u{0}")),
        same("char", json!("\u{1f980}")),
        same("string", json!("")),
        same("string", json!("line\n\u{0}\u{1f980} \"q\" \u{202e}")),
        same("string", json!("x".repeat(1 << 20))),
        same("bytes", json!("AAEC/w==")),
        to("bytes", json!([0, 1, 2, 255]), json!("AAEC/w==")),
        same("bytes", json!("")),
        same("enum", json!("green")),
        same("flags", json!([])),
        to("flags", json!(["execute", "read"]), json!(["read", "execute"])),
        same("option", json!(null)),
        same("option", json!(4_294_967_295_u32)),
        same("nested-option", json!(null)),
        same("nested-option", json!({ "some": null })),
        same("nested-option", json!({ "some": 7 })),
        same("variant", json!("empty")),
        same("variant", json!({ "circle": 1.5 })),
        same(
            "variant",
            json!({ "polygon": [{ "x": 1, "y": -2, "label": null }, { "x": 3, "y": 4, "label": "p" }] }),
        ),
        same("list", json!([])),
        same("list", json!([{ "x": -2_147_483_648, "y": 2_147_483_647, "label": "ends" }])),
        same("tuple", json!([255, "text", false])),
    ]
}

#[test]
fn every_value_comes_back_without_loss() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    for (ty, given, back) in there_and_back() {
        let result = call(&types, &format!("echo-{ty}"), &json!({ "value": given }));
        assert_eq!(result, Ok(CallResult::Ok(back)), "{ty}");
    }
    let without = call(&types, "echo-option", &json!({}));
    assert_eq!(without, Ok(CallResult::Ok(json!(null))), "an option may be left out");
    assert_eq!(
        call(&types, "nothing", &json!({ "a": 1, "b": "x" })),
        Ok(CallResult::Ok(json!(null)))
    );
}

#[test]
fn a_record_alone_is_the_input_and_an_error_of_the_plugin_stays_one() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    let most = json!({
        "yes": true, "small": 255, "signed-small": -128, "medium": 65535, "signed-medium": -32768,
        "large": 4_294_967_295_u32, "signed-large": -2_147_483_648, "huge": "18446744073709551615",
        "signed-huge": "-9223372036854775808", "narrow": 0.1, "wide": 1e308, "letter": "\u{1f980}", "text": "t",
    });
    assert_eq!(call(&types, "echo-scalars", &most), Ok(CallResult::Ok(most)));
    let point = json!({ "x": 1, "y": 2 });
    let full = json!({ "x": 1, "y": 2, "label": null });
    assert_eq!(call(&types, "echo-record", &point), Ok(CallResult::Ok(full)));
    for (given, back) in [
        (json!({ "ok": 5 }), CallResult::Ok(json!(5))),
        (json!({ "error": "why" }), CallResult::Err(json!("why"))),
    ] {
        assert_eq!(call(&types, "echo-result", &json!({ "value": given })), Ok(back));
    }
    assert_eq!(
        call(&types, "bare-result", &json!({ "fail": true })),
        Ok(CallResult::Err(json!(null)))
    );
    assert_eq!(
        call(&types, "bare-result", &json!({ "fail": false })),
        Ok(CallResult::Ok(json!(null)))
    );
}

#[test]
fn a_value_of_another_type_is_refused() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    let huge: Value = serde_json::from_str("18446744073709551616").unwrap();
    let small: Value = serde_json::from_str("-9223372036854775809").unwrap();
    for (ty, given) in [
        ("u64", huge),
        ("u64", json!(-1)),
        ("u64", json!(1.5)),
        ("u64", json!("")),
        ("u64", json!("+1")),
        ("u64", json!(" 1")),
        ("u64", json!("18446744073709551616")),
        ("u64", json!("0x10")),
        ("u64", json!(null)),
        ("s64", small),
        ("s64", json!("9223372036854775808")),
        ("s64", json!("--1")),
        ("f32", json!(1e39)),
        ("f64", json!("nan")),
        ("f64", json!("1")),
        ("char", json!("")),
        ("char", json!("ab")),
        ("char", json!("e\u{301}")),
        ("char", json!(97)),
        ("bytes", json!("AAEC/w")),
        ("bytes", json!("A===")),
        ("bytes", json!([256])),
        ("bytes", json!("AA-_")),
        ("enum", json!("GREEN")),
        ("enum", json!(1)),
        ("flags", json!(["fly"])),
        ("flags", json!(["read", "read"])),
        ("flags", json!("read")),
        ("nested-option", json!(7)),
        ("nested-option", json!({ "some": 7, "more": 1 })),
        ("variant", json!("circle")),
        ("variant", json!({ "empty": null })),
        ("variant", json!({ "circle": 1, "empty": 1 })),
        ("variant", json!({})),
        ("variant", json!("square")),
        ("tuple", json!([1, "x"])),
        ("tuple", json!([256, "x", true])),
        ("list", json!([{ "x": 1 }])),
        ("list", json!([{ "x": 1, "y": 2, "z": 3 }])),
        ("bool", json!("true")),
        ("result", json!({ "ok": "text" })),
        ("result", json!({ "ok": 1, "error": "x" })),
    ] {
        bad_input(call(&types, &format!("echo-{ty}"), &json!({ "value": given })), "input");
    }
}

#[test]
fn an_input_that_does_not_fit_is_refused_at_its_place() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    bad_input(
        call(&types, "echo-list", &json!({ "value": [{ "x": 1, "y": "2" }] })),
        "input.value[0].y",
    );
    bad_input(call(&types, "nothing", &json!({ "a": 1 })), "input.b");
    bad_input(call(&types, "nothing", &json!({ "a": 1, "b": "x", "c": 1 })), "`c`");
    bad_input(call(&types, "nothing", &json!([1, "x"])), "input");
    let deep: Value =
        serde_json::from_str(&format!("{}{}", "[".repeat(120), "]".repeat(120))).unwrap();
    bad_input(call(&types, "echo-list", &json!({ "value": deep })), "input.value[0]");
}

#[test]
fn a_function_is_found_by_each_of_its_names_when_only_one_has_it() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    for name in ["echo-bool", "all-types.echo-bool", "ringfence:guests/all-types@0.1.0#echo-bool"] {
        assert_eq!(
            call(&types, name, &json!({ "value": true })),
            Ok(CallResult::Ok(json!(true))),
            "{name}"
        );
    }
    assert_eq!(
        call(&types, "greet", &json!({ "name": "you" })),
        Ok(CallResult::Ok(json!("hello you")))
    );
    let same = prepared(&place, wat::parse_str(SAME_NAMES).unwrap()).unwrap();
    let number = |name: &str| call(&same, name, &json!({}));
    for (name, result) in [
        ("only", 1),
        ("first.pick", 1),
        ("acme:a/first@1.0.0#pick", 1),
        ("acme:a/same@1.0.0#pick", 2),
        ("acme:b/same@2.0.0#pick", 3),
        ("top", 3),
    ] {
        assert_eq!(number(name), Ok(CallResult::Ok(json!(result))), "{name}");
    }
    for name in [
        "pick",
        "same.pick",
        "first",
        "first.",
        ".pick",
        "",
        "acme:a/first#pick",
        "PICK",
        "first.top",
        "*",
    ] {
        let (code, text) = number(name).unwrap_err();
        assert!(code == "runtime::no-function" && text.contains(name), "{name}: {code} {text}");
    }
}

#[test]
fn resources_live_in_a_session_by_handle() {
    let place = Place::new();
    let types = prepared(&place, guest_bytes("all-types")).unwrap();
    block_on(async {
        let mut session = types.session(Stdio::captured()).await.unwrap();
        let mut call =
            async |function: &str, input: Value| match session.call(function, &input).await {
                Ok(done) => Ok(done.result),
                Err(error) => Err((error.code().to_owned(), error.to_string())),
            };
        let handle = |number: u64| json!({ "resource": "counter", "handle": number });
        let ok = |value: Value| Ok(CallResult::Ok(value));
        assert_eq!(call("counter.new", json!({ "first": 5 })).await, ok(handle(1)));
        assert_eq!(
            call("counter.new", json!({ "first": "9007199254740993" })).await,
            ok(handle(2))
        );
        assert_eq!(call("counter.add", json!({ "self": handle(1), "by": 3 })).await, ok(json!(8)));
        assert_eq!(call("counter.value", json!({ "self": handle(1) })).await, ok(json!(8)));
        let sum = json!({ "left": handle(1), "right": handle(2) });
        assert_eq!(call("counter.sum", sum).await, ok(handle(3)));
        let full = "ringfence:guests/all-types@0.1.0#[method]counter.value";
        assert_eq!(call(full, json!({ "self": handle(3) })).await, ok(json!("9007199254741001")));
        let twice = json!({ "left": handle(1), "right": handle(1) });
        assert_eq!(call("counter.sum", twice).await, ok(handle(4)), "one may be lent twice");
        for (wrong, part) in [
            (handle(0), "not open"),
            (handle(99), "not open"),
            (json!({ "resource": "other", "handle": 1 }), "one of `other`"),
            (json!({ "resource": "counter", "handle": "1" }), "input.self"),
            (json!({ "resource": "counter", "handle": -1 }), "input.self"),
            (json!({ "resource": "counter" }), "input.self"),
            (json!({ "resource": "counter", "handle": 1, "more": 1 }), "more"),
            (json!(1), "input.self"),
        ] {
            bad_input(call("counter.value", json!({ "self": wrong })).await, part);
        }
        assert_eq!(
            call("counter.value", json!({ "self": handle(1) })).await,
            ok(json!(8)),
            "nothing was lost"
        );
    });
    block_on(async {
        let mut other = types.session(Stdio::captured()).await.unwrap();
        let stranger = json!({ "self": { "resource": "counter", "handle": 1 } });
        let error = other.call("counter.value", &stranger).await.unwrap_err();
        assert!(error.to_string().contains("not open"), "a session has its own handles: {error}");
    });
    let one_shot = call(&types, "counter.new", &json!({ "first": 1 }));
    assert_eq!(one_shot, Ok(CallResult::Ok(json!({ "resource": "counter", "handle": 1 }))));
}

#[test]
fn a_handle_is_good_for_its_own_type_and_until_it_is_given_away() {
    let place = Place::new();
    let tickets = prepared(&place, wat::parse_str(TICKETS).unwrap()).unwrap();
    block_on(async {
        let mut session = tickets.session(Stdio::captured()).await.unwrap();
        let mut call =
            async |function: &str, input: Value| match session.call(function, &input).await {
                Ok(done) => Ok(done.result),
                Err(error) => Err((error.code().to_owned(), error.to_string())),
            };
        let ok = |value: Value| Ok(CallResult::Ok(value));
        let ticket = |number: u64| json!({ "resource": "ticket", "handle": number });
        let token = |number: u64| json!({ "resource": "token", "handle": number });
        assert_eq!(call("make-ticket", json!({ "number": 7 })).await, ok(ticket(1)));
        assert_eq!(call("make-token", json!({ "number": 8 })).await, ok(token(2)));
        bad_input(call("number", json!({ "ticket": token(2) })).await, "one of `token`");
        bad_input(call("number", json!({ "ticket": ticket(2) })).await, "which is of `token`");
        bad_input(call("take-two", json!({ "a": ticket(1), "b": ticket(1) })).await, "not open");
        bad_input(call("take-two", json!({ "a": ticket(1), "b": 5 })).await, "input.b");
        assert_eq!(
            call("number", json!({ "ticket": ticket(1) })).await,
            ok(json!(7)),
            "it was put back"
        );
        assert_eq!(call("take", json!({ "ticket": ticket(1) })).await, ok(json!(null)));
        bad_input(call("number", json!({ "ticket": ticket(1) })).await, "not open");
        bad_input(call("take", json!({ "ticket": ticket(1) })).await, "not open");
        assert_eq!(
            call("make-ticket", json!({ "number": 9 })).await,
            ok(ticket(3)),
            "numbers are not used again"
        );
        let trap = call("boom", json!({})).await.unwrap_err();
        assert_eq!(trap.0, "engine::trap");
        let after = call("number", json!({ "ticket": ticket(3) })).await.unwrap_err();
        assert_eq!(
            after.0, "engine::trap",
            "nothing runs in an instance that trapped: {}",
            after.1
        );
    });
}

#[test]
fn the_kind_follows_from_the_exports() {
    let place = Place::new();
    for (guest, kind) in [
        ("p1-hello", PluginKind::Command),
        ("p3-echo", PluginKind::Command),
        ("panic", PluginKind::Command),
        ("all-types", PluginKind::Tools),
        ("recursion", PluginKind::Tools),
        ("http-echo", PluginKind::HttpHandler),
        ("http3-echo", PluginKind::HttpHandler),
    ] {
        let prepared = prepared(&place, guest_bytes(guest)).unwrap();
        assert_eq!(prepared.kind(), kind, "{guest}");
        if kind != PluginKind::Command {
            let error = block_on(prepared.run(&[], Stdio::captured())).unwrap_err();
            assert_eq!(error.code(), "runtime::wrong-kind", "{guest}");
        }
    }
}

/// Returns the line a well-behaved command printed.
fn line(ended: &Ended) -> Value {
    assert!(matches!(ended.end, End::Exit(0)), "{}", ended.error_text());
    serde_json::from_str(ended.stdout.trim()).unwrap()
}

#[test]
fn a_command_gets_its_arguments_input_environment_and_directories() {
    let place = Place::new();
    place.file("ws/sub/file.txt", "inside").file("beside/file.txt", "beside");
    let args = ["--flag", "two words", "", "\u{1f980}", "-"];
    let beside = format!("{}/beside", place.root_scope("/b").path());
    let beside = ringfence_capability::PathScope::elsewhere(&beside, "/beside").unwrap();
    let run = Run::command("echo", args).at(&place).stdin("in\u{e4}\n".as_bytes());
    let run = run.grant(ringfence_capability::Capability::Env("LANG".parse().unwrap()));
    let run = run.with(|options| drop(options.env.insert("LANG".to_owned(), "C.UTF-8".to_owned())));
    let run = run.grant(read(".", "/ws")).grant(write("sub", "/sub"));
    let run = run.grant(ringfence_capability::Capability::FsRead(beside));
    let shown = line(&block_on(run.end()));
    let mut dirs: Vec<&str> =
        shown["dirs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    dirs.sort_unstable();
    assert_eq!(dirs, ["/beside", "/sub", "/ws"]);
    assert_eq!(shown["args"], json!(args));
    assert_eq!(shown["stdin"], json!("in\u{e4}\n"));
    assert_eq!(shown["env"], json!({ "LANG": "C.UTF-8" }));
    let run = Run::command("p3-echo", ["a", "b c"]).stdin(b"typed");
    assert_eq!(line(&block_on(run.end())), json!({ "args": ["a", "b c"], "stdin": "typed" }));
    let run = Run::command("p3-echo", [""; 0]);
    assert_eq!(line(&block_on(run.end())), json!({ "args": [], "stdin": "" }));
}

#[test]
fn a_module_of_wasi_0_1_is_adapted_and_held_to_its_grants() {
    let place = Place::new();
    place.file("secret.txt", "the secret");
    one(Run::command("p1-hello", [""; 0]).at(&place), &Expect::Succeeded("hello 0.1"));
    let dotdot = || Run::command("p1-dotdot", [""; 0]).at(&place);
    assert_eq!(one(dotdot().grant(read(".", "/ws")), &Expect::Exit(1)).stdout, "");
    assert_eq!(one(dotdot(), &Expect::Exit(1)).stdout, "", "without a grant there is no directory");
}

#[test]
fn an_ending_is_told_apart_from_a_crash() {
    let crash = |run: Run<'_>, part: &str| {
        let ended = one(run, &Expect::Error("engine::trap", &["crashed"]));
        assert!(ended.stderr.contains(part) && ended.stdout.is_empty(), "{}", ended.stderr);
    };
    crash(Run::command("panic", ["broken on purpose"]), "broken on purpose");
    crash(Run::command("trap", [""; 0]), "");
    for (guest, given, code) in [
        ("exit-code", "0", 0),
        ("exit-code", "1", 1),
        ("exit-code", "7", 1),
        ("exit-with-code", "0", 0),
        ("exit-with-code", "7", 7),
        ("exit-with-code", "255", 255),
        ("p3-exit-code", "0", 0),
        ("p3-exit-code", "7", 7),
        ("p3-exit-code", "255", 255),
    ] {
        one(Run::command(guest, [given]), &Expect::Exit(code));
    }
    // A function that does not return is a trap, the same one with less to do an answer.
    let deep = Run::attempt("invalid-text", json!({ "byte": 200 }));
    let text = Expect::Returns(json!("AAAA"));
    check(
        deep,
        &Expect::Error("engine::trap", &[]),
        Run::attempt("invalid-text", json!({ "byte": 65 })),
        &text,
    );
}
