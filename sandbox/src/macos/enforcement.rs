//! What macOS holds of a plan, rule by rule, and what it does not.

use crate::executor::Enforcement;
use crate::plan::{Network, SandboxPlan};
use crate::unverified::{but, plain};

/// Returns each rule of a plan with its status on macOS.
pub(crate) fn enforcement(plan: &SandboxPlan) -> Vec<Enforcement> {
    let mut rules = vec![
        but("only named files are read", "kind and size of the directories above them are visible"),
        but(
            "files are written only where the plan says",
            "a hard link from before the run leads to its file wherever that lies",
        ),
    ];
    if !plan.protected().is_empty() {
        let what = "a hard link or a linked directory from before the run gets round the name";
        rules.push(but("protected names are not written", what));
    }
    if plan.is_staged() {
        rules.push(Enforcement::absent("writes are staged (the plan is refused)"));
    }
    rules.push(match plan.network() {
        Network::Absent => plain("there is no network"),
        Network::Proxy => but(
            "the network is the proxy alone",
            "the proxy listens on the loopback of the host, where other programs reach it too",
        ),
    });
    rules.extend([
        but("system services are a named list", "each answers for itself"),
        but(
            "the program that was approved runs",
            "it is started by path: hashed right before, it could be replaced in between; its own \
             name is its path",
        ),
        plain("the environment is the named variables"),
        plain("no other descriptor is inherited"),
        but(
            "nothing outlives the run",
            "a process that starts a session of its own is not killed, and nothing is killed when \
             the host is",
        ),
        but(
            "no input is typed into the terminal",
            "the program has no controlling terminal, which stops ordinary users but not root; \
             there is no job control",
        ),
        plain("processor time, file size and open files are limited"),
        but("processes are limited", "all processes of the user count"),
        Enforcement::absent("memory is limited"),
        Enforcement::absent("scratch space is private and limited"),
    ]);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::macos::test_plans;

    #[test]
    fn staging_protection_and_the_proxy_are_named_when_the_plan_has_them() {
        let says = |plan: &SandboxPlan, words: &str| {
            enforcement(plan).iter().any(|entry| entry.rule.contains(words))
        };
        let [reading, staging, fetching] = test_plans::every_kind();
        assert!(!says(&reading, "staged") && says(&reading, "no network"));
        assert!(says(&staging, "staged") && says(&staging, "protected names"));
        assert!(says(&fetching, "proxy alone") && !says(&fetching, "staged"));
    }
}
