//! What the steps of a research run pass to each other; [`step!`](crate::step) makes a step.
//!
//! A step computes what it returns from what it is given: only a provider ever needs a capability. Every
//! text of a [`Document`] came from outside. It is data, and nothing in it is followed.
//!
//! ```
//! # mod step {
//! use ringfence_sdk::ToolError;
//! # use ringfence_sdk::research::Document;
//!
//! ringfence_sdk::step!(rank for Longest);
//!
//! pub struct Longest;
//!
//! impl Guest for Longest {
//!     fn rank(task: Task) -> Result<Vec<Ranked>, ToolError> {
//!         let score = |document: &Document| document.text.len() as f64;
//!         let mut ranked: Vec<_> = task.documents.iter().map(|document| Ranked { id: document.id.clone(), score: score(document) }).collect();
//!         ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
//!         Ok(ranked)
//!     }
//! }
//! # }
//! ```

use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

pub use crate::step_bindings::ringfence::research::types::{Citation, Claim, Document};

/// Returns the SHA-256 of a text in hexadecimal, as citations and `extract` have it.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl Document {
    /// Returns the citation of a place of its text, in bytes; nothing when the text has no such place. The
    /// whole text is hashed: whoever cites many places of one document changes `start` and `end` of the
    /// first.
    pub fn cite(&self, place: Range<usize>) -> Option<Citation> {
        self.text.get(place.clone()).filter(|text| !text.is_empty())?;
        let (start, end) = (u32::try_from(place.start).ok()?, u32::try_from(place.end).ok()?);
        Some(Citation { source: self.id.clone(), sha256: sha256(&self.text), start, end })
    }
}

impl Citation {
    /// Returns the text at the place it cites; nothing when it does not resolve among these documents.
    pub fn resolve<'d>(&self, documents: &'d [Document]) -> Option<&'d str> {
        let document = documents.iter().find(|document| document.id == self.source)?;
        let place = usize::try_from(self.start).ok()?..usize::try_from(self.end).ok()?;
        let text = document.text.get(place).filter(|text| !text.is_empty())?;
        (sha256(&document.text) == self.sha256).then_some(text)
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;

    fn document(id: &str, text: &str) -> Document {
        let (id, text) = (id.to_owned(), text.to_owned());
        Document { id, url: None, title: None, published: None, trust: None, cluster: None, text }
    }

    #[test]
    fn a_citation_resolves_in_the_text_it_was_made_of_and_in_no_other() {
        let dams = document("a", "Über Dämme. Sie halten Wasser.");
        let end = "Über Dämme.".len();
        let cited = dams.cite(0..end);
        let text = |documents: &[Document]| {
            cited.as_ref().and_then(|one| one.resolve(documents)).map(str::to_owned)
        };
        assert_eq!(text(std::slice::from_ref(&dams)).as_deref(), Some("Über Dämme."));
        assert_eq!(text(&[document("a", "Über Dämme. Sie halten.")]), None, "another text");
        assert_eq!(text(&[document("b", &dams.text)]), None, "another document");
        for place in [0..1, 3..3, 0..99] {
            assert_eq!(dams.cite(place.clone()), None, "{place:?} is no place");
        }
    }
}
