//! macOS: a Seatbelt profile, run through `/usr/bin/sandbox-exec`.
//!
//! The order: resolve every path of the plan → profile text and parameters ([`profile`]) → hash the
//! program once more → `sandbox-exec`, started with a cleared environment, in a session of its own,
//! with limits set and no inherited descriptor ([`executor`]) → wait, then kill the process group.
//!
//! **Not verified on this system.** Nothing of this ran on macOS while it was written: the text of
//! the profile is tested everywhere, the calls are type-checked for `aarch64-apple-darwin`, and
//! [`enforcement`] says `not verified` of every rule. The workflow `security-tests` is what tries
//! it. What Seatbelt cannot do is listed there as well: no program by descriptor, no private
//! `/tmp`, no overlay for staged writes (such a plan is refused), no hold on a process that leaves
//! its session, no kill when the host itself is killed. Apple calls `sandbox-exec` deprecated, and
//! ships and uses it.

mod baseline;
pub(crate) mod enforcement;
#[cfg(target_os = "macos")]
mod executor;
mod profile;
mod protected;
#[cfg(target_os = "macos")]
mod running;
#[cfg(test)]
pub(crate) mod test_plans;

#[cfg(target_os = "macos")]
pub use executor::MacosExecutor;
