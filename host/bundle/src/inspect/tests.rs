//! Interfaces of components made from WIT, whole and damaged.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "tests"
)]

use super::*;
use crate::testing::{component, mutated, resolve, told};
use serde_json::json;

const TYPES: &str = "
package test:types;

interface all {
    resource counter {
        constructor(start: u32);
        increment: func(by: option<u32>) -> u64;
        open: static func() -> result<counter, string>;
    }
    /// A point.
    record point { x: s32, label: option<string> }
    enum color { red, dark-green }
    flags access { read, write }
    variant shape { none, circle(f64), at(point) }
    type line = list<point>;
    record nothing-but { only: point }

    plain: func(a: bool, b: u8, c: s64, d: char, e: f32);
    bytes: func(data: list<u8>) -> list<u8>;
    record-in: func(request: point) -> result<line, shape>;
    mixed: func(c: color, a: access, s: shape, t: tuple<u8, string>, n: option<option<u8>>);
    inner: func() -> tuple<result<u8>, result<_, string>>;
    fixed: func(four: list<u8, 4>);
    waiting: func(s: stream<u8>);
    later: func() -> future<string>;
}

interface other {
    plain: func();
}

world w {
    import wasi-free: func() -> u32;
    export all;
    export other;
    /// Says hello.
    export greet: func(name: string) -> string;
}
";

fn interface(packages: &[&str]) -> Interface {
    inspect(&component(packages), "x.wasm").unwrap()
}

fn input(interface: &Interface, name: &str) -> Value {
    interface.function(name).unwrap().input_schema.clone()
}

#[test]
fn functions_are_found_by_every_form_of_their_name() {
    let all = interface(&[TYPES]);
    assert_eq!(all.kind, PluginKind::Tools);
    for (name, full, short) in [
        ("greet", "greet", "greet"),
        ("bytes", "test:types/all#bytes", "bytes"),
        ("all.bytes", "test:types/all#bytes", "bytes"),
        ("test:types/all#plain", "test:types/all#plain", "all.plain"),
        ("other.plain", "test:types/other#plain", "other.plain"),
        ("counter.new", "test:types/all#[constructor]counter", "counter.new"),
        ("counter.increment", "test:types/all#[method]counter.increment", "counter.increment"),
        ("counter.open", "test:types/all#[static]counter.open", "counter.open"),
    ] {
        let function = all.function(name).unwrap();
        assert_eq!((function.full.as_str(), function.short.as_str()), (full, short), "{name}");
    }
    let both = ["test:types/all#plain", "test:types/other#plain"].map(str::to_owned).to_vec();
    let ambiguous = NoFunction::Ambiguous { name: "plain".to_owned(), candidates: both };
    assert_eq!(all.function("plain").unwrap_err(), ambiguous);
    let unknown =
        NoFunction::Unknown { name: "bites".to_owned(), nearest: Some("bytes".to_owned()) };
    assert_eq!(all.function("bites").unwrap_err(), unknown);
}

#[test]
fn types_are_shown_as_wit() {
    let all = interface(&[TYPES]);
    let shown = |name: &str| {
        let function = all.function(name).unwrap();
        let params: Vec<_> =
            function.params.iter().map(|p| format!("{}: {}", p.name, p.ty)).collect();
        (params.join(", "), function.result.clone().unwrap_or_default())
    };
    assert_eq!(shown("record-in"), ("request: point".into(), "result<line, shape>".into()));
    assert_eq!(shown("inner").1, "tuple<result<u8>, result<_, string>>");
    assert_eq!(shown("counter.increment").0, "self: borrow<counter>, by: option<u32>");
    assert_eq!(shown("fixed").0, "four: list<u8, 4>");
}

#[test]
fn what_has_no_json_form_is_listed_and_not_callable() {
    let all = interface(&[TYPES]);
    for (name, ty) in [("waiting", "stream"), ("later", "future")] {
        assert_eq!(all.function(name).unwrap().callable, Err(NotCallable::NoJson { ty }));
    }
    assert_eq!(all.function("mixed").unwrap().callable, Ok(()));
}

/// Checks that the input schema of `name` takes `good` and refuses `bad`.
fn check(name: &str, good: &[Value], bad: &[Value]) {
    let schema = input(&interface(&[TYPES]), name);
    assert!(jsonschema::draft202012::meta::is_valid(&schema), "{schema}");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for value in good {
        assert!(validator.is_valid(value), "{name} should take {value}: {schema:#}");
    }
    for value in bad {
        assert!(!validator.is_valid(value), "{name} should refuse {value}: {schema:#}");
    }
}

