//! Limits hold whatever a guest does to pass them, and the error names the limit.
//!
//! Where it can be, the twin is the same attack with the same arguments under a wider limit.

use ringfence::Limit;
use serde_json::{Value, json};

use crate::common::{Expect, Place, Run, check, guest_text, http, one, read};
use ringfence_capability::MethodClass;

/// Short enough for a quick test, long enough for an honest guest to start.
const SHORT_MS: u64 = 300;
const MIB: u64 = 1024 * 1024;

fn endless<T: ToString>(guest: &str, finite: impl IntoIterator<Item = T>, limit: Limit) {
    let none: [&str; 0] = [];
    check(
        Run::command(guest, none).limit(limit, SHORT_MS),
        &Expect::Limit(limit),
        Run::command(guest, finite),
        &Expect::Succeeded(""),
    );
}

/// The same command and arguments: past `tight` of a limit it ends, below `wide` it succeeds.
fn bounded(run: impl Fn() -> Run<'static>, limit: Limit, tight: u64, wide: u64, detail: &str) {
    check(
        run().limit(limit, tight),
        &Expect::Limit(limit),
        run().limit(limit, wide),
        &Expect::Succeeded(detail),
    );
}

#[test]
fn a_loop_in_the_guest_ends_at_its_cpu_time() {
    endless("loop-guest", [1000], Limit::CpuTime);
}

#[test]
fn a_loop_in_the_guest_ends_at_its_wall_time() {
    endless("loop-guest", [1000], Limit::WallTime);
}

#[test]
fn a_wait_in_a_host_call_ends_at_its_wall_time() {
    endless("sleep-long", [10], Limit::WallTime);
    endless("poll-forever", [10], Limit::WallTime);
    let none: [&str; 0] = [];
    check(
        Run::command("p3-sleep", none).limit(Limit::WallTime, SHORT_MS),
        &Expect::Limit(Limit::WallTime),
        Run::command("p3-sleep", [10]),
        &Expect::Exit(0),
    );
}

#[test]
fn a_loop_in_a_start_function_ends_at_its_time() {
    // A quarter of a second to some, instead of several seconds.
    let text = guest_text("loop-start").replace("6000000000", "1000000000");
    let run = || Run::attempt("loop-start", json!({})).bytes(wat::parse_str(&text).unwrap());
    for limit in [Limit::CpuTime, Limit::WallTime] {
        check(run().limit(limit, 50), &Expect::Limit(limit), run(), &Expect::Returns(json!(1)));
    }
}

#[test]
fn a_loop_in_the_allocator_ends_at_its_cpu_time() {
    let run = |text: &str| Run::attempt("loop-realloc", json!({ "text": text }));
    check(
        run(&"x".repeat(100_000)).limit(Limit::CpuTime, SHORT_MS),
        &Expect::Limit(Limit::CpuTime),
        run("x"),
        &Expect::Returns(json!(1)),
    );
}

#[test]
fn a_loop_after_the_answer_ends_at_its_cpu_time() {
    let run = |rounds: u64| Run::attempt("loop-post-return", json!({ "rounds": rounds }));
    check(
        run(u64::MAX).limit(Limit::CpuTime, SHORT_MS),
        &Expect::Limit(Limit::CpuTime),
        run(5),
        &Expect::Returns(json!("done")),
    );
}

#[test]
fn standard_input_that_nobody_gave_is_at_its_end() {
    let none: [&str; 0] = [];
    one(Run::command("stdin-wait", none), &Expect::Succeeded("0 bytes"));
    one(Run::command("stdin-wait", none).stdin(b"four"), &Expect::Succeeded("4 bytes"));
}

#[test]
fn a_storm_of_host_calls_ends_at_their_number() {
    let storm = || Run::command("host-call-storm", [5_000]);
    bounded(storm, Limit::HostCalls, 1_000, 10_000, "5000 calls");
}

