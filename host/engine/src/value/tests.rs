//! The mapping against real component types, which only a compiled component has.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
use super::*;
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use ringfence_capability::{Class, Diagnostic};
use serde_json::json;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Resource, ResourceAny, ResourceType};
use wasmtime::{Config, Engine};

fn engine() -> Engine {
    let mut config = Config::new();
    config.wasm_component_model_map(true).wasm_component_model_fixed_length_lists(true);
    Engine::new(&config).unwrap()
}

/// Returns the type of an imported function; `types` are declared before it.
fn func(types: &str, signature: &str) -> ComponentFunc {
    let engine = engine();
    let text = format!("(component {types} (import \"f\" (func {signature})))");
    let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let ty = component.component_type();
    let found = ty.imports(&engine).find_map(|(_, import)| match import.ty {
        ComponentItem::ComponentFunc(func) => Some(func),
        _ => None,
    });
    found.unwrap()
}

const TYPES: &str = r#"
    (type $p (record (field "name" string) (field "size-limit" (option u32))))
    (import "point" (type $point (eq $p)))
    (type $v (variant (case "none") (case "some-of" u8)))
    (import "choice" (type $choice (eq $v)))
    (type $e (enum "red" "green")) (import "color" (type $color (eq $e)))
    (type $g (flags "read" "write")) (import "mode" (type $mode (eq $g)))
"#;

