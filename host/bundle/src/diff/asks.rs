//! What a plugin asks for: capabilities, how secrets travel, limits, a profile.

use super::{About, Change, Direction, Side};
use crate::Form;
use crate::manifest::SecretUse;
use ringfence_capability::{
    Capability, Fidelity, Kind, Limit, Limits, Necessity, Profile, Request,
};

/// What a plugin without a manifest is taken to ask for: every language runtime expects it.
const OF_RUNTIMES: [Capability; 2] =
    [Capability::Clock(Fidelity::Real), Capability::Random(Fidelity::Real)];

impl<'a> Side<'a> {
    fn requests(&self) -> &'a [Request] {
        &self.plugin.manifest.requests
    }

    fn capabilities(&self) -> impl Iterator<Item = &'a Capability> {
        let bare = matches!(self.plugin.form, Form::BareComponent | Form::CoreModule);
        let runtime = const { &OF_RUNTIMES }.iter().filter(move |_| bare);
        self.requests().iter().map(|request| &request.capability).chain(runtime)
    }

    /// Tells whether a capability of one of these kinds is asked for.
    pub(super) fn asks(&self, kinds: &[Kind]) -> bool {
        self.capabilities().any(|capability| kinds.contains(&capability.kind()))
    }

    /// Tells whether one of the requests covers all of `wanted`. Several that do so only together
    /// are not looked for: that counts as asking for more.
    fn covers(&self, wanted: &Capability) -> bool {
        self.capabilities().any(|capability| capability.contains(wanted))
    }

    /// Returns the requests inside of `whole` as text.
    fn inside(&self, whole: &Capability) -> Option<String> {
        let inside = self.requests().iter().filter(|request| whole.contains(&request.capability));
        let texts: Vec<_> = inside.map(|request| text(&request.capability)).collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }
}

/// Adds each capability that only one of the two covers, and what else changed about the others.
pub(super) fn requests(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    for request in new.requests() {
        let capability = &request.capability;
        if !old.covers(capability) {
            let old = old.inside(capability);
            changes.push(Change { old, ..Change::wider(About::Request, text(capability)) });
        } else if let Some(was) = old.requests().iter().find(|was| as_wide(was, request)) {
            changes.extend(restated(was, request));
        }
    }
    let gone = old.requests().iter().filter(|request| !new.covers(&request.capability));
    for capability in gone.map(|request| &request.capability) {
        let new = new.inside(capability);
        changes.push(Change { new, ..Change::narrower(About::Request, text(capability)) });
    }
}

/// Tells whether two requests reach exactly the same.
fn as_wide(one: &Request, other: &Request) -> bool {
    let (one, other) = (&one.capability, &other.capability);
    one.contains(other) && other.contains(one)
}

/// Returns what changed about a request that reaches as much as before.
fn restated(old: &Request, new: &Request) -> Option<Change> {
    let state = |request: &Request| {
        let necessity = match request.necessity {
            Necessity::Required => "required",
            Necessity::Optional => "optional",
        };
        match &request.capability {
            Capability::FsRead(scope) | Capability::FsWrite(scope) => {
                format!("{necessity}, seen as {}", scope.guest())
            }
            _ => necessity.to_owned(),
        }
    };
    let (old, item) = (state(old), text(&new.capability));
    let new = state(new);
    let change = Change::new(About::Request, Direction::Neither, item);
    if old == new { None } else { Some(change.with(old, new)) }
}

/// Returns a capability as text, with the size that its usual text leaves out.
fn text(capability: &Capability) -> String {
    match capability {
        Capability::Kv { size_bytes, .. } => {
            format!("{capability} ({})", Limit::Memory.format(*size_bytes))
        }
        _ => capability.to_string(),
    }
}

/// Adds each secret that travels in another way: another header may be written down by whoever
/// receives it, so it counts as more. The hosts are requests of their own.
pub(super) fn secrets(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let (from, to) = (&old.plugin.manifest.secrets, &new.plugin.manifest.secrets);
    let way = |secret: &SecretUse| format!("{}: {}", secret.header, secret.format);
    let ways = |all: &[SecretUse], secret: &SecretUse| {
        let named = all.iter().filter(|other| other.name == secret.name);
        let ways: Vec<_> = named.map(way).collect();
        (!ways.is_empty()).then(|| ways.join(", "))
    };
    for secret in to.iter().filter(|secret| !travels(from, secret)) {
        let change = Change::wider(About::Secret, secret.name.to_string());
        changes.push(Change { old: ways(from, secret), new: Some(way(secret)), ..change });
    }
    for secret in from.iter().filter(|secret| !travels(to, secret)) {
        let change = Change::narrower(About::Secret, secret.name.to_string());
        changes.push(Change { old: Some(way(secret)), new: ways(to, secret), ..change });
    }
}

/// Tells whether each host that `secret` is for gets it from one of `all` in the same way.
fn travels(all: &[SecretUse], secret: &SecretUse) -> bool {
    let same = |other: &&SecretUse| {
        (&other.name, &other.header, &other.format)
            == (&secret.name, &secret.header, &secret.format)
    };
    secret.hosts.iter().all(|host| {
        all.iter().filter(same).any(|other| other.hosts.iter().any(|mine| mine.contains(host)))
    })
}

/// Adds each limit; one that is not stated is the default.
pub(super) fn limits(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let of = |side: &Side<'_>| side.plugin.manifest.limits.over(&Limits::default());
    let (from, to) = (of(old), of(new));
    for limit in Limit::ALL {
        let (old, new) = (from.of(*limit), to.of(*limit));
        let change = Change::new(About::Limit, Direction::from(&old, &new), limit.name());
        let change = change.with(limit.format(old), limit.format(new));
        changes.extend((old != new).then_some(change));
    }
}

/// Adds the profile it needs; one that is not stated is the least.
pub(super) fn profile(old: &Side<'_>, new: &Side<'_>, changes: &mut Vec<Change>) {
    let of = |side: &Side<'_>| side.plugin.manifest.needs_profile.unwrap_or_default();
    let (old, new): (Profile, Profile) = (of(old), of(new));
    let change = Change::new(About::Profile, Direction::from(&old, &new), About::Profile.name());
    changes.extend((old != new).then(|| change.with(old.name(), new.name())));
}
