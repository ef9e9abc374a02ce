//! Attacks in every room, and on other sandboxes.

use ringfence_sandbox::attack::{Attack, Battery, Outcome, Room, Twin, attacks};
use serde_json::{Value, json};
use std::path::Path;

/// Makes one attack, or all, in every room where it makes sense, each beside its twin.
pub(crate) fn attack(base: &Path, name: &str) -> Result<(), String> {
    let battery = battery(base)?;
    let wanted = |attack: &&'static Attack| name == "all" || attack.name == name;
    for attack in attacks().into_iter().filter(wanted) {
        let mut open: Option<Option<Outcome>> = None;
        for room in Room::ALL.into_iter().filter(|room| attack.applies(room)) {
            line(attack, &room.to_string(), "attack", Some(battery.attack(attack, room)));
            if matches!(attack.twin, Twin::Without(_) | Twin::Direct(_)) {
                line(attack, &room.to_string(), "twin", battery.twin(attack, room));
            } else {
                // Without a sandbox every room is the same.
                open.get_or_insert_with(|| battery.twin(attack, room));
            }
        }
        if let Some(outcome) = open {
            line(attack, "none", "twin", outcome);
        }
    }
    Ok(())
}

/// Makes every attack on another sandbox.
pub(crate) fn against(base: &Path, launcher: &[&str]) -> Result<(), String> {
    let battery = battery(base)?;
    let launcher: Vec<String> = launcher.iter().map(|&word| word.to_owned()).collect();
    // The room that other sandboxes have: a workspace that is written in place.
    let rooms = || Room::ALL.into_iter().filter(Room::is_direct);
    // A race with this library's mounts says nothing about another one's, and neither does a program
    // that ends its own sandbox.
    let own = ["swap_a_link_in_while_mounting", "kill_the_first_process"];
    let wanted = |attack: &&'static Attack| {
        !own.contains(&attack.name) && rooms().any(|room| attack.applies(&room))
    };
    for attack in attacks().into_iter().filter(wanted) {
        line(attack, "peer", "attack", Some(battery.against(attack, &launcher)));
    }
    Ok(())
}

/// Prints every attack.
pub(crate) fn list() {
    for attack in attacks() {
        println!("{:>2}  {:<55} {}", attack.number, attack.name, attack.title);
    }
}

fn battery(base: &Path) -> Result<Battery, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let battery = Battery::new(&program, vec!["inside".into()], base);
    battery.map_err(|error| error.to_string())
}

fn line(attack: &Attack, room: &str, kind: &str, outcome: Option<Outcome>) {
    let unexpected = outcome.as_ref().map(|outcome| outcome.unexpected(attack.held));
    let outcome = outcome.map_or_else(|| missing(attack), |outcome| json!(outcome));
    let line = json!({
        "number": attack.number,
        "name": attack.name,
        "room": room,
        "kind": kind,
        "outcome": outcome,
        "unexpected": unexpected.unwrap_or_default(),
    });
    println!("{line}");
}

/// Returns why there is no twin.
fn missing(attack: &Attack) -> Value {
    match attack.twin {
        Twin::None(why) => json!({ "missing": why }),
        _ => json!({ "missing": "only root can make it" }),
    }
}
