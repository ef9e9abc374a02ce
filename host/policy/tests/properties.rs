//! What holds for every policy and every request.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use proptest::prelude::*;
use ringfence_capability::{Capability, Grant, Origin, Profile};
use ringfence_policy::{Answers, Layer, LayerKind, Policy, ProtectedNames, Verdict};

const REQUEST: &str = "(fs\\.(read|write):(workspace(/(a|A|b|\\.git)){0,2}|/(a|b)(/a)?)|http\\.(read|write):(\\*|(\\*\\.)?(a\\.)?org)(:(80|443|8080))?|socket:(a\\.org|\\[::1\\]):(22|80)|(env|config|kv|model|tool|agent):(A|AB|rg)|exec:(A|rg|/A)( (a|ab|-a|-l|\\*|a\\*|-\\*)){0,2}( -?\\*\\*)?|secret:(A|AB)@(a\\.)?org|(clock|random):(real|deterministic)|mcp:A/(B|C|\\*))";
const SCOPED: &str = "(fs\\.(read|write) (workspace(/(a|b))?|elsewhere|/(a|b))|http\\.(read|write) (\\*\\.org|a\\.org)(:80)?|socket \\*:22|(env|config|kv|model|tool|agent) (A|AB|A\\*)|exec (A|a|rg|/A)( (a|-a|\\*|a\\*|-\\*)){0,2}( -?\\*\\*)?|secret A\\*@\\*\\.org|clock real|mcp A(/(B|\\*)|\\*)?)";

fn request() -> impl Strategy<Value = Capability> {
    REQUEST.prop_map(|text| Answers::capability(&text).unwrap())
}

fn profile() -> impl Strategy<Value = Profile> {
    proptest::sample::select(Profile::ALL.to_vec())
}

fn answers() -> impl Strategy<Value = Answers> {
    let grant = request().prop_map(|capability| Grant::new(capability, Origin::BuiltIn));
    proptest::collection::vec(grant, 0..4).prop_map(Answers::new)
}

/// The text of a narrowing layer, rules first to last.
fn rules() -> impl Strategy<Value = Vec<String>> {
    let rule = (SCOPED, any::<bool>(), "(allow|prompt|forbid)").prop_map(|(scoped, whole, verdict)| {
        let (kind, scope) = scoped.split_once(' ').unwrap();
        let words: Vec<&str> = scope.split(' ').collect();
        let warned = kind == "exec" && verdict != "forbid" && (whole || scope.starts_with("rg -"));
        let scope = match kind {
            _ if whole => String::new(),
            "exec" => format!("argv = {words:?}\n"),
            _ => format!("scope = \"{scope}\"\n"),
        };
        let warning = if warned { "warning = \"w\"\n" } else { "" };
        format!("[[rule]]\ncapability = \"{kind}\"\n{scope}{warning}decision = \"{verdict}\"\nreason = \"r\"\n")
    });
    proptest::collection::vec(rule, 0..4)
}

fn default() -> impl Strategy<Value = String> {
    "(\\[default\\]\n\"(http\\.read|fs\\.read|fs\\.write|env|exec)\" = \"(forbid|prompt)\"\n)?"
}

fn layer() -> impl Strategy<Value = Layer> {
    // Many random layers have a rule that could not matter and are refused; those that are left
    // count.
    (default(), rules()).prop_filter_map("a layer that says something", |(default, rules)| {
        Layer::parse(LayerKind::User, "user.toml", &(default + &rules.concat())).ok()
    })
}

fn verdict(policy: &Policy, request: &Capability, answers: &Answers) -> Verdict {
    policy.decide(request, answers).verdict
}

/// Tells whether `wanted` is in what was approved, and no protected name was left unsaid.
fn covers(approved: &Capability, wanted: &Capability) -> bool {
    let (above, all) = (approved.to_string(), wanted.to_string());
    let below = all.strip_prefix(&above).unwrap_or_default();
    let unsaid = all.starts_with("fs.write:") && below.contains("/.git");
    approved.contains(wanted) && !unsaid
}

