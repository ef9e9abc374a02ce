//! One request has one spelling and one digest, and anything else another one.

use crate::common::{at, changed, changed_exec, code, digest, draft, exec, request, words};
use proptest::prelude::*;
use ringfence_approval::{
    Action, Argument, Asker, Draft, Exec, Executable, MAX_REQUEST, Nonce, Request, RequestError,
};
use serde_json::{Value, json};

/// One change of each field, and of each part of it.
fn changes() -> Vec<(&'static str, Request)> {
    let nonce = draft().nonce;
    let base = |change: fn(&mut Draft)| {
        changed(|draft| {
            draft.nonce = nonce;
            change(draft);
        })
    };
    let base_exec = |change: fn(&mut Exec)| {
        changed(|draft| {
            draft.nonce = nonce;
            let Action::Exec(exec) = &mut draft.action else { panic!("it runs a program") };
            change(exec);
        })
    };
    vec![
        ("nothing", base(|_| {})),
        ("operator", base(|d| d.asker = Asker::Operator)),
        ("name", base(|d| d.asker = Asker::Plugin { name: "b".into(), digest: digest(1) })),
        ("plugin", base(|d| d.asker = Asker::Plugin { name: "builder".into(), digest: digest(9) })),
        ("signer", base(|d| d.signer = Some("evil".to_owned()))),
        ("no signer", base(|d| d.signer = None)),
        ("capability", base(|d| d.capability = "exec:rustc".into())),
        ("grant", base(|d| d.action = Action::Grant)),
        (
            "commit",
            base(|d| {
                d.action = Action::Commit { directory: "/a".into(), changes: digest(1), files: 1 };
            }),
        ),
        ("plan", base(|d| d.plan["network"] = "proxy".into())),
        ("reason", base(|d| d.reason = Some("other words".to_owned()))),
        ("no reason", base(|d| d.reason = None)),
        ("expiry", base(|d| d.expires = at(d.expires.as_second() + 1))),
        ("nonce", base(|d| d.nonce = Nonce::from_bytes([7; 16]))),
        ("path", base_exec(|e| e.executable.path = "/tmp/cargo".into())),
        ("content", base_exec(|e| e.executable.digest = digest(9))),
        ("argument", base_exec(|e| e.argv = words(&["cargo", "test", "-p", "evil"]))),
        ("split", base_exec(|e| e.argv = words(&["cargo", "test", "-p parser"]))),
        ("one more", base_exec(|e| e.argv.push("".into()))),
        ("raw", base_exec(|e| e.argv[3] = Argument::from_bytes(*b"\xff"))),
        ("base64 of raw", base_exec(|e| e.argv[3] = "/w==".into())),
        ("directory", base_exec(|e| e.working_directory = "/".into())),
        ("environment", base_exec(|e| e.environment.push("LD_PRELOAD".to_owned()))),
    ]
}

#[test]
fn changing_any_field_changes_the_digest() {
    let changes = changes();
    for (at, (one, left)) in changes.iter().enumerate() {
        for (other, right) in &changes[at + 1..] {
            assert_ne!(left.digest(), right.digest(), "{one} and {other}");
        }
    }
}

#[test]
fn what_kept_answers_match_leaves_out_only_what_does_not_matter() {
    let changes = changes();
    let base = &changes[0].1;
    let same = |part: fn(&Request) -> ringfence_capability::Digest| -> Vec<&str> {
        let same = changes.iter().filter(|(_, other)| part(other) == part(base));
        same.map(|(name, _)| *name).collect()
    };
    let words = ["nothing", "reason", "no reason", "expiry", "nonce"];
    assert_eq!(same(Request::subject), words);
    assert_eq!(
        same(Request::frame),
        [
            "nothing",
            "reason",
            "no reason",
            "expiry",
            "nonce",
            "argument",
            "split",
            "one more",
            "raw",
            "base64 of raw"
        ]
    );
    assert_eq!(
        same(Request::deed),
        [
            "nothing",
            "name",
            "signer",
            "no signer",
            "plan",
            "reason",
            "no reason",
            "expiry",
            "nonce",
            "content",
            "directory",
            "environment"
        ]
    );
}

#[test]
fn a_request_has_the_form_that_is_documented() {
    let request = changed(|d| {
        d.nonce = Nonce::from_bytes([0xab; 16]);
        d.reason = None;
    });
    let expected = json!({
        "action": { "exec": {
            "argv": [{ "text": "cargo" }, { "text": "test" }, { "text": "-p" }, { "text": "parser" }],
            "environment": ["HOME", "PATH"],
            "executable": { "digest": digest(2), "path": { "text": "/usr/bin/cargo" } },
            "working_directory": { "text": "/home/me/project" },
        } },
        "asker": { "plugin": { "digest": digest(1), "name": "builder" } },
        "capability": "exec:cargo",
        "expires": "2026-01-01T00:05:00Z",
        "nonce": "abababababababababababababababab",
        "plan": draft().plan,
        "reason": null,
        "signer": "acme",
        "version": 1,
    });
    assert_eq!(serde_json::from_slice::<Value>(request.as_bytes()).unwrap(), expected);
}

