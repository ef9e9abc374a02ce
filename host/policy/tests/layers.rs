//! Bad layers are refused with file, line and fix; good ones are explained.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use ringfence_capability::{Diagnostic, Kind, Origin, Profile, Request};
use ringfence_policy::{AfterNetwork, Answers, Explanation, Layer, LayerKind, Policy, Verdict};

fn rule(capability: &str, scope: &str, decision: &str) -> String {
    let scope = if scope.is_empty() { String::new() } else { format!("scope = \"{scope}\"\n") };
    format!(
        "[[rule]]\ncapability = \"{capability}\"\n{scope}decision = \"{decision}\"\nreason = \"r\"\n"
    )
}

fn refused(text: &str, code: &str, message: &str) {
    let Err(error) = Layer::parse(LayerKind::User, "user.toml", text) else {
        panic!("{text} is accepted")
    };
    let mut said = error.to_string();
    if let Some(source) = std::error::Error::source(&error) {
        said = format!("{said}; {source}");
    }
    assert_eq!(error.code(), code, "{said}");
    assert!(said.contains(message), "`{said}` lacks `{message}`");
    assert!(error.hint().is_some() || code == "policy::bad-value", "{said}");
}

#[test]
fn bad_files_are_refused_with_the_line() {
    let good = rule("env", "HOME", "forbid");
    for (text, code, message) in [
        ("[[rule]]\ncapability = ", "policy::syntax", "line 2"),
        ("rule = 1", "policy::syntax", "`[[rule]]`"),
        ("[[rule]]\ncapability = 1", "policy::syntax", "line 2"),
        ("\n\nrules = []", "policy::unknown-key", "unknown key `rules` in `user.toml`, line 3"),
        (
            &(good.clone() + "when = \"now\"\n"),
            "policy::unknown-key",
            "`when` in `user.toml`, line 6",
        ),
        (
            &rule("fs.delete", "", "forbid"),
            "policy::bad-value",
            "line 2; `fs.delete` is not a capability name",
        ),
        (&rule("env", "A*B", "forbid"), "policy::bad-value", "line 3; `A*B`"),
        (&rule("http.read", "a.*.org", "forbid"), "policy::bad-value", "line 3"),
        (&rule("http.read", "a.org:0", "forbid"), "policy::bad-value", "1 to 65535"),
        (&rule("fs.read", "../x", "forbid"), "policy::bad-value", "`workspace`"),
        (&rule("fs.read", "workspace/../x", "forbid"), "policy::bad-value", "`..`"),
        (&rule("clock", "slow", "forbid"), "policy::bad-value", "`deterministic`"),
        (&rule("env", "", "deny"), "policy::bad-value", "line 3; `deny`"),
        (
            "[[rule]]\ncapability = \"env\"\ndecision = \"forbid\"",
            "policy::missing-key",
            "`reason` is missing",
        ),
        (&good.replace("\"r\"", "\"  \""), "policy::missing-key", "`reason` is missing"),
        ("[[rule]]\nreason = \"r\"", "policy::missing-key", "`capability` is missing"),
        ("[default]\n\"nope\" = \"forbid\"", "policy::bad-value", "line 2; `nope`"),
        ("[default]\nenv = 1", "policy::syntax", "line 2"),
        (&"#".repeat(300_000), "policy::too-large", "300000 bytes"),
        (&"[[rule]]\n".repeat(1025), "policy::too-large", "1025 entries"),
    ] {
        refused(text, code, message);
    }
}

