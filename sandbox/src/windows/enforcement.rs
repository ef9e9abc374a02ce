//! What Windows holds of a plan, rule by rule, and what it does not.

use super::container::{Kind, kind};
use crate::executor::Enforcement;
use crate::plan::{Access, Network, SandboxPlan};
use crate::unverified::{but, plain};

/// Returns each rule of a plan with its status on Windows.
pub(crate) fn enforcement(plan: &SandboxPlan) -> Vec<Enforcement> {
    let open = match kind(plan.profile()) {
        Kind::LessPrivileged => "files open to every restricted package are read as well",
        Kind::Ordinary => "files open to every package are read as well",
    };
    let mut rules = vec![
        but("only named files are read", open),
        but(
            "files are written only where the plan says",
            "an entry stays in the access list when the host is killed; its identifier is never \
             used again",
        ),
    ];
    let writes = plan.files().iter().any(|rule| rule.access == Access::Write);
    if !plan.protected().is_empty() && writes {
        rules.push(Enforcement::absent("protected names are not written (the plan is refused)"));
    }
    if plan.is_staged() {
        rules.push(Enforcement::absent("writes are staged (the plan is refused)"));
    }
    rules.push(match plan.network() {
        Network::Absent => but("there is no network", "by the absence of a capability"),
        Network::Proxy => {
            Enforcement::absent("the network is the proxy alone (the plan is refused)")
        }
    });
    rules.extend([
        but(
            "the program that was approved runs",
            "it is started by path, while a handle forbids to write, rename or delete it",
        ),
        but(
            "the environment is the named variables",
            "and `SystemRoot` and `windir`, without which libraries do not start",
        ),
        plain("no other handle is inherited"),
        plain("nothing outlives the run"),
        plain("the clipboard, the desktop and other windows are out of reach"),
        plain("no privilege of an administrator is held"),
        plain("processor time and memory are limited"),
        but("processes are limited", "threads are not counted"),
        Enforcement::absent("file size and open files are limited"),
        Enforcement::absent("scratch space is private and limited"),
    ]);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::macos::test_plans;

    #[test]
    fn what_is_refused_is_named_as_not_enforced() {
        let refused = |plan: &SandboxPlan| -> Vec<String> {
            let all = enforcement(plan).into_iter();
            let refused = all.filter(|entry| entry.rule.ends_with("(the plan is refused)"));
            refused.map(|entry| entry.rule).collect()
        };
        let [reading, staging, fetching] = test_plans::every_kind();
        assert_eq!(refused(&reading), [""; 0]);
        assert_eq!(refused(&staging), ["writes are staged (the plan is refused)"]);
        assert_eq!(refused(&fetching), ["the network is the proxy alone (the plan is refused)"]);
    }
}
