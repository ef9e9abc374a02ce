//! Events of the Open Cybersecurity Schema Framework, version 1.8.0: class 6003, API Activity, with
//! the profile `security_control`.

use crate::entry::{Decision, Entry};
use crate::outcome::{How, Outcome};
use crate::record::Record;
use crate::target::Target;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The version of the schema.
const VERSION: &str = "1.8.0";
/// Category 6, Application Activity.
const CATEGORY: u64 = 6;
/// API Activity.
const CLASS: u64 = 6003;

/// Returns the event that says what `record` says. What the schema has no place for is in `unmapped`.
pub(super) fn event(record: &Record) -> Value {
    let entry = &record.entry;
    let (activity, activity_name) = activity(entry);
    let time: Option<Timestamp> = record.time.parse().ok();
    let plugin = entry.plugin.as_ref();
    let mut event = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "class_uid": CLASS,
        "type_uid": CLASS * 100 + activity,
        "time": time.map_or(0, Timestamp::as_millisecond),
        "severity_id": if entry.decision == Some(Decision::Forbid) { 2 } else { 1 },
        "metadata": metadata(record),
        "actor": { "app_name": plugin.map_or("ringfence", |plugin| plugin.name.as_str()) },
        "api": { "operation": entry.operation },
        "src_endpoint": { "svc_name": "ringfence" },
        "unmapped": unmapped(record),
    });
    if let Some(plugin) = plugin {
        event["actor"]["app_uid"] = json!(plugin.digest);
    }
    if let Some(request) = entry.request {
        event["api"]["request"] = json!({ "uid": request });
    }
    control(&mut event, entry);
    target(&mut event, entry);
    came_to(&mut event, entry);
    event
}

fn metadata(record: &Record) -> Value {
    let product = json!({
        "name": "ringfence",
        "vendor_name": "ringfence",
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut metadata = json!({
        "version": VERSION,
        "product": product,
        "profiles": ["security_control"],
        "log_name": "audit",
        "sequence": record.seq,
        "uid": record.hash,
        "original_time": record.time,
    });
    if let Some(run) = &record.entry.run {
        metadata["correlation_uid"] = json!(run);
    }
    metadata
}

/// Returns the activity by what the operation does to its target.
fn activity(entry: &Entry) -> (u64, String) {
    let operation = entry.operation.as_str();
    let last = operation.rsplit('.').next().unwrap_or_default();
    let what = match &entry.target {
        Some(Target::Request { method, .. }) => method.name(),
        _ => last,
    };
    let known = match what {
        "create" | "mkdir" | "link" | "symlink" => Some((1, "Create")),
        "read" | "get" | "list" | "stat" => Some((2, "Read")),
        "write" | "set" | "rename" | "truncate" => Some((3, "Update")),
        "delete" | "remove" | "unlink" | "rmdir" => Some((4, "Delete")),
        _ if operation.starts_with("fs.read") => Some((2, "Read")),
        _ if operation.starts_with("fs.write") => Some((3, "Update")),
        _ => None,
    };
    known.map_or((99, operation.to_owned()), |(id, name)| (id, name.to_owned()))
}

/// What was decided, in the attributes of `security_control`.
fn control(event: &mut Value, entry: &Entry) {
    let answer = entry.approval.as_ref().map(|approval| approval.how);
    let (action, disposition, status) = match (entry.decision, answer) {
        (_, Some(How::Denied | How::Expired)) => (2, 25, 2),
        (_, Some(How::Revoked)) => (2, 24, 1),
        (Some(Decision::Forbid), _) => (2, 2, 2),
        (Some(Decision::Prompt), None) => (0, 23, 0),
        (_, Some(_)) => (1, 8, 1),
        (Some(Decision::Allow), None) => (1, 1, 1),
        (None, None) => (0, 17, 0),
    };
    event["action_id"] = json!(action);
    event["disposition_id"] = json!(disposition);
    event["status_id"] = json!(status);
    if let Some(reason) = &entry.reason {
        event["message"] = json!(reason);
    }
    if let Some(layer) = &entry.layer {
        event["policy"] = json!({ "name": layer });
        if let Some(rule) = &entry.rule {
            event["policy"]["uid"] = json!(rule);
        }
    }
}

fn target(event: &mut Value, entry: &Entry) {
    let Some(target) = &entry.target else { return };
    let json = json!(target);
    let mut resource = json!({ "type": json["type"], "name": target.to_string() });
    match target {
        Target::Host { host, port } => {
            event["dst_endpoint"] = json!({ "hostname": host });
            if let Some(port) = port {
                event["dst_endpoint"]["port"] = json!(port);
            }
        }
        Target::Request { host, port, .. } => {
            event["dst_endpoint"] = json!({ "hostname": host, "port": port });
        }
        Target::Secret { host, .. } => event["dst_endpoint"] = json!({ "hostname": host }),
        Target::Program { executable: digest, .. } | Target::Digest { digest } => {
            resource["uid"] = json!(digest);
        }
        Target::GuestPath { .. } | Target::WorkspacePath { .. } | Target::Name { .. } => {}
    }
    event["resources"] = json!([resource]);
}

fn came_to(event: &mut Value, entry: &Entry) {
    let (duration, code) = match entry.outcome {
        Some(Outcome::Exited { code, usage }) => (usage.duration_ms, Some(code.to_string())),
        Some(Outcome::Killed { signal, usage }) => {
            (usage.duration_ms, Some(format!("signal {signal}")))
        }
        Some(Outcome::Requested { status, duration_ms, .. }) => {
            (duration_ms, status.map(|status| status.to_string()))
        }
        Some(Outcome::Staged { .. }) | None => return,
    };
    event["duration"] = json!(duration);
    if let Some(code) = code {
        event["status_code"] = json!(code);
    }
}

/// Returns the fields of the record that have no attribute of their own.
fn unmapped(record: &Record) -> Value {
    let all = json!(record);
    let names =
        ["target", "approval", "outcome", "dropped", "checkpoint", "continues", "pruned", "prev"];
    let mut rest: Map<_, _> = names
        .into_iter()
        .filter_map(|name| all.get(name).map(|value| (name.to_owned(), value.clone())))
        .collect();
    if let Some(signer) = record.entry.plugin.as_ref().and_then(|plugin| plugin.signer.as_ref()) {
        rest.insert("signer".to_owned(), json!(signer));
    }
    Value::Object(rest)
}
