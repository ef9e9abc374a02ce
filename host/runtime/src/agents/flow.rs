//! The flow rule: once a run has read from the network, what it changes outside itself needs a person.
//!
//! Whatever comes from the network may have been written to steer an agent. From the first request on,
//! every write to a file, every request that can change something, every socket, every native program and
//! every tool of an outside server that is not known to change nothing, of *any* agent or tool of the same
//! run, is asked about, also where the profile allows it. What an outside server says counts as read from
//! the network, whether or not it has any: nobody has vouched for it. The rule sits
//! where effects are recorded: what cannot be recorded does not happen, and neither does what is refused
//! here. It can be switched off by whoever sets up the host and by the policy of the machine, and by nothing
//! an agent can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringfence_capability::Kind;
use ringfence_interfaces::mcp::OutsideReach;
use ringfence_interfaces::{Effect, EffectSink, Effects, NotRecorded, Verdict};
use ringfence_policy::{AfterNetwork, Layer, LayerKind};

use crate::Host;

/// Asks a person whether this may be done although the run has read from the network. Blocks.
pub type FlowAsker = Arc<dyn Fn(&Effect) -> bool + Send + Sync>;

/// What happens when something is to be changed after the network was read.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "a host must choose one")]
pub enum FlowRule {
    /// A person is asked; without anyone to ask it is refused.
    Ask(Option<FlowAsker>),
    /// Nothing. Only for a host whose operator says so.
    Off,
}

impl Host {
    /// Returns the rule as the policy of the machine has it: `asker` is asked, unless that policy has the
    /// rule off. No other layer, no plan and no plugin has a say in it.
    pub fn flow_rule(&self, asker: Option<FlowAsker>) -> FlowRule {
        let of_machine = self.layers.iter().filter(|layer| layer.kind() == LayerKind::Host);
        let mut said = of_machine.filter_map(Layer::after_network).peekable();
        // What is not said is asked, and so is what two files do not agree on.
        if said.peek().is_some() && said.all(|said| said == AfterNetwork::Allow) {
            FlowRule::Off
        } else {
            FlowRule::Ask(asker)
        }
    }
}

/// What the runs that share it have read: those of a crew do, and others that [`Stdio::in_flow`] ties
/// together.
///
/// [`Stdio::in_flow`]: crate::Stdio::in_flow
pub struct Flow {
    rule: FlowRule,
    tainted: AtomicBool,
}

impl Flow {
    /// Returns one that has read nothing.
    pub fn new(rule: FlowRule) -> Self {
        Self { rule, tainted: AtomicBool::new(false) }
    }

    /// Tells whether the run has read from the network.
    pub fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::SeqCst)
    }

    /// Counts as having read from the network: what it was given came from there in an earlier run.
    pub(crate) fn taint(&self) {
        self.tainted.store(true, Ordering::SeqCst);
    }

    /// Returns a sink that holds effects to the rule before `inner` records them.
    /// Native programs that reach the network count as reading it from their start.
    pub(crate) fn guard(self: &Arc<Self>, inner: Effects, programs_reach_out: bool) -> Effects {
        Arc::new(Guarded { flow: Arc::clone(self), inner, programs_reach_out })
    }
}

/// What a refusal by the rule says.
const WHY: &str = "the run has read from the network, and nobody approved this change";

struct Guarded {
    flow: Arc<Flow>,
    inner: Effects,
    programs_reach_out: bool,
}

/// Tells whether an effect changes something outside the run.
fn changes(effect: &Effect) -> bool {
    matches!(effect.kind, Kind::FsWrite | Kind::Exec | Kind::Socket)
        || (effect.kind == Kind::HttpWrite && writes(&effect.operation))
        || (effect.kind == Kind::Mcp && effect.operation != OutsideReach::Reads.operation())
}

/// Tells whether a request can change something; one that only reads may be sent under a grant to write.
fn writes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Tells whether an effect lets in what others wrote.
fn reads_network(effect: &Effect) -> bool {
    matches!(effect.kind, Kind::HttpRead | Kind::HttpWrite | Kind::Socket | Kind::Mcp)
}

