//! Lists of ratings: what they say of a domain, where that was said and when.
//!
//! Three forms are read: CRED-1 (`domain,category,credibility_score,…`), the first component of Lin et
//! al. 2023 (`domain,pc1`) and a plain form (`domain,score,source,as_of`, the last two may be left
//! out). An entry can name a page below a host (`example.org/news`) and then counts for that part only.

use std::collections::BTreeMap;
use std::fmt;

use super::domain::Address;
use super::own;

/// Longest list.
pub const MAX_LIST_BYTES: usize = 16 << 20;
/// Most entries of a list.
pub const MAX_LIST_ENTRIES: usize = 500_000;
/// Most lines of a published list that are passed over because they cannot be used; its user did not write
/// them. In a list in the plain form every line has to be right.
pub const MAX_SKIPPED_LINES: usize = 20;
/// A list older than this is reported as old: about a third of such domains change hands or names in it.
pub const OLD_AFTER_DAYS: i64 = 365;
/// Below this a score is low; from [`RELIABLE`] on it is reliable, and mixed between.
const LOW: f64 = 0.4;
const RELIABLE: f64 = 0.6;

/// How far a source is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It makes what it tells: standards, data, law, code.
    Primary,
    /// A list rates it well.
    Reliable,
    /// A list rates it neither well nor badly.
    Mixed,
    /// A list rates it badly.
    Low,
    /// No list knows it.
    Unknown,
}

/// A day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: i64,
    month: i64,
    day: i64,
}

impl Date {
    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().splitn(3, '-');
        let mut part = |length: usize| {
            let part = parts.next()?;
            let digits = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<i64>().ok() } else { None }
        };
        let (year, month, day) = (part(4)?, part(2)?, part(2)?);
        let real = (1..=12).contains(&month) && (1..=31).contains(&day);
        real.then_some(Self { year, month, day })
    }

    /// Returns how many days `self` lies before `later`.
    pub fn days_until(self, later: Self) -> i64 {
        later.number() - self.number()
    }

    /// Returns the day's number, counted as in the Gregorian calendar for all time.
    fn number(self) -> i64 {
        let (year, month) = if self.month < 3 {
            (self.year - 1, self.month + 9)
        } else {
            (self.year, self.month - 3)
        };
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + self.day
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// The form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// CRED-1: categories count, since its scores lie on another scale than those of others.
    Cred1,
    /// The first component of Lin et al. 2023, from 0 to 1.
    Pc1,
    /// Domain, score from 0 to 1, and where and when it was given.
    Plain,
}

/// Why a list was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is too long.
    #[error(
        "the list `{list}` is larger than {MAX_LIST_BYTES} bytes or {MAX_LIST_ENTRIES} entries"
    )]
    TooLarge {
        /// Name of the list.
        list: String,
    },
    /// Its first line names no known columns.
    #[error(
        "the list `{list}`, first row: expected the columns `domain,score[,source,as_of]`, `domain,pc1` or `domain,category,credibility_score`"
    )]
    UnknownColumns {
        /// Name of the list.
        list: String,
    },
    /// A line cannot be used.
    #[error("the list `{list}`, line {line}: {problem}")]
    BadLine {
        /// Name of the list.
        list: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it and what was expected.
        problem: String,
    },
}

/// What one list says of a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Name of the list.
    pub list: String,
    /// The line in it, from 1; 0 for the list of the project.
    pub line: u64,
    /// The score as the list has it; the scales of lists differ.
    pub value: Option<f64>,
    /// What follows from it.
    pub class: Class,
    /// The category, the source or the reason the list gives.
    pub note: String,
    /// When it was given, as far as that is known.
    pub as_of: Option<Date>,
}

/// What all lists together say of a domain.
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    /// The class the first list gives that knows the domain.
    pub class: Class,
    /// What each list says that knows it, in the order of the lists.
    pub scores: Vec<Score>,
}

/// A list of ratings.
#[derive(Debug, Clone, PartialEq)]
pub struct TrustList {
    name: String,
    as_of: Option<Date>,
    entries: BTreeMap<String, Score>,
    skipped: Vec<String>,
}

impl TrustList {
    /// Returns the project's own list of primary and standards sources.
    pub fn own() -> Self {
        let as_of = Date::parse(own::AS_OF);
        let score = |reason: &str| Score {
            list: "primary".to_owned(),
            line: 0,
            value: None,
            class: Class::Primary,
            note: reason.to_owned(),
            as_of,
        };
        let entries = own::PRIMARY.iter().map(|e| (e.domain.to_owned(), score(e.reason)));
        Self { name: "primary".to_owned(), as_of, entries: entries.collect(), skipped: Vec::new() }
    }

    /// Reads a list; the columns in its first line tell the form. `as_of` is when it was published.
    ///
    /// # Errors
    ///
    /// [`ListError`] with the line. Nothing of a list with an error is used. Of a published list (CRED-1, PC1)
    /// up to [`MAX_SKIPPED_LINES`] lines are passed over instead.
    pub fn parse(name: &str, text: &str, as_of: Option<Date>) -> Result<Self, ListError> {
        let mut list =
            Self { name: name.to_owned(), as_of, entries: BTreeMap::new(), skipped: Vec::new() };
        if text.len() > MAX_LIST_BYTES {
            return Err(ListError::TooLarge { list: list.name });
        }
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let mut rows = (1..).zip(lines).filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
        let columns = rows.next().and_then(|(_, row)| Columns::of(&cells(row)?));
        let Some(columns) = columns else {
            return Err(ListError::UnknownColumns { list: list.name });
        };
        for (line, row) in rows {
            let cells = cells(row).ok_or_else(|| "a quotation mark is not closed".to_owned());
            let added = cells.and_then(|cells| list.add(&columns, &cells, line));
            if let Err(problem) = added {
                let error = ListError::BadLine { list: list.name.clone(), line, problem };
                if columns.format == Format::Plain || list.skipped.len() == MAX_SKIPPED_LINES {
                    return Err(error);
                }
                list.skipped.push(error.to_string());
            }
            if list.entries.len() > MAX_LIST_ENTRIES {
                return Err(ListError::TooLarge { list: list.name });
            }
        }
        Ok(list)
    }

