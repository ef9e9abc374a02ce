//! Things that must be explained or used: policy rules and test guests.

use toml::Value;

use super::Finding;
use crate::guests::GuestList;
use crate::tree::{Tree, ends_in};

/// Finds rules in `policies/` without a reason.
pub(super) fn policy_reasons(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    if tree.below("policies/").next().is_none() {
        findings.push(Finding::at("policies", 1, "there are no policies"));
    }
    for (path, text) in tree.below("policies/").filter(|(path, _)| ends_in(path, "toml")) {
        match toml::from_str::<Value>(text) {
            Ok(value) => {
                let mut rules = Vec::new();
                unexplained(&value, "", &mut rules);
                findings.extend(
                    rules
                        .into_iter()
                        .map(|rule| Finding::at(path, 1, format!("rule {rule} has no `reason`"))),
                );
            }
            Err(error) => findings.push(Finding::at(path, 1, error.message().to_owned())),
        }
    }
    findings
}

/// Finds guests that no test mentions.
pub(super) fn guests(tree: &Tree) -> Vec<Finding> {
    let path = "tests/guests/guests.toml";
    let Some(text) = tree.text(path) else {
        return vec![Finding::at(path, 1, "there is no list of guests")];
    };
    let list = match toml::from_str::<GuestList>(text) {
        Ok(list) => list,
        Err(error) => return vec![Finding::at(path, 1, error.message().to_owned())],
    };
    let tests: Vec<_> =
        tree.rust().filter(|(path, _)| is_test(path)).map(|(_, text)| text).collect();
    list.guest
        .iter()
        .filter(|guest| {
            let name = format!("\"{}\"", guest.name);
            !tests.iter().any(|text| text.contains(&name))
        })
        .map(|guest| {
            let needle = format!("\"{}\"", guest.name);
            let line = 1 + text.lines().position(|line| line.contains(&needle)).unwrap_or(0);
            Finding::at(path, line, format!("no test uses the guest `{}`", guest.name))
        })
        .collect()
}

/// Collects the tables inside arrays of tables that lack a reason, by path and position.
fn unexplained(value: &Value, path: &str, rules: &mut Vec<String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                unexplained(value, &format!("{path}{key}"), rules);
            }
        }
        Value::Array(array) => {
            for (number, value) in array.iter().enumerate() {
                let place = format!("{path}[{number}]");
                if value.is_table() && !has_reason(value) {
                    rules.push(format!("`{place}`"));
                }
                unexplained(value, &format!("{place}."), rules);
            }
        }
        _ => {}
    }
}

fn has_reason(value: &Value) -> bool {
    let reason = value.get("reason").and_then(Value::as_str);
    reason.is_some_and(|reason| !reason.trim().is_empty())
}

fn is_test(path: &str) -> bool {
    let in_room = path.starts_with("host/") && path.contains("/tests/");
    in_room || (path.starts_with("tests/") && !path.starts_with("tests/guests/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rule_without_a_reason_or_with_a_blank_one_is_found() {
        let text =
            "[[rule]]\na = 1\nreason = \"because\"\n[[rule]]\na = 1\n[[rule]]\nreason = \" \"";
        let found = policy_reasons(&Tree::of(&[("policies/offline.toml", text)]));
        let place = "policies/offline.toml:1: rule";
        let expected = [1, 2].map(|number| format!("{place} `rule[{number}]` has no `reason`"));
        assert_eq!(shown(&found), expected);
        let broken = policy_reasons(&Tree::of(&[("policies/offline.toml", "[[")]));
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn a_guest_that_no_test_names_is_found() {
        let list = "[[guest]]\nname = \"loops\"\nkind = \"bin\"\n\
                    [[guest]]\nname = \"leaks\"\nkind = \"wat\"";
        let files = [
            ("tests/guests/guests.toml", list),
            ("tests/guests/misdeeds/src/lib.rs", "\"leaks\""),
            ("host/runtime/tests/limits.rs", "run(\"loops\")"),
        ];
        let found = guests(&Tree::of(&files));
        assert_eq!(shown(&found), ["tests/guests/guests.toml:5: no test uses the guest `leaks`"]);
    }
}
