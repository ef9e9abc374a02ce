//! Holds values against JSON Schemas of draft 2020-12.
//!
//! Small, without recursion into other documents, and bounded, because schemas come from plugins and
//! from outside servers: a reference leads into the schema itself, and how deep and how much is looked
//! at has a limit past which nothing fits. Of the vocabulary it knows what says which values there are;
//! annotations are left alone. Of `pattern` it knows the one our own schemas use: another is an
//! annotation here.

use ringfence_capability::text;
use serde_json::{Map, Value};

/// The most problems named.
const MAX_PROBLEMS: usize = 8;
/// The most characters of a value shown in one.
const MAX_SHOWN: usize = 60;
/// How deep schemas may lead into each other for one value.
const MAX_DEPTH: usize = 128;
/// How many steps one value may take.
const MAX_STEPS: u32 = 1_000_000;
/// The pattern of a number in a text, as the mapping from WIT writes it.
const DECIMAL: &str = "^-?[0-9]{1,20}$";

/// Returns what is wrong with `value`, place by place; nothing when it fits.
pub fn problems(schema: &Value, value: &Value) -> Vec<String> {
    let mut check = Check { root: schema, problems: Vec::new(), steps: 0, quiet: 0 };
    check.at(schema, value, &Place::Top, 0);
    check.problems
}

/// Where a value is.
enum Place<'p> {
    Top,
    Key(&'p Place<'p>, &'p str),
    Index(&'p Place<'p>, usize),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Top => f.write_str(""),
            Self::Key(before, key) => write!(f, "{before}/{}", text::brief(key, MAX_SHOWN)),
            Self::Index(before, index) => write!(f, "{before}/{index}"),
        }
    }
}

struct Check<'s> {
    root: &'s Value,
    problems: Vec<String>,
    steps: u32,
    /// In how many attempts it is that may fail without a word.
    quiet: u32,
}

impl<'s> Check<'s> {
    /// Checks `value`; returns whether it fits.
    fn at(&mut self, schema: &'s Value, value: &Value, place: &Place<'_>, depth: usize) -> bool {
        self.steps += 1;
        if depth > MAX_DEPTH || self.steps > MAX_STEPS {
            return self.no(place, || "it is too much to be checked".to_owned());
        }
        let schema = match schema {
            Value::Bool(true) => return true,
            Value::Object(schema) => schema,
            _ => return self.no(place, || "nothing is allowed here".to_owned()),
        };
        let mut fits = self.is_type(schema, value, place);
        // What is of another type has one problem, not one for each of its parts.
        if !fits {
            return false;
        }
        if let Some(target) = schema.get("$ref") {
            fits &= match target.as_str().and_then(|target| resolve(self.root, target)) {
                Some(target) => self.at(target, value, place, depth + 1),
                None => self.no(place, || "its schema refers to nothing".to_owned()),
            };
        }
        fits &= self.is_one_of(schema, value, place);
        fits &= self.combined(schema, value, place, depth);
        fits &= match value {
            Value::Object(object) => self.object(schema, object, place, depth),
            Value::Array(items) => self.array(schema, items, place, depth),
            Value::String(text) => self.text(schema, text, place),
            Value::Number(number) => self.number(schema, number, place),
            Value::Null | Value::Bool(_) => true,
        };
        fits
    }

    fn no(&mut self, place: &Place<'_>, why: impl FnOnce() -> String) -> bool {
        if self.quiet == 0 && self.problems.len() < MAX_PROBLEMS {
            let place = place.to_string();
            let place = if place.is_empty() { "the value itself" } else { &place };
            self.problems.push(format!("{place}: {}", why()));
        }
        false
    }

    fn is_type(&mut self, schema: &Map<String, Value>, value: &Value, place: &Place<'_>) -> bool {
        let wanted = match schema.get("type") {
            None => return true,
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            Some(_) => vec![],
        };
        if wanted.iter().any(|wanted| is_of(value, wanted)) {
            return true;
        }
        self.no(place, || format!("expected {}, found {}", wanted.join(" or "), shown(value)))
    }

