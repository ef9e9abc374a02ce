//! Citations, and the checker: every sentence of a report must cite a place in a stored source that
//! resolves, and that says what the sentence says as far as words show it.
//!
//! A sentence passes when it stands in one of the places it cites, or when most of its topic and all of its
//! numbers do and it denies as much. The second is a sieve against made-up text, not a proof of meaning.

use std::ops::Range;

use crate::hash;
use crate::neardup::ratio;
use crate::sentence::sentences;
use crate::statement::Statement;
use crate::text;

/// Most sentences of a report that are checked.
pub const MAX_SENTENCES: usize = 10_000;
/// Most citations of a report.
pub const MAX_CITATIONS: usize = 50_000;
/// The least share of a sentence's topic that stands in the places it cites.
pub const MIN_SUPPORT: f64 = 0.6;
/// Longest place that can be cited: who cites a whole source cites nothing.
pub const MAX_PLACE_BYTES: usize = 4096;

/// A source as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'t> {
    /// What citations call it.
    pub id: &'t str,
    /// Its text.
    pub text: &'t str,
}

/// A place in a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// What the source is called.
    pub source: String,
    /// The SHA-256 of the source's text, in hexadecimal: the place means something in that text only.
    pub sha256: String,
    /// The place, in bytes.
    pub place: Range<usize>,
}

impl Citation {
    /// Cites a place in a source, or nothing when the place is not in it.
    pub fn of(source: &Stored<'_>, place: Range<usize>) -> Option<Self> {
        source.text.get(place.clone())?;
        let sha256 = hash::sha256_hex(source.text.as_bytes());
        Some(Self { source: source.id.to_owned(), sha256, place })
    }
}

/// A sentence of a report with what it cites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The sentence.
    pub text: String,
    /// What it cites.
    pub citations: Vec<Citation>,
}

/// What is wrong with a sentence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// It cites nothing.
    #[error("cites nothing")]
    Uncited,
    /// It cites a number that stands for no citation.
    #[error("cites [{number}], which the report does not list")]
    UnknownNumber {
        /// The number in brackets.
        number: u32,
    },
    /// It cites a source that is not stored.
    #[error("cites the source `{source_id}`, which is not stored")]
    UnknownSource {
        /// What it calls the source.
        source_id: String,
    },
    /// It cites another text than the stored one.
    #[error("cites another version of the source `{source_id}` than the stored one")]
    OtherVersion {
        /// What it calls the source.
        source_id: String,
    },
    /// It cites a place that is not in the source.
    #[error("cites bytes {start} to {end} of the source `{source_id}`, which are no place in it")]
    NoSuchPlace {
        /// What it calls the source.
        source_id: String,
        /// Where the place begins.
        start: usize,
        /// Where it ends.
        end: usize,
    },
    /// It cites more than a reader can check.
    #[error("cites more than {MAX_PLACE_BYTES} bytes of the source `{source_id}` at once")]
    TooMuch {
        /// What it calls the source.
        source_id: String,
    },
    /// The places it cites do not say it.
    #[error("is not supported by what it cites: {reason}")]
    Unsupported {
        /// What is missing.
        reason: String,
    },
}

/// A fault and the sentence it is in.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The sentence, counted from 0.
    pub sentence: usize,
    /// What is wrong.
    pub fault: Fault,
}

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// Sentences that were checked.
    pub sentences: usize,
    /// Sentences that stand in a place they cite, word for word.
    pub verbatim: usize,
    /// What is wrong, in order. Empty when every sentence passes.
    pub findings: Vec<Finding>,
}

/// The report is too long to check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the report has more than {MAX_SENTENCES} sentences or {MAX_CITATIONS} citations")]
pub struct ReportTooLong;

