//! What an outside server says a tool is, pinned by digest, and what became of it since.
//!
//! The canonical form is the JSON of the definition with its keys sorted by bytes at every depth,
//! without white space and without `_meta`, which is about one answer and not about the tool.

use std::collections::BTreeMap;

use ringfence_capability::{Digest, text};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// The most bytes of one definition.
pub const MAX_DEFINITION: usize = 256 * 1024;
/// The most characters of a tool's name.
const MAX_TOOL_NAME: usize = 128;
/// The most differences that are listed.
const MAX_DIFFERENCES: usize = 100;
/// How deep definitions are looked into.
const MAX_DEPTH: usize = 64;

/// The definition of one tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    name: String,
    definition: Value,
    digest: Digest,
}

/// Why a definition is none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever lists tools shows both")]
pub struct Unusable {
    /// The name, as far as there is one, safe to show.
    pub name: String,
    /// What is wrong.
    pub why: &'static str,
}

impl Contract {
    /// Takes in the definition of a tool.
    ///
    /// # Errors
    /// [`Unusable`] when its name, its schemas or its size are none that a tool can have.
    pub fn read(definition: &Value) -> Result<Self, Unusable> {
        let name = definition.get("name").and_then(Value::as_str).unwrap_or_default();
        let refuse = |why| Err(Unusable { name: text::brief(name, MAX_TOOL_NAME), why });
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
        if name.is_empty() || name.len() > MAX_TOOL_NAME || !name.chars().all(good) {
            return refuse("its name has 1 to 128 characters of `A-Z a-z 0-9 _ - . /`");
        }
        let Value::Object(members) = definition else { return refuse("it is no object") };
        if !is_of_object(members.get("inputSchema")) {
            return refuse("its `inputSchema` is not the schema of an object");
        }
        if members.contains_key("outputSchema") && !is_of_object(members.get("outputSchema")) {
            return refuse("its `outputSchema` is not the schema of an object");
        }
        let mut members = members.clone();
        members.remove("_meta");
        let definition = Value::Object(members);
        if depth(&definition, 0) > MAX_DEPTH {
            return refuse("its definition is nested too deep");
        }
        let bytes = canonical(&definition);
        if bytes.len() > MAX_DEFINITION {
            return refuse("its definition is longer than 256 KiB");
        }
        let digest = Digest::from_bytes(Sha256::digest(bytes).into());
        Ok(Self { name: name.to_owned(), definition, digest })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns all of the definition but `_meta`.
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// Returns the SHA-256 of the canonical form.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns what is said to a model about it.
    pub fn description(&self) -> &str {
        self.member("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the name for people.
    pub fn title(&self) -> Option<&str> {
        let annotated = self.member("annotations").and_then(|all| all.get("title"));
        self.member("title").or(annotated).and_then(Value::as_str)
    }

    /// Returns the schema of the input.
    pub fn input(&self) -> Value {
        self.member("inputSchema").cloned().unwrap_or_default()
    }

    /// Returns the schema of structured output.
    pub fn output(&self) -> Option<Value> {
        self.member("outputSchema").cloned()
    }

    /// Returns what its server says it does not do; only what raises the risk is to be believed.
    pub fn says(&self, hint: &str) -> Option<bool> {
        self.member("annotations").and_then(|all| all.get(hint)).and_then(Value::as_bool)
    }

    fn member(&self, name: &str) -> Option<&Value> {
        self.definition.get(name)
    }
}

fn is_of_object(schema: Option<&Value>) -> bool {
    schema.and_then(|schema| schema.get("type")).and_then(Value::as_str) == Some("object")
}

fn depth(value: &Value, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    let below = |deepest: usize, one| deepest.max(depth(one, above + 1));
    match value {
        Value::Array(items) => items.iter().fold(above, below),
        Value::Object(members) => members.values().fold(above, below),
        _ => above,
    }
}

fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    bytes
}

fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            to.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    to.push(b',');
                }
                write(item, to);
            }
            to.push(b']');
        }
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().collect();
            to.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    to.push(b',');
                }
                to.extend(Value::from(name.as_str()).to_string().bytes());
                to.push(b':');
                write(member, to);
            }
            to.push(b'}');
        }
        plain => to.extend(plain.to_string().bytes()),
    }
}

