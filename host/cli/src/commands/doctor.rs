//! `doctor`: tries what ringfence needs on this machine and says what works.

use ringfence::attacked::Standing;
use serde_json::json;

use crate::args::Global;
use crate::places;
use crate::print::{Printer, visible};

/// A small component, `add: func(a: u32, b: u32) -> u32`; a test says it is what its text says.
const PROBE: &[u8] = b"\x00asm\x0d\x00\x01\x00\x01\x34\x00asm\x01\x00\
\x00\x00\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\x00\x07\
\x07\x01\x03add\x00\x00\x0a\x09\x01\x07\x00\x20\x00\x20\
\x01\x6a\x0b\x00\x09\x04name\x00\x02\x01m\x02\x04\
\x01\x00\x00\x00\x07\x0b\x01\x40\x02\x01\x61y\x01\x62y\x00\
\x79\x06\x09\x01\x00\x00\x01\x00\x03add\x08\x06\x01\x00\
\x00\x00\x00\x00\x0b\x09\x01\x00\x03add\x01\x00\x00\x00\
\x1f\x0ecomponent-name\
\x01\x06\x00\x11\x01\x00\x01m\x01\x06\x00\x12\x01\x00\x01i";

struct Check {
    name: &'static str,
    result: Result<String, String>,
    required: bool,
}

/// `ringfence doctor`. Ends with 0 when everything required works, else with 70.
pub(crate) fn doctor(global: &Global, printer: &Printer) -> u8 {
    let checks = [
        Check { name: "engine", result: engine(), required: true },
        Check { name: "state directory", result: state(global), required: true },
        Check { name: "cache of compiled code", result: cache(global), required: false },
        Check { name: "policy files", result: policies(global), required: true },
        Check { name: "native sandbox", result: native(global), required: false },
    ];
    let ok = checks.iter().all(|check| check.result.is_ok() || !check.required);
    if printer.is_json() {
        let rows = checks.iter().map(|check| {
            let (works, detail) = match &check.result {
                Ok(detail) => (true, detail),
                Err(detail) => (false, detail),
            };
            json!({ "name": check.name, "works": works, "required": check.required, "detail": detail })
        });
        printer.value(&json!({ "ok": ok, "checks": rows.collect::<Vec<_>>() }));
    } else {
        for check in &checks {
            let (mark, detail) = match &check.result {
                Ok(detail) => ("ok  ", detail),
                Err(detail) if check.required => ("FAIL", detail),
                Err(detail) => ("--  ", detail),
            };
            printer.line(&visible(&format!("{mark}  {:<24} {detail}", check.name)));
        }
    }
    if ok { 0 } else { 70 }
}

/// Compiles and runs a component, so that an engine that only starts is not called working.
fn engine() -> Result<String, String> {
    let host = ringfence::Host::builder().build().map_err(|error| whole(&error))?;
    let plugin =
        ringfence::Host::open_bytes(PROBE.to_vec(), "probe").map_err(|error| whole(&error))?;
    let prepared =
        host.prepare(&plugin, ringfence::RunOptions::default()).map_err(|error| whole(&error))?;
    let input = json!({ "a": 2, "b": 3 });
    let call = prepared.call("add", &input, ringfence::Stdio::captured());
    let done = super::run::block_on(&prepared, call).map_err(|error| whole(&error))?;
    match done.map_err(|error| whole(&error))?.result {
        ringfence::CallResult::Ok(sum) if sum == json!(5) => {
            Ok("compiled and ran a component".to_owned())
        }
        other => Err(format!("2 + 3 gave {other:?}")),
    }
}

/// Returns an error with what is behind it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn state(global: &Global) -> Result<String, String> {
    let path = places::state(global).map_err(|error| whole(&error))?;
    let host = ringfence::Host::builder().state(&path).build();
    host.map(|_| path.display().to_string()).map_err(|error| whole(&error))
}

fn cache(global: &Global) -> Result<String, String> {
    let Some(path) = places::cache(global).map_err(|error| whole(&error))? else {
        return Err("switched off with `--no-cache`: every run compiles".to_owned());
    };
    let host = ringfence::Host::builder().cache(&path).build().map_err(|error| whole(&error))?;
    let stats = host.cache_stats();
    Ok(format!("{}: {} components, {} MiB", path.display(), stats.entries, stats.size_bytes >> 20))
}

/// Tries every mechanism of the native sandbox, and says what the last attacks are worth.
fn native(global: &Global) -> Result<String, String> {
    let probed = ringfence::sandbox::probe();
    let missing: Vec<_> = probed
        .iter()
        .filter_map(|one| {
            let (step, source) = one.missing.as_ref()?;
            Some(format!("{} ({step}: {source})", one.feature))
        })
        .collect();
    if !missing.is_empty() {
        return Err(format!("`exec` is refused, because this is missing: {}", missing.join(", ")));
    }
    let state = places::state(global).map_err(|error| whole(&error))?;
    match ringfence::attacked::standing(&state) {
        Standing::NotAttacked => {
            Ok("every mechanism works; not attacked yet: `ringfence doctor --attack`".to_owned())
        }
        Standing::Held => Ok("every mechanism works, and every attack was held".to_owned()),
        Standing::Failed(profiles) => {
            let names: Vec<_> = profiles.iter().map(|one| one.name()).collect();
            Err(format!("attacks escaped; these profiles are not offered: {}", names.join(", ")))
        }
    }
}

fn policies(global: &Global) -> Result<String, String> {
    let layers = places::policies(global).map_err(|error| whole(&error))?;
    let files: Vec<_> = layers.iter().map(ringfence_policy::Layer::file).collect();
    if files.is_empty() {
        Ok("none; the profile alone decides".to_owned())
    } else {
        Ok(files.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    #[test]
    fn the_probe_is_what_its_text_says() {
        let text = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;
        assert_eq!(super::PROBE, wat::parse_str(text).unwrap());
    }
}
