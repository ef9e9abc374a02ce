//! The proof that one action was approved.

use super::Denied;
use crate::{Exec, Lease, LeaseId, Request};
use jiff::Timestamp;
use ringfence_capability::Digest;

/// Whether a person was asked for this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "somebody was asked or not")]
pub enum How {
    /// A person answered just now.
    Asked,
    /// A person answered before, and the answer was kept.
    Kept,
}

/// Proof that exactly one request was approved. It cannot be made, copied or kept: whoever does the
/// action gives it up.
///
/// ```compile_fail
/// fn twice(approved: ringfence_approval::Approved) {
///     let _ = (approved.clone(), approved);
/// }
/// ```
///
/// # Security
/// It says what may be done, in [`Redeemed::request`]; do that, and nothing taken from elsewhere.
#[derive(Debug)]
#[must_use]
pub struct Approved {
    request: Request,
    how: How,
    lease: LeaseId,
}

/// What may be done, now that the proof is used up.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct Redeemed {
    /// The approved request: its action is what to do, in its plan.
    pub request: Request,
}

impl Approved {
    pub(super) fn new(request: Request, how: How, lease: &Lease) -> Self {
        Self { request, how, lease: lease.id.clone() }
    }

    /// Returns the digest of what was approved.
    pub fn digest(&self) -> Digest {
        self.request.digest()
    }

    /// Returns the request that was approved.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns whether a person was asked just now.
    pub fn how(&self) -> How {
        self.how
    }

    /// Returns the kept answer that was used.
    pub fn lease(&self) -> &LeaseId {
        &self.lease
    }

    /// Checks that the opened program has the content that was approved.
    ///
    /// # Errors
    /// [`Denied::Changed`] when it has another, or when no program was approved.
    pub fn check_executable(&self, opened: &Digest) -> Result<(), Denied> {
        match self.request.exec() {
            Some(exec) if exec.executable.digest == *opened => Ok(()),
            _ => Err(Denied::Changed { what: "program" }),
        }
    }

    /// Checks that the start which is about to happen is the one that was approved.
    ///
    /// # Errors
    /// [`Denied::Changed`], which names the first part that differs.
    pub fn check_exec(&self, about: &Exec) -> Result<(), Denied> {
        let Some(exec) = self.request.exec() else {
            return Err(Denied::Changed { what: "action" });
        };
        let mut environment = about.environment.clone();
        environment.sort_unstable();
        environment.dedup();
        for (what, same) in [
            ("program", exec.executable == about.executable),
            ("list of arguments", exec.argv == about.argv),
            ("working directory", exec.working_directory == about.working_directory),
            ("list of environment variables", exec.environment == environment),
        ] {
            if !same {
                return Err(Denied::Changed { what });
            }
        }
        Ok(())
    }

    /// Gives up the proof for what may be done, at the time `now`, with the program whose opened
    /// file has the digest `opened`.
    ///
    /// # Errors
    /// [`Denied::Changed`] when the program is another, [`Denied::Expired`] when it is too late.
    /// The proof is gone in either case.
    pub fn redeem_exec(self, opened: &Digest, now: Timestamp) -> Result<Redeemed, Denied> {
        self.check_executable(opened)?;
        self.redeem(now)
    }

    /// Gives up the proof for what may be done, when that is not the start of a program.
    ///
    /// # Errors
    /// [`Denied::Changed`] when a program was approved, which needs its digest;
    /// [`Denied::Expired`] when it is too late.
    pub fn redeem_other(self, now: Timestamp) -> Result<Redeemed, Denied> {
        if self.request.exec().is_some() {
            return Err(Denied::Changed { what: "action" });
        }
        self.redeem(now)
    }

    fn redeem(self, now: Timestamp) -> Result<Redeemed, Denied> {
        if now > self.request.parts().expires {
            return Err(Denied::Expired { id: self.request.short_id().to_string() });
        }
        Ok(Redeemed { request: self.request })
    }
}
