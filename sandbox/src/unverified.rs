//! Statements about rules of a system on which nobody has run this yet: macOS and Windows.

use crate::executor::Enforcement;

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

#[cfg(test)]
mod tests {
    use super::UNVERIFIED;
    use crate::executor::{Enforcement, Status};
    use crate::macos::{self, test_plans};
    use crate::windows;

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
