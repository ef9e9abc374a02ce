//! Finds configuration that would change nothing: a misspelt name in it must not pass for a rule.

use ringfence_bundle::nearest;
use ringfence_capability::{Capability, Grant, Kind, Origin};

use crate::{Plan, Plugin, RunError, RunOptions};

/// Returns an error for the first approval, secret or address range of this run that nothing the
/// plugin asks for could use.
pub(crate) fn flags(plan: &Plan, options: &RunOptions) -> Result<(), RunError> {
    if options.shared {
        return Ok(());
    }
    let asked = || plan.verdicts.all.iter().map(|explained| &explained.request.capability);
    for grant in &options.approved {
        // A capability given by a flag is a request as well.
        if let Origin::Flag(flag) = &grant.origin
            && flag.starts_with("--approve ")
            && !asked().any(|capability| touches(&grant.capability, capability))
        {
            let why = "the plugin asks for nothing that it covers";
            return Err(RunError::Unused { what: flag.clone(), why: why.to_owned() });
        }
    }
    for secret in options.secrets.keys() {
        let named = |asked: &Capability| matches!(asked, Capability::Secret { name, .. } if name.as_str() == secret);
        if !asked().any(named) {
            let why = "the plugin asks for no secret of this name".to_owned();
            return Err(RunError::Unused { what: format!("--secret {secret}"), why });
        }
    }
    let network = [Kind::HttpRead, Kind::HttpWrite, Kind::Socket, Kind::Exec];
    match options.addresses.first() {
        Some(range) if !asked().any(|capability| network.contains(&capability.kind())) => {
            let why = "the plugin asks for no network".to_owned();
            Err(RunError::Unused { what: format!("--allow-address {range}"), why })
        }
        _ => Ok(()),
    }
}

/// Returns an error for the first approval by a flag that touches nothing any of these plans is about.
pub(crate) fn approvals(plans: &[Plan], approved: &[Grant]) -> Result<(), RunError> {
    for grant in approved {
        let asked = |plan: &Plan| {
            let mut all = plan.verdicts.all.iter();
            all.any(|one| touches(&grant.capability, &one.request.capability))
        };
        if let Origin::Flag(flag) = &grant.origin
            && flag.starts_with("--approve ")
            && !plans.iter().any(asked)
        {
            let why = "no plugin of the run asks for anything that it covers".to_owned();
            return Err(RunError::Unused { what: flag.clone(), why });
        }
    }
    Ok(())
}

/// Tells whether an approval can matter for what is asked. A command is asked about again, narrower,
/// each time it is started; so is a protected file.
fn touches(approved: &Capability, asked: &Capability) -> bool {
    let exec = |capability: &Capability| capability.kind() == Kind::Exec;
    approved.contains(asked) || asked.contains(approved) || exec(approved) && exec(asked)
}

/// Returns an error for the first section of the manifest that is about nothing the component has.
/// `names` are the names of its functions, in every form.
pub(crate) fn manifest(plugin: &Plugin, names: &[String]) -> Result<(), RunError> {
    for tool in plugin.manifest.tools.keys() {
        if !names.contains(tool) {
            let why = match nearest(tool, names.iter().map(String::as_str)) {
                Some(name) => format!("the component exports no such function; it has `{name}`"),
                None => "the component exports no such function".to_owned(),
            };
            return Err(RunError::Unused { what: format!("[tool.{tool}]"), why });
        }
    }
    let unknown = |pattern: &&String| !ringfence_interfaces::offers(pattern);
    match plugin.manifest.stub_imports.iter().find(unknown) {
        Some(pattern) => {
            let why = "there is no such interface".to_owned();
            Err(RunError::Unused { what: format!("stub-imports `{pattern}`"), why })
        }
        None => Ok(()),
    }
}
