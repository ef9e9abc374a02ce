//! From a request to a proof that it may be done: what is kept, then a person, then the store again.
//!
//! Invariant: an [`Approved`] exists only after the store counted a use for exactly its request.

mod approved;

pub use approved::{Approved, How, Redeemed};

use crate::{Answer, ApprovalError, Approver, By, Claim, Lease, LeaseId, Prompt, Request, RunId};
use crate::{Store, StoreError};
use ringfence_capability::{Class, Diagnostic, Digest};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How often a person may be asked in vain by one plugin in one run: whoever is asked again and
/// again says yes in the end without reading.
const MAX_REFUSALS: u32 = 5;

/// Decides about requests of one run.
pub struct Broker<'a> {
    store: &'a Store,
    approver: &'a dyn Approver,
    run: &'a RunId,
    /// How often each plugin was refused by a person in this run.
    refusals: Mutex<BTreeMap<Digest, u32>>,
}

/// The outcome for one request, and what to write about it into the audit log.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Decision {
    /// The proof, or why there is none.
    pub outcome: Result<Approved, Denied>,
    /// What to write into the log before anything is done.
    pub event: Event,
}

/// What the audit log needs to know about a decision. It holds no text of the plugin's and no
/// argument.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The digest of the request.
    pub request: Digest,
    /// The digest of what it is about.
    pub subject: Digest,
    /// The capability, as text.
    pub capability: String,
    /// The plugin that asked; nothing for the operator.
    pub plugin: Option<Digest>,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The answer a person gave now, by name; nothing when nobody was asked or answered.
    pub answer: Option<&'static str>,
    /// The kept answer that decided or came of it.
    pub lease: Option<LeaseId>,
    /// Who gave the answer.
    pub by: Option<By>,
    /// The code of the refusal, such as `approval::denied`.
    pub code: Option<&'static str>,
}

/// Why a request was denied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// A person said no.
    #[error("a person denied request `{id}`")]
    ByPerson {
        /// The request.
        id: String,
        /// Whether it is denied from now on.
        kept: Option<LeaseId>,
    },
    /// A person said no once and for all.
    #[error("a person denied this for always, in `{lease}`")]
    Kept {
        /// The kept denial.
        lease: LeaseId,
    },
    /// A person said no to this plugin several times in this run, and is not asked again.
    #[error("a person refused this plugin {times} times in this run")]
    TooOften {
        /// How often.
        times: u32,
    },
    /// The request was used before.
    #[error("request `{id}` was used before")]
    Used {
        /// The request.
        id: String,
    },
    /// The request or its approval is too old.
    #[error("request `{id}` has expired")]
    Expired {
        /// The request.
        id: String,
    },
    /// What is about to be done is not what was approved.
    #[error("what was approved is not what is about to be done: the {what} is another")]
    Changed {
        /// What differs.
        what: &'static str,
    },
    /// Nobody said yes.
    #[error("nobody approved it")]
    Unanswered {
        /// Why not.
        #[source]
        source: ApprovalError,
    },
    /// What is kept cannot be used.
    #[error("kept approvals cannot be used, so nothing is approved")]
    Store {
        /// Why not.
        #[source]
        source: StoreError,
    },
}

impl<'a> Broker<'a> {
    /// Returns the broker of the run `run`.
    pub fn new(store: &'a Store, approver: &'a dyn Approver, run: &'a RunId) -> Self {
        Self { store, approver, run, refusals: Mutex::default() }
    }

    /// Decides about `request`: by what is kept, or by asking. Only then `prompt` is called for what
    /// the person gets to know beside the request.
    pub fn decide(&self, request: Request, prompt: impl FnOnce() -> Prompt) -> Decision {
        let mut event = Event::of(&request);
        let outcome = self.lease(&request, prompt, &mut event);
        event.allowed = outcome.is_ok();
        event.code = outcome.as_ref().err().map(Denied::code);
        let how = event.answer.map_or(How::Kept, |_| How::Asked);
        let outcome = outcome.map(|lease| Approved::new(request, how, &lease));
        Decision { outcome, event }
    }