    /// Returns the name of the list.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what to tell a person of each line that was passed over.
    pub fn skipped(&self) -> &[String] {
        &self.skipped
    }

    /// Returns how many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns what to tell a person when the list is old on some day, or its age cannot be known.
    pub fn staleness(&self, today: Date) -> Option<String> {
        let name = &self.name;
        match self.as_of {
            None => Some(format!(
                "the list `{name}` does not say when it was published; its ratings may be old"
            )),
            Some(as_of) => {
                let days = as_of.days_until(today);
                (days > OLD_AFTER_DAYS).then(|| {
                    format!("the list `{name}` is of {as_of}, {days} days old; get a newer one")
                })
            }
        }
    }

    /// Returns what the list says of an address: of its page, its host, or what is above that.
    pub fn score(&self, address: &Address) -> Option<&Score> {
        let mut host = address.host();
        loop {
            if let Some(score) = self.below(host, address.path()) {
                return Some(score);
            }
            if host == address.domain() {
                return None;
            }
            host = host.split_once('.')?.1;
        }
    }

    fn below(&self, host: &str, path: &str) -> Option<&Score> {
        let page = |length: usize| {
            let parts: Vec<&str> = path.split('/').take(length).collect();
            self.entries.get(&format!("{host}/{}", parts.join("/")))
        };
        let page = if path.is_empty() { None } else { (1..=3).rev().find_map(page) };
        page.or_else(|| self.entries.get(host))
    }

    fn add(&mut self, columns: &Columns, row: &[String], line: u64) -> Result<(), String> {
        let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).map_or("", String::as_str);
        let name = cell(Some(columns.domain));
        let address =
            Address::parse(name).ok_or_else(|| format!("`{}` is no domain", shown(name)))?;
        let value = cell(Some(columns.score));
        let value: f64 = value
            .parse()
            .ok()
            .filter(|value| (0.0..=1.0).contains(value))
            .ok_or_else(|| format!("`{}` is no score from 0 to 1", shown(value)))?;
        let note = cell(columns.note);
        let as_of = match cell(columns.as_of) {
            "" => self.as_of,
            date => Some(
                Date::parse(date)
                    .ok_or_else(|| format!("`{}` is no date `YYYY-MM-DD`", shown(date)))?,
            ),
        };
        let class = match columns.format {
            Format::Cred1 => category(note)
                .ok_or_else(|| format!("`{}` is no category of CRED-1", shown(note)))?,
            Format::Pc1 | Format::Plain => class_of(value),
        };
        let key = match address.path() {
            "" => address.host().to_owned(),
            path => format!("{}/{path}", address.host()),
        };
        let note = note.to_owned();
        let score = Score { list: self.name.clone(), line, value: Some(value), class, note, as_of };
        match self.entries.get(&key) {
            // Published lists have some domains twice, as a whole and by a part of the page.
            Some(before) if before.class == class => {}
            Some(before) => {
                let line = before.line;
                return Err(format!("`{}` is rated otherwise in line {line}", shown(name)));
            }
            None => drop(self.entries.insert(key, score)),
        }
        Ok(())
    }
}

/// Asks lists about an address, in their order.
pub fn rate(lists: &[TrustList], address: &Address) -> Rating {
    let scores: Vec<Score> = lists.iter().filter_map(|list| list.score(address)).cloned().collect();
    Rating { class: scores.first().map_or(Class::Unknown, |score| score.class), scores }
}

/// Where the columns of a list are.
struct Columns {
    format: Format,
    domain: usize,
    score: usize,
    note: Option<usize>,
    as_of: Option<usize>,
}

impl Columns {
    fn of(header: &[String]) -> Option<Self> {
        let column = |name: &str| header.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        let domain = column("domain")?;
        let (format, score, note) = if let Some(score) = column("credibility_score") {
            (Format::Cred1, score, Some(column("category")?))
        } else if let Some(score) = column("pc1") {
            (Format::Pc1, score, None)
        } else {
            (Format::Plain, column("score")?, column("source"))
        };
        Some(Self { format, domain, score, note, as_of: column("as_of") })
    }
}

/// Returns the cells of a row, or nothing when a quotation mark is not closed. Rows are lines: no list has a
/// domain with a line break.
fn cells(row: &str) -> Option<Vec<String>> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = row.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if quoted || cell.trim().is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            _ => cell.push(c),
        }
    }
    cells.push(cell.trim().to_owned());
    (!quoted).then_some(cells)
}

/// The categories of CRED-1, which lists domains of low credibility; satire misleads who takes it for news.
fn category(name: &str) -> Option<Class> {
    match name {
        "reliable" => Some(Class::Reliable),
        "mixed" => Some(Class::Mixed),
        "unreliable" | "fake" | "conspiracy" | "rumor" | "satire" => Some(Class::Low),
        _ => None,
    }
}

fn class_of(value: f64) -> Class {
    match value {
        value if value < LOW => Class::Low,
        value if value < RELIABLE => Class::Mixed,
        _ => Class::Reliable,
    }
}

/// Returns the beginning of a cell, without characters that would disturb a terminal.
fn shown(cell: &str) -> String {
    cell.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
