//! The smallest program that embeds ringfence: opens a plugin, shows what was decided about its
//! requests, calls one function with JSON and prints the result.
//!
//!     minimal plugins/tools/text-search search '{"pattern":"fn main"}'
//!
//! `docs/guides/embedding.md` walks through it.
#![allow(clippy::disallowed_methods, reason = "an example is a program: it reads its arguments")]
#![forbid(unsafe_code)]

use std::error::Error;
use std::io::Write as _;

use ringfence::{CallResult, Diagnostic as _, Host, Profile, RunError, RunOptions, Stdio};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [plugin, function, input] = &arguments[..] else {
        return Err("usage: minimal PLUGIN FUNCTION JSON".into());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let input = serde_json::from_str(input)?;
    let answer = runtime.block_on(call(plugin, function, &input));
    match answer {
        Ok(CallResult::Ok(value)) => writeln!(std::io::stdout(), "{value}")?,
        Ok(CallResult::Err(value)) => return Err(format!("the plugin failed: {value}").into()),
        Err(error) => {
            // Every error of the library has a stable code and, mostly, a hint.
            let hint = error.hint().unwrap_or_default();
            return Err(format!("[{}] {error}; {hint}", error.code()).into());
        }
    }
    Ok(())
}

async fn call(
    plugin: &str,
    function: &str,
    input: &serde_json::Value,
) -> Result<CallResult, RunError> {
    // One host for the whole program. Without `state` nothing is logged, without `cache` compiled
    // code is not kept: a real program sets both, outside every workspace.
    let host = Host::builder().workspace(".").build()?;
    let plugin = host.open(plugin)?;
    // The default profile is `Offline`; no flag of a person stands behind anything more here.
    let options = RunOptions { profile: Profile::ReadOnly, ..RunOptions::default() };
    for decided in &host.plan(&plugin, &options)?.verdicts.all {
        let capability = &decided.request.capability;
        let _ = writeln!(std::io::stderr(), "{:?} {capability}", decided.verdict);
    }
    // Decides, links exactly what was granted, and fails with the first required request that was not.
    let prepared = host.prepare(&plugin, options)?;
    Ok(prepared.call(function, input, Stdio::captured()).await?.result)
}
