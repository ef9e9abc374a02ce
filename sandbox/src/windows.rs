//! Windows: an `AppContainer` made for the run, a restricted token and a Job Object.
//!
//! The order: access entries for the granted files ([`access`]) → job with its limits ([`job`]) →
//! restricted token → identifier of the container ([`container`]) → `CreateProcessAsUserW` with an
//! attribute list that names the job, the container and exactly three handles ([`executor`]) → wait,
//! end the job, take the entries away.
//!
//! **Not verified on this system.** The builders are tested everywhere, the calls are type-checked
//! for `x86_64-pc-windows-gnu`, and [`enforcement`] says `not verified` of every rule. The workflow
//! `security-tests` is what tries it.
//!
//! What cannot be held is refused: staged writes (there is no overlay), writes beside protected
//! names (a name that does not exist yet has no access list), and the proxy (an `AppContainer`
//! does not reach the loopback interface unless an administrator exempts it).

mod access;
#[cfg(windows)]
mod attributes;
mod command_line;
mod container;
pub(crate) mod enforcement;
mod environment;
#[cfg(windows)]
mod executor;
#[cfg(windows)]
mod grants;
mod job;
#[cfg(windows)]
mod running;
#[cfg(windows)]
mod sys;

#[cfg(windows)]
pub use executor::WindowsExecutor;
