//! The command: see `--help`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints what it measured"
)]

use std::error::Error;
use std::process::ExitCode;

use quality_eval::sets::Set;
use quality_eval::{growth, measure, sets};

const HELP: &str = "\
Measures the research algorithms on labelled sets.

Usage: quality-eval <command> [options]

Commands:
  neardup             precision, recall, F1, B-cubed and false merges on every set
  export DIR          write every set as DIR/<set>.jsonl, for other programs
  pairs MODE FILE     the related pairs of one set as JSON, with the time they took; MODE is
                      `set` (exact) or `index` (pairs of one cluster)
  agreement DIR       write what the steps must answer as components to DIR
  growth N...         fill the index with made-up documents, report at each size

Options:
  --advisories FILE   more sets, made from texts in JSON Lines (`id`, `text`)
  --json              machine-readable results
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut advisories, mut json) = (None, false);
    let mut left = arguments.iter();
    while let Some(argument) = left.next() {
        match argument.as_str() {
            "--advisories" => advisories = Some(left.next().ok_or("`--advisories` needs a file")?),
            "--json" => json = true,
            "--help" | "-h" => words.push("help"),
            other => words.push(other),
        }
    }
    let sets = || all_sets(advisories.map(String::as_str));
    match words.as_slice() {
        ["neardup"] => neardup(&sets()?, json),
        ["export", dir] => export(&sets()?, dir),
        ["pairs", mode, path] => pairs(mode, path),
        ["agreement", dir] => agreement(dir),
        ["growth", sizes @ ..] if !sizes.is_empty() => grow(sizes),
        [] | ["help", ..] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("`{}` is not a command, see `--help`", words.join(" ")).into()),
    }
}

fn all_sets(advisories: Option<&str>) -> Result<Vec<Set>, Box<dyn Error>> {
    let mut all = sets::own()?;
    if let Some(path) = advisories {
        let text = std::fs::read_to_string(path).map_err(|error| format!("`{path}`: {error}"))?;
        let texts = sets::read(&text).map_err(|error| format!("`{path}`: {error}"))?;
        all.push(sets::syndication("syndicated advisories", &texts));
        all.push(sets::apart("advisories", texts));
    }
    Ok(all)
}

fn neardup(sets: &[Set], json: bool) -> Result<(), Box<dyn Error>> {
    for set in sets {
        let found = measure::measure(set)?;
        if json {
            println!("{}", serde_json::to_string(&found)?);
            continue;
        }
        println!("{} ({} texts)", found.set, found.texts);
        for (what, score) in [
            ("pairs", found.pairs),
            ("shingles", found.shingles_only),
            ("clusters", found.clusters),
            ("B-cubed", found.b_cubed),
        ] {
            let (precision, recall, f1) = (score.precision, score.recall, score.f1);
            println!("  {what:9} precision {precision:.4}  recall {recall:.4}  F1 {f1:.4}");
        }
        let (pairs, merges) = (found.false_pairs * 100.0, found.false_merges * 100.0);
        println!("  false     pairs {pairs:.3} %  merges {merges:.3} %");
        let kinds = found.by_kind.iter().map(|(kind, recall)| format!("{kind} {recall:.3}"));
        let kinds: Vec<String> = kinds.collect();
        println!("  recall    {}", kinds.join("  "));
    }
    Ok(())
}

fn export(sets: &[Set], dir: &str) -> Result<(), Box<dyn Error>> {
    for set in sets {
        let lines: Result<Vec<_>, _> = set.texts.iter().map(serde_json::to_string).collect();
        let path = format!("{dir}/{}.jsonl", set.name.replace(' ', "-"));
        std::fs::write(&path, lines?.join("\n") + "\n")
            .map_err(|error| format!("`{path}`: {error}"))?;
    }
    Ok(())
}

/// Prints the related pairs of one set, for comparing with other programs.
fn pairs(mode: &str, path: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("`{path}`: {error}"))?;
    let texts = sets::read(&text).map_err(|error| format!("`{path}`: {error}"))?;
    let start = std::time::Instant::now();
    let pairs = match mode {
        "set" => measure::related_pairs(&texts)?,
        "index" => measure::indexed_pairs(&texts)?,
        _ => return Err(format!("`{mode}` is neither `set` nor `index`").into()),
    };
    let seconds = start.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "seconds": seconds, "pairs": pairs }));
    Ok(())
}

fn agreement(dir: &str) -> Result<(), Box<dyn Error>> {
    for call in quality_eval::agreement::calls()? {
        for (kind, value) in [("input", &call.input), ("output", &call.output)] {
            let path = format!("{dir}/{}.{kind}.json", call.step);
            std::fs::write(&path, format!("{value}\n"))
                .map_err(|error| format!("`{path}`: {error}"))?;
        }
    }
    Ok(())
}

fn grow(sizes: &[&str]) -> Result<(), Box<dyn Error>> {
    let sizes: Result<Vec<usize>, _> = sizes.iter().map(|size| size.parse()).collect();
    let sizes = sizes.map_err(|_| "a size is a number of documents")?;
    println!(
        "documents  clusters  copies found  MB of text  fingerprint s  index s  docs/s  RSS MB"
    );
    growth::grow(&sizes, |grown| {
        let (print, add) = (grown.times.0.as_secs_f64(), grown.times.1.as_secs_f64());
        let rate = f64::from(u32::try_from(grown.documents).unwrap_or(u32::MAX)) / (print + add);
        println!(
            "{:9}  {:8}  {:5}/{:6}  {:10}  {print:13.2}  {add:7.2}  {rate:6.0}  {}",
            grown.documents,
            grown.clusters,
            grown.copies.0,
            grown.copies.1,
            grown.bytes >> 20,
            resident().unwrap_or_default(),
        );
    });
    Ok(())
}

/// Returns how much memory the program holds, where the system says so.
fn resident() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some((kilobytes >> 10).to_string())
}
