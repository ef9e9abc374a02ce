//! Patterns against commands, against each other, and against their own text.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn pattern(line: &str) -> ArgvPattern {
    let words: Vec<&str> = line.split(' ').collect();
    ArgvPattern::parse(&words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn matches(pattern: &ArgvPattern, argv: &[&[u8]]) -> bool {
    pattern.matches(argv.iter().copied())
}

fn command(line: &str) -> Vec<&[u8]> {
    line.split(' ').map(str::as_bytes).collect()
}

#[test]
fn a_pattern_matches_its_commands_and_no_others() {
    for (line, yes, no) in [
        ("ls", &["ls"][..], &["ls -l", "/bin/ls", "LS", "lsx"][..]),
        ("/bin/ls **", &["/bin/ls", "/bin/ls a"], &["ls", "/usr/bin/ls", "/bin/ls -l"]),
        ("cargo test", &["cargo test"], &["cargo", "cargo test a", "cargo build"]),
        ("cargo test *", &["cargo test a"], &["cargo test", "cargo test a b", "cargo test -q"]),
        ("rg --type=* *", &["rg --type=c a", "rg --type= a"], &["rg --type a", "rg --pre=x a"]),
        ("cc a* **", &["cc a", "cc ab c d"], &["cc b", "cc -a", "cc a -o"]),
        (
            "cargo test -**",
            &["cargo test", "cargo test -q a --b"],
            &["cargo build", "cargo -q test"],
        ),
        ("ls -*", &["ls -l", "ls --all", "ls -"], &["ls", "ls l"]),
        ("echo \\*", &["echo *"], &["echo a", "echo \\*"]),
        ("echo a\\**", &["echo a*", "echo a*b"], &["echo ab"]),
        ("echo a\\\\*", &["echo a\\", "echo a\\b"], &["echo a*"]),
        ("echo \\x2d*", &["echo -n"], &["echo n"]),
    ] {
        let read = pattern(line);
        for good in yes {
            assert!(matches(&read, &command(good)), "{line}: {good}");
        }
        for bad in no {
            assert!(!matches(&read, &command(bad)), "{line}: {bad}");
        }
    }
}

#[test]
fn an_option_is_not_smuggled_in_as_an_operand() {
    for (line, attack) in [
        ("git fetch *", "git fetch --upload-pack=evil"),
        ("git fetch **", "git fetch origin --upload-pack=evil"),
        ("grep * **", "grep -f/etc/passwd a"),
        ("grep -n ** ", "grep -n a -f b"),
        ("find * **", "find . -exec sh"),
        ("find **", "find -delete"),
        ("rg -- **", "rg -- a --pre=evil"),
        ("sort **", "sort - --compress-program=evil"),
        ("ssh *", "ssh -oProxyCommand=evil"),
        ("tar cf * **", "tar cf a --checkpoint-action=exec=evil"),
    ] {
        let line = line.trim_end();
        assert!(!matches(&pattern(line), &command(attack)), "{line}: {attack}");
        // The same program with options allowed does match: the line above is what refuses.
        let open = pattern(line).with_any_arguments();
        assert!(matches(&open, &command(attack)), "{open}: {attack}");
    }
}

#[test]
fn arguments_that_are_not_text_are_matched_as_bytes() {
    let raw: &[&[u8]] = &[b"cp", b"a\xff", b"b"];
    assert!(matches(&pattern("cp **"), raw));
    assert!(matches(&pattern("cp a* b"), raw));
    assert!(matches(&pattern("cp a\\xff b"), raw));
    assert!(!matches(&pattern("cp a\\xfe b"), raw));
    let exact = ArgvPattern::exactly(raw.iter().copied()).unwrap();
    assert!(exact.is_exact() && matches(&exact, raw));
    assert_eq!(exact.to_string(), r"cp a\xff b");
}

#[test]
fn a_pattern_that_means_nothing_is_refused_with_the_reason() {
    let long = "a".repeat(MAX_ARGV_BYTES);
    for (words, why) in [
        (&[][..], "it begins with the program"),
        (&[""], "it is a name or an absolute path"),
        (&["./run.sh"], "what a relative one runs can change"),
        (&["bin/run"], "what a relative one runs can change"),
        (&["../run"], "what a relative one runs can change"),
        (&["/bin/../sbin/x"], "no `..`"),
        (&["/bin//x"], "no empty parts"),
        (&["/"], "no empty parts"),
        (&[".."], "no `..`"),
        (&["-x"], "does not begin with `-`"),
        (&["py*"], "`*` stands at the end of an argument"),
        (&["C:\\\\x"], "no `\\`"),
        (&["a\\xff"], "not UTF-8"),
        (&["a\u{202e}b"], "as `\\xNN`"),
        (&["a\\xe2\\x80\\xae"], "no character that hides"),
        (&["ls", "a*b"], "write `\\*` for a star"),
        (&["ls", "a**"], "`**` stands alone"),
        (&["ls", "--**"], "`**` stands alone"),
        (&["ls", "***"], "`**` stands alone"),
        (&["ls", "**", "a"], "nothing follows `**`"),
        (&["ls", "-**", "**"], "nothing follows `**`"),
        (&["ls", "a\\n"], "after `\\` comes"),
        (&["ls", "a\\"], "after `\\` comes"),
        (&["ls", "\\x0g"], "after `\\` comes"),
        (&["ls", "a\nb"], "as `\\xNN`"),
        (&["ls", "\\x00"], "no NUL"),
        (&["ls", &long], "32 KiB"),
    ] {
        let error = ArgvPattern::parse(words).unwrap_err().to_string();
        assert!(error.contains(why), "{words:?}: {error}");
    }
    let many = vec!["a"; MAX_ARGUMENTS + 2];
    assert!(ArgvPattern::parse(&many).unwrap_err().why.contains("1024"));
    assert!(ArgvPattern::parse(&many[1..]).is_ok());
    assert!(ArgvPattern::exactly([&b"ls"[..], b"a\0b"]).is_err());
    assert!(ArgvPattern::exactly([]).is_err());
}

#[test]
fn a_pattern_is_one_readable_line_and_the_same_again() {
    for (words, line) in [
        (&["cargo", "test", "**"][..], "cargo test **"),
        (&["echo", "a b", ""], "echo \"a b\" \"\""),
        (&["echo", "\\*", "a\\*b"], "echo \\* a\\*b"),
        (&["echo", "a\"b c"], "echo \"a\\\"b c\""),
        (&["echo", "\\x0a`", "é"], "echo \\x0a\\x60 é"),
        (&["echo", "a b*", "-**"], "echo \"a b*\" -**"),
    ] {
        let read = ArgvPattern::parse(words).unwrap();
        assert_eq!(read.to_string(), line);
        assert_eq!(line.parse::<ArgvPattern>().unwrap(), read);
    }
    for bad in ["", "  ", "ls \"a", "ls a\"b\"", "ls \"a\"b", "ls 'a b*c'"] {
        assert!(bad.parse::<ArgvPattern>().is_err(), "{bad}");
    }
    let json = serde_json::to_string(&pattern("cargo test -p *")).unwrap();
    assert_eq!(json, r#"["cargo","test","-p","*"]"#);
    assert_eq!(serde_json::from_str::<ArgvPattern>(&json).unwrap(), pattern("cargo test -p *"));
    assert!(serde_json::from_str::<ArgvPattern>(r#"["a*"]"#).is_err());
}

#[test]
fn containing_is_about_every_command() {
    for (wide, narrow) in [
        ("ls **", "ls"),
        ("ls **", "ls a b* * **"),
        ("ls -**", "ls -a ** "),
        ("ls *", "ls a*"),
        ("ls -*", "ls --a*"),
        ("ls a* *", "ls ab c"),
    ] {
        let (wide, narrow) = (pattern(wide), pattern(narrow.trim_end()));
        assert!(wide.contains(&narrow), "{wide} {narrow}");
        assert!(!narrow.contains(&wide), "{narrow} {wide}");
        assert!(wide.touches(&narrow) && narrow.touches(&wide));
    }
    for (one, other) in
        [("ls **", "ls -a"), ("ls *", "ls -a*"), ("ls **", "ls -**"), ("ls **", "/bin/ls **")]
    {
        assert!(!pattern(one).contains(&pattern(other)), "{one} {other}");
    }
}

#[test]
fn a_rule_that_takes_away_reaches_other_spellings_and_options() {
    for (rule, request) in [
        ("bash **", "bash -c evil"),
        ("bash *", "bash -c"),
        ("bash -**", "/bin/bash"),
        ("/bin/bash **", "/usr/local/bin/bash x"),
        ("bash **", "BASH.EXE x"),
        ("ba\u{17f}h **", "bash x"),
        ("git push **", "git **"),
        ("git push", "git *"),
    ] {
        assert!(pattern(rule).touches(&pattern(request)), "{rule}, {request}");
    }
    for (rule, request) in [
        ("bash **", "dash x"),
        ("bash", "bash a"),
        ("git push **", "git pull **"),
        ("ls -a", "ls **"),
    ] {
        assert!(!pattern(rule).touches(&pattern(request)), "{rule}, {request}");
    }
    assert!(pattern("/usr/bin/Python3.12 **").runs("python*") && !pattern("py **").runs("python*"));
}

fn any_pattern() -> impl Strategy<Value = ArgvPattern> {
    let word = "(a|b|ab|-|-a|--a|a\\*|ab\\*|-\\*|-a\\*|\\*|\\\\\\*)";
    let rest = proptest::option::of("(\\*\\*|-\\*\\*)");
    ("(ls|/bin/ls|LS)", proptest::collection::vec(word, 0..4), rest).prop_map(
        |(program, words, rest)| {
            let words: Vec<String> = std::iter::once(program).chain(words).chain(rest).collect();
            ArgvPattern::parse(&words).unwrap()
        },
    )
}

fn any_command() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let argument = prop_oneof![
        "(a|b|ab|abc|-|-a|-ab|--a|\\*|)".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>().prop_filter("no NUL", |b| *b != 0), 0..3),
    ];
    ("(ls|/bin/ls)", proptest::collection::vec(argument, 0..4))
        .prop_map(|(program, rest)| std::iter::once(program.into_bytes()).chain(rest).collect())
}

fn on(pattern: &ArgvPattern, command: &[Vec<u8>]) -> bool {
    pattern.matches(command.iter().map(Vec::as_slice))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn what_is_contained_matches_no_more(
        a in any_pattern(), b in any_pattern(), command in any_command(),
    ) {
        if a.contains(&b) && on(&b, &command) {
            prop_assert!(on(&a, &command), "{a} {b} {command:?}");
        }
        prop_assert!(a.contains(&a));
        if a.contains(&b) {
            prop_assert!(a.touches(&b), "{a} {b}");
        }
    }

    #[test]
    fn containing_is_transitive(a in any_pattern(), b in any_pattern(), c in any_pattern()) {
        if a.contains(&b) && b.contains(&c) {
            prop_assert!(a.contains(&c), "{a} {b} {c}");
        }
        // Asking for more is touched by everything that touches less.
        if b.contains(&c) && a.touches(&c) {
            prop_assert!(a.touches(&b), "{a} {b} {c}");
        }
    }

    #[test]
    fn a_command_both_match_makes_them_touch(
        a in any_pattern(), b in any_pattern(), command in any_command(),
    ) {
        if on(&a, &command) && on(&b, &command) {
            prop_assert!(a.touches(&b) && b.touches(&a), "{a} {b} {command:?}");
        }
    }

    #[test]
    fn the_pattern_of_one_command_matches_it_alone(
        a in any_pattern(), one in any_command(), other in any_command(),
    ) {
        let exact = ArgvPattern::exactly(one.iter().map(Vec::as_slice)).unwrap();
        prop_assert!(exact.is_exact());
        prop_assert_eq!(on(&exact, &other), one == other);
        prop_assert_eq!(a.contains(&exact), on(&a, &one), "{} {:?}", a, one);
    }

    #[test]
    fn a_pattern_is_read_back_from_its_words_and_its_line(
        a in any_pattern(), command in any_command(),
    ) {
        let exact = ArgvPattern::exactly(command.iter().map(Vec::as_slice)).unwrap();
        for pattern in [a, exact] {
            let words: Vec<String> = pattern.words().collect();
            prop_assert_eq!(&ArgvPattern::parse(&words).unwrap(), &pattern);
            let line = pattern.to_string();
            prop_assert!(!line.contains(crate::text::hides), "{}", line);
            prop_assert_eq!(&line.parse::<ArgvPattern>().unwrap(), &pattern, "{}", line);
        }
    }

    #[test]
    fn any_line_is_read_or_refused_and_written_the_same_again(line in "\\PC{0,40}|[a \"*\\\\x0-]{0,12}") {
        if let Ok(read) = line.parse::<ArgvPattern>() {
            let again = read.to_string();
            prop_assert_eq!(again.parse::<ArgvPattern>().unwrap(), read, "{:?}", line);
        }
    }
}