#[test]
fn rules_that_cannot_matter_are_refused() {
    let allow_list = "[default]\nenv = \"forbid\"\n";
    for (text, message) in [
        (rule("env", "HOME", "allow"), "line 1, can never matter: this layer can only take away"),
        (
            rule("env", "HOME", "forbid").repeat(2),
            "line 6, can never matter: line 1 already decides it",
        ),
        (rule("env", "", "forbid") + &rule("env", "HOME", "prompt"), "line 1 already decides it"),
        (
            rule("env", "HOME", "prompt") + &rule("env", "", "forbid"),
            "line 1, can never matter: line 6",
        ),
        (
            rule("fs.read", "/a/b", "prompt") + &rule("fs.read", "elsewhere", "prompt"),
            "line 6 already",
        ),
        (
            rule("http.read", "*.org", "forbid") + &rule("http.read", "a.org:80", "forbid"),
            "line 1 already",
        ),
        ("[default]\nenv = \"allow\"".to_owned(), "leave the default out"),
        (
            allow_list.to_owned() + &rule("env", "HOME", "forbid"),
            "`forbid` is the default of `env`",
        ),
    ] {
        refused(&text, "policy::useless-rule", message);
    }
    let carved =
        allow_list.to_owned() + &rule("env", "A*", "allow") + &rule("env", "AWS*", "forbid");
    assert!(
        Layer::parse(LayerKind::User, "f", &carved).is_ok(),
        "a forbid inside an allow matters"
    );
}

#[test]
fn a_profile_has_no_defaults_and_never_allows_programs() {
    let profile = |text: &str| Layer::parse(LayerKind::Profile, "p.toml", text).unwrap_err();
    assert_eq!(profile("[default]\nenv = \"forbid\"").code(), "policy::unknown-key");
    let allowed = rule("exec", "", "allow") + "warning = \"w\"\n";
    assert!(profile(&allowed).to_string().contains("always asks"));
}

#[test]
fn forbidding_to_read_forbids_to_write() {
    let layer =
        rule("fs.read", "workspace/Keys", "forbid") + &rule("http.read", "*.evil.org", "forbid");
    let layer = Layer::parse(LayerKind::User, "f", &layer).unwrap();
    let policy = Policy::new(Profile::Trusted, vec![layer]);
    for (request, verdict) in [
        ("fs.write:workspace/Keys/a", Verdict::Forbid),
        ("fs.write:workspace", Verdict::Forbid),
        ("fs.read:workspace/keys", Verdict::Forbid),
        ("fs.read:workspace/keys2", Verdict::Allow),
        ("http.write:a.evil.org", Verdict::Forbid),
        ("http.write:*", Verdict::Forbid),
        ("http.write:good.org", Verdict::Prompt),
    ] {
        let decision = policy.decide(&Answers::capability(request).unwrap(), &Answers::default());
        assert_eq!(decision.verdict, verdict, "{request}");
    }
}

#[test]
fn an_allow_list_lets_only_its_own_through() {
    let text = "[default]\n\"http.read\" = \"forbid\"\n".to_owned()
        + &rule("http.read", "*.wikipedia.org", "allow");
    let policy =
        Policy::new(Profile::NetReadOnly, vec![Layer::parse(LayerKind::Host, "f", &text).unwrap()]);
    for (request, verdict) in [
        ("http.read:en.wikipedia.org", Verdict::Allow),
        ("http.read:*.wikipedia.org", Verdict::Allow),
        ("http.read:*.org", Verdict::Forbid),
        ("http.read:wikipedia.org", Verdict::Forbid),
        ("http.write:en.wikipedia.org", Verdict::Forbid),
    ] {
        let decision = policy.decide(&Answers::capability(request).unwrap(), &Answers::default());
        assert_eq!(decision.verdict, verdict, "{request}");
    }
}

fn explain(policy: &Policy, request: &str) -> Explanation {
    let origin = Origin::File { path: "plugin.toml".to_owned(), line: 9 };
    let request = Request::required(Answers::capability(request).unwrap(), "needs it", origin);
    policy.explain(&request, &Answers::default())
}