impl EffectSink for Guarded {
    fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
        // The end of something that was let through is no new effect.
        if effect.verdict != Verdict::Done || effect.moved.is_some() {
            return self.inner.record(effect);
        }
        if let FlowRule::Ask(asker) = &self.flow.rule
            && self.flow.is_tainted()
            && changes(&effect)
            && !asker.as_ref().is_some_and(|ask| ask(&effect))
        {
            let refused = Effect::refused(effect.kind, effect.operation, effect.target, WHY);
            // It is refused whether or not that could be recorded.
            let _ = self.inner.record(refused);
            return Err(NotRecorded::Refused(WHY));
        }
        let program = self.programs_reach_out && effect.kind == Kind::Exec;
        if reads_network(&effect) || program {
            // From the request on: what is sent next may answer to what this one brings.
            self.flow.taint();
        }
        self.inner.record(effect)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<Effect>>);

    impl EffectSink for Kept {
        fn record(&self, effect: Effect) -> Result<(), NotRecorded> {
            self.0.lock().unwrap().push(effect);
            Ok(())
        }
    }

    fn done(kind: Kind, operation: &str) -> Effect {
        Effect::done(kind, operation, "x")
    }

    /// Returns whether each effect is let through, one after the other.
    fn check(rule: FlowRule, effects: &[(Kind, &str)]) -> Vec<bool> {
        let flow = Arc::new(Flow::new(rule));
        // Two sinks of one run: what one reads counts for the other.
        let kept = Arc::new(Kept::default());
        let sinks =
            [flow.guard(Arc::clone(&kept) as Effects, false), flow.guard(kept.clone(), false)];
        let outcome = |(n, (kind, operation)): (usize, &(Kind, &str))| {
            sinks[n % 2].record(done(*kind, operation)).is_ok()
        };
        let passed = effects.iter().enumerate().map(outcome).collect();
        assert_eq!(kept.0.lock().unwrap().len(), effects.len(), "refusals are recorded too");
        passed
    }

    const INJECTED: [(Kind, &str); 10] = [
        (Kind::FsWrite, "create"),
        (Kind::HttpRead, "GET"),
        (Kind::FsWrite, "create"),
        (Kind::Exec, "run"),
        (Kind::HttpWrite, "POST"),
        (Kind::HttpWrite, "GET"),
        (Kind::Socket, "connect"),
        (Kind::FsRead, "open"),
        (Kind::Mcp, "change"),
        (Kind::Mcp, "read"),
    ];

    #[test]
    fn after_the_network_was_read_every_change_needs_a_person() {
        let refused = [true, true, false, false, false, true, false, true, false, true];
        assert_eq!(check(FlowRule::Ask(None), &INJECTED), refused);
        let no: FlowAsker = Arc::new(|_| false);
        assert_eq!(check(FlowRule::Ask(Some(no)), &INJECTED), refused);
        let yes: FlowAsker = Arc::new(|_| true);
        assert_eq!(check(FlowRule::Ask(Some(yes)), &INJECTED), [true; 10]);
    }

    #[test]
    fn a_native_program_that_reaches_the_network_reads_it_and_one_that_does_not_does_not() {
        for reaches in [true, false] {
            let flow = Arc::new(Flow::new(FlowRule::Ask(None)));
            let sink = flow.guard(Arc::new(Kept::default()), reaches);
            assert!(sink.record(done(Kind::Exec, "run")).is_ok(), "the first is the approver's");
            let wrote = sink.record(done(Kind::FsWrite, "create"));
            assert_eq!(wrote == Err(NotRecorded::Refused(WHY)), reaches);
        }
    }

    #[test]
    fn with_the_rule_off_the_same_changes_are_made() {
        assert_eq!(check(FlowRule::Off, &INJECTED), [true; 10]);
    }

    #[test]
    fn only_the_policy_of_the_machine_has_the_rule_off() {
        let layer = |kind, said: &str| {
            let text = format!("[flow]\nafter-network = {said:?}\nreason = \"r\"\n");
            Layer::parse(kind, "policy.toml", &text)
        };
        let rule = |layers: &[&str]| {
            let mut builder = Host::builder().looks_only();
            for said in layers {
                builder = builder.layer(layer(LayerKind::Host, said).unwrap());
            }
            matches!(builder.build().unwrap().flow_rule(None), FlowRule::Off)
        };
        assert_eq!([rule(&[]), rule(&["ask"]), rule(&["allow"])], [false, false, true]);
        assert!(!rule(&["allow", "ask"]), "the stricter of two");
        assert!(layer(LayerKind::Workspace, "allow").is_err());
    }

    #[test]
    fn what_an_outside_server_says_counts_as_read_from_the_network() {
        let effects = [(Kind::FsWrite, "create"), (Kind::Mcp, "read"), (Kind::FsWrite, "create")];
        assert_eq!(check(FlowRule::Ask(None), &effects), [true, true, false]);
        assert_eq!(check(FlowRule::Off, &effects), [true; 3]);
    }
}