proptest! {
    #[test]
    fn profiles_are_a_total_order(request in request(), answers in answers()) {
        let verdicts = Profile::ALL.map(|p| verdict(&Policy::new(p, Vec::new()), &request, &answers));
        prop_assert!(verdicts.is_sorted(), "{request}: {verdicts:?}");
    }

    #[test]
    fn adding_a_layer_never_adds_authority(
        profile in profile(), layers in proptest::collection::vec(layer(), 0..3), extra in layer(),
        at in 0_usize..3, request in request(), answers in answers(),
    ) {
        let before = verdict(&Policy::new(profile, layers.clone()), &request, &answers);
        let mut more = layers;
        more.insert(at.min(more.len()), extra);
        prop_assert!(verdict(&Policy::new(profile, more), &request, &answers) <= before);
    }

    #[test]
    fn a_trust_cap_is_a_ceiling(profile in profile(), cap in profile(), request in request()) {
        let none = Answers::default();
        let capped = verdict(&Policy::new(profile, vec![Layer::cap(cap, "unsigned bundle")]), &request, &none);
        prop_assert_eq!(capped, verdict(&Policy::new(profile.min(cap), Vec::new()), &request, &none));
    }

    #[test]
    fn strictest_rule_wins_whatever_the_order(
        profile in profile(), a in layer(), b in layer(), default in default(), rules in rules(), request in request(),
    ) {
        let none = Answers::default();
        let forth = verdict(&Policy::new(profile, vec![a.clone(), b.clone()]), &request, &none);
        prop_assert_eq!(forth, verdict(&Policy::new(profile, vec![b, a]), &request, &none));
        let parse = |rules: Vec<String>| Layer::parse(LayerKind::User, "f", &(default.clone() + &rules.concat()));
        let backwards = parse(rules.iter().rev().cloned().collect());
        if let (Ok(one), Ok(other)) = (parse(rules), backwards) {
            let one = verdict(&Policy::new(profile, vec![one]), &request, &none);
            prop_assert_eq!(one, verdict(&Policy::new(profile, vec![other]), &request, &none));
        }
    }

    #[test]
    fn answers_never_lift_a_forbid(
        profile in profile(), layer in layer(), request in request(), answers in answers(),
    ) {
        let policy = Policy::new(profile, vec![layer]);
        let without = verdict(&policy, &request, &Answers::default());
        let with = verdict(&policy, &request, &answers);
        let covered = answers.iter().any(|grant| covers(&grant.capability, &request));
        let expected = if without == Verdict::Prompt && covered { Verdict::Allow } else { without };
        prop_assert_eq!(with, expected);
    }

    #[test]
    fn asking_for_more_never_gets_more(
        profile in profile(), layer in layer(), wide in request(), narrow in request(),
    ) {
        // A directory may be granted although a protected name below it asks: that is checked at
        // the write.
        let writes = matches!(wide, Capability::FsWrite(_));
        if wide.contains(&narrow) && !writes {
            let (policy, none) = (Policy::new(profile, vec![layer]), Answers::default());
            prop_assert!(verdict(&policy, &wide, &none) <= verdict(&policy, &narrow, &none));
        }
    }

    #[test]
    fn running_a_program_always_asks(profile in profile(), layer in layer(), line in "(rg|A|AB)( a)?( -?\\*\\*)?") {
        let request = Capability::Exec(line.parse().unwrap());
        let policy = Policy::new(profile, vec![layer]);
        prop_assert!(verdict(&policy, &request, &Answers::default()) <= Verdict::Prompt);
    }

    #[test]
    fn a_capability_is_read_back_from_its_text(request in request()) {
        let again = Answers::capability(&request.to_string()).unwrap();
        prop_assert!(again.contains(&request), "{request} {again:?}");
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = Layer::parse(LayerKind::User, "f", &text);
        let _ = Answers::capability(&text);
        let _ = Layer::denying([text.as_str()]);
        let _ = ProtectedNames::parse("f", &text);
    }

    #[test]
    fn no_mixture_of_policy_words_makes_the_reader_panic(
        words in proptest::collection::vec(
            "(\\[\\[rule\\]\\]|\\[default\\]|capability|scope|decision|reason|=|\"|\"fs.read\"|\"\\*\\.\"|\"allow\"|\\[|\\]|\\{|\\}|\n|\\.|é|'''|[0-9]+)",
            0..40,
        ),
    ) {
        for kind in [LayerKind::Profile, LayerKind::Workspace] {
            let _ = Layer::parse(kind, "f", &words.concat());
        }
    }
}