#[test]
fn the_explanation_names_the_rule_and_the_way_out() {
    let user = Layer::parse(LayerKind::User, "user.toml", &rule("env", "AWS_*", "forbid")).unwrap();
    let deny = Layer::denying(["socket:*.org"]).unwrap();
    let cap = Layer::cap(Profile::ReadOnly, "unsigned bundle");
    let plain = Policy::new(Profile::Offline, vec![user, deny]);
    let capped = Policy::new(Profile::Offline, vec![cap]);
    for (policy, request, by, remedy) in [
        (&plain, "env:HOME", "profile `offline`", "approve it with `--approve 'env:HOME'`"),
        (
            &plain,
            "env:AWS_KEY",
            "user policy",
            "change the rule at `user.toml:1` (env `AWS_*`: forbid); approve it with `--approve 'env:AWS_KEY'`",
        ),
        (&plain, "http.read:a.org", "profile `offline`", "run with `--profile net-read-only`"),
        (
            &plain,
            "socket:a.org:22",
            "profile `offline`",
            "run with `--profile trusted`; leave out `--deny 'socket:*.org'`; approve it with `--approve 'socket:a.org:22'`",
        ),
        (
            &capped,
            "fs.write:workspace/.git",
            "profile `offline`",
            "run with `--profile workspace-write`; vouch for exactly this plugin up to `workspace-write` with `--trust-digest DIGEST` (`ringfence inspect` shows the digest); approve it with `--approve 'fs.write:workspace/.git'`",
        ),
        (&plain, "kv:cache", "profile `offline`", ""),
    ] {
        let explanation = explain(policy, request);
        assert_eq!(explanation.decided_by.layer, by, "{request}");
        assert!(!explanation.decided_by.reason.is_empty() && explanation.decided_by.line.is_some());
        let steps: Vec<_> = explanation.remedy.iter().map(ToString::to_string).collect();
        assert_eq!(steps.join("; "), remedy, "{request}");
    }
}

#[test]
fn following_the_remedy_leads_to_what_was_asked_for() {
    for profile in Profile::ALL {
        for request in [
            "fs.read:/it's",
            "fs.write:/x",
            "http.write:[::1]:8080",
            "secret:k@a.org",
            "exec:bash",
            "mcp:s/t",
        ] {
            let explanation = explain(&Policy::new(profile, Vec::new()), request);
            let (mut profile, mut answers) = (profile, Answers::default());
            for step in &explanation.remedy {
                let json = serde_json::to_value(step).unwrap();
                let flag = json["flag"].as_str().unwrap();
                match flag.split_once(' ').unwrap() {
                    ("--profile", name) => profile = name.parse().unwrap(),
                    (_, quoted) => {
                        let text = quoted.trim_matches('\'').replace("'\\''", "'");
                        answers = Answers::from_flags([text.as_str()]).unwrap();
                    }
                }
            }
            let followed = Policy::new(profile, Vec::new()).explain(&explanation.request, &answers);
            assert!(followed.is_given(), "{request}: {:?}", explanation.remedy);
        }
    }
}

#[test]
fn what_is_granted_carries_its_origin_and_the_rest_is_refused() {
    let policy = Policy::new(Profile::Offline, Vec::new());
    let ask =
        |text: &str| Request::required(Answers::capability(text).unwrap(), "r", Origin::BuiltIn);
    let requests = [
        ask("fs.read:workspace"),
        ask("env:HOME"),
        ask("env:LANG").optional(),
        ask("http.read:a.org"),
    ];
    let verdicts = policy.grant(&requests, &Answers::from_flags(["env:HOME"]).unwrap());
    let granted: Vec<_> =
        verdicts.granted.iter().map(|g| format!("{} {}", g.capability, g.origin)).collect();
    assert_eq!(granted.len(), 2);
    assert!(granted[0].starts_with("fs.read:workspace policies/offline.toml:"), "{granted:?}");
    assert_eq!(granted[1], "env:HOME `--approve env:HOME`");
    assert_eq!(verdicts.refused.len(), 2);
    assert_eq!(verdicts.all[1].approved_by.as_deref(), Some("`--approve env:HOME`"));
    let refusal = verdicts.refusal().unwrap();
    assert_eq!(refusal.code(), "policy::forbidden");
    assert_eq!(refusal.to_string(), "profile `offline` does not allow `http.read:a.org`");
    assert_eq!(refusal.hint().unwrap(), "if it is intended: run with `--profile net-read-only`");
}

#[test]
fn an_explanation_is_json() {
    let json =
        serde_json::to_value(explain(&Policy::new(Profile::Offline, Vec::new()), "env:HOME"))
            .unwrap();
    assert_eq!(json["verdict"], "prompt");
    assert_eq!(json["request"]["capability"], "env:HOME");
    assert_eq!(json["request"]["origin"], "plugin.toml:9");
    assert_eq!(json["decided_by"]["file"], "policies/offline.toml");
    assert_eq!(json["votes"][0]["kind"], "profile");
    assert_eq!(json["votes"][1]["verdict"], serde_json::Value::Null);
    assert_eq!(json["remedy"][0]["step"], "approve");
}

