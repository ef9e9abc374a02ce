//! The Seatbelt profile of a plan, as text and parameters.
//!
//! No path ever stands in the text: the text names parameters, and their values travel beside it
//! (`sandbox-exec -D NAME=value`), where no parser of the profile reads them. So the text of a
//! plan depends on its shape alone. The last rule that matches decides in Seatbelt; rules are
//! therefore written from the shortest path to the longest, and protected names come last.
//!
//! Plain computation, tested on every system. Not verified on this system: that Seatbelt reads
//! the text as intended.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ringfence_capability::Profile;

use super::baseline::{
    LOADER_TREES, MACH_SERVICES, SYSCTL_PREFIXES, SYSCTLS, SYSTEM_FILES, SYSTEM_PASSAGES,
};
use super::protected;
use crate::SandboxError;
use crate::plan::{Access, FileRule};

/// Most file rules one profile holds; the arguments of a program have a limit, and so does a
/// reader's patience.
const MAX_RULES: usize = 512;

/// Longest path in bytes, `PATH_MAX` of macOS without the closing zero.
const MAX_PATH_BYTES: usize = 1_023;

const NOT_PLAIN: &str = "Seatbelt compares plain absolute paths in UTF-8 of at most 1023 bytes";
const NOT_A_NAME: &str = "only a plain file name in ASCII can be protected on macOS";

/// What a program may reach over the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outbound {
    /// Nothing.
    Nothing,
    /// One port of the loopback interface, where the host's proxy listens.
    Loopback(u16),
}

/// The text of a profile and the values of its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeatbeltProfile {
    /// The text, without any path of the plan.
    pub(crate) text: String,
    /// Name and value of each parameter, in order of their first use.
    pub(crate) parameters: Vec<(String, PathBuf)>,
}

/// What a profile is made from: the parts of a plan, with paths free of symbolic links.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contents<'a> {
    /// System paths every program reads and executes.
    pub(crate) system: &'a [&'a str],
    /// The rules for files beyond them.
    pub(crate) files: &'a [FileRule],
    /// Names of path components that nobody writes.
    pub(crate) protected: &'a [String],
    /// The security profile of the run.
    pub(crate) profile: Profile,
    /// The program itself and, when it is a script, what interprets it.
    pub(crate) programs: &'a [&'a str],
    /// What it may reach over the network.
    pub(crate) outbound: Outbound,
}

/// Returns the profile that says exactly these contents.
///
/// # Errors
/// [`SandboxError::Path`] and [`SandboxError::TooMany`] for what the language cannot say exactly;
/// nothing near it is said instead.
pub(crate) fn seatbelt_profile(contents: &Contents<'_>) -> Result<SeatbeltProfile, SandboxError> {
    let rules = ordered(contents.files)?;
    let programs = contents.programs.iter().map(Path::new);
    let mut writer = Writer::default();
    writer.line("(version 1)\n(deny default)");
    writer.processes();
    writer.system(contents.system)?;
    writer.passages(rules.iter().map(|rule| rule.path.as_path()).chain(programs.clone()))?;
    for rule in &rules {
        writer.rule(rule, contents.profile)?;
    }
    for program in programs {
        writer.program(program)?;
    }
    writer.protected(contents.protected)?;
    writer.network(contents.outbound);
    Ok(SeatbeltProfile { text: writer.text, parameters: writer.parameters })
}

/// Returns the rules from the shortest path to the longest, each path once.
fn ordered(files: &[FileRule]) -> Result<Vec<FileRule>, SandboxError> {
    if files.len() > MAX_RULES {
        return Err(SandboxError::TooMany { what: "file rules", limit: MAX_RULES });
    }
    let mut by_depth: BTreeMap<(usize, &Path), &FileRule> = BTreeMap::new();
    for rule in files {
        let key = (rule.path.components().count(), rule.path.as_path());
        if by_depth.insert(key, rule).is_some_and(|earlier| earlier.access != rule.access) {
            return Err(refused(&rule.path, "two rules disagree about it"));
        }
    }
    Ok(by_depth.into_values().cloned().collect())
}

#[derive(Default)]
struct Writer {
    text: String,
    parameters: Vec<(String, PathBuf)>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// Writes an operation over a list of filters, one a line.
    fn allow(&mut self, operations: &str, filters: impl IntoIterator<Item = String>) {
        let _ = write!(self.text, "(allow {operations}");
        for filter in filters {
            let _ = write!(self.text, "\n  {filter}");
        }
        self.line(")");
    }

    /// Names a path by a parameter and returns the reference to it.
    fn parameter(&mut self, path: &Path) -> Result<String, SandboxError> {
        if !is_plain(path) {
            return Err(refused(path, NOT_PLAIN));
        }
        let known = self.parameters.iter().position(|(_, value)| value == path);
        let place = known.unwrap_or(self.parameters.len());
        let name = format!("PATH_{place}");
        if known.is_none() {
            self.parameters.push((name.clone(), path.to_path_buf()));
        }
        Ok(format!("(param \"{name}\")"))
    }

    fn processes(&mut self) {
        self.line("; Processes: children, and signals and questions among themselves only.");
        self.line("(allow process-fork)");
        self.line("(allow signal (target same-sandbox))");
        self.line("(allow process-info* (target same-sandbox))");
    }

