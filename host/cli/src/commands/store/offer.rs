//! A bundle that could be installed: verified, compared with what is installed, and shown.

use ringfence::{Diagnostic as _, Explanation, Plugin};
use ringfence_audit::{Decision, Plugin as LoggedPlugin, Target};
use ringfence_bundle::archive::Sealed;
use ringfence_bundle::diff::{Diff, Side};
use ringfence_capability::{Limit, Necessity};
use ringfence_policy::Verdict;
use ringfence_store::{
    Asked, Candidate, Downgrade, Receipt, Signer, Source, Store, Succession, Terms,
};
use ringfence_trust::{TrustStore, danger};
use serde_json::{Value, json};

use super::{decided, room};
use crate::args::{Consent, Global};
use crate::commands::diff;
use crate::error::CliError;
use crate::places;

/// A verified bundle, and what it would take the place of.
pub(super) struct Offer {
    pub(super) sealed: Sealed,
    pub(super) plugin: Plugin,
    pub(super) source: Source,
    /// What is installed under its name.
    pub(super) receipt: Option<Receipt>,
    /// How it differs from that; none when nothing is installed, or it cannot be read.
    pub(super) diff: Option<Diff>,
    succession: Succession,
}

impl Offer {
    /// Verifies `sealed` for `operation` and compares it with what `store` has under its name. A refusal
    /// is written down.
    pub(super) fn new(
        sealed: Sealed,
        source: Source,
        operation: &str,
        store: &Store,
        global: &Global,
    ) -> Result<Self, CliError> {
        let trust = &places::trust(global)?;
        let verified = ringfence_trust::verify(sealed.clone(), trust, jiff::Timestamp::now());
        if let Err(error) = &verified {
            // Its manifest was not read, so its name is not known.
            let plugin = LoggedPlugin::new("unverified bundle", sealed.digest(), None);
            let entry = decided(operation, plugin, Decision::Forbid, error.code());
            places::record(global, entry.at(Target::name(&source.to_string())))?;
        }
        let plugin = Plugin::from(verified.map_err(room)?);
        let receipt = store.receipt(&plugin.manifest.name).map_err(room)?;
        let diff = match &receipt {
            Some(receipt) => against(receipt, &plugin, store)?,
            None => None,
        };
        let succession = succession(receipt.as_ref(), &plugin, trust);
        Ok(Self { sealed, plugin, source, receipt, diff, succession })
    }

    pub(super) fn name(&self) -> &str {
        &self.plugin.manifest.name
    }

    /// Returns the id of the key that signed it.
    pub(super) fn key(&self) -> Option<String> {
        self.plugin.signer().map(|signer| signer.key.to_string())
    }

    /// Tells whether exactly this is what the name stands for already.
    pub(super) fn is_current(&self) -> bool {
        let receipt = self.receipt.as_ref();
        receipt.is_some_and(|receipt| receipt.current == self.sealed.digest())
            && self.diff.as_ref().is_some_and(|diff| diff.changes().is_empty())
    }

    /// Returns the rules it is admitted under.
    pub(super) fn terms(&self, consent: &Consent) -> Terms {
        let downgrade =
            if consent.allow_downgrade { Downgrade::Allowed } else { Downgrade::Refused };
        Terms { downgrade, succession: self.succession }
    }

