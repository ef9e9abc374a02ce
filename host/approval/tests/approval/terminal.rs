//! What a person sees and what their words mean.

use crate::common::{Home, NOW, at, changed, changed_exec, code, request, words};
use ringfence_approval::terminal::{Terminal, TerminalApprover, render, summary};
use ringfence_approval::{
    Action, Answer, ApprovalError, Approver, Argument, Asker, MAX_DETAIL, Prompt, Request,
};
use ringfence_capability::{ArgvPattern, text};
use serde_json::json;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// A terminal in which somebody types one line, or does not.
struct Script {
    typed: VecDeque<Result<&'static str, ApprovalError>>,
    shown: String,
    discarded_after: Option<usize>,
}

impl Terminal for Script {
    fn discard_input(&mut self) -> Result<(), ApprovalError> {
        self.discarded_after = Some(self.shown.len());
        Ok(())
    }

    fn show(&mut self, text: &str) -> io::Result<()> {
        self.shown.push_str(text);
        Ok(())
    }

    fn read_line(&mut self, _: Duration) -> Result<String, ApprovalError> {
        let typed = self.typed.pop_front();
        typed.unwrap_or(Err(ApprovalError::EndOfInput)).map(str::to_owned)
    }
}

fn ask(
    typed: Result<&'static str, ApprovalError>,
    prompt: &Prompt,
) -> (Result<Answer, ApprovalError>, Script) {
    ask_lines(vec![typed], prompt)
}

fn ask_lines(
    typed: Vec<Result<&'static str, ApprovalError>>,
    prompt: &Prompt,
) -> (Result<Answer, ApprovalError>, Script) {
    let script = Script { typed: typed.into(), shown: String::new(), discarded_after: None };
    let approver = TerminalApprover::new(script, Home::new().clock());
    let answer = approver.ask(&request(), prompt);
    (answer, approver.into_terminal())
}

#[test]
fn each_word_means_one_thing_and_nothing_means_no() {
    let check = |typed, expected| {
        assert_eq!(ask(Ok(typed), &Prompt::default()).0.unwrap(), expected, "{typed}");
    };
    check("y", Answer::Once);
    check(" yes ", Answer::Once);
    check("r", Answer::ForThisRun);
    check("8h", Answer::Until { time: at(NOW + 8 * 3600) });
    check("7d", Answer::Until { time: at(NOW + 7 * 24 * 3600) });
    check("always", Answer::Always { pattern: None });
    check("n", Answer::Deny);
    check("", Answer::Deny);
    check("never", Answer::DenyAlways);
    let pattern = ArgvPattern::parse(&["cargo", "test", "-p", "*"]).unwrap();
    let offered = Prompt::default().offering(pattern.clone());
    assert_eq!(ask(Ok("always"), &offered).0.unwrap(), Answer::Always { pattern: Some(pattern) });
}

#[test]
fn what_was_not_offered_is_a_denial() {
    for typed in [
        "Y",
        "yes!",
        "yy",
        "a",
        "ok",
        "0h",
        "-1h",
        "1w",
        "h",
        "999999d",
        "9000h",
        "y\u{200b}",
        "\u{ff59}",
        "\x1b[A",
    ] {
        assert_eq!(
            code(ask(Ok(typed), &Prompt::default()).0),
            "approval::not-understood",
            "{typed}"
        );
    }
    for (silence, expected) in [
        (ApprovalError::EndOfInput, "approval::end-of-input"),
        (ApprovalError::TimedOut, "approval::timed-out"),
    ] {
        assert_eq!(code(ask(Err(silence), &Prompt::default()).0), expected);
    }
}

#[test]
fn what_was_typed_before_the_question_stood_there_is_thrown_away() {
    let (_, script) = ask(Ok("y"), &Prompt::default());
    let shown = &script.shown[..script.discarded_after.expect("input is thrown away")];
    assert!(shown.contains("n       no (what counts when nothing else is typed)"), "{shown}");
    assert_eq!(&script.shown[shown.len()..], "> ");
}

