//! What is looked for, line by line. A rule errs on the quiet side: what it says is to be looked at.

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// It is wrong as it stands.
    Error,
    /// It may be wrong.
    Warning,
    /// It is worth a look.
    Note,
}

impl Severity {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What a rule says about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The name of the rule.
    pub(crate) rule: &'static str,
    /// How much it matters.
    pub(crate) severity: Severity,
    /// What to look at.
    pub(crate) says: &'static str,
}

/// Name, severity, what it says, the endings of the files it is about (none: all), and the test.
type Rule = (&'static str, Severity, &'static str, &'static [&'static str], fn(&str) -> bool);

/// The longest line that people read without scrolling.
const MAX_LINE: usize = 200;

const RULES: &[Rule] = &[
    ("merge-conflict", Severity::Error, "a marker of a merge conflict was left in", &[], |l| {
        ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| l.starts_with(mark))
    }),
    ("private-key", Severity::Error, "a private key does not belong into a repository", &[], |l| {
        l.contains("-----BEGIN ") && l.contains("PRIVATE KEY-----")
    }),
    (
        "secret",
        Severity::Error,
        "this looks like a secret; take it from the environment",
        &[],
        secret,
    ),
    (
        "hidden-text",
        Severity::Error,
        "a character that shows nothing or turns the text round",
        &[],
        |l| {
            l.chars().any(
                |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'),
            )
        },
    ),
    ("eval", Severity::Warning, "text is run as code; where does it come from?", CODE, |l| {
        call(l, "eval(") || call(l, "exec(") && l.contains("compile")
    }),
    (
        "shell",
        Severity::Warning,
        "a shell reads this; a list of arguments is safer",
        &["py"],
        |l| l.contains("shell=True") || l.contains("os.system("),
    ),
    ("bare-except", Severity::Warning, "every error is caught, an interrupt too", &["py"], |l| {
        l.trim() == "except:"
    }),
    ("unwrap", Severity::Warning, "this ends the program when it fails", &["rs"], |l| {
        l.contains(".unwrap()") || l.contains(".expect(")
    }),
    ("panic", Severity::Warning, "this ends the program", &["rs"], |l| {
        ["panic!(", "todo!(", "unimplemented!("].iter().any(|word| call(l, word))
    }),
    ("unsafe", Severity::Note, "say why this is sound", &["rs"], |l| l.contains("unsafe {")),
    ("debug-output", Severity::Note, "output for debugging was left in", CODE, |l| {
        ["dbg!(", "console.log(", "debugger;"].iter().any(|word| call(l, word))
    }),
    ("plain-http", Severity::Note, "sent in the clear", CODE, |l| {
        l.contains("http://")
            && !["localhost", "127.0.0.1", "[::1]", "example."].iter().any(|h| l.contains(h))
    }),
    ("unfinished", Severity::Note, "a note about work that is left", CODE, |l| {
        ["TODO", "FIXME", "XXX"].iter().any(|word| whole_word(l, word))
    }),
    ("long-line", Severity::Note, "longer than people read", CODE, |l| {
        l.chars().count() > MAX_LINE
    }),
];

/// Endings of files that hold code.
pub(crate) const CODE: &[&str] = &[
    "rs", "py", "js", "jsx", "mjs", "ts", "tsx", "go", "c", "h", "cc", "cpp", "hpp", "java", "kt",
    "rb", "sh", "php", "cs", "swift", "lua", "sql",
];

/// Returns what there is to say about one line of a file with this ending.
pub(crate) fn check(ending: &str, line: &str) -> Vec<Finding> {
    let code = line.trim_start();
    let comment = ["//", "#", "*", "--"].iter().any(|mark| code.starts_with(mark));
    let fits = |rule: &&Rule| rule.3.is_empty() || rule.3.contains(&ending);
    // A comment may speak of what code may not do.
    let about = |rule: &&Rule| {
        !comment || rule.3.is_empty() || matches!(rule.0, "unfinished" | "long-line")
    };
    RULES
        .iter()
        .filter(fits)
        .filter(about)
        .filter(|rule| rule.4(line))
        .map(|rule| Finding { rule: rule.0, severity: rule.1, says: rule.2 })
        .collect()
}

/// Tells whether `word` stands in the line and is not the end of a longer one.
fn call(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '\''))
    })
}

fn whole_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let part =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '"'));
        !part(before) && !part(after)
    })
}

/// Tells whether a line gives a value to what is called a secret, or holds a token of a known form.
fn secret(line: &str) -> bool {
    let lower = line.to_lowercase();
    let named = ["password", "passwd", "secret", "api_key", "apikey", "access_token"];
    let valued = named.iter().any(|name| {
        let Some(at) = lower.find(name) else { return false };
        let rest = line[at + name.len()..].trim_start_matches(['"', '\'', ' ']);
        let Some(rest) = rest.strip_prefix([':', '=']) else { return false };
        let rest = rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return false;
        };
        let value = rest[1..].split(quote).next().unwrap_or_default();
        let made_up = ["example", "changeme", "xxx", "your", "<", "$", "{", "test"];
        value.len() >= 12
            && value.chars().any(|c| c.is_ascii_digit())
            && !value.contains(' ')
            && !made_up.iter().any(|word| value.to_lowercase().contains(word))
    });
    let token = |start: &str, length: usize| {
        line.match_indices(start).any(|(at, _)| {
            let rest = line[at + start.len()..].chars();
            rest.take_while(char::is_ascii_alphanumeric).count() >= length
        })
    };
    valued || token("AKIA", 16) || token("ghp_", 36) || token("sk-ant-", 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ending: &str, line: &str) -> Vec<&'static str> {
        check(ending, line).into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        let key = ["-----BEGIN RSA ", "PRIVATE KEY-----"].concat();
        let token = ["AKIA", "ABCDEFGHIJKLMNOP"].concat();
        let password = ["password = \"hunter2", "correct99\""].concat();
        let conflict = ["<<<<<<", "< HEAD"].concat();
        for (ending, line, rule) in [
            ("txt", conflict.as_str(), "merge-conflict"),
            ("pem", key.as_str(), "private-key"),
            ("md", token.as_str(), "secret"),
            ("py", password.as_str(), "secret"),
            ("rs", "let a\u{202e} = 1;", "hidden-text"),
            ("js", "  eval(input)", "eval"),
            ("py", "run(cmd, shell=True)", "shell"),
            ("py", "    except:", "bare-except"),
            ("rs", "let x = y.unwrap();", "unwrap"),
            ("rs", "panic!(\"no\")", "panic"),
            ("rs", "unsafe { x() }", "unsafe"),
            ("js", "console.log(x)", "debug-output"),
            ("py", "get('http://a.org')", "plain-http"),
            ("rs", "// TODO: later", "unfinished"),
        ] {
            assert!(names(ending, line).contains(&rule), "{line}: {:?}", names(ending, line));
        }
        assert_eq!(names("rs", &"x".repeat(201)), ["long-line"]);
    }

    #[test]
    fn what_only_looks_like_it_is_left_alone() {
        for (ending, line) in [
            ("rs", "/// Like `unwrap()`, but x.unwrap() is not called"),
            ("rs", "let x = y.unwrap_or(1);"),
            ("md", "x.unwrap()"),
            ("js", "medieval(x)"),
            ("py", "password = \"changeme12345\""),
            ("py", "password = read_password()"),
            ("js", "get('http://localhost:80')"),
            ("rs", "let TODOS = 1;"),
        ] {
            assert_eq!(names(ending, line), Vec::<&str>::new(), "{line}");
        }
    }
}