#[test]
fn the_schemas_take_exactly_what_the_mapping_says() {
    let plain =
        |c: Value, d: &str, e: Value| json!({ "a": true, "b": 255, "c": c, "d": d, "e": e });
    check(
        "all.plain",
        &[
            plain(json!(i64::MIN), "é", json!("NaN")),
            plain(json!("-9223372036854775808"), "𝄞", json!(1)),
        ],
        &[
            plain(json!("x"), "é", json!(1)),
            plain(json!(1), "ab", json!(1)),
            plain(json!(1), "a", json!("nan")),
            json!({ "a": true, "b": 256, "c": 1, "d": "a", "e": 1 }),
            json!({ "a": true, "b": 1, "c": 1, "d": "a", "e": 1, "f": 1 }),
            json!({ "a": true }),
            json!([]),
        ],
    );
    check(
        "bytes",
        &[json!({ "data": "AAE=" }), json!({ "data": [0, 255] })],
        &[json!({ "data": [256] })],
    );
    check(
        "record-in",
        &[json!({ "x": 1 }), json!({ "x": 1, "label": null }), json!({ "x": 1, "label": "a" })],
        &[json!({ "request": { "x": 1 } }), json!({ "label": "a" }), json!({ "x": 1, "y": 2 })],
    );
    let mixed = |s: Value, n: Value| json!({ "c": "dark-green", "a": ["read"], "s": s, "t": [1, "a"], "n": n });
    check(
        "mixed",
        &[
            mixed(json!("none"), json!(null)),
            mixed(json!({ "circle": 1.5 }), json!({ "some": null })),
            mixed(json!({ "at": { "x": 1 } }), json!({ "some": 3 })),
            json!({ "c": "red", "a": [], "s": "none", "t": [1, "a"] }),
        ],
        &[
            mixed(json!("circle"), json!(null)),
            mixed(json!({ "circle": 1, "at": { "x": 1 } }), json!(null)),
            mixed(json!("none"), json!(3)),
            json!({ "c": "blue", "a": [], "s": "none", "t": [1, "a"], "n": null }),
            json!({ "c": "red", "a": ["read", "read"], "s": "none", "t": [1, "a"], "n": null }),
            json!({ "c": "red", "a": [], "s": "none", "t": [1], "n": null }),
            json!({ "c": "red", "a": [], "s": "none", "t": [1, "a", 2], "n": null }),
        ],
    );
    check(
        "fixed",
        &[json!({ "four": [1, 2, 3, 4] })],
        &[json!({ "four": "AAAAAA==" }), json!({ "four": [1] })],
    );
    let handle = json!({ "resource": "counter", "handle": 3 });
    check(
        "counter.increment",
        &[json!({ "self": handle }), json!({ "self": handle, "by": 2 })],
        &[json!({ "by": 2 }), json!({ "self": { "resource": "other", "handle": 3 } })],
    );
}

#[test]
fn of_a_result_at_the_top_only_the_good_half_is_output() {
    let all = interface(&[TYPES]);
    let output = |name: &str| all.function(name).unwrap().output_schema.clone();
    let line = output("record-in");
    assert!(jsonschema::draft202012::is_valid(&line, &json!([{ "x": 1, "label": null }])));
    assert!(line["$defs"].get("shape").is_none(), "the failure is not output: {line}");
    assert_eq!(output("all.plain")["type"], "null");
    assert_eq!(output("bytes")["contentEncoding"], "base64");
    let inner = output("inner");
    assert!(jsonschema::draft202012::is_valid(&inner, &json!([{ "ok": 1 }, { "error": "e" }])));
    assert!(jsonschema::draft202012::is_valid(&inner, &json!([{ "error": null }, { "ok": null }])));
    assert!(!jsonschema::draft202012::is_valid(&inner, &json!([1, null])));
}

#[test]
fn comments_travel_in_a_section_of_their_own() {
    let text =
        TYPES.replace("x: s32", "/// To the right.\nx: s32").replace("red,", "/// Warm.\nred,");
    let text = text.replace("    bytes: func", "    /// Copies bytes.\n    bytes: func");
    let (resolve, world) = resolve(&[&text]);
    let bytes = component(&[&text]);
    let bare = inspect(&bytes, "x.wasm").unwrap();
    assert_eq!(bare.function("bytes").unwrap().docs, "", "the binary format drops comments");
    let all = inspect(&docs::embed(&bytes, &resolve, world), "x.wasm").unwrap();
    assert_eq!(all.function("bytes").unwrap().docs, "Copies bytes.");
    assert_eq!(all.function("greet").unwrap().docs, "Says hello.");
    let point = input(&all, "record-in");
    assert_eq!(point["description"], "A point.");
    assert_eq!(point["properties"]["x"]["description"], "To the right.");
    let color = &input(&all, "mixed")["$defs"]["color"];
    assert_eq!(color["oneOf"][0], json!({ "const": "red", "description": "Warm." }));
    assert!(
        wit_component::decode(&docs::embed(&bytes, &resolve, world)).is_ok(),
        "others ignore it"
    );
}

