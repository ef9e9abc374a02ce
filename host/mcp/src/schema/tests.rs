//! The small validator says what a large one says, and its words help.

use super::*;
use serde_json::json;

/// Checks every value against every schema with both.
#[test]
fn a_known_validator_agrees_about_every_schema_and_value() {
    for schema in &schemas() {
        let known = jsonschema::draft202012::new(schema).unwrap();
        for value in &values() {
            let problems = problems(schema, value);
            assert_eq!(problems.is_empty(), known.is_valid(value), "{schema} {value} {problems:?}");
        }
    }
}

#[test]
fn a_problem_names_its_place_and_what_was_expected() {
    let schema = json!({ "type": "object", "properties": {
        "a": { "type": "array", "items": { "type": "integer" } },
        "b": { "enum": ["x", "y"] },
    }, "required": ["c"], "additionalProperties": false });
    let value = json!({ "a": [1, "2\u{1b}"], "b": "z", "d": 1 });
    assert_eq!(
        problems(&schema, &value),
        [
            "the value itself: `c` is missing",
            "/a/1: expected integer, found \"2\\u001b\"",
            "/b: expected one of \"x\", \"y\"",
            "/d: there is no such key",
        ]
    );
}

#[test]
fn a_schema_that_leads_in_circles_or_nowhere_ends() {
    let circle = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
    assert_eq!(problems(&circle, &json!(1)), ["the value itself: it is too much to be checked"]);
    let outside = json!({ "$ref": "https://example.com/schema.json" });
    assert_eq!(problems(&outside, &json!(1)), ["the value itself: its schema refers to nothing"]);
    // Two branches at each of many levels: 2^64 ways, of which only so many are gone.
    let doubling = json!({ "$ref": "#/$defs/d", "$defs": {
        "d": { "anyOf": [{ "$ref": "#/$defs/d" }, { "$ref": "#/$defs/d" }] } } });
    assert!(!problems(&doubling, &json!(1)).is_empty());
}

fn schemas() -> Vec<Value> {
    vec![
        json!({ "type": "integer", "minimum": -3, "maximum": 7 }),
        json!({ "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 2.5 }),
        json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 2 }),
        json!({ "const": 1 }),
        json!({ "enum": ["a", null, 2, [1], { "x": 1 }] }),
        json!({ "anyOf": [{ "type": "number" }, { "enum": ["NaN"] }] }),
        json!({ "oneOf": [{ "type": "integer" }, { "type": "number", "minimum": 2 }] }),
        json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
        json!({ "not": { "type": "string" } }),
        json!({ "if": { "type": "string" }, "then": { "minLength": 2 }, "else": { "type": "number" } }),
        json!({ "type": "array", "items": { "type": "integer" }, "minItems": 1, "maxItems": 2 }),
        json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": false }),
        json!({ "type": "array", "uniqueItems": true }),
        json!({ "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"],
            "additionalProperties": false }),
        json!({ "type": "object", "additionalProperties": { "type": "string" }, "maxProperties": 1 }),
        json!({ "$ref": "#/$defs/n", "$defs": { "n": { "oneOf": [
            { "type": "null" },
            { "type": "object", "properties": { "next": { "$ref": "#/$defs/n" } }, "required": ["next"] }
        ] } } }),
        json!({ "anyOf": [{ "type": "integer" }, { "type": "string", "pattern": DECIMAL }] }),
        json!({ "type": "number", "multipleOf": 2 }),
        json!(true),
        json!(false),
    ]
}

fn values() -> Vec<Value> {
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(2),
        json!(2.5),
        json!(-4),
        json!(7),
        json!(8),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("a"),
        json!("ab"),
        json!("abc"),
        json!("é"),
        json!("NaN"),
        json!("-12"),
        json!("--1"),
        json!("123456789012345678901"),
        json!([]),
        json!([1]),
        json!([1, 1]),
        json!([1, 2, 3]),
        json!(["a"]),
        json!(["a", 1]),
        json!({}),
        json!({ "x": 1 }),
        json!({ "x": "1" }),
        json!({ "x": 1, "y": 2 }),
        json!({ "y": "b" }),
        json!({ "next": null }),
        json!({ "next": { "next": null } }),
        json!({ "next": { "next": 1 } }),
    ]
}