    pub(super) fn candidate(&self) -> Candidate<'_> {
        let manifest = &self.plugin.manifest;
        let limits = manifest.limits.iter();
        Candidate {
            bundle: &self.sealed,
            name: &manifest.name,
            version: &manifest.version,
            signer: self
                .plugin
                .signer()
                .map(|signer| Signer { key: signer.key.to_string(), name: signer.name.clone() }),
            source: self.source.clone(),
            time: jiff::Timestamp::now(),
            asked: Asked {
                requests: manifest.requests.iter().map(|r| r.capability.to_string()).collect(),
                limits: limits.map(|(limit, n)| format!("{limit}={}", limit.format(n))).collect(),
                needs_profile: manifest.needs_profile.map(|profile| profile.name().to_owned()),
            },
        }
    }

    /// Returns what it is and asks for, in lines.
    pub(super) fn lines(&self, profile: &str, global: &Global) -> Result<Vec<String>, CliError> {
        let manifest = &self.plugin.manifest;
        let mut lines =
            vec![format!("{} {}  {}", manifest.name, manifest.version, manifest.description)];
        lines.push(format!("  from      {}", self.source));
        lines.push(format!("  digest    {}", self.sealed.digest()));
        lines.push(match self.plugin.signer() {
            Some(signer) => {
                let most = self.plugin.cap();
                format!("  signed    by {} ({}), trusted up to `{most}`", signer.name, signer.key)
            }
            None => "  signed    no; it runs under at most `read-only`".to_owned(),
        });
        if let Some(needs) = manifest.needs_profile {
            lines.push(format!("  profile   it says it needs `{needs}`"));
        }
        lines.extend(self.verdicts(profile, global)?);
        let limits: Vec<_> = manifest.limits.iter().map(|(limit, n)| stated(limit, n)).collect();
        if !limits.is_empty() {
            lines.push(format!("  limits    {}", limits.join(", ")));
        }
        match (&self.receipt, &self.diff) {
            (Some(_), Some(diff)) => {
                lines.push("compared with what is installed:".to_owned());
                lines.extend(diff::as_text(diff).into_iter().map(|line| format!("  {line}")));
            }
            (Some(receipt), None) => lines.push(format!(
                "what is installed as `{}` cannot be read, so all of it counts as new",
                receipt.name
            )),
            (None, _) => {}
        }
        Ok(lines)
    }

    /// Returns what would be decided about each request under `profile`.
    fn verdicts(&self, profile: &str, global: &Global) -> Result<Vec<String>, CliError> {
        if self.plugin.manifest.requests.is_empty() {
            return Ok(vec!["  asks for  nothing".to_owned()]);
        }
        let host = places::host(global)?.looks_only().build()?;
        let options = ringfence::RunOptions { profile: profile.parse()?, ..Default::default() };
        let plan = host.plan(&self.plugin, &options)?;
        let mut lines = vec![format!("  asks for, and gets under `{}`:", plan.profile)];
        lines.extend(plan.verdicts.all.iter().map(verdict));
        Ok(lines)
    }

    /// Returns the same as programs read it.
    pub(super) fn as_json(&self) -> Value {
        let manifest = &self.plugin.manifest;
        let signer = self.plugin.signer();
        json!({
            "name": manifest.name,
            "version": manifest.version.to_string(),
            "digest": self.sealed.digest().to_string(),
            "source": self.source.to_string(),
            "signer": signer.map(|s| json!({ "key": s.key.to_string(), "name": s.name })),
            "requests": self.candidate().asked.requests,
            "installed-before": self.receipt.as_ref().and_then(Receipt::current).map(|old| {
                json!({ "version": old.version.to_string(), "digest": old.digest.to_string() })
            }),
            "diff": self.diff.as_ref().map(diff::changes_json),
        })
    }
}

fn verdict(explanation: &Explanation) -> String {
    let word = match explanation.verdict {
        Verdict::Allow => "allow ",
        Verdict::Prompt => "ask   ",
        Verdict::Forbid => "forbid",
    };
    let request = &explanation.request;
    let optional = if request.necessity == Necessity::Optional { " (optional)" } else { "" };
    format!("    {word}  {}{optional}  {}", request.capability, request.reason)
}

fn stated(limit: Limit, number: u64) -> String {
    format!("{limit} {}", limit.format(number))
}

/// Compares with the installed bundle. Its own signature does not matter for that: its content is
/// what a person agreed to, by its digest.
fn against(receipt: &Receipt, new: &Plugin, store: &Store) -> Result<Option<Diff>, CliError> {
    let Some(current) = receipt.current() else { return Ok(None) };
    let Ok(sealed) = store.read(&receipt.name, current) else { return Ok(None) };
    let Ok(old) = danger::unverified(sealed) else { return Ok(None) };
    let Ok(old_interface) = diff::interface(&old) else { return Ok(None) };
    let interface = diff::interface(new)?;
    let signer = new.signer().map(|signer| signer.key.to_string());
    let before = current.signer.as_ref().map(|signer| signer.key.as_str());
    let old = Side::new(&old, &old_interface, before);
    Ok(Some(Diff::between(&old, &Side::new(new, &interface, signer.as_deref()))))
}

/// Tells whether the key that signed `new` is known to follow the one the name belongs to.
fn succession(receipt: Option<&Receipt>, new: &Plugin, trust: &TrustStore) -> Succession {
    let owner = receipt.and_then(|receipt| receipt.owner.as_deref());
    let (Some(owner), Some(signer)) = (owner, new.signer()) else { return Succession::None };
    // What a statement of rotation leaves in the trust store; a workspace cannot write it.
    let statement = format!("comes after key {owner}, by its statement");
    let follows = |key: &ringfence_trust::TrustedKey| key.reason.as_ref() == Some(&statement);
    if trust.key(signer.key).is_some_and(follows) { Succession::Rotated } else { Succession::None }
}