#[test]
fn the_same_said_in_another_way_is_refused() {
    let canonical = String::from_utf8(request().as_bytes().to_vec()).unwrap();
    let check = |text: String, expected: &str| {
        assert_eq!(code(Request::parse(text.as_bytes())), expected, "{text}");
    };
    check(canonical.clone(), "ok");
    check(format!("{canonical} "), "approval::not-canonical");
    check(canonical.replace(",\"asker\"", ", \"asker\""), "approval::not-canonical");
    check(canonical.replace("cargo test", "cargo\\u0020test"), "ok");
    check(canonical.replace("builder", "\\u0062uilder"), "approval::not-canonical");
    check(
        canonical.replace("{\"text\":\"test\"}", "{\"base64\":\"dGVzdA==\"}"),
        "approval::not-canonical",
    );
    check(
        canonical.replace("[\"HOME\",\"PATH\"]", "[\"PATH\",\"HOME\"]"),
        "approval::not-canonical",
    );
    check(canonical.replace("00Z\"", "00.5Z\""), "approval::not-canonical");
    check(canonical.replace("00Z\"", "00+00:00\""), "approval::not-canonical");
    check(canonical.replace("\"version\":1", "\"version\":2"), "approval::request-version");
    check(
        canonical.replace("\"version\":1", "\"also\":1,\"version\":1"),
        "approval::unreadable-request",
    );
    let twice = canonical.replace("\"signer\":\"acme\"", "\"signer\":\"acme\",\"signer\":\"acme\"");
    assert_ne!(code(Request::parse(twice.as_bytes())), "ok");
}

#[test]
fn what_cannot_be_run_or_shown_is_no_request() {
    let check = |change: fn(&mut Exec), expected: &str| {
        let mut exec = exec();
        change(&mut exec);
        let draft = Draft { action: Action::Exec(exec), ..draft() };
        assert_eq!(code(draft.seal()), expected);
    };
    check(|_| {}, "ok");
    check(|e| e.argv.clear(), "approval::bad-request");
    check(|e| e.argv[1] = Argument::from_bytes(*b"a\0b"), "approval::bad-request");
    check(|e| e.working_directory = "/a\0b".into(), "approval::bad-request");
    check(|e| e.environment.push("A=B".to_owned()), "approval::bad-request");
    check(|e| e.environment.push(String::new()), "approval::bad-request");
    check(|e| e.argv[1] = "x".repeat(MAX_REQUEST).as_str().into(), "approval::request-too-large");
    let long = Draft { reason: Some("x".repeat(5000)), ..draft() };
    assert_eq!(code(long.seal()), "approval::bad-request");
    let fraction = Draft { plan: json!({ "cpu": 0.5 }), ..draft() };
    assert_eq!(code(fraction.seal()), "approval::not-canonical");
}

#[test]
fn environment_names_are_a_set() {
    let twice = changed_exec(|e| e.environment = ["B", "A", "B"].map(str::to_owned).to_vec());
    assert_eq!(twice.exec().unwrap().environment, ["A", "B"]);
}

#[test]
fn two_nonces_are_never_the_same() {
    assert_ne!(Nonce::random().unwrap(), Nonce::random().unwrap());
}

#[test]
fn no_bytes_make_the_reader_panic() {
    for bytes in [&b""[..], b"{", b"null", b"[]", b"{\"version\":1}", b"{\"version\":-1}", b"\xff"]
    {
        assert!(matches!(Request::parse(bytes), Err(RequestError::Unreadable { .. })));
    }
}

fn any_argument() -> impl Strategy<Value = Argument> {
    prop_oneof![
        "[a-z -]{0,8}".prop_map(|text| Argument::from(text.as_str())),
        prop::collection::vec(1_u8..=255, 0..8).prop_map(Argument::from_bytes),
    ]
}

fn any_exec() -> impl Strategy<Value = Exec> {
    (
        (any_argument(), any::<[u8; 32]>()),
        prop::collection::vec(any_argument(), 1..5),
        any_argument(),
        prop::collection::btree_set("[A-Z]{1,3}", 0..4),
    )
        .prop_map(|((path, content), argv, working_directory, environment)| Exec {
            executable: Executable {
                path,
                digest: ringfence_capability::Digest::from_bytes(content),
            },
            argv,
            working_directory,
            environment: environment.into_iter().collect(),
        })
}

fn any_draft() -> impl Strategy<Value = Draft> {
    (
        (any::<Option<(String, [u8; 32])>>(), any::<Option<String>>()),
        any::<String>(),
        any_exec(),
        any::<Option<String>>(),
        (0_i64..4_000_000_000, any::<[u8; 16]>()),
    )
        .prop_map(|((plugin, signer), capability, exec, reason, (expires, nonce))| Draft {
            asker: plugin.map_or(Asker::Operator, |(name, digest)| Asker::Plugin {
                name,
                digest: ringfence_capability::Digest::from_bytes(digest),
            }),
            signer,
            capability,
            action: Action::Exec(exec),
            plan: json!({ "network": "absent" }),
            reason,
            expires: at(expires),
            nonce: Nonce::from_bytes(nonce),
        })
}

proptest! {
    #[test]
    fn a_request_is_read_back_as_it_was_written(draft in any_draft()) {
        let request = draft.clone().seal().unwrap();
        let back = Request::parse(request.as_bytes()).unwrap();
        prop_assert_eq!(back.as_bytes(), request.as_bytes());
        prop_assert_eq!(back.parts(), &draft);
        prop_assert_eq!(back.digest(), request.digest());
    }

    #[test]
    fn two_requests_have_one_digest_only_when_they_are_one(one in any_draft(), other in any_draft()) {
        let same = one == other;
        let (one, other) = (one.seal().unwrap(), other.seal().unwrap());
        prop_assert_eq!(one.digest() == other.digest(), same);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Request::parse(&bytes).is_err());
    }
}