#[test]
fn deny_flags_name_kinds_or_scopes() {
    assert_eq!(Layer::denying(["env", "http.read:*.org"]).unwrap().rules().count(), 2);
    for bad in ["", "nope", "env:", "http.read:a.*"] {
        assert_eq!(Layer::denying([bad]).unwrap_err().code(), "policy::bad-capability", "{bad}");
    }
    assert_eq!(Layer::denying(["env"]).unwrap().rules().next().unwrap().kind(), Kind::Env);
}

#[test]
fn a_rule_about_outside_servers_reaches_the_server_its_tools_or_one_of_them() {
    // What each rule says about the tool, about every tool, and about a tool of another server.
    for (scope, one, every, other) in [
        ("time", true, true, false),
        ("time/*", true, true, false),
        ("ti*", true, true, true),
        ("time/now", true, true, false),
        ("time/n*", true, true, false),
        // Of every tool, `later` is a part too.
        ("time/later", false, true, false),
        ("tim", false, false, false),
        ("tile/now", false, false, true),
    ] {
        let forbids = Layer::parse(LayerKind::User, "user.toml", &rule("mcp", scope, "forbid"));
        let policy = Policy::new(Profile::Trusted, vec![forbids.unwrap()]);
        for (asked, forbidden) in
            [("mcp:time/now", one), ("mcp:time/*", every), ("mcp:tile/now", other)]
        {
            let capability = Answers::capability(asked).unwrap();
            let request = Request::required(capability, "r", Origin::BuiltIn);
            let said = policy.explain(&request, &Answers::default()).verdict;
            let expected = if forbidden { Verdict::Forbid } else { Verdict::Prompt };
            assert_eq!(said, expected, "{scope} {asked}");
        }
    }
}

#[test]
fn the_approval_of_one_outside_tool_is_not_that_of_another() {
    let policy = Policy::new(Profile::Trusted, Vec::new());
    for (approved, asked, given) in [
        ("mcp:time/now", "mcp:time/now", true),
        ("mcp:time/now", "mcp:time/later", false),
        ("mcp:time/now", "mcp:time/*", false),
        ("mcp:time/*", "mcp:time/later", true),
        ("mcp:time/*", "mcp:times/now", false),
    ] {
        let answers = Answers::from_flags([approved]).unwrap();
        let request = Request::required(Answers::capability(asked).unwrap(), "r", Origin::BuiltIn);
        assert_eq!(policy.explain(&request, &answers).is_given(), given, "{approved} {asked}");
    }
    assert!(Answers::from_flags(["mcp:time"]).is_err(), "a server is approved when it is added");
}

#[test]
fn only_the_policy_of_the_machine_lifts_what_holds_after_the_network_was_read() {
    let text = |said: &str| format!("[flow]\nafter-network = {said:?}\nreason = \"r\"\n");
    let of = |kind, text: &str| Layer::parse(kind, "policy.toml", text).map(|l| l.after_network());
    assert_eq!(of(LayerKind::Host, &text("allow")).unwrap(), Some(AfterNetwork::Allow));
    assert_eq!(of(LayerKind::Host, &text("ask")).unwrap(), Some(AfterNetwork::Ask));
    assert_eq!(of(LayerKind::Host, &rule("env", "", "forbid")).unwrap(), None);
    for kind in [LayerKind::User, LayerKind::Workspace, LayerKind::Flags] {
        let error = of(kind, &text("allow")).unwrap_err();
        assert_eq!(error.code(), "policy::unknown-key", "{error}");
        assert!(error.to_string().contains("`flow`"), "{error}");
    }
    for (text, code) in [
        (text("never"), "policy::bad-value"),
        ("[flow]\nafter-network = \"allow\"\n".to_owned(), "policy::missing-key"),
        ("[flow]\nreason = \"r\"\n".to_owned(), "policy::missing-key"),
        (format!("{}also = 1\n", text("allow")), "policy::unknown-key"),
    ] {
        assert_eq!(of(LayerKind::Host, &text).unwrap_err().code(), code, "{text}");
    }
}
