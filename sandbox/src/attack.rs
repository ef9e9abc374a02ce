//! The escape battery: attacks that a sandboxed program makes on its host, as data.
//!
//! [`attacks`] lists them; [`Battery`] lays the host's side of one (`ground`), starts the calling
//! program again inside a sandbox where [`main`] makes the attack, and looks at the host afterwards
//! (`drive`). Invariants: an attack aims only at what the ground laid for it; it counts as held only
//! when the program said which answers it got *and* the host is as it was; each attack names the
//! [`Twin`] in which the same code succeeds, so that a pass proves something.
//!
//! Start with [`Attack`], then [`Battery::attack`].
#![allow(clippy::unnecessary_wraps, reason = "every attack of a table has the same type")]

mod call;
mod drive;
mod files;
mod ground;
mod kernel;
mod launch;
mod limits;
mod network;
mod outcome;
mod process;
mod protected;
mod scene;
mod start;
mod writes;

pub use drive::Battery;
pub use outcome::Outcome;
pub use scene::Room;

use crate::danger::Protection;
use ground::Ground;
use outcome::Tries;
use scene::Scene;
use std::io::{self, BufRead, Read, Write};

/// One attack.
pub struct Attack {
    /// Its row in the list of escape tests.
    pub number: u8,
    /// What it is called in tables and tests.
    pub name: &'static str,
    /// What is tried, as a sentence.
    pub title: &'static str,
    /// The answers that hold it; anything else is another reason and worth a look.
    pub held: &'static [&'static str],
    /// What the plan's enforcement says when direct writes do not hold it.
    pub admitted: Option<&'static str>,
    /// The protections whose absence lets it through.
    pub twin: Twin,
    /// Whether it makes sense in a room.
    rooms: fn(&Room) -> bool,
    /// Lays what only this attack needs; the text says why this machine cannot.
    arrange: fn(&mut Ground, &mut Scene) -> Result<(), String>,
    /// What the host does between the start and the attack.
    during: fn(&Ground),
    /// The attack itself.
    inside: fn(&Scene, &mut Tries) -> Result<(), String>,
    /// Looks at the host and corrects what the program believes.
    judge: fn(&Ground, Outcome) -> Outcome,
    /// How often it is started; more than once where it is a race.
    repeats: u16,
}

/// In which the same attack succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "whoever runs the twins must handle every one")]
pub enum Twin {
    /// The same room without these protections.
    Without(&'static [Protection]),
    /// Direct writes, without these protections.
    Direct(&'static [Protection]),
    /// No sandbox at all.
    Open,
    /// No sandbox at all, and only as root.
    OpenAsRoot,
    /// None can be made, because of this.
    None(&'static str),
}

/// What most attacks have in common.
const PLAIN: Attack = Attack {
    number: 0,
    name: "",
    title: "",
    held: &[],
    admitted: None,
    twin: Twin::Open,
    rooms: |_| true,
    arrange: |_, _| Ok(()),
    during: |_| {},
    inside: |_, _| Ok(()),
    judge: |_, outcome| outcome,
    repeats: 1,
};

/// The private root and the wall behind it.
const FILES: Twin = Twin::Without(&[Protection::Files, Protection::Landlock]);
/// The system call filter.
const FILTER: Twin = Twin::Without(&[Protection::Seccomp]);

impl Attack {
    /// Tells whether the attack makes sense in `room`.
    pub fn applies(&self, room: &Room) -> bool {
        (self.rooms)(room)
    }
}

/// Returns every attack, by number.
pub fn attacks() -> Vec<&'static Attack> {
    let tables: [&[Attack]; 8] = [
        files::ATTACKS,
        writes::ATTACKS,
        protected::ATTACKS,
        network::ATTACKS,
        process::ATTACKS,
        kernel::ATTACKS,
        start::ATTACKS,
        limits::ATTACKS,
    ];
    let mut all: Vec<&Attack> = tables.into_iter().flatten().collect();
    all.sort_by_key(|attack| attack.number);
    all
}

/// Who may ask [`main`] to attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third")]
pub enum Guard {
    /// Only a process inside a sandbox of this library.
    Confined,
    /// Anyone: for test programs, which attack without a sandbox too.
    Anyone,
}

/// Makes the attack called `name` on the scene that standard input describes, and says on standard
/// output what came of it, as one line of JSON.
///
/// # Errors
/// When the guard does not let this process attack, there is no such attack, or there is no scene:
/// nothing was tried.
pub fn main(name: &str, guard: Guard) -> io::Result<()> {
    if guard == Guard::Confined && !scene::is_confined() {
        return Err(io::Error::other("this is started by the battery, inside a sandbox"));
    }
    let attack = attacks().into_iter().find(|attack| attack.name == name);
    let attack = attack.ok_or_else(|| io::Error::other("there is no such attack"))?;
    let mut line = String::new();
    io::BufReader::new(io::stdin().lock().take(scene::LONGEST)).read_line(&mut line)?;
    let scene: Scene = serde_json::from_str(&line)?;
    let mut tries = Tries::default();
    let outcome = match (attack.inside)(&scene, &mut tries) {
        Ok(()) => tries.outcome(),
        Err(why) => Outcome::Skipped(why),
    };
    let mut text = serde_json::to_vec(&outcome)?;
    text.push(b'\n');
    io::stdout().lock().write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_attack_has_a_name_of_its_own_a_title_and_a_reason_that_holds_it() {
        let mut names = BTreeSet::new();
        for attack in attacks() {
            assert!(names.insert(attack.name), "{} is there twice", attack.name);
            assert!((1..=64).contains(&attack.number), "{}", attack.name);
            assert!(!attack.held.is_empty() && attack.title.len() > 10, "{}", attack.name);
            assert!(Room::ALL.iter().any(|room| attack.applies(room)), "{}", attack.name);
        }
    }

    #[test]
    fn nothing_is_attacked_outside_of_a_sandbox() {
        for attack in attacks() {
            let refused = main(attack.name, Guard::Confined).err().map(|error| error.to_string());
            assert_eq!(
                refused.as_deref(),
                Some("this is started by the battery, inside a sandbox")
            );
        }
    }
}
