//! Programs that run whatever they are given: shells, interpreters, and programs with an option, an
//! operand or a settings file that names another program.
//!
//! A rule that lets such a program through lets everything through that can be written for it, so it
//! must carry a `warning`. Programs are found by name, which a copy, a link or a wrapper does not
//! have: the list keeps an author from a mistake, the sandbox keeps the program in.

use crate::PolicyError;
use crate::parse::{self, Entry};
use crate::tables::{self, WrittenProgram};
use ringfence_capability::{ArgvPattern, ParseError, text};
use std::borrow::Cow;
use std::sync::LazyLock;

static BUILT_IN: LazyLock<Interpreters> = LazyLock::new(|| {
    let programs = tables::INTERPRETERS.iter().map(Program::of).collect::<Result<_, _>>();
    Interpreters { programs: programs.ok() }
});

/// The programs that run whatever they are given, each with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreters {
    /// Nothing when the list could not be read: then every program counts as one.
    programs: Option<Vec<Program>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    /// Names in lower case; one may end in `*`.
    names: Vec<Cow<'static, str>>,
    /// The options that run nothing; without them no command of the program is harmless.
    harmless: Option<ArgvPattern>,
    reason: Cow<'static, str>,
}

impl Program {
    fn of(written: &WrittenProgram) -> Result<Self, ParseError> {
        Ok(Self {
            names: written.names.iter().copied().map(Cow::Borrowed).collect(),
            harmless: written.harmless.map(pattern).transpose()?,
            reason: Cow::Borrowed(written.reason),
        })
    }
}

impl Interpreters {
    /// Returns the programs that are part of the host.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Returns the programs listed in `text`, the contents of `file`.
    ///
    /// # Errors
    /// When the file has an unknown key, an entry without names or a reason, a name that is no file
    /// name in lower case or stands there twice, or an option that is none.
    pub fn parse(file: &str, text: &str) -> Result<Self, PolicyError> {
        let mut programs: Vec<Program> = Vec::new();
        for entry in parse::entries(file, text, "program")? {
            let program = read(&entry)?;
            let known = |name: &&Cow<'static, str>| {
                let earlier = programs.iter().flat_map(|program| &program.names);
                earlier.filter(|earlier| earlier == name).count() > 0
            };
            if let Some(twice) = program.names.iter().find(known) {
                return Err(
                    entry.useless(twice.to_string(), "the name is listed already".to_owned())
                );
            }
            programs.push(program);
        }
        Ok(Self { programs: Some(programs) })
    }

    /// Returns why a command that `pattern` matches runs whatever it is given; nothing when none
    /// does.
    pub fn reached_by(&self, pattern: &ArgvPattern) -> Option<&str> {
        let Some(programs) = &self.programs else {
            return Some("the list of interpreters is unreadable");
        };
        let reached = |program: &&Program| {
            let named = program.names.iter().any(|name| pattern.runs(name));
            let harmless = program.harmless.as_ref();
            named && harmless.is_none_or(|known| pattern.takes_options_beyond(known))
        };
        programs.iter().find(reached).map(|program| &*program.reason)
    }

    /// Returns every name with the reason it is listed.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let programs = self.programs.iter().flatten();
        programs.flat_map(|program| program.names.iter().map(|name| (&**name, &*program.reason)))
    }
}

fn read(entry: &Entry<'_>) -> Result<Program, PolicyError> {
    entry.only(&["names", "harmless", "reason"])?;
    let names = entry.words("names")?.unwrap_or_default();
    if names.is_empty() {
        return Err(entry.missing("names"));
    }
    for name in &names {
        let stem = name.strip_suffix('*').unwrap_or(name);
        let bad = |c: char| c.is_uppercase() || text::hides(c) || matches!(c, '/' | '\\' | '*');
        if stem.is_empty() || stem.contains(bad) || name.to_ascii_lowercase().ends_with(".exe") {
            let why = "it is a file name in lower case, without `.exe`; `*` may stand at its end";
            return Err(entry.bad_value("names", name, why));
        }
    }
    let harmless = match entry.words("harmless")? {
        Some(options) => Some(harmless(entry, &options)?),
        None => None,
    };
    let names = names.into_iter().map(|name| Cow::Owned(name.to_owned())).collect();
    Ok(Program { names, harmless, reason: Cow::Owned(entry.reason()?) })
}

