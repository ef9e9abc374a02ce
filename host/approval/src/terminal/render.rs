//! The text of a prompt: everything that is approved, and nothing that could be taken for it.

use super::quote;
use crate::{Action, ApprovalError, Argument, Asker, Exec, Prompt, Request};
use ringfence_capability::{Digest, text};
use serde_json::Value;

/// The most lines of a prompt: what a person can look through.
pub const MAX_LINES: usize = 300;

/// How far the values stand from the left.
const INDENT: usize = 14;

/// Returns the text that shows `request`, in lines of at most `width` columns. It ends with a line
/// end, and has no question yet.
///
/// # Errors
/// [`ApprovalError::TooLongToReview`] when it has more than [`MAX_LINES`] lines: nobody would see
/// what stands in the middle.
pub fn request(request: &Request, prompt: &Prompt, width: usize) -> Result<String, ApprovalError> {
    let mut page = Page { out: String::new(), width: width.clamp(40, 200), lines: 0 };
    let parts = request.parts();
    page.line(headline(request));
    page.line("");
    page.asker(request);
    page.field("wants", &text::plain(&parts.capability));
    match &parts.action {
        Action::Exec(exec) => page.exec(exec),
        Action::Commit { directory, changes, files } => {
            page.field("changes", &format!("{files} files in {}", quote::word(directory)));
            page.digest(changes);
        }
        Action::Grant => {}
    }
    page.reach(&parts.plan);
    page.field("request", &format!("{}, until {}", request.short_id(), parts.expires));
    for warning in &prompt.warnings {
        page.field("warning", &text::plain(warning));
    }
    if let Some(reason) = &parts.reason {
        page.line("");
        page.line("  The plugin says why. These are its words; nobody checked them:");
        for line in text::lines(reason).lines() {
            page.wrapped("  | ", "  | ", &line.replace('\t', "    "));
        }
    }
    if page.lines > MAX_LINES {
        return Err(ApprovalError::TooLongToReview { lines: page.lines, most: MAX_LINES });
    }
    Ok(page.out)
}

/// Returns `request` in one line of at most `width` columns, for a list: who, and what.
pub fn summary(request: &Request, width: usize) -> String {
    let parts = request.parts();
    let who = match &parts.asker {
        Asker::Operator => "you".to_owned(),
        Asker::Plugin { name, .. } => quote::word(&name.as_str().into()),
    };
    let what = match &parts.action {
        Action::Exec(exec) => exec.argv.iter().map(quote::word).collect::<Vec<_>>().join(" "),
        Action::Commit { directory, files, .. } => {
            format!("change {files} files in {}", quote::word(directory))
        }
        Action::Grant => text::plain(&parts.capability),
    };
    let line = format!("{who}: {what}");
    if columns(&line) <= width {
        return line;
    }
    let mut left = width.saturating_sub(columns_of('…'));
    let fits = |c: &char| {
        let before = left;
        left = left.saturating_sub(columns_of(*c));
        before >= columns_of(*c)
    };
    let mut short: String = line.chars().take_while(fits).collect();
    short.push('…');
    short
}

fn headline(request: &Request) -> &'static str {
    let parts = request.parts();
    match (&parts.asker, &parts.action) {
        (Asker::Operator, Action::Exec(_)) => "ringfence: run a native program in a sandbox?",
        (Asker::Plugin { .. }, Action::Exec(_)) => {
            "ringfence: a plugin asks to run a native program in a sandbox"
        }
        (Asker::Operator, Action::Commit { .. }) => "ringfence: carry the changes over?",
        (Asker::Plugin { .. }, Action::Commit { .. }) => {
            "ringfence: a plugin asks to carry changes over"
        }
        (Asker::Operator, Action::Grant) => "ringfence: grant this?",
        (Asker::Plugin { .. }, Action::Grant) => "ringfence: a plugin asks for a capability",
    }
}

/// A text that grows line by line, none of them wider than it may be.
struct Page {
    out: String,
    width: usize,
    lines: usize,
}

