//! A report for people, as Markdown. What comes from sources is written so that it stays text.

use std::fmt::Write as _;

use ringfence_capability::text;

use crate::report::{Citation, Confidence, Level, Report, Source};

/// Returns a report as Markdown.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n", plain(&report.question));
    let level = level(report.confidence.level);
    let _ = writeln!(out, "Confidence: {level} ({})\n", reasons(&report.confidence));
    for statement in &report.statements {
        let cites: Vec<_> = statement.citations.iter().map(|c| cite(report, c)).collect();
        let level = self::level(statement.confidence.level);
        let _ = writeln!(
            out,
            "- {} {} ({level}: {})",
            plain(&statement.text),
            cites.join(""),
            reasons(&statement.confidence)
        );
    }
    contradictions(&mut out, report);
    sources(&mut out, report);
    origins(&mut out, report);
    made(&mut out, report);
    out
}

fn contradictions(out: &mut String, report: &Report) {
    if report.contradictions.is_empty() {
        return;
    }
    out.push_str("\n## Possible contradictions\n\n");
    for one in &report.contradictions {
        let _ = writeln!(out, "- {}: {}", plain(&one.kind), plain(&one.detail));
        for side in [&one.first, &one.second] {
            let _ = writeln!(out, "  - {} {}", plain(&side.text), cite(report, &side.citation));
        }
    }
}

fn sources(out: &mut String, report: &Report) {
    out.push_str("\n## Sources\n\n");
    for (number, source) in (1..).zip(&report.sources) {
        if source.text.is_none() {
            continue;
        }
        let title = source.title.as_deref().unwrap_or("without a title");
        // No numbered list: renderers count it anew, and uncited sources are left out.
        let _ = write!(out, "- \\[{number}\\] {}, {}", plain(title), link(&source.url));
        if let Some(published) = &source.published {
            let _ = write!(out, ", {}", plain(published));
        }
        let _ = writeln!(out, " ({}; sha256 {})", plain(&source.trust), short(&source.sha256));
        for place in places(report, source) {
            let _ = writeln!(out, "  - bytes {place}");
        }
        if let Some(same) = &source.same_as {
            let _ =
                writeln!(out, "  - counts as one source with {}", number_of(report, &same.source));
        }
    }
}

/// Returns the places of a source that sentences cite.
fn places(report: &Report, source: &Source) -> Vec<String> {
    let cited = (1..).zip(&report.statements).flat_map(|(number, statement)| {
        let of = statement.citations.iter().filter(|citation| citation.source == source.id);
        of.map(move |citation| format!("{}–{}, sentence {number}", citation.start, citation.end))
    });
    cited.collect()
}

fn origins(out: &mut String, report: &Report) {
    let bias = &report.bias;
    out.push_str("\n## Where the sources come from\n\n");
    let _ = writeln!(
        out,
        "{} independent sources; effective domains {:.1}; {:.0} % of them known to a list.\n",
        bias.sources,
        bias.effective_domains,
        bias.coverage * 100.0
    );
    for share in &bias.shares {
        let percent = share.share * 100.0;
        let _ = writeln!(
            out,
            "- {}: {} ({percent:.0} %), {}",
            plain(&share.domain),
            share.sources,
            plain(&share.class)
        );
    }
    for warning in &bias.warnings {
        let _ = writeln!(out, "- **{}**: {}", plain(&warning.code), plain(&warning.message));
    }
}

fn made(out: &mut String, report: &Report) {
    out.push_str("\n## How it was made\n\n");
    let _ = writeln!(
        out,
        "On {}, {}: {} searches, {} documents read, {} passed over.\n",
        plain(&report.made),
        report.strategy,
        report.searches.len(),
        report.sources.len(),
        report.skipped.len()
    );
    for search in &report.searches {
        let failed = search.failed.as_deref().map(|why| format!(", failed: {}", plain(why)));
        let _ = writeln!(
            out,
            "- searched `{}`: {}{}",
            code(&search.query),
            search.hits,
            failed.unwrap_or_default()
        );
    }
    for skipped in &report.skipped {
        let _ = writeln!(out, "- passed over {}: {}", link(&skipped.url), plain(&skipped.why));
    }
    for note in &report.notes {
        let _ = writeln!(out, "- {}", plain(note));
    }
    for step in &report.steps {
        let grants =
            if step.grants.is_empty() { "nothing".to_owned() } else { step.grants.join(", ") };
        let _ = writeln!(
            out,
            "- `{}` was {} ({}), granted {}",
            step.step,
            plain(&step.plugin),
            code(&step.digest),
            plain(&grants)
        );
    }
}

fn cite(report: &Report, citation: &Citation) -> String {
    number_of(report, &citation.source)
}

fn number_of(report: &Report, id: &str) -> String {
    let at = report.sources.iter().position(|source| source.id == id);
    at.map_or_else(|| "[?]".to_owned(), |at| format!("[{}]", at + 1))
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
    }
}

fn reasons(confidence: &Confidence) -> String {
    let reasons: Vec<_> = confidence.reasons.iter().map(|reason| plain(reason)).collect();
    reasons.join("; ")
}

/// Writes text so that Markdown shows it as it stands, on one line.
fn plain(said: &str) -> String {
    let mut out = String::with_capacity(said.len());
    for word in said.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            match c {
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '&' => out.push_str("&amp;"),
                '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '!' | '~' => {
                    out.push('\\');
                    out.push(c);
                }
                c if text::hides(c) => {}
                c => out.push(c),
            }
        }
    }
    // What many renderers make a link of without any brackets.
    out.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Writes an address of the web as a link, and any other, such as one that holds a script, as text.
fn link(url: &str) -> String {
    let is_of = |scheme: &str| {
        url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if is_of("https://") || is_of("http://") {
        format!("<{}>", address(url))
    } else {
        format!("`{}`", code(url))
    }
}

/// Writes an address between `<` and `>` so that it stays there.
fn address(url: &str) -> String {
    url.chars()
        .filter(|c| !text::hides(*c))
        .flat_map(|c| match c {
            '<' => "%3C".chars().collect::<Vec<_>>(),
            '>' => "%3E".chars().collect(),
            ' ' => "%20".chars().collect(),
            c => vec![c],
        })
        .collect()
}

fn code(said: &str) -> String {
    said.chars().filter(|c| !text::hides(*c) && *c != '`').collect()
}

fn short(hash: &str) -> String {
    hash.chars().take(12).filter(char::is_ascii_hexdigit).collect()
}
