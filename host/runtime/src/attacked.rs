//! Attacks on this machine's own sandbox, and what stands of the last ones.
//!
//! [`attack`] makes every attack of the battery in every profile and keeps a receipt, bound to the
//! start of the machine, its kernel and the program that attacked. [`standing`] says what it is
//! worth now. A profile whose receipt for exactly this says that something escaped is not offered;
//! without a receipt nothing is known, which `doctor` says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use ringfence_capability::Profile;
use ringfence_sandbox::Program;
#[cfg(target_os = "linux")]
use ringfence_sandbox::attack::{Battery, Outcome, Room, attacks};
use serde::{Deserialize, Serialize};

use crate::exec::ExecError;
use crate::{RunError, places};

/// The file in the state directory.
const RECEIPT: &str = "attack-receipt.json";
/// Where programs in the sandbox have a directory of their own. An attack that writes there looks
/// as if it had reached the host's, where it was to write.
#[cfg(target_os = "linux")]
const OWN: [&str; 2] = ["/tmp", "/dev/shm"];
/// The longest receipt that is read.
const RECEIPT_BYTES: u64 = 64 * 1024;

/// One attack in one profile.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct AttackRow {
    /// Its row in the list of escape tests.
    pub number: u8,
    /// What it is called.
    pub name: &'static str,
    /// What is tried.
    pub title: &'static str,
    /// The profile, and how its workspace is written.
    pub room: String,
    /// What came of it: `held`, `escaped`, `admitted` or `skipped`.
    pub verdict: &'static str,
    /// The answers, or what escaped, or why it was skipped.
    pub detail: String,
}

/// What the last attacks on this machine are worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever reports it must handle every case")]
pub enum Standing {
    /// It was never attacked, or not since the machine, its kernel or the program changed.
    NotAttacked,
    /// Every profile held.
    Held,
    /// Something escaped in these profiles.
    Failed(Vec<Profile>),
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Receipt {
    boot: String,
    kernel: String,
    program: String,
    failed: BTreeSet<String>,
}

/// Makes every attack in every profile and keeps the receipt below `state`.
///
/// `program`, started with `arguments` and the name of an attack, calls
/// [`ringfence_sandbox::attack::main`]. `seen` is told each result as it comes.
///
/// # Errors
/// When this system has no battery, the program cannot be opened, or the receipt cannot be kept.
/// [`ExecError::AttackGround`] when `state` lies where the sandbox has a directory of its own:
/// nothing was attacked then, and an earlier receipt stays.
#[cfg(target_os = "linux")]
pub fn attack(
    program: &Path,
    arguments: Vec<OsString>,
    state: &Path,
    seen: &mut dyn FnMut(&AttackRow),
) -> Result<Vec<AttackRow>, RunError> {
    let opened = Program::open(program).map_err(ExecError::from)?;
    let base = ground(state)?;
    let battery = Battery::new(program, arguments, &base).map_err(ExecError::from)?;
    let (mut rows, mut failed) = (Vec::new(), BTreeSet::new());
    for one in attacks() {
        for room in Room::ALL.into_iter().filter(|room| one.applies(room)) {
            let outcome = battery.attack(one, room);
            let verdict = match &outcome {
                Outcome::Held(_) => "held",
                Outcome::Escaped(_) => "escaped",
                Outcome::Admitted(_) => "admitted",
                Outcome::Skipped(_) => "skipped",
            };
            if verdict == "escaped" {
                failed.insert(room.profile.name().to_owned());
            }
            let (room, detail) = (room.to_string(), outcome.text());
            let (number, name, title) = (one.number, one.name, one.title);
            let row = AttackRow { number, name, title, room, verdict, detail };
            seen(&row);
            rows.push(row);
        }
    }
    let (boot, kernel) = machine().unwrap_or_default();
    let receipt = Receipt { boot, kernel, program: opened.digest().to_string(), failed };
    keep(state, &receipt).map_err(|source| ExecError::Receipt { source })?;
    Ok(rows)
}

/// Returns where the attacks take place: outside of everything the sandbox has of its own.
#[cfg(target_os = "linux")]
fn ground(state: &Path) -> Result<PathBuf, RunError> {
    let state = places::real(state, "state directory")?;
    match OWN.into_iter().find(|own| state.starts_with(own)) {
        Some(own) => Err(ExecError::AttackGround { path: state, own }.into()),
        None => Ok(state.join("attack")),
    }
}

/// As on Linux; this system has no battery.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn attack(
    _program: &Path,
    _arguments: Vec<OsString>,
    _state: &Path,
    _seen: &mut dyn FnMut(&AttackRow),
) -> Result<Vec<AttackRow>, RunError> {
    let source = io::Error::from(io::ErrorKind::Unsupported);
    Err(ExecError::Receipt { source }.into())
}

