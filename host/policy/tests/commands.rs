//! Rules about native programs: patterns, examples, warnings, and how they are explained.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use ringfence_capability::{Capability, Diagnostic, Kind, Origin, Profile, Request};
use ringfence_policy::{Answers, Explanation, Interpreters, Layer, LayerKind, Policy, Verdict};

const LOWER: [Profile; 3] = [Profile::Offline, Profile::ReadOnly, Profile::NetReadOnly];

/// Returns a rule whose `argv` and what else there is stand from line 5.
fn rule(decision: &str, keys: &str) -> String {
    format!("[[rule]]\ncapability = \"exec\"\ndecision = \"{decision}\"\nreason = \"r\"\n{keys}\n")
}

fn layer(text: &str) -> Layer {
    Layer::parse(LayerKind::User, "user.toml", text).unwrap_or_else(|error| panic!("{error:?}"))
}

fn verdict(policy: &Policy, request: &str) -> Verdict {
    policy.decide(&Answers::capability(request).unwrap(), &Answers::default()).verdict
}

fn explain(policy: &Policy, request: &str) -> Explanation {
    let request =
        Request::required(Answers::capability(request).unwrap(), "needs it", Origin::BuiltIn);
    policy.explain(&request, &Answers::default())
}

/// Checks that a rule is refused with `code` and a text that has `message`.
fn refused(decision: &str, keys: &str, code: &str, message: &str) {
    let text = rule(decision, keys);
    let error = Layer::parse(LayerKind::User, "user.toml", &text).unwrap_err();
    let source = std::error::Error::source(&error).map(|source| format!("; {source}"));
    let said = error.to_string() + &source.unwrap_or_default();
    assert_eq!(error.code(), code, "{said}");
    assert!(said.contains(message), "`{said}` lacks `{message}`");
}

