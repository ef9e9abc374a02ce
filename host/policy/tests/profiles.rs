//! The table in `docs/security-profiles.md` is what the profiles do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use ringfence_capability::{Kind, Profile};
use ringfence_policy::{Answers, Layer, LayerKind, Policy, Verdict};

const DOCS: &str = include_str!("../../../docs/security-profiles.md");

/// Each row of the table with requests it speaks about.
const ROWS: &[(&str, &[&str])] = &[
    ("read the workspace", &["fs.read:workspace", "fs.read:workspace/a/.git"]),
    ("read elsewhere", &["fs.read:/etc", "fs.read:/"]),
    ("write the workspace", &["fs.write:workspace", "fs.write:workspace/out"]),
    ("write a protected name", &["fs.write:workspace/.git", "fs.write:workspace/a/.VSCODE/b"]),
    ("write elsewhere", &["fs.write:/tmp/x"]),
    (
        "http `read` to requested hosts",
        &["http.read:example.org", "http.read:*", "http.read:*.example.org:8080"],
    ),
    ("http `write` to requested hosts", &["http.write:example.org", "http.write:*"]),
    ("sockets", &["socket:example.org:22"]),
    ("named env, config", &["env:HOME", "config:theme"]),
    ("secrets", &["secret:key@example.org"]),
    ("kv", &["kv:cache"]),
    (
        "clock, random",
        &["clock:real", "clock:deterministic", "random:real", "random:deterministic"],
    ),
    ("model", &["model:small"]),
    ("tool, agent", &["tool:search", "agent:helper"]),
    ("mcp", &["mcp:server/tool"]),
    (
        "exec on the allow-list",
        &[
            "exec:rg word src",
            "exec:grep -rn word",
            "exec:ls",
            "exec:find . -name \\*.rs",
            "exec:wc -**",
        ],
    ),
    (
        "exec of anything else",
        &[
            "exec:bash",
            "exec:bash -c ls",
            "exec:/tmp/ls",
            "exec:cargo test",
            "exec:rg --pre=sh word",
            "exec:rg -**",
            "exec:find . -exec sh",
            "exec:find . -delete",
            "exec:git status",
        ],
    ),
];

fn table() -> Vec<Vec<&'static str>> {
    let lines = DOCS.lines().skip_while(|line| !line.starts_with("| what |"));
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

fn verdict(word: &str) -> Verdict {
    match word {
        "allow" => Verdict::Allow,
        "ask" => Verdict::Prompt,
        _ => {
            assert_eq!(word, "forbid", "the words of the table are allow, ask and forbid");
            Verdict::Forbid
        }
    }
}

#[test]
fn the_documented_table_is_what_is_decided() {
    let table = table();
    let names: Vec<_> = Profile::ALL.iter().map(|profile| format!("`{profile}`")).collect();
    assert_eq!(table[0][1..], names, "the columns are the profiles in order");
    let labels: Vec<_> = table[2..].iter().map(|row| row[0]).collect();
    assert_eq!(labels, ROWS.iter().map(|(label, _)| *label).collect::<Vec<_>>());
    for (row, (label, requests)) in table[2..].iter().zip(ROWS) {
        for (cell, profile) in row[1..].iter().zip(Profile::ALL) {
            for request in *requests {
                let policy = Policy::new(profile, Vec::new());
                let decision =
                    policy.decide(&Answers::capability(request).unwrap(), &Answers::default());
                assert_eq!(decision.verdict, verdict(cell), "{label}: {request} under {profile}");
            }
        }
    }
}

#[test]
fn the_documented_allow_list_is_that_of_the_three_lower_profiles() {
    let mut documented = "| command | what it does |\n|---|---|\n".to_owned();
    let rules = |profile| {
        let layer = Layer::profile(profile);
        let exec = layer.rules().filter(|rule| rule.kind() == Kind::Exec).cloned();
        exec.map(|rule| (rule.argv().unwrap().to_string(), rule.reason().to_owned()))
            .collect::<Vec<_>>()
    };
    for (argv, reason) in rules(Profile::Offline) {
        let reason = reason.strip_suffix("; a native program always asks").unwrap();
        documented = format!("{documented}| `{argv}` | {reason} |\n");
    }
    assert!(DOCS.contains(&format!("\n{documented}\n")), "the table must be\n\n{documented}");
    for profile in [Profile::ReadOnly, Profile::NetReadOnly] {
        assert_eq!(rules(profile), rules(Profile::Offline), "{profile}");
    }
}

#[test]
fn the_documented_examples_of_a_policy_are_readable() {
    let blocks: Vec<_> = DOCS.split("```toml\n").skip(1).collect();
    assert!(blocks.len() > 1);
    for block in blocks {
        let text = block.split("```").next().unwrap();
        // What only the machine can say is read as its file.
        let layer = if text.contains("[flow]") { LayerKind::Host } else { LayerKind::User };
        Layer::parse(layer, "example.toml", text).unwrap();
    }
}

#[test]
fn every_kind_has_a_row() {
    for kind in Kind::ALL {
        let row = ROWS
            .iter()
            .any(|(_, requests)| requests.iter().any(|r| r.starts_with(&format!("{kind}:"))));
        assert!(row, "{kind}");
    }
}

#[test]
fn every_rule_of_every_profile_has_a_reason() {
    for profile in Profile::ALL {
        assert!(Layer::profile(profile).rules().all(|rule| rule.reason().len() > 8), "{profile}");
    }
}

#[test]
fn an_approval_of_a_directory_does_not_reach_protected_names_in_it() {
    let verdict = |approved: &str, wanted: &str| {
        let answers = Answers::from_flags([approved]).unwrap();
        let policy = Policy::new(Profile::Trusted, Vec::new());
        policy.decide(&Answers::capability(wanted).unwrap(), &answers).verdict
    };
    for (approved, wanted) in [
        ("fs.write:workspace", "fs.write:workspace/.git/hooks"),
        ("fs.write:workspace", "fs.write:workspace/.GIT"),
        ("fs.write:workspace/a", "fs.write:workspace/a/b/.vscode"),
        ("fs.write:workspace/.git", "fs.write:workspace/.git/a/.git"),
        ("fs.write:/", "fs.write:/home/a/.bashrc"),
        ("fs.write:/home", "fs.write:/home/a/.git. /hooks"),
    ] {
        assert_eq!(verdict(approved, wanted), Verdict::Prompt, "{approved}, {wanted}");
        assert_eq!(verdict(wanted, wanted), Verdict::Allow, "{wanted} approved by name");
    }
    for (approved, wanted) in [
        ("fs.write:workspace/.git", "fs.write:workspace/.git/hooks"),
        ("fs.write:workspace", "fs.read:workspace/.git/hooks"),
        ("fs.write:/", "fs.write:/tmp/out"),
        ("fs.write:/tmp", "fs.write:/tmp/out"),
    ] {
        assert_eq!(verdict(approved, wanted), Verdict::Allow, "{approved}, {wanted}");
    }
}