    /// Returns the yes that was used for the request.
    fn lease(
        &self,
        request: &Request,
        prompt: impl FnOnce() -> Prompt,
        event: &mut Event,
    ) -> Result<Lease, Denied> {
        let claim = self.store.claim(request, self.run)?;
        if claim != Claim::Unknown {
            return judge(request, claim, event);
        }
        self.may_ask(event.plugin)?;
        let by = By::me(self.approver.channel());
        let answer = self.approver.ask(request, &prompt());
        if !answer.as_ref().is_ok_and(Answer::allows) {
            self.count_refusal(event.plugin);
        }
        let answer = answer.map_err(|source| self.unanswered(request, source))?;
        (event.answer, event.by) = (Some(answer.name()), Some(by));
        if answer.allows() {
            let claim = self.store.keep_and_claim(request, &answer, self.run, by)?;
            return judge(request, claim, event);
        }
        let kept = self.store.keep(request, &answer, Some(self.run), by)?.map(|lease| lease.id);
        event.lease.clone_from(&kept);
        Err(Denied::ByPerson { id: request.short_id().to_string(), kept })
    }

    fn may_ask(&self, plugin: Option<Digest>) -> Result<(), Denied> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        match plugin.and_then(|plugin| refusals.get(&plugin).copied()) {
            Some(times) if times >= MAX_REFUSALS => Err(Denied::TooOften { times }),
            _ => Ok(()),
        }
    }

    fn count_refusal(&self, plugin: Option<Digest>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plugin) = plugin {
            let times = refusals.entry(plugin).or_default();
            *times = times.saturating_add(1);
        }
    }

    /// Remembers a request that nobody could be asked about, so that the hint's command finds it.
    fn unanswered(&self, request: &Request, source: ApprovalError) -> Denied {
        if matches!(source, ApprovalError::NobodyToAsk { .. })
            && let Err(source) = self.store.remember(request)
        {
            return Denied::Store { source };
        }
        Denied::Unanswered { source }
    }
}

fn judge(request: &Request, claim: Claim, event: &mut Event) -> Result<Lease, Denied> {
    let id = || request.short_id().to_string();
    match claim {
        Claim::Allowed(lease) => {
            (event.lease, event.by) = (Some(lease.id.clone()), Some(lease.by));
            Ok(*lease)
        }
        Claim::Denied(lease) => {
            event.lease = Some(lease.clone());
            Err(Denied::Kept { lease })
        }
        Claim::Used => Err(Denied::Used { id: id() }),
        Claim::Expired => Err(Denied::Expired { id: id() }),
        Claim::Unknown => Err(Denied::ByPerson { id: id(), kept: None }),
    }
}

impl Event {
    fn of(request: &Request) -> Self {
        let plugin = match &request.parts().asker {
            crate::Asker::Plugin { digest, .. } => Some(*digest),
            crate::Asker::Operator => None,
        };
        Self {
            request: request.digest(),
            subject: request.subject(),
            capability: request.parts().capability.clone(),
            plugin,
            allowed: false,
            answer: None,
            lease: None,
            by: None,
            code: None,
        }
    }
}

impl std::fmt::Debug for Broker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broker").field("run", self.run).finish_non_exhaustive()
    }
}

impl From<StoreError> for Denied {
    fn from(source: StoreError) -> Self {
        Self::Store { source }
    }
}

impl Diagnostic for Denied {
    fn code(&self) -> &'static str {
        match self {
            Self::ByPerson { .. } => "approval::denied",
            Self::Kept { .. } => "approval::denied-always",
            Self::TooOften { .. } => "approval::refused-too-often",
            Self::Used { .. } => "approval::used",
            Self::Expired { .. } => "approval::expired",
            Self::Changed { .. } => "approval::changed",
            Self::Unanswered { source } => source.code(),
            Self::Store { source } => source.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Unanswered { source } => source.class(),
            Self::Store { source } => source.class(),
            Self::ByPerson { .. }
            | Self::Kept { .. }
            | Self::TooOften { .. }
            | Self::Used { .. }
            | Self::Expired { .. }
            | Self::Changed { .. } => Class::Refused,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Kept { lease } | Self::ByPerson { kept: Some(lease), .. } => Some(format!(
                "if it is no longer meant, run `ringfence approvals revoke {lease}`; then it is asked again"
            )),
            Self::Used { .. } | Self::Expired { .. } => {
                Some("run it again: each request is new, and is asked about anew".to_owned())
            }
            Self::TooOften { .. } => Some(
                "if what it asks for is intended, start it anew and answer with one of the words \
                 that hold for longer"
                    .to_owned(),
            ),
            Self::Changed { .. } => Some(
                "find out who changed it since it was approved; then run it again, which asks about \
                 what is there now"
                    .to_owned(),
            ),
            Self::Unanswered { source } => source.hint(),
            Self::Store { source } => source.hint(),
            Self::ByPerson { kept: None, .. } => None,
        }
    }
}
