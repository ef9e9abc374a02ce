//! What of a plan this system holds, rule by rule.

use crate::{Access, Enforcement, Network, SandboxPlan};

/// Returns the status of every rule. A plan whose mechanisms are missing does not start at all, so
/// what stands here is about plans that do.
pub(super) fn enforcement(plan: &SandboxPlan) -> Vec<Enforcement> {
    let mut rules = vec![Enforcement::enforced("nothing of the host's files but the plan's")];
    for rule in plan.files() {
        let path = rule.path.display();
        let rule_text = format!("{}: {path}", rule.access.phrase());
        rules.push(match rule.access {
            Access::Read | Access::Staged => Enforcement::enforced(rule_text),
            Access::Write => Enforcement::partial(
                rule_text,
                "a file that has another hard link elsewhere is written there too; staged writes \
                 hold that",
            ),
        });
    }
    if let Some(protected) = protected(plan) {
        rules.push(protected);
    }
    rules.push(Enforcement::enforced(match plan.network() {
        Network::Absent => "no network",
        Network::Proxy => "no network but the proxy of the host",
    }));
    rules.extend(
        [
            "no Unix sockets of the host, by path or by name",
            "only the named environment variables and standard descriptors",
            "no capability and none to be gained",
            "no other process of the host seen, signalled or read",
            "no new namespaces, mounts, tracing, keys, io_uring or kernel programs",
            "no set-user-id or set-group-id file is made",
            "the program is the one that was hashed",
            "nothing outlives the run, nor the host",
        ]
        .map(Enforcement::enforced),
    );
    rules.push(processes(plan));
    rules.push(Enforcement::enforced("file size, open files and scratch space are bounded"));
    rules.push(Enforcement::partial(
        "memory and processor time are bounded",
        "for each process, not for all of them together; shared memory is not counted",
    ));
    rules
}

fn protected(plan: &SandboxPlan) -> Option<Enforcement> {
    let rule = format!("protected names cannot be changed: {}", plan.protected().join(" "));
    let direct = plan.files().iter().any(|rule| rule.access == Access::Write);
    if plan.protected().is_empty() {
        return None;
    }
    Some(if direct {
        Enforcement::partial(
            rule,
            "one that does not exist yet can be made, and is moved aside when the program has ended; \
             another hard link to a file below one can be written; staged writes hold both",
        )
    } else if plan.is_staged() {
        // Inside the sandbox only the stage changes; the commit refuses these names.
        Enforcement::enforced(rule)
    } else {
        Enforcement::enforced("nothing in the workspace is written")
    })
}

fn processes(plan: &SandboxPlan) -> Enforcement {
    let rule = format!("at most {} processes", plan.limits().processes);
    // SAFETY: the call only returns a number.
    let root = unsafe { libc::getuid() } == 0;
    if !root {
        return Enforcement::enforced(rule);
    }
    if super::probe::bounds_pids() {
        Enforcement::partial(rule, "for root the bound is at least 301")
    } else {
        Enforcement::partial(rule, "this kernel counts no processes of root")
    }
}