    fn is_one_of(&mut self, schema: &Map<String, Value>, value: &Value, place: &Place<'_>) -> bool {
        if let Some(only) = schema.get("const")
            && !same(only, value)
        {
            return self.no(place, || format!("expected {}", shown(only)));
        }
        if let Some(Value::Array(all)) = schema.get("enum")
            && !all.iter().any(|one| same(one, value))
        {
            return self.no(place, || {
                let all: Vec<String> = all.iter().map(Value::to_string).collect();
                format!("expected one of {}", text::brief(&all.join(", "), 200))
            });
        }
        true
    }

    fn combined(
        &mut self,
        schema: &'s Map<String, Value>,
        value: &Value,
        place: &Place<'_>,
        depth: usize,
    ) -> bool {
        let mut fits = true;
        if let Some(Value::Array(all)) = schema.get("allOf") {
            for each in all {
                fits &= self.at(each, value, place, depth + 1);
            }
        }
        for (key, one) in [("anyOf", false), ("oneOf", true)] {
            let Some(Value::Array(all)) = schema.get(key) else { continue };
            let fitting = all.iter().filter(|each| self.quietly(each, value, place, depth)).count();
            fits &= match (fitting, one) {
                (0, _) => self.nearest(all, value, place, depth),
                (1, _) | (_, false) => true,
                (_, true) => {
                    self.no(place, || "it fits several forms of which it may have one".to_owned())
                }
            };
        }
        if let Some(not) = schema.get("not")
            && self.quietly(not, value, place, depth)
        {
            fits = self.no(place, || "it has a form that is excluded".to_owned());
        }
        let branch = schema.get("if").map(|test| self.quietly(test, value, place, depth));
        let then = match branch {
            Some(true) => schema.get("then"),
            Some(false) => schema.get("else"),
            None => None,
        };
        if let Some(then) = then {
            fits &= self.at(then, value, place, depth + 1);
        }
        fits
    }

    /// Names what is wrong with the form that `value` is nearest to: with one of its type where there
    /// is just one.
    fn nearest(
        &mut self,
        all: &'s [Value],
        value: &Value,
        place: &Place<'_>,
        depth: usize,
    ) -> bool {
        let mut of_type =
            all.iter().filter(|each| match each.get("type").and_then(Value::as_str) {
                Some(wanted) => is_of(value, wanted),
                None => each.get("$ref").is_some(),
            });
        match (of_type.next(), of_type.next()) {
            (Some(one), None) => self.at(one, value, place, depth + 1),
            _ => {
                self.no(place, || format!("it has none of the forms it may have: {}", shown(value)))
            }
        }
    }

    /// Checks without naming problems.
    fn quietly(
        &mut self,
        schema: &'s Value,
        value: &Value,
        place: &Place<'_>,
        depth: usize,
    ) -> bool {
        self.quiet += 1;
        let fits = self.at(schema, value, place, depth + 1);
        self.quiet -= 1;
        fits
    }