fn harmless(entry: &Entry<'_>, options: &[&str]) -> Result<ArgvPattern, PolicyError> {
    let open =
        |option: &&&str| !option.starts_with('-') || matches!(**option, "-*" | "--*" | "-**");
    if let Some(option) = options.iter().find(open) {
        let why = "it is an option such as `-n`, or the beginning of one and `*`";
        return Err(entry.bad_value("harmless", option, why));
    }
    pattern(options).map_err(|source| entry.bad("harmless", source))
}

/// Returns the pattern of a program with no options but these.
fn pattern(options: &[&str]) -> Result<ArgvPattern, ParseError> {
    let words: Vec<&str> = ["program"].into_iter().chain(options.iter().copied()).collect();
    ArgvPattern::parse(&words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn reason(line: &str) -> Option<&'static str> {
        Interpreters::built_in().reached_by(&line.parse().unwrap())
    }

    #[test]
    fn the_built_in_list_is_readable_and_has_what_it_must() {
        let text = include_str!("../../../policies/interpreters.toml");
        let list = Interpreters::parse("f", text).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(&list, Interpreters::built_in());
        for must in "sh bash dash zsh fish ksh busybox env xargs awk gawk sed perl python python3 \
                     python3.12 node deno bun ruby php php8.3 lua lua5.4 tclsh make git ssh tar less \
                     vi vim gdb ld.so ld-linux-x86-64.so.2 ld-musl-aarch64.so.1 nice timeout sudo doas \
                     nohup setsid stdbuf strace cargo npm docker pwsh cmd"
            .split_whitespace()
        {
            assert!(reason(must).is_some(), "{must}");
            assert!(reason(&format!("/usr/bin/{must} **")).is_some(), "/usr/bin/{must}");
            assert!(reason(&format!("{}.EXE a", must.to_uppercase())).is_some(), "{must}.EXE");
        }
        for plain in
            ["cat -**", "grep -**", "ls -**", "wc -**", "diff -**", "shfmt", "lsof", "echo **"]
        {
            assert_eq!(reason(plain), None, "{plain}");
        }
        assert!(list.iter().all(|(_, reason)| reason.len() > 20));
    }

    #[test]
    fn options_that_run_programs_are_found_and_harmless_ones_are_not() {
        for (line, found) in [
            ("rg **", false),
            ("rg -n --color=never -- **", false),
            ("rg --pre cat **", true),
            ("rg --pre=cat **", true),
            ("rg -nz **", true),
            ("rg --* **", true),
            ("rg -**", true),
            ("find **", false),
            ("find . -name * -type f", false),
            ("find . -exec sh", true),
            ("find . -delete", true),
            ("find * -*", true),
            ("sort -k2 -n **", false),
            ("sort --compress-program=sh **", true),
            ("fd -e rs **", false),
            ("fd -x sh", true),
            ("git status", true),
            ("git -c core.pager=sh log", true),
            ("tar xf a", true),
        ] {
            assert_eq!(reason(line).is_some(), found, "{line}");
        }
    }

    #[test]
    fn an_unreadable_list_finds_every_program() {
        let list = Interpreters { programs: None };
        assert!(list.reached_by(&"ls".parse().unwrap()).is_some());
    }

    #[test]
    fn names_and_options_that_could_not_match_are_refused() {
        let program = |keys: &str| {
            let text = format!("[[program]]\nreason = \"r\"\n{keys}\n");
            Interpreters::parse("f", &text).unwrap_err()
        };
        for keys in [
            "names = [\"Sh\"]",
            "names = [\"/bin/sh\"]",
            "names = [\"*\"]",
            "names = [\"a*b\"]",
            "names = [\"cmd.exe\"]",
            "names = [\"rg\"]\nharmless = [\"**\"]",
            "names = [\"rg\"]\nharmless = [\"-*\"]",
            "names = [\"rg\"]\nharmless = [\"n\"]",
            "names = [\"rg\"]\nharmless = [\"-a*b\"]",
        ] {
            let error = program(keys);
            assert!(matches!(error, PolicyError::BadValue { line: 3.., .. }), "{keys}: {error:?}");
        }
        assert!(matches!(program("names = []"), PolicyError::Missing { key: "names", .. }));
        let twice = "[[program]]\nnames = [\"a\"]\nreason = \"r\"\n".repeat(2);
        assert!(matches!(
            Interpreters::parse("f", &twice),
            Err(PolicyError::Useless { line: 4, .. })
        ));
    }
}