#[test]
fn the_comments_other_tools_write_are_read_and_cannot_break_a_component() {
    let bytes = component(&[TYPES]);
    let with = |json: &str| {
        let mut content = vec![12];
        content.extend_from_slice(b"package-docs\x01");
        content.extend_from_slice(json.as_bytes());
        let mut bytes = bytes.clone();
        bytes.extend([0, u8::try_from(content.len()).unwrap()]);
        bytes.extend(content);
        inspect(&bytes, "x.wasm").unwrap()
    };
    let told = with(r#"{"interfaces":{"all":{"funcs":{"bytes":{"docs":"B."}}}}}"#);
    assert_eq!(told.function("bytes").unwrap().docs, "B.");
    for odd in ["{", "[]", r#"{"worlds":{"nobody":{"docs":"x"}}}"#, r#"{"interfaces":3}"#] {
        assert_eq!(with(odd).functions.len(), interface(&[TYPES]).functions.len());
    }
    let bell = with("{\"worlds\":{\"w\":{\"func_exports\":{\"greet\":\"a\\u0007\\nb\"}}}}");
    assert_eq!(bell.function("greet").unwrap().docs, "a\nb");
}

#[test]
fn the_kind_follows_from_the_exports() {
    let wasi = |package: &str, item: &str| {
        format!("package wasi:{package};\ninterface {item} {{ run: func() -> result; }}")
    };
    for (package, export, kind, generation) in [
        (wasi("cli@0.2.6", "run"), "wasi:cli/run@0.2.6", PluginKind::Command, "0.2"),
        (wasi("cli@0.3.0", "run"), "wasi:cli/run@0.3.0", PluginKind::Command, "0.3"),
        (
            wasi("http@0.2.6", "incoming-handler"),
            "wasi:http/incoming-handler@0.2.6",
            PluginKind::HttpHandler,
            "0.2",
        ),
        (wasi("http@0.3.0", "handler"), "wasi:http/handler@0.3.0", PluginKind::HttpHandler, "0.3"),
    ] {
        let world = format!("package test:x;\nworld w {{ export {export}; }}");
        let found = interface(&[&package, &world]);
        assert_eq!((found.kind, found.functions.len()), (kind, 0), "{export}");
        assert_eq!(found.wasi.iter().map(|g| g.name()).collect::<Vec<_>>(), [generation]);
    }
    let agent = "package ringfence:plugin@0.1.0;\ninterface agent { go: func(); }";
    let world = "package test:x;\nworld w { export ringfence:plugin/agent@0.1.0; }";
    assert_eq!(interface(&[agent, world]).kind, PluginKind::Agent);
    let step = "package ringfence:research@0.1.0;\ninterface rank { go: func(); }";
    let world = "package test:x;\nworld w { export ringfence:research/rank@0.1.0; }";
    assert_eq!(interface(&[step, world]).kind, PluginKind::Step);
}

#[test]
fn imports_have_their_version_and_class() {
    let clocks = "package wasi:clocks@0.2.6;\ninterface wall-clock { now: func() -> u64; }";
    let world = "package test:x;\nworld w { import wasi:clocks/wall-clock@0.2.6; import mine: func(); record r { a: u8 } export f: func(a: r); }";
    let bytes = component(&[clocks, world]);
    let found = inspect(&bytes, "x.wasm").unwrap();
    let names: Vec<&str> = found.imports.iter().map(|import| import.name.as_str()).collect();
    assert_eq!(names, ["wasi:clocks/wall-clock@0.2.6", "mine"], "a named type is no import");
    let clock = found.imports.iter().find(|import| import.version.is_some()).unwrap();
    assert_eq!(clock.version.as_ref().unwrap().to_string(), "0.2.6");
    assert!(matches!(clock.class(), ImportClass::Needs(_)));
    assert_eq!(imports(&bytes, "x.wasm").unwrap(), found.imports);
    assert!(
        found
            .producers
            .iter()
            .any(|p| (p.field.as_str(), p.name.as_str()) == ("processed-by", "wit-component"))
    );
}

/// Returns a component with one exported function whose parameter is type `last` of these.
fn wat_types(types: &str, last: &str) -> Vec<u8> {
    wat::parse_str(format!(
        "(component {types}
           (core module $m (func (export \"f\") (param i32 i32)) (memory (export \"m\") 1)
             (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable))
           (core instance $i (instantiate $m))
           (func (export \"f\") (param \"p\" {last})
             (canon lift (core func $i \"f\") (memory (core memory $i \"m\")) (realloc (core func $i \"r\")))))"
    ))
    .unwrap()
}

#[test]
fn hostile_types_are_refused_or_not_callable_and_cost_little() {
    // Each type holds the one before twice: the schema would double with every line.
    let mut doubling = "(type $t0 (list string))".to_owned();
    for n in 1..14 {
        doubling.push_str(&format!("(type $t{n} (list (tuple $t{} $t{})))", n - 1, n - 1));
    }
    let found = inspect(&wat_types(&doubling, "$t13"), "x.wasm").unwrap();
    assert_eq!(found.functions[0].callable, Err(NotCallable::TooLarge));
    let nested = |depth: usize| {
        let mut types = "(type $t0 (list string))".to_owned();
        for n in 1..depth {
            types.push_str(&format!("(type $t{n} (list $t{}))", n - 1));
        }
        inspect(&wat_types(&types, &format!("$t{}", depth - 1)), "x.wasm")
    };
    assert_eq!(nested(30).unwrap().functions[0].callable, Ok(()));
    assert_eq!(nested(90).unwrap().functions[0].callable, Err(NotCallable::TooLarge));
    let told = told(&nested(5_000).unwrap_err());
    assert!(told.contains("bundle::invalid-component") && told.contains("nesting"), "{told}");
}

#[test]
fn a_component_with_too_much_is_refused() {
    let nested = "(component ".repeat(60) + &")".repeat(60);
    let told_nested = told(&inspect(&wat::parse_str(nested).unwrap(), "x.wasm").unwrap_err());
    assert!(told_nested.contains("levels of components than the 50"), "{told_nested}");
    let many: String = (0..=MAX_EXTERNS).map(|n| format!("(import \"f{n}\" (func))")).collect();
    let many = wat::parse_str(format!("(component {many})")).unwrap();
    let told_many = told(&inspect(&many, "x.wasm").unwrap_err());
    assert!(told_many.contains("imports or exports than the 2000"), "{told_many}");
}

#[test]
fn a_valid_component_beyond_what_wit_can_say_is_refused() {
    // An interface that names a type which had no name where it was used before.
    let bytes = wat::parse_str(
        "(component
           (type $l (list u8))
           (import \"f\" (func (param \"p\" $l)))
           (instance $i (export \"u\" (type $l)))
           (export \"a:b/c\" (instance $i)))",
    );
    let told = told(&inspect(&bytes.unwrap(), "x.wasm").unwrap_err());
    assert!(told.contains("bundle::invalid-component") && told.contains("cause: "), "{told}");
}

#[test]
fn what_is_no_component_is_refused() {
    let whole = component(&[TYPES]);
    let wit = {
        let (resolve, world) = resolve(&[TYPES]);
        wit_component::encode(&resolve, resolve.worlds[world].package.unwrap()).unwrap()
    };
    for bytes in
        [b"".as_slice(), b"\0asm\x01\0\0\0", b"\0asm\x0d\0", &whole[..whole.len() - 1], &wit]
    {
        let told = told(&inspect(bytes, "x.wasm").unwrap_err());
        assert!(told.contains("`x.wasm` is not a valid component\n  cause: "), "{told}");
    }
}

#[test]
fn a_damaged_component_never_panics() {
    let (resolve, world) = resolve(&[TYPES]);
    let whole = docs::embed(&component(&[TYPES]), &resolve, world);
    let mut still_good = 0;
    for seed in 0..4_000 {
        still_good += usize::from(inspect(&mutated(&whole, seed), "x.wasm").is_ok());
    }
    assert!(still_good > 0, "some damage must get past the validator, or this tests only that");
}

#[test]
fn replies_and_prompts_are_known_by_their_types_and_answers_are_hidden() {
    let mcp = "package ringfence:mcp@0.1.0;
        interface types {
            record answers { state: option<string> }
            variant reply { content(string) }
            variant prompt { filled(string) }
        }";
    let other = "package a:b;
        interface types { variant reply { content(string) } record answers { state: string } }
        interface tools {
            use ringfence:mcp/types@0.1.0.{answers, prompt, reply as said};
            asks: func(name: string, answers: option<answers>) -> result<said, string>;
            answers-alone: func(answers: option<answers>) -> string;
            greets: func(name: string) -> prompt;
        }
        interface lookalikes {
            use types.{answers, reply};
            asks-too: func(answers: option<answers>) -> reply;
        }
        world w { export tools; export lookalikes; }";
    let all = interface(&[mcp, other]);
    for (name, gives, answers) in [
        ("asks", Gives::Reply, Some("answers")),
        ("answers-alone", Gives::Value, None),
        ("greets", Gives::Prompt, None),
        ("asks-too", Gives::Value, None),
    ] {
        let function = all.function(name).unwrap();
        assert_eq!((function.gives, function.answers.as_deref()), (gives, answers), "{name}");
    }
    let shown = input(&all, "asks");
    assert_eq!(shown["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name"]);
    assert!(input(&all, "asks-too")["properties"].get("answers").is_some());
}
