//! Schemas as clients want them: of objects, at the top.

use ringfence_bundle::inspect::{Function, Gives};
use ringfence_mcp::Answer;
use serde_json::{Map, Value, json};

/// How the output of a function becomes structured output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// It is an object already.
    Object,
    /// It stands in `result` of one.
    Wrapped,
    /// There is none.
    Nothing,
    /// It is a `reply` of `ringfence:mcp`, which has no structure.
    Reply,
}

impl Shape {
    /// Returns the answer that gives `value` back.
    pub(super) fn answer(self, value: Value) -> Answer {
        match self {
            Self::Nothing => Answer::text("done"),
            // Taken apart elsewhere.
            Self::Reply => Answer::default(),
            Self::Object => Answer::value(value),
            Self::Wrapped => {
                let text = match &value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                Answer { structured: Some(json!({ "result": value })), ..Answer::text(text) }
            }
        }
    }
}

/// Returns the schemas of a function's input and output, and how its output is handed over.
pub(super) fn schemas(function: &Function) -> (Value, Option<Value>, Shape) {
    let input = inlined(&function.input_schema);
    if function.gives != Gives::Value {
        return (input, None, Shape::Reply);
    }
    let output = inlined(&function.output_schema);
    match output.get("type").and_then(Value::as_str) {
        Some("null") => (input, None, Shape::Nothing),
        Some("object") => (input, Some(output), Shape::Object),
        _ => (input, Some(wrapped(output)), Shape::Wrapped),
    }
}

/// Puts the definition that a schema refers to at its top in its place.
fn inlined(schema: &Value) -> Value {
    let Some(target) = schema.get("$ref").and_then(Value::as_str) else { return schema.clone() };
    let found = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
    let Some(Value::Object(found)) = found else { return schema.clone() };
    let mut inlined = found.clone();
    for (key, value) in schema.as_object().into_iter().flatten() {
        if key != "$ref" {
            inlined.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Value::Object(inlined)
}

/// Returns the schema of an object whose `result` has this one. Definitions stay at the top, where
/// references look for them.
fn wrapped(mut schema: Value) -> Value {
    let mut top = Map::new();
    if let Some(object) = schema.as_object_mut() {
        for key in ["$schema", "$defs"] {
            if let Some(value) = object.remove(key) {
                top.insert(key.to_owned(), value);
            }
        }
    }
    top.insert("type".to_owned(), Value::from("object"));
    top.insert("properties".to_owned(), json!({ "result": schema }));
    top.insert("required".to_owned(), json!(["result"]));
    top.insert("additionalProperties".to_owned(), Value::Bool(false));
    Value::Object(top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_at_the_top_is_that_of_an_object_and_its_references_still_lead_somewhere() {
        let named =
            json!({ "$schema": "s", "$ref": "#/$defs/p", "$defs": { "p": { "type": "object" } } });
        let expected =
            json!({ "$schema": "s", "type": "object", "$defs": { "p": { "type": "object" } } });
        assert_eq!(inlined(&named), expected);
        let list = json!({ "$schema": "s", "type": "array", "items": { "$ref": "#/$defs/p" }, "$defs": { "p": {} } });
        let expected = json!({
            "$schema": "s", "$defs": { "p": {} }, "type": "object",
            "properties": { "result": { "type": "array", "items": { "$ref": "#/$defs/p" } } },
            "required": ["result"], "additionalProperties": false,
        });
        assert_eq!(wrapped(list), expected);
    }
}
