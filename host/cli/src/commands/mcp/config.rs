//! `mcp config`: the entry with which a client starts `mcp serve`, printed or written.
//!
//! A client's file is the person's: only the one entry changes, byte by byte all else stays, and a file
//! that cannot be read as what it should be is left alone.

mod json;
mod toml;

use std::path::{Path, PathBuf};

use clap::Parser as _;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::args::{Args, ClientKind, Global, McpConfig};
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::places;
use crate::print::Printer;

/// The most bytes of a client's file.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What a client starts.
struct Entry {
    command: String,
    args: Vec<String>,
}

/// `ringfence mcp config`.
pub(super) fn config(args: &McpConfig, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if args.name.is_empty() || args.name.len() > 40 || !args.name.chars().all(fits) {
        let text = format!("`--name {}`: letters, digits, `-` and `_`, at most 40", args.name);
        return Err(CliError::Usage(text));
    }
    let entry = entry(&args.serve)?;
    let path = match &args.file {
        Some(path) => path.clone(),
        None => usual(args.client, global)?,
    };
    // Through a link, so that the link stays one.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    let before = match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        _ => {
            String::from_utf8(places::read(&path, "client's file", FILE_BYTES)?).map_err(|_| {
                CliError::Usage(format!("the client's file `{}` is not UTF-8 text", path.display()))
            })?
        }
    };
    let alone = with_entry(args.client, "", &args.name, &entry, &path)?;
    if !args.write {
        if printer.is_json() {
            printer.value(&json!({ "file": path.display().to_string(), "text": alone }));
        } else {
            printer.text(&alone);
            printer
                .note(&format!("this belongs into `{}`; `--write` puts it there", path.display()));
        }
        return Ok(0);
    }
    let after = with_entry(args.client, &before, &args.name, &entry, &path)?;
    let changed = before != after;
    let display = path.display().to_string();
    if changed {
        // The entry alone: beside it the file may hold tokens of other servers.
        let (old, new) = (shown_alone(args, &before), shown_alone(args, &after));
        let diff = TextDiff::from_lines(&old, &new);
        let shown = diff.unified_diff().header(&display, &display).to_string();
        if printer.is_json() {
            printer.note(&format!("the difference:\n{shown}"));
        } else {
            printer.text(&shown);
        }
        save(&path, &after)?;
    }
    if printer.is_json() {
        printer.value(&json!({ "file": display, "changed": changed }));
    } else {
        let wrote = format!("wrote `{display}`");
        printer.note(&if changed { wrote } else { format!("`{display}` has it already") });
    }
    Ok(0)
}

/// Returns what a client is to start: this program, with what it would understand.
fn entry(serve: &[String]) -> Result<Entry, CliError> {
    let words = ["ringfence", "mcp", "serve"].into_iter().chain(serve.iter().map(String::as_str));
    let parsed = Args::try_parse_from(words).map_err(CliError::from)?;
    if let crate::args::Command::Mcp(crate::args::Mcp {
        command: crate::args::McpCommand::Serve(serve),
    }) = &parsed.command
        && serve.listen.is_some()
    {
        let text = "a client starts the server and talks to it over standard input and output: leave `--listen` out";
        return Err(CliError::Usage(text.to_owned()));
    }
    let fail = |source| CliError::File { what: "program", path: "ringfence".to_owned(), source };
    let command = std::env::current_exe().map_err(fail)?;
    let command = command.into_os_string().into_string().map_err(|path| {
        CliError::Usage(format!("the path of this program, `{}`, is not UTF-8", path.display()))
    })?;
    let serve = (0..serve.len()).map(|at| absolute(serve, at));
    let args = ["mcp", "serve"].map(str::to_owned).into_iter().chain(serve);
    Ok(Entry { command, args: args.collect() })
}

/// Returns the word at `at`, named from the root when it is a path: a client starts servers wherever it
/// likes. What only looks like one, such as a profile that a directory is called as, stays.
fn absolute(serve: &[String], at: usize) -> String {
    let word = &serve[at];
    match std::fs::canonicalize(word) {
        Ok(path) if is_path(serve, at) => path.to_str().map_or(word.clone(), str::to_owned),
        _ => word.clone(),
    }
}