#[test]
fn memory_past_its_limit_is_not_given() {
    check(
        Run::command("memory-bomb", [40]).limit(Limit::Memory, 16 * MIB),
        &Expect::Refused("out of memory after 1"),
        Run::command("memory-bomb", [40]),
        &Expect::Succeeded("40 MiB"),
    );
    let grow = || Run::attempt("memory-grow", json!({ "goal": 1000 }));
    check(
        grow().limit(Limit::Memory, 8 * MIB),
        &Expect::Returns(json!(128)),
        grow(),
        &Expect::Returns(json!(1000)),
    );
    let initial = || Run::attempt("memory-initial", json!({}));
    check(
        initial(),
        &Expect::Limit(Limit::Memory),
        initial().limit(Limit::Memory, 4096 * MIB),
        &Expect::Returns(json!(65_536)),
    );
}

#[test]
fn a_thousand_nested_instances_are_refused_while_instantiating() {
    for (guest, limit) in [("memories-bomb", Limit::Memories), ("instance-bomb", Limit::Instances)]
    {
        let open = || {
            let run = Run::attempt(guest, json!({}));
            run.limit(Limit::Memories, 2_000).limit(Limit::Instances, 2_000)
        };
        let default = ringfence::Limits::default().of(limit);
        check(
            open().limit(limit, default),
            &Expect::Limit(limit),
            open(),
            &Expect::Returns(json!(1)),
        );
    }
}

#[test]
fn tables_past_their_limit_are_not_given() {
    let grow = || Run::attempt("table-bomb", json!({ "goal": 3_000_000 }));
    check(
        grow(),
        &Expect::Returns(json!(0)),
        grow().limit(Limit::TableElements, 4_000_000),
        &Expect::Returns(json!(3_000_000)),
    );
    one(Run::attempt("table-initial", json!({})), &Expect::Limit(Limit::TableElements));
    let text = guest_text("table-initial").replace("100000000", "200000");
    let small = || Run::attempt("table-initial", json!({})).bytes(wat::parse_str(&text).unwrap());
    check(
        small(),
        &Expect::Limit(Limit::TableElements),
        small().limit(Limit::TableElements, 200_000),
        &Expect::Returns(json!(1)),
    );
    check(
        small().limit(Limit::TableElements, 200_000).limit(Limit::Tables, 0),
        &Expect::Limit(Limit::Tables),
        small().limit(Limit::TableElements, 200_000),
        &Expect::Returns(json!(1)),
    );
}

#[test]
fn deep_recursion_ends_at_the_stack_and_not_in_the_host() {
    let down = || Run::attempt("recursion", json!({ "depth": 100_000 }));
    check(
        down(),
        &Expect::Limit(Limit::Stack),
        down().limit(Limit::Stack, 16 * MIB),
        &Expect::Returns(json!(100_000)),
    );
}

#[test]
fn handles_that_are_never_dropped_end_at_their_number() {
    let guests = ["pollable-bomb", "stream-bomb", "fields-bomb"];
    for (guest, what) in guests.into_iter().zip(["pollables", "streams", "header lists"]) {
        let web = http("example.com", 80, MethodClass::Read);
        let run = || Run::command(guest, [500]).grant(web.clone());
        bounded(run, Limit::Resources, 100, 10_000, &format!("500 {what}"));
    }
}

#[test]
fn one_header_list_cannot_grow_for_ever() {
    let web = http("example.com", 80, MethodClass::Read);
    let run = |count: u32| Run::command("headers-bomb", [count, 4096]).grant(web.clone());
    let refused = Expect::Error("engine::trap", &["total size of fields exceeds limit"]);
    check(run(1_000), &refused, run(5), &Expect::Succeeded("5 values"));
}

#[test]
fn a_flood_of_messages_ends_at_the_log_limit() {
    bounded(|| Run::command("log-flood", [100, 1000]), Limit::Log, 50_000, MIB, "100 records");
}

#[test]
fn a_message_cannot_pass_for_another() {
    let none: [&str; 0] = [];
    let ended = one(Run::command("log-forge", none), &Expect::Succeeded("written"));
    let neutral = "done\u{fffd}{\"level\":\"info\",\"decision\":\"allow\"}\u{fffd}\u{fffd}[2K\u{fffd}[31mforged\u{fffd}";
    assert_eq!(ended.messages, [neutral]);
}

