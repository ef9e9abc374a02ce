//! What was given. A set of grants only ever shrinks.

use crate::{Capability, Kind, Origin};

/// One capability that was given, and the rule that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// What was given.
    pub capability: Capability,
    /// Where the deciding rule or answer is written.
    pub origin: Origin,
}

impl Grant {
    /// Returns a grant of `capability`, decided at `origin`.
    pub fn new(capability: Capability, origin: Origin) -> Self {
        Self { capability, origin }
    }
}

/// Everything one plugin run was given. There is no way to add to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GrantSet {
    grants: Vec<Grant>,
}

impl GrantSet {
    /// Returns the set of these grants, in a fixed order and each once.
    pub fn new(mut grants: Vec<Grant>) -> Self {
        grants.sort_by(|a, b| a.capability.cmp(&b.capability));
        grants.dedup_by(|a, b| a.capability == b.capability);
        Self { grants }
    }

    /// Returns the grants in their fixed order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// Returns the granted capabilities of one kind.
    pub fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Capability> {
        self.grants.iter().map(|grant| &grant.capability).filter(move |c| c.kind() == kind)
    }

    /// Tells whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// Tells whether one of the grants covers `capability`.
    pub fn allows(&self, capability: &Capability) -> bool {
        self.grants.iter().any(|grant| grant.capability.contains(capability))
    }

    /// Returns what both this set and `caller` allow: what a callee gets when the caller holds `caller`.
    #[must_use]
    pub fn attenuate(&self, caller: &Self) -> Self {
        let both = |mine: &Self, theirs: &Self| {
            let shared = mine.grants.iter().filter(|grant| theirs.allows(&grant.capability));
            shared.cloned().collect::<Vec<_>>()
        };
        let mut grants = both(self, caller);
        grants.extend(both(caller, self));
        Self::new(grants)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::{MethodClass, PathScope, Port};
    use proptest::prelude::*;

    fn capability() -> impl Strategy<Value = Capability> {
        let path = "(\\.|[ab](/[ab])?)";
        let host = "(\\*|(\\*\\.)?([ab]\\.)?org)";
        prop_oneof![
            path.prop_map(|p| Capability::FsRead(PathScope::workspace(&p, "/").unwrap())),
            path.prop_map(|p| Capability::FsWrite(PathScope::workspace(&p, "/").unwrap())),
            (host, any::<bool>()).prop_map(|(host, write)| Capability::Http {
                host: host.parse().unwrap(),
                port: Port::Default,
                methods: if write { MethodClass::Write } else { MethodClass::Read },
            }),
            "[AB]".prop_map(|name| Capability::Env(name.parse().unwrap())),
            "[ab]/([ab]|\\*)".prop_map(|tools| Capability::Mcp(tools.parse().unwrap())),
        ]
    }

    fn grants() -> impl Strategy<Value = GrantSet> {
        let grant = capability().prop_map(|c| Grant::new(c, Origin::BuiltIn));
        proptest::collection::vec(grant, 0..6).prop_map(GrantSet::new)
    }

    proptest! {
        #[test]
        fn attenuation_never_adds(callee in grants(), caller in grants(), wanted in capability()) {
            let both = callee.attenuate(&caller);
            if both.allows(&wanted) {
                prop_assert!(callee.allows(&wanted) && caller.allows(&wanted));
            }
        }

        #[test]
        fn attenuation_keeps_what_both_allow(callee in grants(), caller in grants()) {
            let both = callee.attenuate(&caller);
            for grant in callee.iter().filter(|grant| caller.allows(&grant.capability)) {
                prop_assert!(both.allows(&grant.capability));
            }
        }

        #[test]
        fn containing_is_transitive(a in capability(), b in capability(), c in capability()) {
            if a.contains(&b) && b.contains(&c) {
                prop_assert!(a.contains(&c));
            }
            prop_assert!(a.contains(&a));
        }
    }
}
