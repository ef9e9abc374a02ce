//! Runs every case in turn and writes the table.

use std::error::Error;
use std::fmt::Write as _;
use std::time::Duration;

/// Rounds before anything is kept, so that caches are warm.
const WARM_UP: usize = 3;

/// Does the work once and returns how long it took.
pub(crate) type Once = Box<dyn FnMut() -> Result<Duration, Box<dyn Error>>>;

/// One thing to measure.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) once: Once,
}

impl Case {
    pub(crate) fn new(
        name: &str,
        once: impl FnMut() -> Result<Duration, Box<dyn Error>> + 'static,
    ) -> Self {
        Self { name: name.to_owned(), once: Box::new(once) }
    }
}

/// Measures the cases and returns the Markdown table; the first is what the others are compared
/// with.
pub(crate) fn table(mut cases: Vec<Case>, rounds: usize) -> Result<String, Box<dyn Error>> {
    let mut times = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds + WARM_UP {
        for turn in 0..cases.len() {
            // Each round starts with another case, so that none always follows the same one.
            let index = (round + turn) % cases.len();
            let case = &mut cases[index];
            let took = (case.once)().map_err(|error| format!("{}: {error}", case.name))?;
            if round >= WARM_UP {
                times[index].push(took);
            }
        }
    }
    let base = cases.first().map_or("", |first| first.name.as_str());
    let mut text = format!("{rounds} rounds, the cases taking turns\n\n");
    let _ = writeln!(text, "| case | median ms | × {base} | 95 % ms |\n|---|--:|--:|--:|");
    let mut first = None;
    for (case, mut times) in cases.iter().zip(times) {
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
        let (median, nearly_all) = (at(50), at(95));
        let ratio = median / *first.get_or_insert(median);
        let name = &case.name;
        let _ = writeln!(text, "| {name} | {median:.2} | {ratio:.2} | {nearly_all:.2} |");
    }
    Ok(text)
}