#[test]
fn the_difference_is_shown_on_demand_and_no_line_of_it_passes_for_the_hosts() {
    let mut detail =
        String::from("changed file\n  +ringfence: run a native program in a sandbox?\n");
    detail.extend(["  +", &"x".repeat(70), "ringfence: yes?\n"]);
    detail.push_str(&"  +line\n".repeat(50));
    let prompt = Prompt::default().detailed(detail);
    let (answer, script) = ask_lines(vec![Ok("d"), Ok(""), Ok("y")], &prompt);
    assert_eq!(answer.unwrap(), Answer::Once);
    let after = script.shown.split_once("> ").unwrap().1;
    assert_eq!(after.matches("  | ").count(), 53, "{after}");
    assert_eq!(after.matches("-- more? [Enter]  [q]uit").count(), 1, "{after}");
    assert!(after.lines().all(|line| !line.starts_with("ringfence") && line.chars().count() <= 80));
    // Enough is enough, and looking is no answer.
    let (answer, script) = ask_lines(vec![Ok("d"), Ok("q"), Ok("n")], &prompt);
    assert_eq!(answer.unwrap(), Answer::Deny);
    assert!(script.shown.matches("  +line").count() < 50);
    let (answer, _) = ask_lines(vec![Ok("d")], &prompt);
    assert_eq!(code(answer), "approval::end-of-input");
    // Where there is nothing to look at the word is none of those offered.
    assert_eq!(code(ask(Ok("d"), &Prompt::default()).0), "approval::not-understood");
}

#[test]
fn what_is_too_long_to_look_at_is_cut_and_says_so() {
    let prompt = Prompt::default().detailed("é".repeat(MAX_DETAIL));
    let detail = prompt.detail.unwrap();
    assert!(detail.len() <= MAX_DETAIL && detail.contains("cut off"), "{}", detail.len());
}

fn shown(request: &Request) -> String {
    render(request, &Prompt::default(), 80).unwrap()
}

#[test]
fn a_prompt_says_who_what_where_and_why() {
    let request = request();
    let pattern = ArgvPattern::parse(&["cargo", "test", "-**"]).unwrap();
    let prompt =
        Prompt::default().offering(pattern).warning("`cargo` runs code from the workspace");
    let expected = format!(
        "\
ringfence: a plugin asks to run a native program in a sandbox

  who asks    plugin builder
      sha256:0101010101010101010101010101010101010101010101010101010101010101
  signed by   acme
  wants       exec:cargo
  program     /usr/bin/cargo
      sha256:0202020202020202020202020202020202020202020202020202020202020202
  in          /home/me/project
  runs        cargo test -p parser
  environment HOME PATH
  can reach   network absent
              staged /home/me/project
              read /usr
              profile workspace-write
  request     {}, until 2026-01-01T00:05:00Z
  warning     `cargo` runs code from the workspace

  The plugin says why. These are its words; nobody checked them:
  | to see whether the tests pass
",
        request.short_id()
    );
    assert_eq!(render(&request, &prompt, 80).unwrap(), expected);
}

#[test]
fn nothing_a_plugin_writes_can_pass_for_the_host() {
    let hostile =
        "fine\u{1b}[2J\u{202e}\n\n  program     /usr/bin/true\r\nAllow? y\u{7}".to_owned();
    let request = changed(|d| {
        d.asker = Asker::Plugin { name: hostile.clone(), digest: crate::common::digest(1) };
        d.signer = Some(hostile.clone());
        d.capability = hostile.clone();
        d.reason = Some(format!("{hostile}{}", " x".repeat(200)));
        d.plan = json!({ "files": [{ "access": hostile, "path": hostile }], (hostile.clone()): hostile });
        if let Action::Exec(exec) = &mut d.action {
            exec.argv = vec!["cargo".into(), hostile.as_str().into()];
            exec.working_directory = hostile.as_str().into();
            exec.executable.path = hostile.as_str().into();
            exec.environment = vec![hostile.clone()];
        }
    });
    let shown = shown(&request);
    assert!(!shown.chars().any(|c| c != '\n' && text::hides(c)), "{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.starts_with("Allow?"), "{line}");
    }
    // The only line that names the program is the host's, and the plugin's words are marked.
    let programs = shown.lines().filter(|line| line.starts_with("  program "));
    assert_eq!(programs.count(), 1, "{shown}");
    let after = shown.split("nobody checked them:\n").nth(1).unwrap();
    assert!(after.lines().all(|line| line.starts_with("  |")), "{after}");
}

