//! Statements about rules of a system on which nobody has run this yet: macOS and Windows.

use crate::executor::Enforcement;
use crate::plan::{PlanContext, ProcessLimits, SandboxPlan, WriteMode};
use ringfence_capability::{Capability, Grant, GrantSet, Origin, PathScope, Profile};
use std::path::PathBuf;

/// Begins every statement about a rule nobody has seen hold.
pub(crate) const UNVERIFIED: &str = "not verified on this system";

/// Returns a rule that is built to hold.
pub(crate) fn plain(rule: &str) -> Enforcement {
    Enforcement::partial(rule, UNVERIFIED)
}

/// Returns a rule that is built to hold but for `gap`.
pub(crate) fn but(rule: &str, gap: &str) -> Enforcement {
    Enforcement::partial(rule, format!("{UNVERIFIED}; {gap}"))
}

/// Returns what this system holds of a plan that writes its workspace, where nobody has verified its
/// sandbox; nothing where a battery attacks it, as on Linux.
pub fn unverified_rules() -> Vec<Enforcement> {
    example().map(|plan| of_this_system(&plan)).unwrap_or_default()
}

#[cfg(target_os = "macos")]
fn of_this_system(plan: &SandboxPlan) -> Vec<Enforcement> {
    crate::macos::enforcement::enforcement(plan)
}

#[cfg(windows)]
fn of_this_system(plan: &SandboxPlan) -> Vec<Enforcement> {
    crate::windows::enforcement::enforcement(plan)
}

#[cfg(not(any(windows, target_os = "macos")))]
fn of_this_system(_: &SandboxPlan) -> Vec<Enforcement> {
    Vec::new()
}

/// Returns a plan with a rule of each kind. Nothing of it has to be there.
fn example() -> Option<SandboxPlan> {
    let whole = || PathScope::workspace(".", "/").ok();
    let all = [Capability::FsRead(whole()?), Capability::FsWrite(whole()?)];
    let grants = GrantSet::new(all.map(|it| Grant::new(it, Origin::BuiltIn)).into());
    let workspace = PathBuf::from(if cfg!(windows) { r"C:\workspace" } else { "/workspace" });
    let context = PlanContext {
        profile: Profile::WorkspaceWrite,
        workspace: workspace.clone(),
        working_directory: workspace,
        protected: vec![".git".to_owned()],
        write: WriteMode::Direct,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    SandboxPlan::from_grants(&grants, &context).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{UNVERIFIED, example, unverified_rules};
    use crate::executor::{Enforcement, Status};
    use crate::macos::{self, test_plans};
    use crate::windows;

    #[test]
    fn what_nobody_verified_is_listed_where_nobody_did() {
        let plan = example().unwrap();
        assert!(!plan.protected().is_empty() && !plan.is_staged());
        assert_eq!(unverified_rules().is_empty(), cfg!(target_os = "linux"));
        for enforcement in [macos::enforcement::enforcement, windows::enforcement::enforcement] {
            assert!(enforcement(&plan).iter().all(|rule| !rule.is_verified()));
        }
    }

    #[test]
    fn no_rule_is_called_enforced_before_a_machine_has_shown_it() {
        for enforcement in [macos::enforcement::enforcement, windows::enforcement::enforcement] {
            for plan in test_plans::every_kind() {
                for Enforcement { rule, status } in enforcement(&plan) {
                    match status {
                        Status::Enforced => panic!("`{rule}` is not verified"),
                        Status::Partial(what) => assert!(what.starts_with(UNVERIFIED), "{rule}"),
                        Status::NotEnforced => {}
                    }
                }
            }
        }
    }
}