/// Checks the sentences of a report.
///
/// # Errors
///
/// [`ReportTooLong`]; nothing is checked then.
pub fn check(claims: &[Claim], sources: &[Stored<'_>]) -> Result<Checked, ReportTooLong> {
    let citations = claims.iter().map(|claim| claim.citations.len()).sum::<usize>();
    if claims.len() > MAX_SENTENCES || citations > MAX_CITATIONS {
        return Err(ReportTooLong);
    }
    let hashes: Vec<String> =
        sources.iter().map(|source| hash::sha256_hex(source.text.as_bytes())).collect();
    let mut checked = Checked { sentences: claims.len(), verbatim: 0, findings: Vec::new() };
    for (sentence, claim) in claims.iter().enumerate() {
        let mut quotes = Vec::new();
        for citation in &claim.citations {
            match resolve(citation, sources, &hashes) {
                Ok(quote) => quotes.push(quote),
                Err(fault) => checked.findings.push(Finding { sentence, fault }),
            }
        }
        let fault = match (claim.citations.is_empty(), quotes.is_empty()) {
            (true, _) => Some(Fault::Uncited),
            (false, true) => None,
            (false, false) if is_quoted(&claim.text, &quotes) => {
                checked.verbatim += 1;
                None
            }
            (false, false) => unsupported(&claim.text, &quotes),
        };
        checked.findings.extend(fault.map(|fault| Finding { sentence, fault }));
    }
    Ok(checked)
}

/// Checks a text whose sentences cite by number, as in `The dam is old [1][3].`; the numbers count
/// `citations` from 1.
///
/// # Errors
///
/// [`ReportTooLong`]; nothing is checked then.
pub fn check_text(
    report: &str,
    citations: &[Citation],
    sources: &[Stored<'_>],
) -> Result<Checked, ReportTooLong> {
    let mut claims = Vec::new();
    let mut unknown = Vec::new();
    for (content, numbers) in marked(report) {
        let found = |number: &u32| {
            let at = usize::try_from(*number).ok()?.checked_sub(1)?;
            citations.get(at).cloned()
        };
        let cited: Vec<_> = numbers.iter().filter_map(found).collect();
        for number in numbers.into_iter().filter(|number| found(number).is_none()) {
            unknown
                .push(Finding { sentence: claims.len(), fault: Fault::UnknownNumber { number } });
        }
        claims.push(Claim { text: content, citations: cited });
    }
    let mut checked = check(&claims, sources)?;
    checked.findings.extend(unknown);
    checked.findings.sort_by_key(|finding| finding.sentence);
    Ok(checked)
}

/// Returns the sentences of a text without their marks, and the numbers in the marks. A mark behind the
/// full stop belongs to the sentence before it.
fn marked(report: &str) -> Vec<(String, Vec<u32>)> {
    let mut found: Vec<(String, Vec<u32>)> = Vec::new();
    for place in sentences(report).into_iter().take(MAX_SENTENCES + 1) {
        let sentence = report.get(place).unwrap_or_default();
        let leading = sentence.len() - without_leading_marks(sentence).len();
        let (before, rest) = sentence.split_at(leading);
        if let Some((_, numbers)) = found.last_mut() {
            numbers.extend(take_marks(before).1);
        }
        let (content, numbers) = take_marks(rest);
        if text::count_words(&content) > 0 {
            found.push((content, numbers));
        }
    }
    found
}

fn without_leading_marks(sentence: &str) -> &str {
    let mut rest = sentence;
    while let Some(after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        if after.0.is_empty() || !after.0.bytes().all(|byte| byte.is_ascii_digit()) {
            break;
        }
        rest = after.1.trim_start();
    }
    rest
}

/// Returns a text without its marks `[1]`, and the numbers in them.
fn take_marks(text: &str) -> (String, Vec<u32>) {
    let (mut content, mut numbers) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        content.push_str(before);
        let mark =
            after.split_once(']').and_then(|(mark, after)| Some((mark.parse().ok()?, after)));
        if let Some((number, after)) = mark {
            numbers.push(number);
            rest = after;
        } else {
            content.push('[');
            rest = after;
        }
    }
    content.push_str(rest);
    (content, numbers)
}

fn resolve<'t>(
    citation: &Citation,
    sources: &[Stored<'t>],
    hashes: &[String],
) -> Result<&'t str, Fault> {
    let source_id = citation.source.clone();
    let Some(at) = sources.iter().position(|source| source.id == citation.source) else {
        return Err(Fault::UnknownSource { source_id });
    };
    if !hashes.get(at).is_some_and(|hash| hash.eq_ignore_ascii_case(&citation.sha256)) {
        return Err(Fault::OtherVersion { source_id });
    }
    let Range { start, end } = citation.place;
    let quote = sources.get(at).and_then(|source| source.text.get(start..end));
    match quote.filter(|quote| !quote.trim().is_empty()) {
        None => Err(Fault::NoSuchPlace { source_id, start, end }),
        Some(quote) if quote.len() > MAX_PLACE_BYTES => Err(Fault::TooMuch { source_id }),
        Some(quote) => Ok(quote),
    }
}

/// Whether a sentence stands in one of the quotes, setting apart how it is set.
fn is_quoted(sentence: &str, quotes: &[&str]) -> bool {
    let sentence = text::normalise(sentence);
    let sentence = sentence.trim_end_matches(['.', ' ']);
    !sentence.is_empty()
        && quotes.iter().any(|quote| {
            let quote = format!(" {} ", text::normalise(quote));
            // Only whole words: `art` does not stand in `start`.
            quote.match_indices(sentence).any(|(at, _)| {
                let before = quote.get(..at).and_then(|text| text.chars().next_back());
                let after = quote.get(at + sentence.len()..).and_then(|text| text.chars().next());
                !before.is_some_and(char::is_alphanumeric)
                    && !after.is_some_and(char::is_alphanumeric)
            })
        })
}

fn unsupported(sentence: &str, quotes: &[&str]) -> Option<Fault> {
    let claim = Statement::of(sentence);
    let stated: Vec<Statement> = quotes
        .iter()
        .flat_map(|quote| sentences(quote).into_iter().filter_map(|place| quote.get(place)))
        .map(Statement::of)
        .collect();
    let mut all = Statement::default();
    for statement in &stated {
        all.topic.extend(statement.topic.iter().cloned());
        all.numbers.extend(statement.numbers.iter().cloned());
    }
    let has = |number: &str| all.numbers.iter().any(|(other, _)| other == number);
    let reason = if let Some((number, _)) = claim.numbers.iter().find(|(number, _)| !has(number)) {
        format!("the number {number} is not there")
    } else if ratio(claim.shared(&all), claim.topic.len()) < MIN_SUPPORT {
        format!("it shares {} of its {} words", claim.shared(&all), claim.topic.len())
    } else if !stated.iter().any(|quote| quote.denies == claim.denies && quote.shared(&claim) > 0) {
        "one of them denies and the other does not".to_owned()
    } else {
        return None;
    };
    Some(Fault::Unsupported { reason })
}

#[cfg(test)]
mod tests;