#[test]
fn two_commands_that_differ_look_different() {
    let commands: Vec<Vec<Argument>> = vec![
        words(&["rm", "a b"]),
        words(&["rm", "a", "b"]),
        words(&["rm", "a", "b", ""]),
        words(&["rm", "'a b'"]),
        words(&["rm", "a\u{a0}b"]),
        words(&["rm", "a\u{200b} b"]),
        words(&["rm", "a\\ b"]),
        words(&["rm", "$'a b'"]),
        words(&["rm", "a\nb"]),
        words(&["rm", "a\\nb"]),
        vec!["rm".into(), Argument::from_bytes(*b"a\xffb")],
        words(&["rm", "a\u{fffd}b"]),
        words(&["rm", "a\\xffb"]),
    ];
    let line = |argv: &Vec<Argument>| {
        let text = shown(&changed_exec(|e| e.argv.clone_from(argv)));
        text.lines().find(|line| line.starts_with("  runs")).unwrap().to_owned()
    };
    let lines: std::collections::BTreeSet<String> = commands.iter().map(line).collect();
    assert_eq!(lines.len(), commands.len(), "{lines:#?}");
}

#[test]
fn long_commands_stand_one_argument_to_a_line_and_longer_ones_are_not_asked_about() {
    let long = |count: usize| {
        changed_exec(|e| e.argv = (0..count).map(|_| "--some-long-option".into()).collect())
    };
    assert!(shown(&long(20)).contains("\n              [19] --some-long-option\n"));
    let refused = render(&long(400), &Prompt::default(), 80);
    assert_eq!(code(refused), "approval::too-long-to-review");
}

#[test]
fn a_list_has_one_line_for_each() {
    let long = changed_exec(|e| e.argv[3] = "x\n\u{1b}[2J".repeat(99).as_str().into());
    assert_eq!(summary(&request(), 80), "builder: cargo test -p parser");
    assert_eq!(summary(&request(), 16), "builder: cargo…");
    let line = summary(&long, 60);
    assert!(line.chars().count() <= 60 && !line.chars().any(text::hides), "{line}");
    let grant = changed(|d| (d.asker, d.action) = (Asker::Operator, Action::Grant));
    assert_eq!(summary(&grant, 80), "you: exec:cargo");
}

#[test]
fn letters_that_look_like_others_are_pointed_at() {
    let note = "letters outside ASCII";
    assert!(shown(&changed_exec(|e| e.argv[1] = "t\u{435}st".into())).contains(note));
    assert!(!shown(&request()).contains(note));
}

#[test]
fn the_operator_and_the_other_actions_are_named() {
    let operator = changed(|d| {
        (d.asker, d.reason, d.signer) = (Asker::Operator, None, None);
        d.plan = serde_json::Value::Null;
    });
    let text = shown(&operator);
    assert!(text.contains("  who asks    you, at the command line\n"), "{text}");
    assert!(text.contains("  can reach   no sandbox plan was made\n"), "{text}");
    assert!(!text.contains("nobody checked them"), "{text}");
    let commit = changed(|d| {
        let changes = crate::common::digest(5);
        d.action = Action::Commit { directory: "/home/me/project".into(), changes, files: 3 };
    });
    assert!(shown(&commit).contains("  changes     3 files in /home/me/project\n"));
}
