//! Ranks documents by how many words of the question they hold; of equals the newer comes first.

use std::collections::BTreeSet;

use ringfence_sdk::ToolError;
use ringfence_sdk::research::Document;

ringfence_sdk::step!(rank for MyRank);

struct MyRank;

impl Guest for MyRank {
    fn rank(task: Task) -> Result<Vec<Ranked>, ToolError> {
        let asked = words(&task.question);
        let ranked = |document: &Document| {
            let shared = asked.intersection(&words(&document.text)).count();
            let score = shared as f64 + newness(document.published.as_deref());
            (shared > 0).then(|| Ranked { id: document.id.clone(), score })
        };
        let mut ranked: Vec<_> = task.documents.iter().filter_map(ranked).collect();
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
        if let Some(limit) = task.limit {
            ranked.truncate(limit as usize);
        }
        Ok(ranked)
    }
}

/// Returns the words of a text that say something, in lower case.
fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase);
    words.filter(|word| word.chars().count() > 3).collect()
}

/// Returns less than 1, and more for a later year; nothing for a document without a date.
fn newness(published: Option<&str>) -> f64 {
    let year = published.and_then(|date| date.get(..4)?.parse::<u16>().ok());
    f64::from(year.unwrap_or(0).min(9_999)) / 10_000.0
}

#[cfg(test)]
mod tests;