    fn object(
        &mut self,
        schema: &'s Map<String, Value>,
        object: &Map<String, Value>,
        place: &Place<'_>,
        depth: usize,
    ) -> bool {
        let mut fits = true;
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if let Some(name) = name.as_str()
                && !object.contains_key(name)
            {
                fits = self.no(place, || format!("`{}` is missing", text::brief(name, MAX_SHOWN)));
            }
        }
        let known = schema.get("properties").and_then(Value::as_object);
        for (key, value) in object {
            let place = Place::Key(place, key);
            let own = known.and_then(|known| known.get(key));
            match own.or_else(|| schema.get("additionalProperties")) {
                Some(Value::Bool(false)) if own.is_none() => {
                    fits = self.no(&place, || "there is no such key".to_owned());
                }
                Some(schema) => fits &= self.at(schema, value, &place, depth + 1),
                None => {}
            }
        }
        fits & self.count(schema, ("minProperties", "maxProperties"), object.len(), place)
    }

    fn array(
        &mut self,
        schema: &'s Map<String, Value>,
        items: &[Value],
        place: &Place<'_>,
        depth: usize,
    ) -> bool {
        let first =
            schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let mut fits = true;
        for (index, item) in items.iter().enumerate() {
            let place = Place::Index(place, index);
            if let Some(schema) = first.get(index).or_else(|| schema.get("items")) {
                fits &= self.at(schema, item, &place, depth + 1);
            }
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            let mut seen: Vec<String> = items.iter().map(Value::to_string).collect();
            seen.sort_unstable();
            if seen.windows(2).any(|two| two[0] == two[1]) {
                fits = self.no(place, || "it holds something twice".to_owned());
            }
        }
        fits & self.count(schema, ("minItems", "maxItems"), items.len(), place)
    }

    fn text(&mut self, schema: &Map<String, Value>, said: &str, place: &Place<'_>) -> bool {
        if schema.get("pattern").and_then(Value::as_str) == Some(DECIMAL) && !is_decimal(said) {
            return self.no(place, || "expected a decimal number".to_owned());
        }
        if schema.contains_key("minLength") || schema.contains_key("maxLength") {
            return self.count(schema, ("minLength", "maxLength"), said.chars().count(), place);
        }
        true
    }

    fn count(
        &mut self,
        schema: &Map<String, Value>,
        (least, most): (&str, &str),
        found: usize,
        place: &Place<'_>,
    ) -> bool {
        let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
        #[expect(clippy::cast_precision_loss, reason = "no value has 2^53 parts")]
        let number = found as f64;
        if limit(least).is_some_and(|least| number < least)
            || limit(most).is_some_and(|most| number > most)
        {
            return self.no(place, || format!("its length {found} is out of bounds"));
        }
        true
    }

    fn number(
        &mut self,
        schema: &Map<String, Value>,
        number: &serde_json::Number,
        place: &Place<'_>,
    ) -> bool {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let against = |key: &str| match schema.get(key) {
            Some(Value::Number(bound)) => compare(number, bound),
            _ => None,
        };
        let out = against("minimum") == Some(Less)
            || against("maximum") == Some(Greater)
            || matches!(against("exclusiveMinimum"), Some(Less | Equal))
            || matches!(against("exclusiveMaximum"), Some(Greater | Equal));
        if out {
            return self.no(place, || format!("{number} is out of range"));
        }
        if let Some(Value::Number(step)) = schema.get("multipleOf")
            && !is_multiple(number, step)
        {
            return self.no(place, || format!("it is no multiple of {step}"));
        }
        true
    }
}

/// Returns the beginning of a value, for a message.
fn shown(value: &Value) -> String {
    text::brief(&value.to_string(), MAX_SHOWN)
}

/// Returns the part of the schema that a reference leads to: only into itself.
fn resolve<'s>(root: &'s Value, target: &str) -> Option<&'s Value> {
    root.pointer(target.strip_prefix('#')?)
}

fn is_of(value: &Value, wanted: &str) -> bool {
    match wanted {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        // A number without a fraction is one, however it is written.
        "integer" => match value {
            Value::Number(number) => {
                number.is_i64()
                    || number.is_u64()
                    || number.as_f64().is_some_and(|n| n.fract() == 0.0)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Tells whether two values are the same; numbers by what they mean.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b) == Some(std::cmp::Ordering::Equal),
        _ => a == b,
    }
}

/// Tells whether `number` is a multiple of `step`, without losing digits where both are integers.
fn is_multiple(number: &serde_json::Number, step: &serde_json::Number) -> bool {
    match (integer(number), integer(step)) {
        (Some(_), Some(0)) => true,
        (Some(number), Some(step)) => number % step == 0,
        _ => match (number.as_f64(), step.as_f64()) {
            (Some(number), Some(step)) if step > 0.0 => (number / step).fract() == 0.0,
            _ => true,
        },
    }
}

fn integer(number: &serde_json::Number) -> Option<i128> {
    number.as_i64().map(i128::from).or(number.as_u64().map(i128::from))
}

/// Compares without losing digits where both are integers.
fn compare(a: &serde_json::Number, b: &serde_json::Number) -> Option<std::cmp::Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

fn is_decimal(said: &str) -> bool {
    let digits = said.strip_prefix('-').unwrap_or(said);
    (1..=20).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests;