/// What became of one tool since it was pinned.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "whoever lists tools shows every one")]
pub enum Standing {
    /// It is what was pinned.
    Pinned,
    /// It is another than was pinned: quarantined.
    Changed,
    /// Nobody has pinned it yet: quarantined.
    New,
    /// It was pinned and is not offered any more.
    Gone,
}

impl Standing {
    /// Returns its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

/// One place at which two definitions differ.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever shows it shows all of it")]
pub struct Difference {
    /// Where, as a JSON pointer.
    pub place: String,
    /// What was there.
    pub was: Option<Value>,
    /// What is there now.
    pub now: Option<Value>,
}

/// Returns where `now` is not what `was` is.
pub fn differences(was: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(was, now, String::new(), &mut found);
    found
}

fn compare(was: &Value, now: &Value, place: String, found: &mut Vec<Difference>) {
    if was == now || found.len() >= MAX_DIFFERENCES {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (was, now) else {
        found.push(Difference { place, was: Some(was.clone()), now: Some(now.clone()) });
        return;
    };
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for name in names {
        let inner = format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (member(before, name), member(after, name)) {
            (Some(was), Some(now)) => compare(was, now, inner, found),
            (was, now) if found.len() < MAX_DIFFERENCES => {
                found.push(Difference { place: inner, was: was.cloned(), now: now.cloned() });
            }
            _ => {}
        }
    }
}

fn member<'v>(members: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    members.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(description: &str) -> Value {
        json!({ "name": "t", "description": description, "inputSchema": { "type": "object" } })
    }

    fn digest(definition: &Value) -> Digest {
        Contract::read(definition).unwrap().digest()
    }

    #[test]
    fn the_order_of_keys_and_what_is_about_one_answer_do_not_count() {
        let one = r#"{"name":"t","inputSchema":{"type":"object","properties":{"a":{},"b":{}}}}"#;
        let other = r#"{"inputSchema":{"properties":{"b":{},"a":{}},"type":"object"},"_meta":{"x":1},"name":"t"}"#;
        let read = |text: &str| digest(&serde_json::from_str(text).unwrap());
        assert_eq!(read(one), read(other));
        // The form is written down: a digest in a record of ours must hold in every later version.
        assert_eq!(
            String::from_utf8(canonical(&serde_json::from_str(one).unwrap())).unwrap(),
            r#"{"inputSchema":{"properties":{"a":{},"b":{}},"type":"object"},"name":"t"}"#
        );
    }

    #[test]
    fn everything_a_model_or_a_program_reads_counts() {
        let base = digest(&tool("adds"));
        let mut hinted = tool("adds");
        hinted["annotations"] = json!({ "readOnlyHint": true });
        let mut wider = tool("adds");
        wider["inputSchema"]["properties"] = json!({ "path": {} });
        let mut titled = tool("adds");
        titled["title"] = json!("Add");
        for changed in [tool("adds "), hinted, wider, titled] {
            assert_ne!(digest(&changed), base, "{changed}");
        }
    }

    #[test]
    fn what_is_no_tool_is_named_and_left_out() {
        let why = |definition: Value| Contract::read(&definition).unwrap_err().why;
        assert!(why(json!(5)).starts_with("its name"));
        assert!(why(json!({ "name": "a b" })).starts_with("its name"));
        assert!(why(json!({ "name": "a\u{1b}" })).starts_with("its name"));
        assert!(why(json!({ "name": "a" })).contains("inputSchema"));
        let mut odd = tool("");
        odd["outputSchema"] = json!({ "type": "array" });
        assert!(why(odd).contains("outputSchema"));
        assert!(why(tool(&"x".repeat(MAX_DEFINITION))).contains("256 KiB"));
        let mut deep = json!({});
        for _ in 0..=MAX_DEPTH {
            deep = json!({ "p": deep });
        }
        let mut nested = tool("");
        nested["inputSchema"]["properties"] = deep;
        assert!(why(nested).contains("deep"));
    }

    #[test]
    fn differences_name_the_place_and_both_sides() {
        let mut now = tool("reads the file and sends it");
        now["inputSchema"]["properties"] = json!({ "a/b": {} });
        let found = differences(&tool("reads the file"), &now);
        let places: Vec<_> = found.iter().map(|one| one.place.as_str()).collect();
        assert_eq!(places, ["/description", "/inputSchema/properties"]);
        assert_eq!(found[1].was, None);
        assert_eq!(differences(&now, &now), []);
    }
}