/// Returns what the last attacks are worth for the program that runs now.
pub fn standing(state: &Path) -> Standing {
    let Some(receipt) = read(state) else { return Standing::NotAttacked };
    if !is_about_now(&receipt) {
        return Standing::NotAttacked;
    }
    let failed: Vec<Profile> =
        Profile::ALL.into_iter().filter(|one| receipt.failed.contains(one.name())).collect();
    if failed.is_empty() { Standing::Held } else { Standing::Failed(failed) }
}

/// Refuses a profile in which something escaped on exactly this machine.
pub(crate) fn check(state: &Path, profile: Profile) -> Result<(), ExecError> {
    // The program is read only when the receipt could say no: a start takes milliseconds.
    let Some(receipt) = read(state) else { return Ok(()) };
    if receipt.failed.contains(profile.name()) && is_about_now(&receipt) {
        return Err(ExecError::AttackFailed { profile });
    }
    Ok(())
}

fn is_about_now(receipt: &Receipt) -> bool {
    let same = machine().is_ok_and(|(boot, kernel)| {
        boot == receipt.boot && kernel == receipt.kernel && !boot.is_empty()
    });
    let own = || Program::open(Path::new("/proc/self/exe"));
    same && own().is_ok_and(|own| own.digest().to_string() == receipt.program)
}

/// Returns the name of this start of the machine and the release of its kernel.
fn machine() -> io::Result<(String, String)> {
    let kernel = Dir::open_ambient_dir("/proc/sys/kernel", cap_std::ambient_authority())?;
    let line = |name: &str| -> io::Result<String> {
        let mut text = String::new();
        kernel.open(name)?.take(256).read_to_string(&mut text)?;
        Ok(text.trim().to_owned())
    };
    Ok((line("random/boot_id")?, line("osrelease")?))
}

fn read(state: &Path) -> Option<Receipt> {
    let dir = places::open_dir(state, "state directory").ok()?;
    let mut text = Vec::new();
    dir.open(RECEIPT).ok()?.take(RECEIPT_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

fn keep(state: &Path, receipt: &Receipt) -> io::Result<()> {
    let dir = places::open_dir(state, "state directory").map_err(io::Error::other)?;
    let new = format!("{RECEIPT}.new");
    let mut file = dir.create(&new)?;
    file.write_all(&serde_json::to_vec(receipt)?)?;
    file.sync_all()?;
    dir.rename(&new, &dir, RECEIPT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn receipt(failed: &[Profile]) -> Receipt {
        let (boot, kernel) = machine().unwrap();
        let own = Program::open(Path::new("/proc/self/exe")).unwrap();
        let failed = failed.iter().map(|profile| profile.name().to_owned()).collect();
        Receipt { boot, kernel, program: own.digest().to_string(), failed }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_profile_in_which_something_escaped_is_refused_on_this_machine_and_no_other() {
        let state = tempfile::tempdir().unwrap();
        let refused = |profile| {
            let refused = check(state.path(), profile).err();
            matches!(refused, Some(ExecError::AttackFailed { .. }))
        };
        assert_eq!(standing(state.path()), Standing::NotAttacked);
        assert!(!refused(Profile::Trusted));
        keep(state.path(), &receipt(&[])).unwrap();
        assert_eq!(standing(state.path()), Standing::Held);
        let failed = receipt(&[Profile::Trusted]);
        keep(state.path(), &failed).unwrap();
        assert_eq!(standing(state.path()), Standing::Failed(vec![Profile::Trusted]));
        assert!(refused(Profile::Trusted) && !refused(Profile::Offline));
        let others = [
            Receipt { boot: "another".to_owned(), ..receipt(&[Profile::Trusted]) },
            Receipt { kernel: "another".to_owned(), ..receipt(&[Profile::Trusted]) },
            Receipt { program: "another".to_owned(), ..receipt(&[Profile::Trusted]) },
        ];
        for other in others {
            keep(state.path(), &other).unwrap();
            assert_eq!(standing(state.path()), Standing::NotAttacked);
            assert!(!refused(Profile::Trusted));
        }
    }
}