/// Reads `input` as the one parameter `a` of type `ty`, and writes it again as a result.
fn there_and_back(ty: &str, input: &Value) -> Result<Value, String> {
    let func = func(TYPES, &format!("(param \"a\" (tuple {ty})) (result (tuple {ty}))"));
    let mut handles = Handles::new();
    let input = json!({ "a": [input] });
    let values = params_from_json(&func, &input, &mut handles).map_err(|e| e.to_string())?;
    match result_to_json(&func, &values, &mut handles).map_err(|e| e.to_string())? {
        CallResult::Ok(Value::Array(mut items)) => Ok(items.remove(0)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_kind_of_value_is_written_as_it_is_read() {
    for (ty, value) in [
        ("bool", json!(true)),
        ("u8", json!(255)),
        ("s64", json!("-9223372036854775808")),
        ("u64", json!("18446744073709551615")),
        ("u64", json!(9_007_199_254_740_991_u64)),
        ("f32", json!(0.1)),
        ("f64", json!("-Infinity")),
        ("f32", json!("NaN")),
        ("char", json!("é")),
        ("string", json!("")),
        ("(list u8)", json!("AAEC/w==")),
        ("(list u8)", json!("")),
        ("(list u16)", json!([])),
        ("(list u8 2)", json!([1, 2])),
        ("(map string u8)", json!([["a", 1], ["b", 2]])),
        ("(tuple u8 string)", json!([1, "a"])),
        ("$point", json!({"name": "a", "size-limit": 3})),
        ("$choice", json!("none")),
        ("$choice", json!({"some-of": 3})),
        ("$color", json!("green")),
        ("$mode", json!(["read", "write"])),
        ("(option u8)", json!(null)),
        ("(option (option u8))", json!(null)),
        ("(option (option u8))", json!({"some": null})),
        ("(option (option u8))", json!({"some": 1})),
        ("(result u8)", json!({"ok": 1})),
        ("(result u8)", json!({"error": null})),
    ] {
        assert_eq!(there_and_back(ty, &value).as_ref(), Ok(&value), "{ty}");
    }
}

#[test]
fn other_ways_to_write_the_same_value_are_read_too() {
    for (ty, value, canonical) in [
        ("(list u8)", json!([0, 1]), json!("AAE=")),
        ("u64", json!("5"), json!(5)),
        ("u8", json!(2.0), json!(2)),
        ("f64", json!(1), json!(1.0)),
        ("$point", json!({"name": "a"}), json!({"name": "a", "size-limit": null})),
    ] {
        assert_eq!(there_and_back(ty, &value), Ok(canonical), "{ty}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    let deep = (0..80).fold(json!(1), |inner, _| json!([inner]));
    for (ty, value, wanted) in [
        ("bool", json!(1), "input.a[0]: expected true or false, found the number 1"),
        ("u8", json!(256), "expected an integer from 0 to 255, found the number 256"),
        ("u8", json!("5"), "found the string \"5\""),
        ("u8", json!(1.5), "found the number 1.5"),
        ("s64", json!("9223372036854775808"), "or one as a decimal string"),
        ("u64", json!("+1"), "expected an integer from 0 to"),
        ("f32", json!(1e300), "in the range of a 32-bit float"),
        ("f64", json!("inf"), "expected a number, or \"NaN\""),
        ("char", json!("ab"), "expected a string of one character"),
        ("(list u8)", json!("AAE"), "expected bytes in base64"),
        ("(list u8)", json!(["x"]), "input.a[0][0]: expected an integer"),
        ("(list string)", json!(["a", 3]), "input.a[0][1]: expected a string"),
        ("(list u8 2)", json!([1]), "expected an array of 2 items, found an array of 1 item"),
        ("(map string u8)", json!([["a"]]), "input.a[0][0]: expected an array of 2 items"),
        (
            "$point",
            json!({"nam": "a"}),
            "only the fields `name`, `size-limit`, found the field `nam`",
        ),
        ("$point", json!({}), "input.a[0].name: expected a string, found nothing"),
        ("$choice", json!("some-of"), "for the case has a value"),
        ("$choice", json!({"none": null}), "for the case has no value"),
        ("$choice", json!({"none": 1, "some-of": 2}), "expected one of `none`, `some-of`"),
        ("$choice", json!({"squar": 1}), "found the case `squar`"),
        ("$color", json!("blue"), "expected one of `red`, `green`, found the string \"blue\""),
        ("$mode", json!(["read", "read"]), "expected each flag once"),
        ("(option (option u8))", json!(1), "expected null or an object {\"some\": …}"),
        ("(result u8)", json!({"error": 1}), "input.a[0].error: expected null"),
        ("(result u8)", json!({}), "{\"ok\": …} or {\"error\": …}"),
        ("u8", deep, "expected an integer"),
    ] {
        let refused = there_and_back(ty, &value).unwrap_err();
        assert!(refused.contains(wanted), "{ty} {value}: {refused}");
    }
}

#[test]
fn parameters_go_by_name_and_a_single_record_is_the_input_itself() {
    let mut handles = Handles::new();
    let two = func(TYPES, "(param \"a\" u8) (param \"b\" (option u8))");
    let read = params_from_json(&two, &json!({"a": 1}), &mut handles).unwrap();
    assert_eq!(read, [Val::U8(1), Val::Option(None)]);
    for (input, wanted) in [
        (json!({"b": 1}), "input.a: expected an integer, found nothing"),
        (json!({"a": 1, "c": 1}), "only the parameters `a`, `b`, found the parameter `c`"),
        (json!([1]), "an object of the parameters `a`, `b`, found an array of 1 item"),
    ] {
        let refused = params_from_json(&two, &input, &mut handles).unwrap_err();
        assert!(refused.to_string().contains(wanted), "{refused}");
        assert_eq!((refused.class(), refused.code()), (Class::BadInput, "engine::input"));
    }
    let one = func(TYPES, "(param \"a\" $point)");
    let read = params_from_json(&one, &json!({"name": "x"}), &mut handles).unwrap();
    assert!(matches!(read.as_slice(), [Val::Record(_)]));
    assert!(params_from_json(&one, &json!({"a": {"name": "x"}}), &mut handles).is_err());
}

#[test]
fn a_result_at_the_top_is_taken_apart() {
    let mut handles = Handles::new();
    let mut write = |signature: &str, value: &[Val]| {
        result_to_json(&func(TYPES, signature), value, &mut handles).unwrap()
    };
    let ok = Val::Result(Ok(Some(Box::new(Val::U8(1)))));
    assert_eq!(write("(result (result u8 (error string)))", &[ok]), CallResult::Ok(json!(1)));
    let error = Val::Result(Err(Some(Box::new(Val::String("no".into())))));
    let written = write("(result (result u8 (error string)))", &[error]);
    assert_eq!(written, CallResult::Err(json!("no")));
    assert_eq!(write("", &[]), CallResult::Ok(Value::Null));
}

#[test]
fn more_values_than_one_call_may_have_are_refused() {
    let func = func("", "(param \"a\" (list u8))");
    let text = |bytes: usize| json!({ "a": "AAAA".repeat(bytes / 3) });
    let mut handles = Handles::new();
    let refused = params_from_json(&func, &text(MAX_VALUES + 3), &mut handles).unwrap_err();
    assert_eq!(refused, ValueError::TooLarge { most: MAX_VALUES });
    params_from_json(&func, &text(3000), &mut handles).unwrap();
}

#[test]
fn a_function_with_a_stream_says_why_it_cannot_be_called() {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config).unwrap();
    let text = "(component (import \"f\" (func (param \"a\" (list (stream u8))))))";
    let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
    let ty = component.component_type();
    let (_, import) = ty.imports(&engine).next().unwrap();
    let ComponentItem::ComponentFunc(func) = import.ty else { panic!("it is a function") };
    assert_eq!(not_callable(&func), Some("a stream"));
    let refused = params_from_json(&func, &json!({"a": [1]}), &mut Handles::new()).unwrap_err();
    assert!(matches!(refused, ValueError::NotConvertible { .. }), "{refused}");
    assert_eq!(not_callable(&self::func("", "(param \"a\" (list u8))")), None);
}

struct Counter;
struct Timer;

const RESOURCES: &str = r#"(component
    (import "counter" (type $c (sub resource)))
    (core module $m
        (func (export "one") (param i32))
        (func (export "two") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "x" (own $c)) (param "n" u8) (canon lift (core func $i "two")))
    (func (export "lend") (param "x" (borrow $c)) (canon lift (core func $i "one")))
    (func (export "both") (param "x" (own $c)) (param "y" (borrow $c))
        (canon lift (core func $i "two"))))"#;

#[test]
fn an_owned_handle_moves_and_a_borrowed_one_stays() {
    let engine = engine();
    let mut store = wasmtime::Store::new(&engine, ());
    let mut linker = wasmtime::component::Linker::<()>::new(&engine);
    let (counter, timer) = (ResourceType::host::<Counter>(), ResourceType::host::<Timer>());
    linker.root().resource("counter", counter, |_, _| Ok(())).unwrap();
    let component = Component::new(&engine, wat::parse_str(RESOURCES).unwrap()).unwrap();
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let mut ty = |name| instance.get_func(&mut store, name).unwrap().ty(&store);
    let (take, lend, both) = (ty("take"), ty("lend"), ty("both"));

    let mut handles = Handles::new();
    handles.name_type(counter, "counter");
    handles.name_type(timer, "timer");
    let own = Resource::<Counter>::new_own(7);
    let first = handles.insert(ResourceAny::try_from_resource(own, &mut store).unwrap());
    let own = Resource::<Timer>::new_own(8);
    let other = handles.insert(ResourceAny::try_from_resource(own, &mut store).unwrap());
    let x = |handle: u64| json!({"resource": "counter", "handle": handle});

    for _ in 0..2 {
        params_from_json(&lend, &json!({"x": x(first)}), &mut handles).unwrap();
    }
    for (func, input, wanted) in [
        (&lend, json!({"x": x(99)}), "found handle 99, which is not open"),
        (&lend, json!({"x": x(other)}), "which is of `timer`"),
        (&lend, json!({"x": {"resource": "timer", "handle": first}}), "found one of `timer`"),
        (&lend, json!({"x": first}), "expected an open handle {\"resource\": \"counter\""),
        (&take, json!({"x": x(first), "n": 256}), "input.n: expected an integer"),
        (&both, json!({"x": x(first), "y": x(first)}), "which is not open"),
    ] {
        let refused = params_from_json(func, &input, &mut handles).unwrap_err().to_string();
        assert!(refused.contains(wanted), "{refused}");
        assert_eq!(handles.len(), 2, "a refused input moves nothing: {wanted}");
    }
    params_from_json(&take, &json!({"x": x(first), "n": 1}), &mut handles).unwrap();
    assert!(params_from_json(&lend, &json!({"x": x(first)}), &mut handles).is_err());
    assert_eq!(handles.drain().len(), 1);
    assert!(handles.is_empty());
}

/// A type as WAT; named types are declared on the way.
fn type_text() -> impl Strategy<Value = Shape> {
    let leaf = prop::sample::select(vec![
        "bool",
        "s8",
        "u8",
        "s16",
        "u16",
        "s32",
        "u32",
        "s64",
        "u64",
        "f32",
        "f64",
        "char",
        "string",
        "(list u8)",
        "(list u16 3)",
        "(map string u8)",
    ]);
    leaf.prop_map(Shape::Leaf).prop_recursive(4, 16, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(|of| Shape::Of("list", vec![of])),
            inner.clone().prop_map(|of| Shape::Of("option", vec![of])),
            some.clone().prop_map(|of| Shape::Of("tuple", of)),
            inner.prop_map(|of| Shape::Of("result", vec![of])),
            some.clone().prop_map(|of| Shape::Of("record", of)),
            some.prop_map(|of| Shape::Of("variant", of)),
            (1_usize..40).prop_map(|n| Shape::Names("enum", n)),
            (1_usize..32).prop_map(|n| Shape::Names("flags", n)),
        ]
    })
}

#[derive(Debug, Clone)]
enum Shape {
    Leaf(&'static str),
    Of(&'static str, Vec<Shape>),
    Names(&'static str, usize),
}

impl Shape {
    /// Returns how the type is referred to, after declaring what needs a name.
    fn declare(&self, out: &mut Vec<String>) -> String {
        let text = match self {
            Self::Leaf(name) => return (*name).to_owned(),
            Self::Of(kind @ ("record" | "variant"), of) => {
                let word = if *kind == "record" { "field" } else { "case" };
                let parts: Vec<_> = of.iter().map(|of| of.declare(out)).collect();
                let parts = parts.iter().enumerate();
                let parts: Vec<_> =
                    parts.map(|(i, part)| format!("({word} \"x{i}\" {part})")).collect();
                format!("({kind} {})", parts.join(" "))
            }
            Self::Of(kind, of) => {
                let parts: Vec<_> = of.iter().map(|of| of.declare(out)).collect();
                return format!("({kind} {})", parts.join(" "));
            }
            Self::Names(kind, n) => {
                let names: Vec<_> = (0..*n).map(|i| format!("\"n{i}\"")).collect();
                format!("({kind} {})", names.join(" "))
            }
        };
        let i = out.len();
        out.push(format!("(type $d{i} {text}) (import \"t{i}\" (type $t{i} (eq $d{i})))"));
        format!("$t{i}")
    }
}

/// Returns some value of `ty`.
fn some_value(ty: &Type, rng: &mut TestRng) -> Val {
    let bits = rng.next_u64();
    let few = usize::try_from(bits % 4).unwrap();
    let boxed = |value| Some(Box::new(value));
    match ty {
        Type::Bool => Val::Bool(bits.is_multiple_of(2)),
        Type::S8 => Val::S8(bits.to_le_bytes()[0].cast_signed()),
        Type::U8 => Val::U8(bits.to_le_bytes()[0]),
        Type::S16 => Val::S16((bits >> 48) as i16),
        Type::U16 => Val::U16((bits >> 48) as u16),
        Type::S32 => Val::S32((bits >> 32) as i32),
        Type::U32 => Val::U32((bits >> 32) as u32),
        Type::S64 => Val::S64(bits.cast_signed()),
        Type::U64 => Val::U64(bits),
        Type::Float32 => Val::Float32(f32::from_bits((bits >> 32) as u32)),
        Type::Float64 => Val::Float64(f64::from_bits(bits)),
        Type::Char => Val::Char(char::from_u32((bits >> 43) as u32).unwrap_or('\u{10ffff}')),
        Type::String => Val::String(format!("{bits:x}\u{1f600}\0")),
        Type::List(list) => Val::List((0..few).map(|_| some_value(&list.ty(), rng)).collect()),
        Type::FixedLengthList(list) => {
            Val::FixedLengthList((0..list.len()).map(|_| some_value(&list.ty(), rng)).collect())
        }
        Type::Map(map) => {
            let mut pair = |_| (some_value(&map.key(), rng), some_value(&map.value(), rng));
            Val::Map((0..few).map(&mut pair).collect())
        }
        Type::Record(record) => {
            let field = |f: wasmtime::component::types::Field<'_>| {
                (f.name.to_owned(), some_value(&f.ty, rng))
            };
            Val::Record(record.fields().map(field).collect())
        }
        Type::Tuple(tuple) => Val::Tuple(tuple.types().map(|ty| some_value(&ty, rng)).collect()),
        Type::Variant(variant) => {
            let case = variant.cases().nth(few % variant.cases().len()).unwrap();
            Val::Variant(case.name.to_owned(), case.ty.map(|ty| Box::new(some_value(&ty, rng))))
        }
        Type::Enum(ty) => Val::Enum(ty.names().nth(few % ty.names().len()).unwrap().to_owned()),
        Type::Option(_) if bits.is_multiple_of(2) => Val::Option(None),
        Type::Option(option) => Val::Option(boxed(some_value(&option.ty(), rng))),
        Type::Result(_) if bits.is_multiple_of(2) => Val::Result(Err(None)),
        Type::Result(result) => Val::Result(Ok(boxed(some_value(&result.ok().unwrap(), rng)))),
        Type::Flags(flags) => Val::Flags(flags.names().take(few).map(str::to_owned).collect()),
        other => panic!("{other:?}"),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9+/=-]{0,12}".prop_map(Value::from),
        Just(json!("x0")),
    ];
    let key = prop_oneof!["x[0-3]", "ok|error|some|a|resource|handle", "n[0-9]"];
    leaf.prop_recursive(5, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_of_any_type_survives_the_way_through_json(
        shape in type_text(),
        mut rng in any::<u64>().prop_perturb(|_, rng| rng),
    ) {
        let mut declared = Vec::new();
        let ty = shape.declare(&mut declared);
        let func = func(
            &declared.join("\n"),
            &format!("(param \"a\" (tuple {ty})) (result (tuple {ty}))"),
        );
        let ty = func.params().next().unwrap().1;
        let value = some_value(&ty, &mut rng);
        let mut handles = Handles::new();
        let written = result_to_json(&func, std::slice::from_ref(&value), &mut handles).unwrap();
        let CallResult::Ok(written) = written else { panic!("a tuple is no result") };
        let text = serde_json::to_string(&json!({ "a": written })).unwrap();
        let input: Value = serde_json::from_str(&text).unwrap();
        let read = params_from_json(&func, &input, &mut handles).unwrap();
        // A NaN equals nothing: what is compared is how it is written.
        let again = result_to_json(&func, &read, &mut handles).unwrap();
        prop_assert_eq!(CallResult::Ok(written), again);
        prop_assert!(format!("{value:?}").contains("NaN") || read[0] == value, "{:?}", read);
    }

    #[test]
    fn no_json_makes_the_conversion_panic(shape in type_text(), input in any_json()) {
        let mut declared = Vec::new();
        let ty = shape.declare(&mut declared);
        let func = func(&declared.join("\n"), &format!("(param \"a\" (tuple {ty}))"));
        let mut handles = Handles::new();
        let _ = params_from_json(&func, &input, &mut handles);
        let _ = params_from_json(&func, &json!({ "a": [input] }), &mut handles);
        prop_assert!(handles.is_empty());
    }
}
