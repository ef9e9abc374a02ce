//! Collects what the searcher finds in one file, within the budget of the whole report.

use std::io;

use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkContext, SinkContextKind, SinkFinish, SinkMatch};

use crate::Match;

/// Longest text of a line that is shown.
pub(crate) const MAX_SHOWN_BYTES: usize = 1000;
/// How much of a long line stands before the match.
const LEAD_BYTES: usize = 200;
/// What numbers and list headers of one line cost, so that many short lines are bounded too.
const LINE_OVERHEAD_BYTES: usize = 32;

const DEFAULT_MATCHES: u32 = 500;
const MAX_MATCHES: u32 = 10_000;
const DEFAULT_OUTPUT_BYTES: u64 = 256 << 10;
const MAX_OUTPUT_BYTES: u64 = 4 << 20;

/// What the report may still hold.
pub(crate) struct Budget {
    matches: u32,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(matches: Option<u32>, bytes: Option<u64>) -> Self {
        let bytes = bytes.unwrap_or(DEFAULT_OUTPUT_BYTES).min(MAX_OUTPUT_BYTES);
        Self {
            matches: matches.unwrap_or(DEFAULT_MATCHES).min(MAX_MATCHES),
            bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.matches == 0 || self.bytes == 0
    }

    /// Returns whether a text of that length still fits, and takes it off. After the first that does
    /// not fit nothing else does.
    fn take(&mut self, text: &str) -> bool {
        let cost = text.len() + LINE_OVERHEAD_BYTES;
        let fits = cost <= self.bytes;
        self.bytes = if fits { self.bytes - cost } else { 0 };
        fits
    }
}

/// The matches of one file while it is searched.
pub(crate) struct Collector<'a> {
    matcher: &'a RegexMatcher,
    budget: &'a mut Budget,
    matches: Vec<Match>,
    before: Vec<String>,
    binary: bool,
    cut_short: bool,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(matcher: &'a RegexMatcher, budget: &'a mut Budget) -> Self {
        Self {
            matcher,
            budget,
            matches: Vec::new(),
            before: Vec::new(),
            binary: false,
            cut_short: false,
        }
    }

    /// Returns whether the file is binary, whether the budget ended the search, and the matches.
    pub(crate) fn finish(self) -> (bool, bool, Vec<Match>) {
        (self.binary, self.cut_short, self.matches)
    }
}

impl Sink for Collector<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        let line = without_end(found.bytes());
        let start = self.matcher.find(line)?.map_or(0, |place| place.start());
        let (text, cut) = part(line, start);
        if self.budget.matches == 0 || !self.budget.take(&text) {
            self.cut_short = true;
            return Ok(false);
        }
        self.budget.matches -= 1;
        self.matches.push(Match {
            line: found.line_number().unwrap_or(0),
            column: String::from_utf8_lossy(&line[..start]).chars().count() as u64 + 1,
            text,
            cut,
            before: std::mem::take(&mut self.before),
            after: Vec::new(),
        });
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, context: &SinkContext<'_>) -> Result<bool, io::Error> {
        let (text, _) = part(without_end(context.bytes()), 0);
        if !self.budget.take(&text) {
            self.cut_short = true;
            return Ok(false);
        }
        match (context.kind(), self.matches.last_mut()) {
            (SinkContextKind::After, Some(last)) => last.after.push(text),
            _ => self.before.push(text),
        }
        Ok(true)
    }

    fn finish(&mut self, _: &Searcher, end: &SinkFinish) -> Result<(), io::Error> {
        self.binary = end.binary_byte_offset().is_some();
        Ok(())
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Returns the line, or the part of a long line around `start`, and whether it was cut.
fn part(line: &[u8], start: usize) -> (String, bool) {
    if line.len() <= MAX_SHOWN_BYTES {
        return (String::from_utf8_lossy(line).into_owned(), false);
    }
    let is_boundary = |at: &usize| line.get(*at).is_none_or(|byte| byte & 0xc0 != 0x80);
    let from = start.saturating_sub(LEAD_BYTES).min(line.len() - MAX_SHOWN_BYTES);
    // A character has at most four bytes; what is no UTF-8 at all is cut where it comes.
    let from = (from..from + 4).find(is_boundary).unwrap_or(from);
    let to = (from + MAX_SHOWN_BYTES).min(line.len());
    let to = (to - 3..=to).rev().find(is_boundary).unwrap_or(to);
    (String::from_utf8_lossy(&line[from..to]).into_owned(), true)
}
