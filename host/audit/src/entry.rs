//! What is written about one decision or effect, made safe to print and free of personal names.

use crate::outcome::{Approval, Outcome};
use crate::own::{Checkpoint, Continues, Pruned};
use crate::target::{Target, file_name, neutral};
use ringfence_capability::{Capability, Digest, Origin};
use serde::{Deserialize, Serialize};

/// One decision or effect, before it has a place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entry {
    /// The run it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
    /// The plugin it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin: Option<Plugin>,
    /// What was asked or done, such as `fs.read` or `http.request`.
    pub operation: String,
    /// What it was asked of or done to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Target>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decision: Option<Decision>,
    /// The policy layer that decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<String>,
    /// The rule that decided: the name of its file, without directories, and the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The digest of the exact request that was decided.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<Digest>,
    /// How it was approved, or that it was not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<Approval>,
    /// What it came to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// How many bytes of a half-written record a `recovered` record stands for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dropped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) checkpoint: Option<Checkpoint>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) continues: Option<Continues>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) pruned: Option<Pruned>,
}

/// The plugin a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// The digest of its bundle or component.
    pub digest: Digest,
    /// The key that signed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signer: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(clippy::exhaustive_enums, reason = "the same three verdicts that policy has")]
pub enum Decision {
    /// It may be done, or was done.
    Allow,
    /// A person has to be asked.
    Prompt,
    /// It may not be done.
    Forbid,
}

impl Entry {
    /// Returns the entry about `operation`, such as `fs.read`.
    pub fn new(operation: &str) -> Self {
        Self {
            run: None,
            plugin: None,
            operation: neutral(operation),
            target: None,
            decision: None,
            layer: None,
            rule: None,
            reason: None,
            request: None,
            approval: None,
            outcome: None,
            dropped: None,
            checkpoint: None,
            continues: None,
            pruned: None,
        }
    }

    /// Returns the entry about what was decided on `capability`.
    pub fn about(capability: &Capability, decision: Decision) -> Self {
        let target = Some(Target::of(capability));
        Self { target, decision: Some(decision), ..Self::new(capability.kind().name()) }
    }

    /// Returns the same entry, belonging to `run`.
    #[must_use]
    pub fn in_run(self, run: &str) -> Self {
        Self { run: Some(neutral(run)), ..self }
    }

    /// Returns the same entry, about `plugin`.
    #[must_use]
    pub fn by_plugin(self, plugin: Plugin) -> Self {
        Self { plugin: Some(plugin), ..self }
    }

    /// Returns the same entry, about `target`.
    #[must_use]
    pub fn at(self, target: Target) -> Self {
        Self { target: Some(target), ..self }
    }

    /// Returns the same entry, decided so by `layer`, by the rule at `origin`, for `reason`. Of a
    /// file's path only the last part is written.
    #[must_use]
    pub fn decided(self, decision: Decision, layer: &str, origin: &Origin, reason: &str) -> Self {
        let rule = match origin {
            Origin::File { path, line } => format!("{}:{line}", file_name(path)),
            Origin::Flag(flag) => flag.split_whitespace().next().unwrap_or_default().to_owned(),
            Origin::BuiltIn => "built in".to_owned(),
        };
        Self {
            decision: Some(decision),
            layer: Some(neutral(layer)),
            rule: Some(neutral(&rule)),
            reason: Some(neutral(reason)),
            ..self
        }
    }

    /// Returns the same entry, with the digest of the exact request.
    #[must_use]
    pub fn for_request(self, request: Digest) -> Self {
        Self { request: Some(request), ..self }
    }

    /// Returns the same entry, approved or denied so.
    #[must_use]
    pub fn approved(self, approval: Approval) -> Self {
        Self { approval: Some(approval), ..self }
    }

    /// Returns the same entry, having come to this.
    #[must_use]
    pub fn came_to(self, outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..self }
    }

    /// Returns the checkpoint this is, if it is one.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Returns what this record continues, if a file begins with it.
    pub fn continues(&self) -> Option<&Continues> {
        self.continues.as_ref()
    }

    /// Returns what this record says was removed, if it says so.
    pub fn pruned(&self) -> Option<&Pruned> {
        self.pruned.as_ref()
    }

    /// Returns the entry with every text made safe: public fields may have been set by hand. What
    /// only the log itself may say is left out.
    pub(crate) fn neutralised(&self) -> Self {
        let safe = |text: &Option<String>| text.as_deref().map(neutral);
        Self {
            run: safe(&self.run),
            plugin: self
                .plugin
                .as_ref()
                .map(|p| Plugin::new(&p.name, p.digest, p.signer.as_deref())),
            operation: neutral(&self.operation),
            target: self.target.as_ref().map(Target::neutralised),
            decision: self.decision,
            layer: safe(&self.layer),
            rule: safe(&self.rule),
            reason: safe(&self.reason),
            request: self.request,
            approval: self.approval.as_ref().map(Approval::neutralised),
            outcome: self.outcome,
            dropped: self.dropped,
            checkpoint: None,
            continues: None,
            pruned: None,
        }
    }
}

impl Decision {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Prompt => "prompt",
            Self::Forbid => "forbid",
        }
    }
}

impl Plugin {
    /// Returns the plugin of this name and digest, with the key that signed it if any.
    pub fn new(name: &str, digest: Digest, signer: Option<&str>) -> Self {
        Self { name: neutral(name), digest, signer: signer.map(neutral) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use ringfence_capability::PathScope;

    #[test]
    fn the_home_directory_never_gets_into_an_entry() {
        let home = Capability::FsRead(PathScope::elsewhere("/home/alice/notes", "/notes").unwrap());
        let origin =
            Origin::File { path: "/home/alice/.config/ringfence/policy.toml".to_owned(), line: 7 };
        let entry = Entry::about(&home, Decision::Prompt).decided(
            Decision::Prompt,
            "user policy",
            &origin,
            "r",
        );
        let flag = Origin::Flag("--approve fs.read:/home/alice/notes".to_owned());
        let approved =
            Entry::about(&home, Decision::Allow).decided(Decision::Allow, "profile", &flag, "r");
        for entry in [&entry, &approved] {
            assert!(!serde_json::to_string(entry).unwrap().contains("alice"), "{entry:?}");
        }
        assert_eq!(entry.target, Some(Target::guest_path("/notes")));
        assert_eq!(entry.rule.as_deref(), Some("policy.toml:7"));
    }
}