    fn system(&mut self, system: &[&str]) -> Result<(), SandboxError> {
        self.line("; The system, read and executed.");
        let mut trees = Vec::new();
        for path in system {
            trees.push(format!("(subpath {})", self.parameter(Path::new(path))?));
        }
        trees.extend(each("subpath", &LOADER_TREES));
        self.allow("file-read*", trees.iter().cloned().chain(each("literal", &SYSTEM_FILES)));
        self.allow("file-map-executable process-exec*", trees);
        self.allow("file-read-metadata", each("literal", &SYSTEM_PASSAGES));
        self.line("(allow file-read* file-write-data\n  (literal \"/dev/null\"))");
        self.line("; Terminals that were open before; no other can be opened.");
        self.line("(allow file-ioctl\n  (regex #\"^/dev/ttys[0-9]+$\"))");
        self.line("; Facts about the machine, and the named services.");
        let prefixes = each("sysctl-name-prefix", &SYSCTL_PREFIXES);
        self.allow("sysctl-read", each("sysctl-name", &SYSCTLS).chain(prefixes));
        let services = MACH_SERVICES.map(|(name, _)| name);
        self.allow("mach-lookup", each("global-name", &services));
        Ok(())
    }

    /// Allows to look at, not to list, the directories above what is granted.
    fn passages<'a>(&mut self, paths: impl Iterator<Item = &'a Path>) -> Result<(), SandboxError> {
        let mut filters = Vec::new();
        for path in paths {
            if !is_plain(path) {
                return Err(refused(path, NOT_PLAIN));
            }
            for above in path.ancestors().skip(1).filter(|above| above.parent().is_some()) {
                let filter = format!("(literal {})", self.parameter(above)?);
                if !filters.contains(&filter) {
                    filters.push(filter);
                }
            }
        }
        if !filters.is_empty() {
            self.line("; Passage to what is granted.");
            self.allow("file-read-metadata", filters);
        }
        Ok(())
    }

    fn program(&mut self, program: &Path) -> Result<(), SandboxError> {
        let name = self.parameter(program)?;
        self.line("; The program.");
        self.line(&format!(
            "(allow file-read* file-map-executable process-exec*\n  (literal {name}))"
        ));
        Ok(())
    }

    /// Writes one file rule; what it does not give is denied again, because a shorter path may
    /// have given it.
    fn rule(&mut self, rule: &FileRule, profile: Profile) -> Result<(), SandboxError> {
        let name = self.parameter(&rule.path)?;
        let filter = format!("(subpath {name})");
        // Where a program can write, it could execute what it wrote; only builds need that.
        let builds = profile >= Profile::WorkspaceWrite;
        let (comment, write, execute) = match rule.access {
            Access::Read => ("read", "deny", "allow"),
            Access::Write => ("read and written", "allow", if builds { "allow" } else { "deny" }),
            Access::Staged => {
                return Err(refused(&rule.path, "macOS has no overlay to stage writes in"));
            }
        };
        self.line(&format!("; Granted: {comment}."));
        self.line(&format!("(allow file-read* {filter})"));
        self.line(&format!("({write} file-write* {filter})"));
        self.line(&format!("({execute} file-map-executable process-exec* {filter})"));
        Ok(())
    }

    fn protected(&mut self, names: &[String]) -> Result<(), SandboxError> {
        self.line("; Set-id bits outlive the run, so none is set. Last: names nobody writes.");
        self.line("(deny file-write-setugid)");
        for name in names {
            let expression =
                protected::expression(name).ok_or_else(|| refused(Path::new(name), NOT_A_NAME))?;
            let _ = writeln!(self.text, "(deny file-write* (regex #\"{expression}\"))");
        }
        Ok(())
    }

    fn network(&mut self, outbound: Outbound) {
        match outbound {
            Outbound::Nothing => self.line("; No network."),
            Outbound::Loopback(port) => {
                self.line("; The host's proxy, and no name service.");
                let _ = writeln!(
                    self.text,
                    "(allow network-outbound (remote tcp \"localhost:{port}\"))"
                );
            }
        }
    }
}

/// Returns one filter for each of some constant texts.
fn each(kind: &str, texts: &[&str]) -> impl Iterator<Item = String> {
    texts.iter().map(move |text| format!("({kind} \"{text}\")"))
}

/// Returns whether Seatbelt compares a path as it stands: absolute, UTF-8, no `.`, `..` or zero.
fn is_plain(path: &Path) -> bool {
    let Some(text) = path.to_str() else { return false };
    let whole = text.strip_prefix('/').is_some_and(|rest| {
        // The root itself has an empty rest, and no rule may name it.
        rest.split('/').all(|part| !matches!(part, "" | "." | ".."))
    });
    whole && text.len() <= MAX_PATH_BYTES && !text.contains('\0')
}

fn refused(path: &Path, why: &'static str) -> SandboxError {
    SandboxError::Path { path: path.to_path_buf(), why }
}

// On Windows a backslash divides a path, which these paths do not mean.
#[cfg(all(test, unix))]
#[path = "profile_tests.rs"]
mod tests;