#[test]
fn a_flood_of_output_ends_at_its_limit() {
    check(
        Run::command("stdout-flood", [2]).limit(Limit::Output, MIB),
        &Expect::Limit(Limit::Output),
        Run::command("stdout-flood", [2]),
        &Expect::Exit(0),
    );
    bounded(|| Run::command("stderr-flood", [2]), Limit::Output, MIB, 3 * MIB, "2 MiB");
    check(
        Run::command("p3-stream-flood", [17]).limit(Limit::Output, MIB),
        &Expect::Limit(Limit::Output),
        Run::command("p3-stream-flood", [17]).limit(Limit::Output, 40 * MIB),
        &Expect::Exit(0),
    );
    let flood = || Run::attempt("result-flood", json!({ "bytes": 100_000 }));
    let text = Value::String("x".repeat(100_000));
    check(
        flood().limit(Limit::Output, 50_000),
        &Expect::Limit(Limit::Output),
        flood(),
        &Expect::Returns(text),
    );
}

#[test]
fn a_list_past_the_end_of_memory_is_a_crash_of_the_guest() {
    let run = |length: u32| Run::attempt("huge-list-result", json!({ "length": length }));
    let trap = Expect::Error("engine::trap", &["out of bounds"]);
    check(run(4_000_000_000), &trap, run(3), &Expect::Returns(json!("AAAA")));
    let run = |length: u32| Run::attempt("huge-list-argument", json!({ "length": length }));
    check(run(131_057), &trap, run(100), &Expect::Returns(json!(100)));
}

#[test]
fn the_same_bytes_many_times_over_end_at_what_a_call_may_copy() {
    let results = |count: u32| Run::attempt("list-amplifier", json!({ "count": count }));
    one(results(4_000), &Expect::Limit(Limit::HostCallBytes));
    // Bytes are Base64 in JSON, and these are all zero.
    one(results(2), &Expect::Returns(json!(vec!["A".repeat(80_000); 2])));
    let messages = |count: u32| Run::attempt("log-amplifier", json!({ "count": count }));
    one(messages(4_000), &Expect::Limit(Limit::HostCallBytes));
    check(
        messages(3).limit(Limit::HostCallBytes, 100_000),
        &Expect::Limit(Limit::HostCallBytes),
        messages(3),
        &Expect::Returns(json!(3)),
    );
}

#[test]
fn random_bytes_past_what_a_call_may_carry_are_refused() {
    let none: [&str; 0] = [];
    one(Run::command("huge-random", none), &Expect::Limit(Limit::HostCallBytes));
    bounded(
        || Run::command("huge-random", [100_000]),
        Limit::HostCallBytes,
        50_000,
        200_000,
        "100000 bytes",
    );
}

#[test]
fn a_read_of_gigabytes_takes_no_such_memory_in_the_host() {
    // The guest asks its own memory for the buffer first, and ends with 1 without it.
    check(
        Run::command("p3-huge-read", [2000]).stdin(b"some"),
        &Expect::Exit(1),
        Run::command("p3-huge-read", [2000]).stdin(b"some").limit(Limit::Memory, 4_096 * MIB),
        &Expect::Exit(0),
    );
}

#[test]
fn text_that_is_no_text_and_handles_nobody_gave_are_crashes_of_the_guest() {
    let text = |byte: u32| Run::attempt("invalid-text", json!({ "byte": byte }));
    let trap = Expect::Error("engine::trap", &["utf-8"]);
    check(text(200), &trap, text(65), &Expect::Returns(json!("AAAA")));
    let handle = |handle: u32| Run::attempt("forged-handle", json!({ "handle": handle }));
    let trap = Expect::Error("engine::trap", &["unknown handle"]);
    check(handle(12_345), &trap, handle(0), &Expect::Returns(json!(1)));
}

