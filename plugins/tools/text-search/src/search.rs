//! Walks the search paths and searches one file after the other.
//!
//! Everything is bounded: the pattern when it is compiled, the memory for one line, the matches and
//! the bytes of the report. The walk is sorted, so the same files give the same report.

use std::path::Path;

use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder};
use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};
use ringfence_sdk::ToolError;

use crate::collect::{Budget, Collector};
use crate::{Report, Request, SkipReason, Skipped};

/// Longest pattern, in bytes: more is a mistake, and compiling it costs time.
pub const MAX_PATTERN_BYTES: usize = 16 << 10;
/// Most memory for a compiled pattern, so that `\w{1000}{1000}` is an error and not a full memory.
const MAX_REGEX_BYTES: usize = 4 << 20;
/// Longest line that is searched. The searcher holds a line in memory as a whole.
pub const MAX_LINE_BYTES: usize = 8 << 20;
/// Most lines of context on each side.
const MAX_CONTEXT_LINES: u32 = 100;
/// Deepest directory below a search path.
const MAX_DEPTH: usize = 128;
/// How many skipped files a report names.
const MAX_SKIPPED: usize = 100;

/// Returns the lines that match, or why nothing could be searched.
///
/// # Errors
///
/// `invalid-input` for a pattern or a glob that cannot be used, `not-found` or `denied` for a search
/// path. What goes wrong with a single file during the walk is noted in the report.
pub fn run(request: &Request) -> Result<Report, ToolError> {
    let mut search = Search {
        matcher: matcher(request)?,
        searcher: searcher(request),
        budget: Budget::new(request.max_matches, request.max_output),
        report: Report {
            files: Vec::new(),
            matched_lines: 0,
            searched_files: 0,
            truncated: false,
            skipped: Vec::new(),
            skipped_files: 0,
        },
    };
    let globs = globs(request.globs.as_deref().unwrap_or_default())?;
    let whole = [".".to_owned()];
    let paths = request.paths.as_deref().filter(|paths| !paths.is_empty()).unwrap_or(&whole);
    for path in paths {
        std::fs::metadata(path).map_err(|error| ToolError::io(path, &error))?;
    }
    for path in paths {
        search.walk(path, request, &globs);
    }
    Ok(search.report)
}

struct Search {
    matcher: RegexMatcher,
    searcher: Searcher,
    budget: Budget,
    report: Report,
}

impl Search {
    fn walk(&mut self, root: &str, request: &Request, globs: &Override) {
        for entry in walk(root, request, globs) {
            if self.budget.is_spent() {
                self.report.truncated = true;
                return;
            }
            match entry {
                Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_file()) => {
                    self.file(entry.path());
                }
                Ok(_) => {}
                Err(error) => self.skip(path_of(&error).unwrap_or(root), SkipReason::Unreadable),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let shown = shown(path);
        self.report.searched_files += 1;
        let mut found = Collector::new(&self.matcher, &mut self.budget);
        let result = self.searcher.search_path(&self.matcher, path, &mut found);
        let (binary, cut_short, matches) = found.finish();
        self.report.truncated |= cut_short;
        if binary {
            return self.skip(&shown, SkipReason::Binary);
        }
        if !matches.is_empty() {
            self.report.matched_lines += matches.len() as u64;
            self.report.files.push(crate::File { path: shown.clone(), matches });
        }
        match result {
            Ok(()) => {}
            Err(error) if error.to_string().contains("allocation limit") => {
                self.skip(&shown, SkipReason::LongLine);
            }
            Err(_) => self.skip(&shown, SkipReason::Unreadable),
        }
    }

    fn skip(&mut self, path: &str, reason: SkipReason) {
        self.report.skipped_files += 1;
        if self.report.skipped.len() < MAX_SKIPPED {
            self.report.skipped.push(Skipped { path: path.to_owned(), reason });
        }
    }
}

fn matcher(request: &Request) -> Result<RegexMatcher, ToolError> {
    if request.pattern.len() > MAX_PATTERN_BYTES {
        return Err(ToolError::TooLarge(MAX_PATTERN_BYTES as u64));
    }
    if request.pattern.is_empty() {
        return Err(ToolError::invalid_input("`pattern` is empty: it would match every line"));
    }
    RegexMatcherBuilder::new()
        .case_insensitive(request.case_insensitive.unwrap_or(false))
        .fixed_strings(request.fixed_strings.unwrap_or(false))
        .word(request.whole_words.unwrap_or(false))
        .line_terminator(Some(b'\n'))
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build(&request.pattern)
        .map_err(|error| ToolError::invalid_input(format_args!("`pattern`: {error}")))
}

fn searcher(request: &Request) -> Searcher {
    let lines = |wanted: Option<u32>| wanted.unwrap_or(0).min(MAX_CONTEXT_LINES) as usize;
    SearcherBuilder::new()
        .line_number(true)
        .before_context(lines(request.context_before))
        .after_context(lines(request.context_after))
        .binary_detection(BinaryDetection::quit(0))
        .heap_limit(Some(MAX_LINE_BYTES))
        .build()
}

fn globs(globs: &[String]) -> Result<Override, ToolError> {
    let invalid = |error: ignore::Error| ToolError::invalid_input(format_args!("`globs`: {error}"));
    let mut overrides = OverrideBuilder::new(".");
    for glob in globs {
        overrides.add(glob).map_err(invalid)?;
    }
    overrides.build().map_err(invalid)
}

fn walk(
    root: &str,
    request: &Request,
    globs: &Override,
) -> impl Iterator<Item = Result<DirEntry, ignore::Error>> {
    let ignoring = !request.no_ignore.unwrap_or(false);
    WalkBuilder::new(root)
        .overrides(globs.clone())
        .hidden(!request.hidden.unwrap_or(false))
        .ignore(ignoring)
        .git_ignore(ignoring)
        .git_exclude(ignoring)
        .git_global(false)
        .require_git(false)
        .parents(ignoring)
        .follow_links(false)
        .max_depth(Some(MAX_DEPTH))
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git")
        .build()
}

fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).to_string_lossy().into_owned()
}

/// The walker wraps the path of what it could not read in several layers.
fn path_of(error: &ignore::Error) -> Option<&str> {
    match error {
        ignore::Error::WithPath { path, .. } => path.to_str(),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}
