//! Where writes cannot be staged: nothing of it can be made, so a plan that stages is refused.

use std::convert::Infallible;
use std::path::Path;

use ringfence_audit::Entry;
use ringfence_sandbox::StageDirs;

use super::record::ExecLog;
use super::{ExecError, ExecPlan};
use crate::RunError;

/// No stage.
pub(super) struct Staging;

/// What a program wrote; never made on this system.
#[derive(Debug)]
pub struct Staged(Infallible);

/// The last commit of a workspace; never made on this system.
#[derive(Debug)]
pub struct ExecUndo(Infallible);

impl Staging {
    pub(super) fn prepare(
        plan: &ExecPlan,
        _: &Path,
        _: &ExecLog,
        _: &mut Vec<Entry>,
    ) -> Result<Self, ExecError> {
        if plan.sandbox.is_staged() { Err(ExecError::NoStaging) } else { Ok(Self) }
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where there are stages")]
    pub(super) fn dirs(&self) -> Option<StageDirs> {
        None
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as where there are stages")]
    pub(super) fn ended(self, _: &ExecLog) -> Result<Option<Staged>, RunError> {
        Ok(None)
    }
}
