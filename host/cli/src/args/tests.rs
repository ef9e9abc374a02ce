//! Every command that the documents and the helps show is one the program takes.

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory as _, Parser as _};

use super::Args;

/// Where the documents are, from here.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// What holds documents, below the root.
const PLACES: [&str; 6] =
    ["README.md", "SECURITY.md", "docs", "sdk/templates", "examples", "plugins"];
/// Written from the program itself.
const GENERATED: &str = "docs/reference/cli.md";

/// A command as a document shows it.
struct Shown {
    place: String,
    line: String,
}

impl Shown {
    /// Returns the words of each program started, without what a person reads beside them.
    fn commands(&self) -> Vec<Vec<String>> {
        // A remark stands two spaces away, as in the helps, or behind `#`.
        let line = match apart(&self.line) {
            Some(end) => &self.line[..end],
            None => &self.line,
        };
        let words = shlex::split(line).unwrap_or_else(|| panic!("{}: `{line}`", self.place));
        let ends = |word: &String| matches!(word.as_str(), "&&" | "|" | ">" | "<" | "2>");
        words
            .split(ends)
            .filter(|words| words.first().is_some_and(|word| word == "ringfence"))
            .map(<[String]>::to_vec)
            .collect()
    }
}

/// Returns where a remark begins: at two spaces outside of quotes.
fn apart(line: &str) -> Option<usize> {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, ' ') if line[at..].starts_with("  ") => return Some(at),
            _ => {}
        }
    }
    None
}

/// Collects the commands of `text`: lines of examples, a `\` at their end joined with the next.
fn collect(place: &str, text: &str, shown: &mut Vec<Shown>) {
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let begins = line.trim_start().trim_start_matches("$ ");
        if !begins.starts_with("ringfence ") || begins.len() == line.len() {
            continue;
        }
        let mut line = begins.to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push_str(lines.next().map_or("", |(_, more)| more.trim_start()));
        }
        shown.push(Shown { place: format!("{place}:{}", number + 1), line });
    }
}

/// Collects the commands of every Markdown file at or below `path`.
fn documents(path: &Path, shown: &mut Vec<Shown>) {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        let built = |path: &Path| path.ends_with("target") || path.ends_with("node_modules");
        entries.iter().filter(|path| !built(path)).for_each(|path| documents(path, shown));
    } else if path.extension().is_some_and(|is| is == "md") && !path.ends_with(GENERATED) {
        collect(&path.display().to_string(), &std::fs::read_to_string(path).unwrap(), shown);
    }
}

/// Collects the commands in the help of `command` and of those below it.
fn helps(command: &mut Command, path: &str, shown: &mut Vec<Shown>) {
    let name = format!("{path} {}", command.get_name());
    let help = command.render_long_help().to_string();
    // The first line of usage is no example.
    let examples = help.split_once("Examples:").map_or("", |(_, examples)| examples);
    collect(&format!("the help of{name}"), examples, shown);
    for below in command.get_subcommands_mut() {
        helps(below, &name, shown);
    }
}

/// Returns what the documents and the helps show, and how much of it is in documents.
fn all_shown() -> (Vec<Shown>, usize) {
    let mut shown = Vec::new();
    for place in PLACES {
        documents(&Path::new(ROOT).join(place), &mut shown);
    }
    let in_documents = shown.len();
    let mut program = Args::command();
    program = program.term_width(1_000);
    program.build();
    helps(&mut program, "", &mut shown);
    (shown, in_documents)
}

#[test]
fn a_command_that_is_read_alone_means_the_same() {
    let read = |words: &[String]| {
        let words: Vec<_> = words.iter().map(Into::into).collect();
        let (alone, whole) = (Args::read(&words), Args::try_parse_from(&words));
        match (alone, whole) {
            (Ok(alone), Ok(whole)) => assert_eq!(format!("{alone:?}"), format!("{whole:?}")),
            (Err(alone), Err(whole)) => assert_eq!(alone.to_string(), whole.to_string()),
            (alone, whole) => panic!("{words:?}: alone {alone:?}, with all {whole:?}"),
        }
    };
    let mut seen = 0;
    for words in all_shown().0.iter().flat_map(Shown::commands) {
        if words.get(1).is_some_and(|word| word == "exec" || word == "run") {
            read(&words);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
    for line in [
        "exec undo --yes",
        "exec",
        "exec --version",
        "exec --help",
        "exec -h",
        "exec undo -- true",
        "exec --workspace /w --json -- true --json",
        "exec --no-such-flag -- true",
        "run",
        "run --help",
        "run a --data-dir /d -- run exec",
        "run a --no-such-flag",
        "--json exec -- true",
    ] {
        let words = ["ringfence"].into_iter().chain(line.split(' ')).map(str::to_owned);
        read(&words.collect::<Vec<_>>());
    }
}

#[test]
fn every_command_that_is_shown_is_one_the_program_takes() {
    let (shown, in_documents) = all_shown();
    assert!(
        in_documents > 100 && shown.len() > in_documents + 60,
        "{in_documents} {}",
        shown.len()
    );
    let mut wrong = Vec::new();
    for one in &shown {
        for words in one.commands() {
            if let Err(error) = Args::command().try_get_matches_from(&words) {
                wrong.push(format!("{}: {}\n{error}", one.place, words.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unknown = ["ringfence", "run", "a", "--no-such-flag"];
    assert!(Args::command().try_get_matches_from(unknown).is_err(), "the twin");
}