#[test]
fn a_wrong_command_is_refused_with_file_and_line() {
    for (keys, code, message) in [
        (r#"scope = "bash""#, "policy::unknown-key", "`scope` in `user.toml`, line 5"),
        (r#"argv = "bash""#, "policy::syntax", "line 5"),
        ("argv = [1]", "policy::syntax", "line 5"),
        ("argv = []", "policy::bad-value", "it begins with the program"),
        (r#"argv = ["a*"]"#, "policy::bad-value", "line 5; `a*` is not a command"),
        (r#"argv = ["./a"]"#, "policy::bad-value", "what a relative one runs"),
        (r#"argv = ["a", "**", "b"]"#, "policy::bad-value", "nothing follows"),
        (r#"argv = ["bash"]"#, "policy::bad-value", "without arguments only"),
    ] {
        refused("forbid", keys, code, message);
    }
    let other = rule("forbid", "").replace("exec", "env") + "argv = [\"a\"]\n";
    let error = Layer::parse(LayerKind::User, "user.toml", &other).unwrap_err();
    assert_eq!(error.to_string(), "unknown key `argv` in `user.toml`, line 6");
}

#[test]
fn a_wrong_rule_is_refused_with_file_line_and_example() {
    let tests = |more: &str| format!("argv = [\"cargo\", \"test\", \"**\"]\n{more}");
    refused("forbid", &tests(r#"match = ["cargo test"]"#), "policy::syntax", "line 6");
    refused("forbid", &tests("match = [[]]"), "policy::bad-value", "line 6");
    for (keys, message) in [
        (
            tests("match = [\n[\"cargo\", \"test\"],\n[\"cargo\", \"build\"]]"),
            "example `cargo build` in `user.toml`, line 8, is under `match` of rule \
             `exec `cargo test **`: forbid`, but it does not match",
        ),
        (
            tests(r#"not_match = [["/opt/Cargo", "test", "--lib"]]"#),
            "line 6, is under `not_match` of rule `exec `cargo test **`: forbid`, but it matches",
        ),
    ] {
        refused("forbid", &keys, "policy::wrong-example", message);
    }
    let keys = r#"argv = ["grep", "**"]
match = [["grep", "-f", "/etc/passwd"]]"#;
    let message = "`grep -f /etc/passwd` in `user.toml`, line 6";
    refused("prompt", keys, "policy::wrong-example", message);
}

#[test]
fn a_warning_stands_where_it_must_and_nowhere_else() {
    let git = |more: &str| format!("argv = [\"git\", \"log\"]\n{more}");
    let wc = "argv = [\"wc\"]\nwarning = \"w\"";
    let unwarned = "`user.toml`, line 1, has no `warning`: settings of";
    for (decision, keys, code, message) in [
        ("prompt", git(""), "policy::no-warning", unwarned),
        ("prompt", String::new(), "policy::no-warning", "it names every program"),
        ("prompt", git("warning = \" \""), "policy::missing-key", "`warning` is missing"),
        ("forbid", git("warning = \"w\""), "policy::useless-rule", "warns of nothing"),
        ("prompt", wc.to_owned(), "policy::useless-rule", "no interpreter"),
    ] {
        refused(decision, &keys, code, message);
    }
}

#[test]
fn an_interpreter_gets_through_a_layer_only_with_a_warning() {
    for argv in [
        "[\"sh\", \"-c\", \"*\"]",
        "[\"/bin/bash\", \"**\"]",
        "[\"Python3.12\"]",
        "[\"env\", \"ls\"]",
        "[\"xargs\", \"ls\"]",
        "[\"find\", \"*\", \"-exec\", \"**\"]",
        "[\"find\", \"-**\"]",
        "[\"rg\", \"--pre\", \"*\", \"**\"]",
        "[\"rg\", \"--pr*\", \"**\"]",
        "[\"sed\", \"s/a/b/\", \"a\"]",
        "[\"tar\", \"tf\", \"a\"]",
        "[\"git\", \"-c\", \"*\", \"log\"]",
        "[\"ld.so\", \"**\"]",
        "[\"sudo\", \"ls\"]",
    ] {
        for kind in [LayerKind::Profile, LayerKind::Host, LayerKind::Workspace] {
            let plain = rule("prompt", &format!("argv = {argv}"));
            let error = Layer::parse(kind, "p.toml", &plain).unwrap_err();
            assert_eq!(error.code(), "policy::no-warning", "{argv}: {error}");
            let warned = plain + "warning = \"runs what it is given\"\n";
            let read = Layer::parse(kind, "p.toml", &warned).unwrap();
            assert_eq!(read.rules().next().unwrap().warning(), Some("runs what it is given"));
        }
    }
}

#[test]
fn the_lower_profiles_let_no_interpreter_through() {
    for profile in LOWER {
        let layer = Layer::profile(profile);
        let rules: Vec<_> = layer.rules().filter(|rule| rule.kind() == Kind::Exec).collect();
        assert!(rules.len() > 10);
        for rule in rules {
            let argv = rule.argv().unwrap();
            assert_eq!(rule.verdict(), Verdict::Prompt, "{rule}");
            assert_eq!(
                (rule.warning(), Interpreters::built_in().reached_by(argv)),
                (None, None),
                "{rule}"
            );
        }
    }
    for (name, _) in Interpreters::built_in().iter() {
        let name = name.trim_end_matches('*');
        for command in [format!("exec:{name} -**"), format!("exec:/bin/{name} -c ls")] {
            for profile in LOWER {
                let policy = Policy::new(profile, Vec::new());
                assert_eq!(
                    verdict(&policy, &command),
                    Verdict::Forbid,
                    "{command} under {profile}"
                );
            }
        }
    }
}

#[test]
fn every_built_in_command_rule_has_examples() {
    for profile in Profile::ALL {
        let path = format!("{}/../../policies/{profile}.toml", env!("CARGO_MANIFEST_DIR"));
        #[expect(clippy::disallowed_methods, reason = "a test reads the file that is built in")]
        let text = std::fs::read_to_string(path).unwrap();
        let file: toml::Table = text.parse().unwrap();
        let rules = file["rule"].as_array().unwrap();
        for rule in rules.iter().filter(|rule| rule["capability"].as_str() == Some("exec")) {
            let examples = |key: &str| rule.get(key).and_then(|e| e.as_array()).map_or(0, Vec::len);
            assert!(examples("match") > 0, "{profile}: {rule}");
            // A rule without a pattern matches every command.
            assert_eq!(examples("not_match") > 0, rule.get("argv").is_some(), "{profile}: {rule}");
        }
    }
}

#[test]
fn a_forbid_reaches_every_spelling_of_the_program() {
    let text = rule("forbid", "argv = [\"bash\", \"**\"]")
        + &rule("forbid", "argv = [\"git\", \"push\", \"**\"]");
    let policy = Policy::new(Profile::Trusted, vec![layer(&text)]);
    for (request, expected) in [
        ("exec:bash", Verdict::Forbid),
        ("exec:bash -c ls", Verdict::Forbid),
        ("exec:/usr/local/bin/bash -**", Verdict::Forbid),
        ("exec:BASH.exe a", Verdict::Forbid),
        ("exec:git push --force", Verdict::Forbid),
        ("exec:git **", Verdict::Forbid),
        ("exec:git pull **", Verdict::Prompt),
        ("exec:dash", Verdict::Prompt),
    ] {
        assert_eq!(verdict(&policy, request), expected, "{request}");
    }
    for (flag, request, expected) in [
        ("exec:bash", "exec:bash -c ls", Verdict::Forbid),
        ("exec:bash", "exec:/bin/bash", Verdict::Forbid),
        ("exec:cargo publish **", "exec:cargo publish --token x", Verdict::Forbid),
        ("exec:cargo publish **", "exec:cargo test", Verdict::Prompt),
        ("exec", "exec:ls", Verdict::Forbid),
    ] {
        let policy = Policy::new(Profile::Trusted, vec![Layer::denying([flag]).unwrap()]);
        assert_eq!(verdict(&policy, request), expected, "--deny {flag}: {request}");
    }
}

#[test]
fn an_allow_list_of_commands_lets_only_its_own_ask() {
    let text = "[default]\nexec = \"forbid\"\n".to_owned()
        + &rule(
            "allow",
            "argv = [\"cargo\", \"test\", \"-p\", \"*\"]\nwarning = \"build scripts run\"",
        );
    let policy = Policy::new(Profile::WorkspaceWrite, vec![layer(&text)]);
    for (request, expected) in [
        ("exec:cargo test -p parser", Verdict::Prompt),
        ("exec:cargo test -p pars*", Verdict::Prompt),
        ("exec:cargo test -p --config=a", Verdict::Forbid),
        ("exec:cargo test -p parser --release", Verdict::Forbid),
        ("exec:cargo test **", Verdict::Forbid),
        ("exec:/tmp/cargo test -p parser", Verdict::Forbid),
        ("exec:ls", Verdict::Forbid),
    ] {
        assert_eq!(verdict(&policy, request), expected, "{request}");
    }
}

#[test]
fn an_approval_of_a_pattern_covers_its_commands_and_no_more() {
    let policy = Policy::new(Profile::Trusted, Vec::new());
    let answers = Answers::from_flags(["exec:cargo test -p *", "exec:rg"]).unwrap();
    for (argv, expected) in [
        (&["cargo", "test", "-p", "parser"][..], Verdict::Allow),
        (&["cargo", "test", "-p", "-Zevil"], Verdict::Prompt),
        (&["cargo", "test"], Verdict::Prompt),
        (&["rg"], Verdict::Allow),
        (&["rg", "word"], Verdict::Prompt),
        (&["/usr/bin/rg"], Verdict::Prompt),
    ] {
        let argv = argv.iter().map(|word| word.as_bytes());
        let command = Capability::Exec(ringfence_capability::ArgvPattern::exactly(argv).unwrap());
        assert_eq!(policy.decide(&command, &answers).verdict, expected, "{command}");
    }
}

#[test]
fn the_explanation_names_rule_layer_line_and_warning() {
    let offline = Policy::new(Profile::Offline, Vec::new());
    let told = explain(&offline, "exec:grep -rn word");
    assert_eq!(told.decided_by.rule, "exec `grep -**`: prompt");
    assert_eq!(told.decided_by.layer, "profile `offline`");
    assert_eq!(told.decided_by.file, "policies/offline.toml");
    let line = usize::try_from(told.decided_by.line.unwrap()).unwrap();
    let text = include_str!("../../../policies/offline.toml");
    let below: Vec<_> = text.lines().skip(line - 1).take(3).collect();
    assert_eq!(below[0..2], ["[[rule]]", "capability = \"exec\""]);
    assert_eq!(below[2], "argv = [\"grep\", \"-**\"]");
    // It is given as it is: a person is asked about each start.
    assert!(told.is_given() && told.remedy.is_empty());
    assert_eq!(told.warning, None);

    let refused = explain(&offline, "exec:sh -c \"make all\"");
    assert_eq!(refused.verdict, Verdict::Forbid);
    assert_eq!(refused.decided_by.rule, "exec: forbid");
    assert_eq!(refused.warning.as_deref(), Some("a shell runs any text as commands"));
    let steps: Vec<_> = refused.remedy.iter().map(ToString::to_string).collect();
    assert_eq!(steps, ["run with `--profile workspace-write`"]);
    assert!(!refused.is_given());
    let error = refused.refusal().unwrap();
    assert_eq!(error.to_string(), "profile `offline` does not allow `exec:sh -c \"make all\"`");

    let trusted = explain(&Policy::new(Profile::Trusted, Vec::new()), "exec:sh **");
    assert!(trusted.decided_by.warning.as_deref().unwrap().contains("shells and interpreters"));
    assert!(trusted.decided_by.to_string().contains("; warning: shells"));
    let json = serde_json::to_value(&trusted).unwrap();
    assert_eq!(json["warning"], "a shell runs any text as commands");
    assert_eq!(json["request"]["capability"], "exec:sh **");

    let denied = Policy::new(Profile::Trusted, vec![Layer::denying(["exec:bash"]).unwrap()]);
    let denied = explain(&denied, "exec:/bin/bash -c ls");
    assert_eq!(denied.decided_by.rule, "exec `bash -**`: forbid");
    assert_eq!(denied.remedy[0].to_string(), "leave out `--deny 'exec:bash -**'`");
}
