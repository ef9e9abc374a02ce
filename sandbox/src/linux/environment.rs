//! The variables a program gets: the ones of the command that the plan names, a few that every
//! program expects, and where the proxy is.

use super::PROXY_PORT;
use super::danger::{Protection, Without};
use crate::{Network, SandboxError, SandboxPlan};
use std::ffi::{OsStr, OsString};

/// What a program gets when the command says nothing about it.
const DEFAULTS: [(&str, &str); 4] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/tmp"),
    ("TMPDIR", "/tmp"),
    ("LANG", "C.UTF-8"),
];

/// The names under which programs look for a proxy.
const PROXY: [&str; 5] = ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"];

/// Returns the variables of the program.
pub(super) fn made(
    plan: &SandboxPlan,
    given: Vec<(OsString, OsString)>,
    without: Without,
) -> Result<Vec<(OsString, OsString)>, SandboxError> {
    for (name, _) in &given {
        check(plan, name, without)?;
    }
    let mut variables = given;
    for (name, value) in DEFAULTS {
        if !variables.iter().any(|(given, _)| given == name) {
            variables.push((name.into(), value.into()));
        }
    }
    if plan.network() == Network::Proxy {
        let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
        variables.retain(|(name, _)| !PROXY.iter().any(|own| name == own));
        variables.extend(PROXY.map(|name| (name.into(), OsString::from(&proxy))));
        // The loopback address is the sandbox's own: nothing of the host is there.
        for name in ["NO_PROXY", "no_proxy"] {
            variables.retain(|(given, _)| given != name);
            variables.push((name.into(), "localhost,127.0.0.1,::1".into()));
        }
    }
    Ok(variables)
}

fn check(plan: &SandboxPlan, name: &OsStr, without: Without) -> Result<(), SandboxError> {
    let named = name.to_str().is_some_and(|name| plan.environment().iter().any(|one| one == name));
    if named || without.has(Protection::Environment) {
        return Ok(());
    }
    Err(SandboxError::Environment { name: name.to_string_lossy().into_owned() })
}
