//! Texts that look alike and are not: notices of a few kinds, each with the sentences of its kind around
//! what is said only once. The words come from a generator, so that nothing is said twice by design.

use crate::random::Random;
use crate::sets::{Labelled, Set};

/// The sentences of each kind, before and after what is its own.
const KINDS: [[&str; 2]; 4] = [
    [
        "Affected versions of this package contain a flaw that allows an attacker to read memory.",
        "The issue was fixed in the version named above. Users are advised to upgrade as soon as possible.",
    ],
    [
        "The author of this package has stated that it is no longer maintained.",
        "No patched version is available. Consider one of the alternatives that are listed here.",
    ],
    [
        "The council announces a change to the following service for all residents of the district.",
        "Questions about this notice can be sent to the office during opening hours on any working day.",
    ],
    [
        "This recipe serves four people and takes less than an hour from start to finish.",
        "Store leftovers in the refrigerator in a closed container and eat them within three days.",
    ],
];

const SYLLABLES: [&str; 24] = [
    "ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "zu", "pra", "ste", "kli", "dro", "gru",
    "fa", "he", "ji", "lo", "mu", "na", "pe", "ri", "so",
];
const SMALL: [&str; 12] =
    ["the", "of", "and", "in", "to", "is", "for", "with", "on", "that", "by", "from"];

/// How many notices there are of each kind.
const OF_EACH: usize = 60;

/// Returns the set; no two of its texts are copies.
pub fn set() -> Set {
    let mut texts = Vec::new();
    for (kind, [before, after]) in KINDS.iter().enumerate() {
        for number in 0..OF_EACH {
            let id = format!("notice-{kind}-{number}");
            let mut random = Random::new(0x7465_6d70, &id);
            let own: Vec<String> = (0..4).map(|_| sentence(&mut random)).collect();
            let text = format!("{before} {}\n\n{after}", own.join(" "));
            texts.push(Labelled { group: id.clone(), id, kind: "notice".to_owned(), text });
        }
    }
    Set { name: "notices", texts }
}

/// Returns a sentence of made-up and small words.
pub fn sentence(random: &mut Random) -> String {
    let length = 8 + random.below(8);
    let words: Vec<String> = (0..length)
        .map(|_| {
            let small = random.percent(35).then(|| random.pick(&SMALL)).flatten();
            small.map_or_else(|| word(random), |small| (*small).to_owned())
        })
        .collect();
    format!("{}.", words.join(" "))
}

/// Returns one of some ten thousand made-up words.
fn word(random: &mut Random) -> String {
    let syllables = 2 + random.below(2);
    (0..syllables).map(|_| *random.pick(&SYLLABLES).unwrap_or(&"ba")).collect()
}
