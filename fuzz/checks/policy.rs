//! What holds for any text as a policy layer, and for each of its lines as a flag.

use crate::told::{plain, told};
use ringfence_capability::{Capability, Kind, Origin, Profile, Request};
use ringfence_policy::{Answers, Layer, LayerKind, Policy, ProtectedNames, Rule, Verdict};
use std::fmt::Write as _;

/// Requests of several kinds, to ask a layer about.
const REQUESTS: [&str; 10] = [
    "fs.read:workspace/a",
    "fs.write:workspace/.git/hooks",
    "fs.write:/etc/passwd",
    "http.read:docs.example.org:8080",
    "http.write:*.example.org",
    "env:HOME",
    "secret:API_KEY@api.example.com",
    "clock:real",
    "exec:git",
    "exec:cargo test --lib **",
];

/// Reads a layer; returns whether it was accepted, panics when a promise is broken.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    // More lines than this are as many as before, in a slower test.
    for line in text.lines().take(50) {
        flag(line);
    }
    if let Err(error) = ProtectedNames::parse("names.toml", &text) {
        plain(&told(&error));
    }
    let mut accepted = false;
    for kind in [LayerKind::Profile, LayerKind::Host, LayerKind::User, LayerKind::Workspace] {
        match Layer::parse(kind, "policy.toml", &text) {
            Err(error) => plain(&told(&error)),
            Ok(layer) => {
                written_again(&layer);
                asked(&layer);
                accepted = true;
            }
        }
    }
    accepted
}

/// Reads one line as `--approve` and as `--deny`.
fn flag(line: &str) {
    match Answers::capability(line) {
        Err(error) => plain(&told(&error)),
        Ok(capability) => {
            let shown = capability.to_string();
            let again = Answers::capability(&shown).map(|again| again.to_string());
            assert_eq!(again.ok(), Some(shown.clone()), "{line:?} is shown as {shown:?}");
        }
    }
    if let Err(error) = Layer::denying([line]) {
        plain(&told(&error));
    }
}

/// Writes the rules as TOML and reads them again, as a profile: only that may allow.
fn written_again(layer: &Layer) {
    let rules: Vec<&Rule> = layer.rules().collect();
    let exec = |rule: &&Rule| rule.kind() == Kind::Exec && rule.verdict() == Verdict::Allow;
    if rules.iter().any(exec) {
        return;
    }
    let mut text = String::new();
    for rule in &rules {
        let shown = rule.to_string();
        let scope = shown.split('`').nth(1);
        let _ = writeln!(text, "[[rule]]\ncapability = {}", quoted(rule.kind().name()));
        if let Some(argv) = rule.argv() {
            let words: Vec<String> = argv.words().map(|word| quoted(&word)).collect();
            let _ = writeln!(text, "argv = [{}]", words.join(", "));
        } else if let Some(scope) = scope {
            let _ = writeln!(text, "scope = {}", quoted(scope));
        }
        if let Some(warning) = rule.warning() {
            let _ = writeln!(text, "warning = {}", quoted(warning));
        }
        let (verdict, reason) = (quoted(rule.verdict().name()), quoted(rule.reason()));
        let _ = writeln!(text, "decision = {verdict}\nreason = {reason}");
    }
    let again = match Layer::parse(LayerKind::Profile, "again.toml", &text) {
        Ok(again) => again,
        Err(error) => panic!("not read again: {error:?}\n{text}"),
    };
    let shown = |rule: &Rule| (rule.to_string(), rule.reason().to_owned());
    let before: Vec<_> = rules.into_iter().map(shown).collect();
    assert_eq!(again.rules().map(shown).collect::<Vec<_>>(), before, "{text}");
}

/// Asks the layer about some requests: it narrows, and what it says can be explained.
fn asked(layer: &Layer) {
    let answers = Answers::default();
    let without = Policy::new(Profile::Trusted, Vec::new());
    let with = Policy::new(Profile::Trusted, vec![layer.clone()]);
    for capability in REQUESTS.iter().filter_map(|text| Answers::capability(text).ok()) {
        let verdict = with.decide(&capability, &answers).verdict;
        let before = without.decide(&capability, &answers).verdict;
        assert!(verdict <= before, "{capability}: {before} became {verdict}");
        explained(&with, capability, &answers);
    }
}

fn explained(policy: &Policy, capability: Capability, answers: &Answers) {
    let request = Request::required(capability, "a test", Origin::BuiltIn);
    let explanation = policy.explain(&request, answers);
    let allowed = explanation.verdict == Verdict::Allow;
    assert_eq!(explanation.refusal().is_none(), allowed, "{explanation:?}");
    if let Some(error) = explanation.refusal() {
        plain(&told(&error));
    }
}

/// Returns `text` as a TOML string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
