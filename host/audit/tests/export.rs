//! The forms that other tools read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests prepare files")]

mod common;

use common::{Place, entry};
use ringfence_audit::{
    Approval, Decision, Durability, Entry, Format, How, Kept, Method, Outcome, Target, Usage,
    Writer,
};
use ringfence_capability::{Digest, Origin};
use serde_json::Value;
use std::time::Duration;

const ONE: Digest = Digest::from_bytes([1; 32]);

/// Returns a log with a record of every kind.
fn place() -> Place {
    let place = Place::new();
    let log = place.log();
    let usage = Usage::new(Duration::from_millis(1500)).wrote(10, 2);
    let entries = [
        entry(1),
        Entry::new("exec.start")
            .at(Target::program("/home/alice/bin/cargo", ONE, ONE, ONE))
            .for_request(ONE)
            .approved(Approval::new(How::Lease).by("terminal").under("lease-7")),
        Entry::new("exec.end")
            .at(Target::program("cargo", ONE, ONE, ONE))
            .came_to(Outcome::Exited { code: 101, usage }),
        Entry::new("exec.approve").approved(Approval::new(How::Denied)),
        Entry::new("exec.commit").came_to(Outcome::Staged {
            kept: Kept::Committed,
            added: 1,
            changed: 2,
            removed: 3,
            size_bytes: 4,
        }),
        Entry::new("proxy")
            .at(Target::request("a.example", 443, Method::Connect))
            .came_to(Outcome::requested(None, 5, 6, Duration::from_millis(7))),
        Entry::new("fs.write.create").at(Target::guest_path("/ws/=cmd|' /C calc'!A1")).decided(
            Decision::Prompt,
            "=1+2",
            &Origin::BuiltIn,
            "say, \"yes\"",
        ),
    ];
    log.append_all(&entries, Durability::Synced).unwrap();
    place
}

fn exported(place: &Place, format: Format) -> String {
    let mut writer = Writer::new(format, Vec::new()).unwrap();
    for record in place.records() {
        writer.write(&record).unwrap();
    }
    String::from_utf8(writer.finish().unwrap()).unwrap()
}

fn events(place: &Place) -> Vec<Value> {
    exported(place, Format::Ocsf).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn json_is_the_log_itself() {
    let place = place();
    let log = std::fs::read_to_string(place.path(common::NAME)).unwrap();
    assert_eq!(exported(&place, Format::Json), log);
    assert!(!log.contains("alice"));
}

/// Takes a table apart as RFC 4180 says.
fn table(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = csv.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    rows
}

#[test]
fn the_table_has_every_record_and_no_formula() {
    let place = place();
    let rows = table(&exported(&place, Format::Csv));
    assert_eq!(rows.len(), place.records().len() + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{rows:#?}");
    let cells = rows.iter().flatten();
    let formulas = cells.filter(|cell| cell.trim_start().starts_with(['=', '+', '-', '@']));
    assert_eq!(formulas.count(), 0);
    let column = |name: &str| rows[0].iter().position(|cell| cell == name).unwrap();
    assert_eq!(rows[2][column("target")], "cargo");
    assert_eq!(rows[2][column("approval")], "lease");
    assert_eq!(rows[7][column("layer")], "'=1+2");
    assert_eq!(rows[7][column("reason")], "say, \"yes\"");
}

/// What OCSF 1.8.0 requires of API Activity, and of the objects in it that are used here.
const REQUIRED: &[&str] = &[
    "/activity_id",
    "/category_uid",
    "/class_uid",
    "/severity_id",
    "/time",
    "/type_uid",
    "/metadata/version",
    "/metadata/product/name",
    "/actor/app_name",
    "/api/operation",
    "/src_endpoint/svc_name",
];
/// What it has at all, at the top.
const ATTRIBUTES: &[&str] = &[
    "action_id",
    "activity_id",
    "activity_name",
    "actor",
    "api",
    "category_uid",
    "class_uid",
    "disposition_id",
    "dst_endpoint",
    "duration",
    "message",
    "metadata",
    "policy",
    "resources",
    "severity_id",
    "src_endpoint",
    "status_code",
    "status_id",
    "time",
    "type_uid",
    "unmapped",
];

#[test]
fn events_have_what_the_schema_requires_and_nothing_it_does_not_know() {
    for event in events(&place()) {
        for path in REQUIRED {
            let found = event.pointer(path);
            assert!(found.is_some_and(|value| !value.is_null()), "{path} in {event}");
        }
        for name in event.as_object().unwrap().keys() {
            assert!(ATTRIBUTES.contains(&name.as_str()), "{name}");
        }
        assert_eq!(event["metadata"]["version"], "1.8.0");
        let activity = event["activity_id"].as_u64().unwrap();
        assert!(matches!(activity, 1..=4 | 99));
        assert_eq!(event["type_uid"], 600_300 + activity);
        assert!(event["time"].as_i64().unwrap() > 1_700_000_000_000);
        assert!(event["time"].is_i64() && event["severity_id"].is_u64());
    }
}

#[test]
fn events_say_what_was_decided() {
    let events = events(&place());
    let told = |at: usize| {
        let event: &Value = &events[at];
        let number = |name: &str| event[name].as_u64().unwrap();
        (number("activity_id"), number("action_id"), number("disposition_id"), number("status_id"))
    };
    assert_eq!(told(0), (99, 2, 2, 2), "forbidden");
    assert_eq!(told(1), (99, 1, 8, 1), "approved");
    assert_eq!(told(3), (99, 2, 25, 2), "denied");
    assert_eq!(told(6), (1, 0, 23, 0), "asked");
    assert_eq!(told(7), (99, 0, 17, 0), "a checkpoint");
    assert_eq!(events[1]["resources"][0]["uid"], ONE.to_string());
    assert_eq!(events[2]["status_code"], "101");
    assert_eq!(events[2]["duration"], 1500);
    assert_eq!(events[5]["dst_endpoint"]["hostname"], "a.example");
    assert_eq!(events[0]["actor"]["app_name"], "word-count");
}