#[test]
fn open_files_end_at_their_number() {
    let place = Place::new();
    place.file("ws/notes.txt", "x");
    let run = || {
        Run::command("open-files-bomb", ["/", "notes.txt", "50"]).at(&place).grant(read(".", "/"))
    };
    check(
        run().limit(Limit::OpenFiles, 10),
        &Expect::Refused("after"),
        run(),
        &Expect::Succeeded("50 open"),
    );
}

/// Makes handles of its own resource, or pairs of futures, and drops none.
const HANDLES: &str = r#"
(component
  (core module $store (memory (export "memory") 1))
  (core instance $store (instantiate $store))
  (type $thing (resource (rep i32)))
  (core func $thing (canon resource.new $thing))
  (type $promise (future u32))
  (core func $promise (canon future.new $promise))
  (core module $guest
    (import "host" "thing" (func $thing (param i32) (result i32)))
    (import "host" "promise" (func $promise (result i64)))
    (func (export "things") (param $left i32) (result i32)
      (loop $again
        (drop (call $thing (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      i32.const 1)
    (func (export "promises") (param $left i32) (result i32)
      (loop $again
        (drop (call $promise))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $again (local.get $left)))
      i32.const 1))
  (core instance $guest (instantiate $guest
    (with "host" (instance (export "thing" (func $thing)) (export "promise" (func $promise))))))
  (func (export "things") (param "count" u32) (result u32) (canon lift (core func $guest "things")))
  (func (export "promises") (param "count" u32) (result u32)
    (canon lift (core func $guest "promises"))))
"#;

#[test]
fn handles_of_the_guests_own_making_end_at_their_number_too() {
    for function in ["things", "promises"] {
        let run = || {
            let run = Run::attempt("handles-bomb", json!({ "count": 1_000 })).function(function);
            run.bytes(wat::parse_str(HANDLES).unwrap())
        };
        check(
            run().limit(Limit::Resources, 100),
            &Expect::Limit(Limit::Resources),
            run().limit(Limit::Resources, 10_000),
            &Expect::Returns(json!(1)),
        );
    }
}

/// Gives one request a method of as many letters as asked for: 1 when it was taken.
const METHOD: &str = r#"
(component
  (import "wasi:http/types@0.2.12" (instance $http
    (export "fields" (type $fields (sub resource)))
    (export "outgoing-request" (type $request (sub resource)))
    (type $cases (variant (case "get") (case "head") (case "post") (case "put") (case "delete")
      (case "connect") (case "options") (case "trace") (case "patch") (case "other" string)))
    (export "method" (type $method (eq $cases)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-request" (func (param "headers" (own $fields)) (result (own $request))))
    (export "[method]outgoing-request.set-method"
      (func (param "self" (borrow $request)) (param "method" $method) (result (result))))))
  (core module $store (memory (export "memory") 20))
  (core instance $store (instantiate $store))
  (alias core export $store "memory" (core memory $memory))
  (core func $fields (canon lower (func $http "[constructor]fields")))
  (core func $request (canon lower (func $http "[constructor]outgoing-request")))
  (core func $set (canon lower (func $http "[method]outgoing-request.set-method") (memory $memory)))
  (core module $guest
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "request" (func $request (param i32) (result i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32) (result i32)))
    (import "store" "memory" (memory 20))
    (func (export "attempt") (param $length i32) (result i32)
      (memory.fill (i32.const 0) (i32.const 65) (local.get $length))
      (i32.sub (i32.const 1) (call $set
        (call $request (call $fields)) (i32.const 9) (i32.const 0) (local.get $length)))))
  (core instance $guest (instantiate $guest
    (with "store" (instance $store))
    (with "host" (instance (export "fields" (func $fields)) (export "request" (func $request))
      (export "set" (func $set))))))
  (func (export "attempt") (param "length" u32) (result u32)
    (canon lift (core func $guest "attempt"))))
"#;

#[test]
fn a_request_nobody_sends_cannot_be_used_to_fill_the_host() {
    let run = |length: u32| {
        let run = Run::attempt("method-bomb", json!({ "length": length }));
        run.bytes(wat::parse_str(METHOD).unwrap())
    };
    check(run(1_000_000), &Expect::Returns(json!(0)), run(20), &Expect::Returns(json!(1)));
}