impl Page {
    fn asker(&mut self, request: &Request) {
        let parts = request.parts();
        match &parts.asker {
            Asker::Operator => self.field("who asks", "you, at the command line"),
            Asker::Plugin { name, digest } => {
                let name = quote::word(&name.as_str().into());
                self.field("who asks", &format!("plugin {name}"));
                self.digest(digest);
                let signer = parts.signer.as_deref().map(|signer| quote::word(&signer.into()));
                self.field("signed by", signer.as_deref().unwrap_or("nobody"));
            }
        }
    }

    fn exec(&mut self, exec: &Exec) {
        self.field("program", &quote::word(&exec.executable.path));
        self.digest(&exec.executable.digest);
        self.field("in", &quote::word(&exec.working_directory));
        let words: Vec<String> = exec.argv.iter().map(quote::word).collect();
        let line = words.join(" ");
        if columns(&line) + INDENT <= self.width {
            self.field("runs", &line);
        } else {
            for (index, word) in words.iter().enumerate() {
                let label = if index == 0 { "runs" } else { "" };
                self.field(label, &format!("[{index}] {word}"));
            }
        }
        let foreign = |argument: &&Argument| quote::has_foreign_letters(argument);
        if exec.argv.iter().chain([&exec.executable.path]).any(|word| foreign(&word)) {
            self.field("note", "it has letters outside ASCII, which can look like others");
        }
        let mut names: Vec<_> =
            exec.environment.iter().map(|n| quote::word(&n.as_str().into())).collect();
        if names.is_empty() {
            names.push("nothing".to_owned());
        }
        self.field("environment", &names.join(" "));
    }

    /// Shows the whole plan: what it says about files and the network first, then the rest.
    fn reach(&mut self, plan: &Value) {
        let Value::Object(members) = plan else {
            let said =
                if plan.is_null() { "no sandbox plan was made".to_owned() } else { flat(plan) };
            return self.field("can reach", &said);
        };
        let mut label = "can reach";
        let mut show = |page: &mut Self, text: &str| {
            page.field(label, text);
            label = "";
        };
        let first = ["network", "files"];
        for name in first {
            match members.get(name) {
                Some(Value::Array(rules)) if !rules.is_empty() => {
                    let mut rules: Vec<String> = rules.iter().map(rule).collect();
                    // Writing matters more than reading.
                    rules.sort_by_key(|line| line.starts_with("read "));
                    for line in &rules {
                        show(self, line);
                    }
                }
                Some(value) => show(self, &format!("{name} {}", flat(value))),
                None => {}
            }
        }
        for (name, value) in members.iter().filter(|(name, _)| !first.contains(&name.as_str())) {
            show(self, &format!("{} {}", quote::word(&name.as_str().into()), flat(value)));
        }
    }

    fn field(&mut self, label: &str, value: &str) {
        let first = format!("  {label:<12}");
        self.wrapped(&first, &" ".repeat(INDENT), value);
    }

    /// Further to the left than a value, so that it fits into one line of 80 columns.
    fn digest(&mut self, digest: &Digest) {
        self.wrapped("      ", "      ", &digest.to_string());
    }

    /// Adds `text`, cut where a line is full, so that no part of it ever begins a line.
    fn wrapped(&mut self, first: &str, next: &str, text: &str) {
        let mut line = first.to_owned();
        let mut used = columns(first);
        for c in text.chars() {
            let wide = columns_of(c);
            if used + wide > self.width {
                self.line(&line);
                next.clone_into(&mut line);
                used = columns(next);
            }
            line.push(c);
            used += wide;
        }
        self.line(line.trim_end());
    }

    fn line(&mut self, line: &str) {
        self.lines += 1;
        self.out.push_str(line);
        self.out.push('\n');
    }
}

/// Returns one rule about a file as a line, when it has the form of one.
fn rule(rule: &Value) -> String {
    match (&rule["access"], &rule["path"], rule.as_object().map(serde_json::Map::len)) {
        (Value::String(access), Value::String(path), Some(2)) => {
            format!("{} {}", text::plain(access), quote::word(&path.as_str().into()))
        }
        _ => flat(rule),
    }
}

/// Returns a value in one line, with its texts quoted.
fn flat(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quote::word(&text.as_str().into()),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}={}", quote::word(&name.as_str().into()), flat(value))
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(" "))
        }
    }
}

/// Returns how many columns a text takes at most.
fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

pub(super) fn columns_of(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}
