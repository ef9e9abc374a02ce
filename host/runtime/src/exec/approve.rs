//! From a plan to a proof: what is kept, or a person, says yes to exactly this, and the log has it.

use std::path::Path;

use ringfence_approval::{Approved, Approver, Broker, Decision, Place, Prompt, RunId, Store};
use ringfence_audit::{Entry, Target};

use super::record::ExecLog;
use super::{ExecError, ExecPlan};
use crate::RunError;

/// Asks, and records a no at once. A yes is recorded with the start, in one write.
pub(super) fn ask(
    plan: &ExecPlan,
    state: &Path,
    approver: &dyn Approver,
    (log, target): (&ExecLog, &Target),
) -> Result<(Approved, Vec<Entry>), RunError> {
    let request = plan.request()?;
    let place = Place::open(state).map_err(ExecError::from)?;
    let store = Store::open(&place, Box::new(jiff::Timestamp::now)).map_err(ExecError::from)?;
    let run: RunId = log.run().parse().map_err(ExecError::from)?;
    let prompt = || {
        let waiting = Prompt::waiting(plan.options.patience);
        plan.warnings().into_iter().fold(waiting, Prompt::warning)
    };
    let Decision { outcome, event, .. } =
        Broker::new(&store, approver, &run).decide(request, prompt);
    match outcome {
        Ok(proof) => {
            let entries = log.decided(plan, target, &event, None);
            Ok((proof, entries))
        }
        Err(denied) => {
            log.append_synced(&log.decided(plan, target, &event, Some(&denied)))?;
            Err(ExecError::from(denied).into())
        }
    }
}
