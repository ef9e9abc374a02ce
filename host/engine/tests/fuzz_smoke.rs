//! Damaged JSON as the input of functions of every type: refused with its place or read, and what is
//! read is written the same way again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../../fuzz/checks/json_to_wit.rs"]
mod json_to_wit;
#[path = "../../../fuzz/smoke.rs"]
mod smoke;
#[path = "../../../fuzz/checks/told.rs"]
mod told;

use serde_json::{Value, json};
use smoke::{Format, Random};

const JSON: Format = Format {
    words: &[
        "null",
        "true",
        "-0",
        "-0.0",
        "1e400",
        "1e-400",
        "0.1",
        "255",
        "256",
        "-129",
        "65536",
        "2.0",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "9007199254740993",
        "3.4028236e38",
        "\"NaN\"",
        "\"Infinity\"",
        "\"\"",
        "\"AAE=\"",
        "\"AAE\"",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud800\"",
        "\"\\u001b[2J\"",
        "[]",
        "{}",
        "[[]]",
        "{\"a\":[]}",
        "{\"some\":null}",
        "{\"ok\":[]}",
        "{\"error\":\"none\"}",
        "\"none\"",
        "\"red\"",
        "[\"read\"]",
        "{\"name\":\"a\"}",
        "{\"resource\":\"resource\",\"handle\":1}",
        "{\"some-of\":3}",
        "1E0",
        ",",
    ],
    cut: items,
    join: <[Vec<u8>]>::concat,
};

/// Cuts JSON after each comma, so that a piece is about one item or member.
fn items(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b',').map(<[u8]>::to_vec).collect()
}

fn samples() -> Vec<Vec<u8>> {
    let all = json!({
        "flag": true, "small": -128, "large": "18446744073709551615", "signed": -1, "real": 0.1,
        "half": "-Infinity", "letter": "é", "text": "a\u{0}b", "bytes": "AAEC/w==",
        "four": [1, 2, 3, 65535], "names": [["a", 1], ["b", 2]],
        "points": [{"name": "a", "size-limit": 3}, {"name": "b"}],
        "choice": {"deep": [{"name": ""}]}, "color": "green", "mode": ["read", "write"],
        "twice": {"some": null}, "outcome": {"error": {"some-of": 255}},
    });
    let values = [
        json!({ "a": [all] }),
        all,
        json!(true),
        json!(-5),
        json!(0.5),
        json!("x"),
        json!("AAE="),
        json!([[1, 2], [3, 4]]),
        json!([["a", null], ["b", false]]),
        json!({"some": {"some": 1}}),
        json!({"ok": {"name": "a"}}),
        json!({"name": "a", "size-limit": 1}),
        json!({"a": [1]}),
    ];
    values.iter().map(|value| value.to_string().into_bytes()).collect()
}

/// Returns a sample that is still JSON: some value in it is replaced, dropped or wrapped.
fn still_json(random: &mut Random, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut value = some(random, samples);
    for _ in 0..=random.below(3) {
        change(random, &mut value, samples);
    }
    value.to_string().into_bytes()
}

fn some(random: &mut Random, samples: &[Vec<u8>]) -> Value {
    let word = random.pick(JSON.words).and_then(|word| serde_json::from_str(word).ok());
    let sample = random.pick(samples).and_then(|sample| serde_json::from_slice(sample).ok());
    let (first, second) = if random.below(2) == 0 { (word, sample) } else { (sample, word) };
    first.or(second).unwrap_or_default()
}

fn change(random: &mut Random, value: &mut Value, samples: &[Vec<u8>]) {
    let deeper = random.below(4) > 0;
    match value {
        Value::Array(items) if deeper && !items.is_empty() => {
            let at = random.below(items.len());
            match random.below(8) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                _ => change(random, &mut items[at], samples),
            }
        }
        Value::Object(members) if deeper && !members.is_empty() => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let Some(key) = random.pick(&keys) else { return };
            match random.below(8) {
                0 => drop(members.remove(key)),
                1 => drop(members.insert(format!("{key}\u{1b}x"), Value::Null)),
                _ => change(random, &mut members[key], samples),
            }
        }
        _ => *value = replacement(random, value, samples),
    }
}

fn replacement(random: &mut Random, value: &Value, samples: &[Vec<u8>]) -> Value {
    match random.below(6) {
        0 => json!([value]),
        1 => json!({ "some": value }),
        2 => (0..random.below(100)).fold(value.clone(), |inner, _| json!([inner])),
        3 => json!("x".repeat(random.below(10_000))),
        _ => some(random, samples),
    }
}

#[test]
fn fuzz_smoke_json_to_wit() {
    let (samples, echoes) = (samples(), json_to_wit::Echoes::new());
    let make = |random: &mut Random| match random.below(3) {
        0 => JSON.mutate(random, &samples),
        _ => still_json(random, &samples),
    };
    assert!(samples.iter().all(|sample| echoes.check(sample)), "a sample fits no type");
    smoke::run(1_000, make, |bytes| echoes.check(bytes));
}
