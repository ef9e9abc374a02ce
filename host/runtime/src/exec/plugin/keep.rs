//! What becomes of what a plugin's program wrote: a person approves exactly these changes, or they
//! are thrown away. What needs a yes of its own is never part of it.

use ringfence_approval::{
    Action, Approver, Asker, Broker, Channel, Denied, Draft, Nonce, Place, Prompt, RunId, Store,
};
use ringfence_audit::Decision as Logged;
use ringfence_interfaces::exec::{Changed, KeptChanges};
use ringfence_sandbox::staging::{Approve, Change, Decision, Effect};
use serde_json::{Value, json};

use super::PluginPrograms;
use crate::RunError;
use crate::exec::{AgreedBy, ExecError, Staged};

/// The capability the changes are an act of.
const CAPABILITY: &str = "fs.write:workspace";

/// Commits what is approved of `staged`, or throws all of it away.
pub(super) fn keep(
    plugin: &PluginPrograms,
    run: &str,
    mut staged: Staged,
    approver: &dyn Approver,
) -> Result<Changed, RunError> {
    let changes = staged.changes();
    let decision = Decision::unflagged(changes);
    let count_of = |effect| count(changes.iter().filter(|one| one.effect() == effect).count());
    let discarded = Changed {
        kept: KeptChanges::Discarded,
        added: count_of(Effect::Added),
        changed: count_of(Effect::Changed),
        removed: count_of(Effect::Deleted),
        left_out: 0,
    };
    let nothing = matches!(&decision.approve, Approve::Paths(paths) if paths.is_empty());
    // Nobody could approve it later either: the next run writes anew.
    let nobody = approver.channel() == Channel::Nobody;
    if nothing || nobody || ask(plugin, run, &staged, &decision, approver)?.is_err() {
        staged.discard()?;
        return Ok(discarded);
    }
    let receipt = match staged.commit(&decision, AgreedBy::Person) {
        Ok(receipt) => receipt,
        // Somebody else changed the workspace meanwhile, and nothing was written.
        Err(RunError::Exec(ExecError::Staging(_))) => {
            staged.discard()?;
            return Ok(discarded);
        }
        Err(error) => return Err(error),
    };
    Ok(Changed {
        kept: KeptChanges::Committed,
        added: count(receipt.added),
        changed: count(receipt.changed),
        removed: count(receipt.deleted),
        left_out: count(receipt.left_out),
    })
}

/// Asks about the changes, and writes the answer down.
fn ask(
    plugin: &PluginPrograms,
    run: &str,
    staged: &Staged,
    decision: &Decision,
    approver: &dyn Approver,
) -> Result<Result<(), Denied>, RunError> {
    let request = draft(plugin, staged, decision)?.seal().map_err(ExecError::from)?;
    let place = Place::open(&plugin.host.exec_state()?).map_err(ExecError::from)?;
    let store = Store::open(&place, Box::new(jiff::Timestamp::now)).map_err(ExecError::from)?;
    let run: RunId = run.parse().map_err(ExecError::from)?;
    let mut prompt = Prompt::waiting(plugin.options.patience).detailed(staged.diff()?);
    for change in staged.changes().flagged() {
        prompt = prompt.warning(format!("left out, it is never committed for a plugin: {change}"));
    }
    let decided = Broker::new(&store, approver, &run).decide(request, || prompt);
    let outcome = decided
        .outcome
        .and_then(|approved| approved.redeem_other(jiff::Timestamp::now()).map(drop));
    let (decision, why) = match &outcome {
        Ok(()) => (Logged::Allow, "a person approved the changes".to_owned()),
        Err(denied) => (Logged::Forbid, denied.to_string()),
    };
    staged.answered(&decided.event, outcome.as_ref().err(), decision, &why)?;
    Ok(outcome)
}

fn draft(
    plugin: &PluginPrograms,
    staged: &Staged,
    decision: &Decision,
) -> Result<Draft, ExecError> {
    let now = jiff::Timestamp::now();
    let patience = jiff::SignedDuration::try_from(plugin.options.patience).unwrap_or_default();
    let changes = staged.changes();
    let files: Vec<Value> =
        changes.iter().filter(|change| covers(decision, change)).map(rule).collect();
    Ok(Draft {
        asker: Asker::Plugin { name: plugin.name.clone(), digest: plugin.digest },
        signer: plugin.signer.clone(),
        capability: CAPABILITY.to_owned(),
        action: Action::Commit {
            directory: plugin.host.places.workspace().into(),
            changes: changes.digest(),
            files: count(files.len()),
        },
        plan: json!({ "files": files }),
        reason: None,
        expires: now.checked_add(patience + super::super::plan::SLACK).unwrap_or(now),
        nonce: Nonce::random()?,
    })
}

/// Returns one change the way a rule of a sandbox plan is written, which is how it is shown.
fn rule(change: &Change) -> Value {
    let does = match change.effect() {
        Effect::Added => "adds",
        Effect::Changed => "changes",
        Effect::Deleted => "deletes",
    };
    json!({ "access": does, "path": change.path().to_string() })
}

fn covers(decision: &Decision, change: &Change) -> bool {
    match &decision.approve {
        Approve::All => true,
        Approve::Paths(paths) => paths.iter().any(|path| change.path().starts_with(path)),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
