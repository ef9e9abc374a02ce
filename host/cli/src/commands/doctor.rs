//! `doctor`: tries what ringfence needs on this machine and says what works.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use ringfence::Diagnostic;
use ringfence::attacked::Standing;
use ringfence::sandbox::{Enforcement, Probed, Status};
use serde_json::json;

use crate::args::Global;
use crate::places;
use crate::print::{Printer, visible};

/// How far what belongs to a check stands from the left.
const INDENT: usize = 31;
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
    result: Result<String, Failed>,
    required: bool,
}

/// What does not work, and what to do about it.
#[derive(Debug)]
struct Failed {
    detail: String,
    fixes: Vec<String>,
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
            let (works, detail, fixes) = match &check.result {
                Ok(detail) => (true, detail, &[][..]),
                Err(failed) => (false, &failed.detail, &failed.fixes[..]),
            };
            json!({
                "name": check.name,
                "works": works,
                "required": check.required,
                "detail": detail,
                "fixes": fixes,
            })
        });
        printer.value(&json!({ "ok": ok, "checks": rows.collect::<Vec<_>>() }));
    } else {
        for check in &checks {
            let (mark, detail, fixes) = match &check.result {
                Ok(detail) => ("ok  ", detail, &[][..]),
                Err(failed) if check.required => ("FAIL", &failed.detail, &failed.fixes[..]),
                Err(failed) => ("--  ", &failed.detail, &failed.fixes[..]),
            };
            let detail = detail.replace('\n', &format!("\n{:INDENT$}", ""));
            printer.line(&visible(&format!("{mark}  {:<24} {detail}", check.name)));
            for fix in fixes {
                printer.line(&visible(&format!("{:INDENT$}fix: {fix}", "")));
            }
        }
        printer.line(&verdict(&checks));
    }
    if ok { 0 } else { 70 }
}

/// Returns in one sentence what all of it means.
fn verdict(checks: &[Check]) -> String {
    let broken = |required| {
        let all = checks.iter().filter(|check| check.result.is_err() && check.required == required);
        all.map(|check| check.name).collect::<Vec<_>>().join(", ")
    };
    match (broken(true), broken(false)) {
        (none, also) if none.is_empty() && also.is_empty() => "\neverything works".to_owned(),
        (none, also) if none.is_empty() => format!("\nplugins run; this does not work: {also}"),
        (required, _) => format!("\nnothing can run until this works: {required}"),
    }
}

/// Compiles and runs a component, so that an engine that only starts is not called working.
fn engine() -> Result<String, Failed> {
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
        other => Err(Failed::without_fix(format!("2 + 3 gave {other:?}"))),
    }
}

/// Returns an error with what is behind it and its hint.
fn whole(error: &dyn Diagnostic) -> Failed {
    let detail = ringfence_capability::with_causes(error);
    Failed { detail, fixes: error.hint().into_iter().collect() }
}

impl Failed {
    fn without_fix(detail: String) -> Self {
        Self { detail, fixes: Vec::new() }
    }
}

fn state(global: &Global) -> Result<String, Failed> {
    let path = places::state(global).map_err(|error| whole(&error))?;
    let host = ringfence::Host::builder().state(&path).build();
    host.map(|_| path.display().to_string()).map_err(|error| whole(&error))
}

fn cache(global: &Global) -> Result<String, Failed> {
    let Some(path) = places::cache(global).map_err(|error| whole(&error))? else {
        let detail = "switched off with `--no-cache`: every run compiles";
        return Err(Failed::without_fix(detail.to_owned()));
    };
    let host = ringfence::Host::builder().cache(&path).build().map_err(|error| whole(&error))?;
    let stats = host.cache_stats();
    Ok(format!("{}: {} components, {} MiB", path.display(), stats.entries, stats.size_bytes >> 20))
}

/// Tries every mechanism of the native sandbox, and says what the last attacks are worth.
fn native(global: &Global) -> Result<String, Failed> {
    let rules = ringfence::sandbox::unverified_rules();
    if !rules.is_empty() {
        return Err(unverified(&rules));
    }
    let probed = ringfence::sandbox::probe();
    if probed.iter().any(|one| one.missing.is_some()) {
        return Err(missing(&probed));
    }
    let state = places::state(global).map_err(|error| whole(&error))?;
    match ringfence::attacked::standing(&state) {
        Standing::NotAttacked => {
            Ok("every mechanism works; not attacked yet: `ringfence doctor --attack`".to_owned())
        }
        Standing::Held => Ok("every mechanism works, and every attack was held".to_owned()),
        Standing::Failed(profiles) => {
            let names: Vec<_> = profiles.iter().map(|one| one.name()).collect();
            let names = names.join(", ");
            Err(Failed {
                detail: format!("attacks escaped; these profiles are not offered: {names}"),
                fixes: vec![
                    "`ringfence doctor --attack` says what escaped and attacks again; until it holds, \
                     nothing runs in these profiles"
                        .to_owned(),
                ],
            })
        }
    }
}

/// Says what is missing, each with what can be done about it. What could not be tried, because it
/// needs what is missing, is only counted.
fn missing(probed: &[Probed]) -> Failed {
    let (mut names, mut fixes, mut untried) = (Vec::new(), BTreeSet::new(), 0_usize);
    for one in probed {
        match &one.missing {
            Some((_, source)) if source.kind() == ErrorKind::Interrupted => untried += 1,
            Some((step, source)) => {
                names.push(format!("{} ({step}: {source})", one.feature));
                fixes.insert(format!("{}: {}", one.feature, one.feature.remedy()));
            }
            None => {}
        }
    }
    let rest = if untried > 0 { format!("; {untried} more were not tried") } else { String::new() };
    let detail = format!(
        "`ringfence exec` will start nothing here, because this is missing: {}{rest}",
        names.join(", ")
    );
    Failed { detail, fixes: fixes.into_iter().collect() }
}

/// Says rule by rule what the sandbox of a system is worth on which nobody has verified it.
fn unverified(rules: &[Enforcement]) -> Failed {
    let mut detail =
        "not verified on this system: nobody has seen these rules of `ringfence exec` hold"
            .to_owned();
    for rule in rules {
        let status = match &rule.status {
            Status::Enforced => "held".to_owned(),
            Status::Partial(what) => what.clone(),
            Status::NotEnforced => "NOT held".to_owned(),
        };
        detail.extend(["\n", &rule.rule, ": ", &status]);
    }
    let fix = "run native programs on Linux, or approve only those you would run without a sandbox";
    Failed { detail, fixes: vec![fix.to_owned()] }
}

fn policies(global: &Global) -> Result<String, Failed> {
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
    use super::{Enforcement, missing, unverified};

    #[test]
    fn what_nobody_verified_is_said_rule_by_rule() {
        let failed = unverified(&[
            Enforcement::partial("files are read", "not verified on this system; links"),
            Enforcement::absent("memory is limited"),
        ]);
        assert!(failed.detail.contains("\nfiles are read: not verified on this system; links"));
        assert!(failed.detail.contains("\nmemory is limited: NOT held"));
        assert_eq!(failed.fixes.len(), 1);
    }

    #[test]
    fn what_works_is_neither_missing_nor_has_a_fix() {
        let mut probed = ringfence::sandbox::probe();
        probed.retain(|one| one.missing.is_none());
        assert!(missing(&probed).fixes.is_empty());
    }

    #[test]
    fn the_probe_is_what_its_text_says() {
        let text = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;
        assert_eq!(super::PROBE, wat::parse_str(text).unwrap());
    }
}