/// Tells whether the word at `at` is a path for `mcp serve`: another word in its place turns up among the
/// paths.
fn is_path(serve: &[String], at: usize) -> bool {
    const OTHER: &str = "\u{1}";
    let words =
        serve.iter().enumerate().map(|(n, word)| if n == at { OTHER } else { word.as_str() });
    let words = ["ringfence", "mcp", "serve"].into_iter().chain(words);
    let Ok(Args { command: crate::args::Command::Mcp(mcp), global }) = Args::try_parse_from(words)
    else {
        return false;
    };
    let crate::args::McpCommand::Serve(serve) = &mcp.command else { return false };
    let places = [&global.state_dir, &global.data_dir, &global.cache_dir, &serve.token_file];
    let paths = serve.plugins.iter().chain(&serve.grants.policy).chain([&global.workspace]);
    paths.chain(places.into_iter().flatten()).any(|path| path == Path::new(OTHER))
}

/// Returns where a client looks for its file.
fn usual(client: ClientKind, global: &Global) -> Result<PathBuf, CliError> {
    let home = |below: &str| match places::home() {
        Some(home) => Ok(home.join(below)),
        None => Err(CliError::Usage(
            "`HOME` names no directory; name the client's file with `--file`".to_owned(),
        )),
    };
    match client {
        ClientKind::Codex => match places::absolute("CODEX_HOME") {
            Some(dir) => Ok(dir.join("config.toml")),
            None => home(".codex/config.toml"),
        },
        ClientKind::Gemini => home(".gemini/settings.json"),
        ClientKind::Claude => Ok(global.workspace.join(".mcp.json")),
        ClientKind::Vscode => Ok(global.workspace.join(".vscode/mcp.json")),
        ClientKind::Opencode => Ok(global.workspace.join("opencode.json")),
    }
}

/// Returns the text of a client's file with the entry in it.
fn with_entry(
    client: ClientKind,
    text: &str,
    name: &str,
    entry: &Entry,
    path: &Path,
) -> Result<String, CliError> {
    let Entry { command, args } = entry;
    let plain = || json!({ "command": command, "args": args });
    let (key, value): (&str, Value) = match client {
        ClientKind::Codex => {
            let done = toml::with_entry(text, name, command, args);
            return done.map_err(|why| left_alone(path, &why));
        }
        ClientKind::Claude | ClientKind::Gemini => ("mcpServers", plain()),
        ClientKind::Vscode => {
            ("servers", json!({ "type": "stdio", "command": command, "args": args }))
        }
        ClientKind::Opencode => {
            let all: Vec<&String> = std::iter::once(command).chain(args).collect();
            ("mcp", json!({ "type": "local", "command": all, "enabled": true }))
        }
    };
    json::with_entry(text, key, name, &value).map_err(|why| left_alone(path, &why))
}

/// Returns the entry of a client's file and nothing else of it; empty when there is none.
fn shown_alone(args: &McpConfig, text: &str) -> String {
    match args.client {
        ClientKind::Codex => toml::alone(text, &args.name),
        ClientKind::Claude | ClientKind::Gemini => json::alone(text, "mcpServers", &args.name),
        ClientKind::Vscode => json::alone(text, "servers", &args.name),
        ClientKind::Opencode => json::alone(text, "mcp", &args.name),
    }
}

fn left_alone(path: &Path, why: &str) -> CliError {
    CliError::Usage(format!(
        "the client's file `{}` was left as it is: {why}; without `--write` the entry is printed, to be added by hand",
        path.display()
    ))
}

fn save(path: &Path, text: &str) -> Result<(), CliError> {
    let fail = |source| CliError::Write {
        what: "client's file",
        path: path.display().to_string(),
        source,
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    // These files hold tokens of other servers: whoever could not read one still cannot.
    files::write(path, "client's file", text.as_bytes(), readers(path), Existing::Replace)
}

#[cfg(unix)]
fn readers(path: &Path) -> Readers {
    use std::os::unix::fs::PermissionsExt as _;
    let readers = std::fs::metadata(path).map(|found| found.permissions().mode() & 0o044);
    if readers.is_ok_and(|bits| bits != 0o044) { Readers::Owner } else { Readers::All }
}

#[cfg(not(unix))]
fn readers(_: &Path) -> Readers {
    Readers::All
}
