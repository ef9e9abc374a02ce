//! Environment, clocks, random numbers, configuration, secrets and stores show only what was granted.

use ringfence::{Host, Profile, RunOptions, Secret, Stdio};
use ringfence_capability::{Capability, Fidelity, Grant, MethodClass, Name, Origin, Request};
use ringfence_policy::Layer;

use crate::common::{Expect, Place, Run, block_on, check, guest_bytes, http, one, read};
use crate::server::{Answer, Server};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn env(text: &str) -> Capability {
    Capability::Env(name(text))
}

fn config(text: &str) -> Capability {
    Capability::Config(name(text))
}

fn kv(namespace: &str, size_bytes: u64) -> Capability {
    Capability::Kv { namespace: name(namespace), size_bytes }
}

/// Supplies values for environment and configuration, whether or not they are granted.
fn values(options: &mut RunOptions) {
    for values in [&mut options.env, &mut options.config] {
        values.insert("LANG".to_owned(), "C".to_owned());
        values.insert("TOKEN".to_owned(), "t0p".to_owned());
    }
}

/// Forbids one capability by a layer of its own.
fn without(kind: &str) -> impl FnOnce(&mut RunOptions) {
    let layer = Layer::denying([kind]).unwrap();
    move |options| options.layers.push(layer)
}

/// Asks for `capability` without anybody approving it.
fn asks(run: Run<'_>, capability: Capability) -> Run<'_> {
    let origin = Origin::Flag("test".to_owned());
    run.with(|options| options.requests.push(Request::required(capability, "the test", origin)))
}

#[test]
fn the_environment_holds_the_granted_names_only() {
    let probe = || Run::command("env-probe", ["a", "b"]).with(values);
    let one_of_two = Expect::Succeeded("env[LANG=C] cwd[] args[2]");
    check(
        probe(),
        &Expect::Refused("env[] cwd[] args[2]"),
        probe().grant(env("LANG")),
        &one_of_two,
    );
    let both = Expect::Succeeded("env[LANG=C,TOKEN=t0p]");
    one(probe().grant(env("LANG")).grant(env("TOKEN")), &both);
    let empty = Run::command("env-probe", [""; 0]).grant(env("LANG"));
    one(empty, &Expect::Error("runtime::no-value", &["LANG", "--env LANG=VALUE"]));
}

#[test]
fn a_name_nobody_approved_is_not_given() {
    for (guest, capability, shown) in [
        ("env-probe", env("TOKEN"), "TOKEN=t0p"),
        ("config-reader", config("TOKEN"), "t0p of [TOKEN=t0p]"),
    ] {
        let run = || Run::command(guest, ["TOKEN"]).with(values);
        let narrow = asks(run().profile(Profile::ReadOnly), capability.clone());
        let reason = Expect::Error("policy::needs-approval", &["TOKEN"]);
        let approved = run().profile(Profile::ReadOnly).grant(capability);
        check(narrow, &reason, approved, &Expect::Succeeded(shown));
    }
}

#[test]
fn configuration_shows_the_granted_names_only() {
    let reader = || Run::command("config-reader", ["TOKEN"]).with(values);
    let hidden = Expect::Refused("not given, of [LANG=C]");
    let shown = Expect::Succeeded("t0p of [TOKEN=t0p]");
    check(reader().grant(config("LANG")), &hidden, reader().grant(config("TOKEN")), &shown);
    let absent = Expect::Error(
        "interfaces::not-granted",
        &["wasi:config/store@0.2.0-rc.1", "`config`", "--config"],
    );
    check(reader(), &absent, reader().grant(config("TOKEN")), &shown);
}

#[test]
fn clocks_and_random_numbers_are_absent_fixed_or_real_as_granted() {
    let cases = [
        (
            "clock-probe",
            "clock",
            Capability::Clock(Fidelity::Deterministic),
            "wasi:clocks/",
            "wall 946684800.",
        ),
        ("random-probe", "random", Capability::Random(Fidelity::Deterministic), "wasi:random/", ""),
    ];
    for (guest, kind, fixed, import, starts) in cases {
        let run = || Run::command(guest, [""; 0]);
        let says = |run| one(run, &Expect::Succeeded(starts)).line().unwrap().1;
        let absent = Expect::Error("interfaces::not-granted", &[import, kind]);
        check(run().with(without(kind)), &absent, run(), &Expect::Succeeded(""));
        assert_eq!(
            says(run().grant(fixed.clone())),
            says(run().grant(fixed)),
            "{guest}: fixed is the same in every run"
        );
        let real = || one(run(), &Expect::Succeeded("")).line().unwrap().1;
        assert_ne!(real(), real(), "{guest}: real is not");
    }
}

#[test]
fn a_secret_is_nowhere_in_what_the_guest_sees() {
    let supply = |options: &mut RunOptions| {
        options.env.insert("TOKEN".to_owned(), "s3cret".to_owned());
    };
    let secretly = |options: &mut RunOptions| {
        options.secrets.insert("TOKEN".to_owned(), Secret::new("s3cret".to_owned()));
    };
    let host = "api.example.org".parse().unwrap();
    let get = http("api.example.org", 443, MethodClass::Read);
    let secret = Capability::Secret { name: name("TOKEN"), host };
    let reader = || Run::command("secret-reader", ["TOKEN"]).grant(get.clone()).with(supply);
    let manifest = "[plugin]\nname = \"reader\"\nversion = \"0.1.0\"\ncomponent = \"secret-reader.wasm\"\n\n\
                    [[request]]\ncapability = \"secret\"\nname = \"TOKEN\"\nhosts = [\"api.example.org\"]\nreason = \"pays\"\n\n\
                    [[request]]\ncapability = \"clock\"\nreason = \"the runtime\"\n\n\
                    [[request]]\ncapability = \"random\"\nreason = \"the runtime\"\n";
    let on = reader().manifest(manifest).grant(secret).with(secretly);
    let shown = Expect::Succeeded("environment s3cret");
    check(on, &Expect::Refused("not in the environment"), reader().grant(env("TOKEN")), &shown);
}

/// Runs `secret-steal` as a plugin whose manifest wants the secret for `secret_host`, and returns
/// what the server heard.
fn heard_with_secret_for(secret_host: &str) -> String {
    let (place, server) = (Place::new(), Server::start(Answer::Echo));
    let manifest = "[plugin]\nname = \"steal\"\nversion = \"0.1.0\"\ncomponent = \"steal.wasm\"\n\n\
                    [[request]]\ncapability = \"secret\"\nname = \"TOKEN\"\nheader = \"x-api-key\"\nformat = \"{}\"\n\
                    reason = \"pays\"\n";
    place.file("plugin/plugin.toml", &format!("{manifest}hosts = [\"{secret_host}\"]\n"));
    std::fs::write(place.path("plugin/steal.wasm"), guest_bytes("secret-steal")).unwrap();
    let origin = || Origin::Flag("test".to_owned());
    let asked = [
        http("127.0.0.1", server.port(), MethodClass::Read),
        Capability::Clock(Fidelity::Real),
        Capability::Random(Fidelity::Real),
    ];
    let secret = Capability::Secret { name: name("TOKEN"), host: secret_host.parse().unwrap() };
    let host = Host::builder().workspace(place.path("ws")).build().unwrap();
    let plugin = host.open(place.path("plugin")).unwrap();
    let mut options = RunOptions { profile: Profile::Trusted, ..RunOptions::default() };
    options.trust = Some((plugin.identity, Profile::Trusted));
    options.addresses.push("127.0.0.0/8".to_owned());
    options.secrets.insert("TOKEN".to_owned(), Secret::new("s3cret".to_owned()));
    options
        .requests
        .extend(asked.iter().map(|c| Request::required(c.clone(), "the test", origin())));
    options.approved.extend(asked.into_iter().chain([secret]).map(|c| Grant::new(c, origin())));
    let prepared = host.prepare(&plugin, options).unwrap();
    let args = [server.url("/"), "X-Api-Key".to_owned(), "made up".to_owned()];
    assert_eq!(block_on(prepared.run(&args, Stdio::captured())).unwrap().exit_code, 0);
    server.heard()
}

#[test]
fn a_secret_goes_to_its_own_host_only_and_replaces_what_the_guest_made_up() {
    for other in ["localhost", "127.0.0.2", "*.example.org"] {
        let heard = heard_with_secret_for(other);
        assert!(heard.contains("made up") && !heard.contains("s3cret"), "{other}: {heard}");
    }
    let heard = heard_with_secret_for("127.0.0.1");
    assert!(heard.contains("s3cret") && !heard.contains("made up"), "{heard}");
}

#[test]
fn a_store_is_reached_by_its_granted_name_only() {
    let place = Place::new();
    let theirs = || Run::command("kv-store", ["theirs", "key", "value"]).at(&place);
    let absent = Expect::Error(
        "interfaces::not-granted",
        &["wasi:keyvalue/store@0.2.0-draft", "`kv`", "--kv"],
    );
    check(
        theirs(),
        &absent,
        theirs().grant(kv("theirs", 4096)),
        &Expect::Succeeded("none -> value"),
    );
    one(theirs().grant(kv("theirs", 4096)), &Expect::Succeeded("value -> value"));
    for (asked, code) in [
        ("theirs", "access-denied"),
        ("Theirs", "access-denied"),
        ("theirs2", "access-denied"),
        ("", "no-such-store"),
        ("theirs\0", "no-such-store"),
        ("the irs", "no-such-store"),
        ("%", "no-such-store"),
    ] {
        let other = |asked: &str, granted| {
            Run::command("kv-other-namespace", [asked, "key"]).at(&place).grant(kv(granted, 4096))
        };
        check(
            other(asked, "mine"),
            &Expect::Refused(code),
            other("theirs", "theirs"),
            &Expect::Succeeded("value"),
        );
    }
    // The same key in another store is another key.
    let mine = Run::command("kv-store", ["mine", "key", "own"]).at(&place).grant(kv("mine", 4096));
    one(mine, &Expect::Succeeded("none -> own"));
}

#[test]
fn a_store_holds_no_more_than_its_quota() {
    for (guest, bytes) in [("kv-hog", "65536"), ("kv-keys", "1000")] {
        let run = |bytes_granted| {
            Run::command(guest, ["box", "20", bytes]).grant(kv("box", bytes_granted))
        };
        let (small, full) = if guest == "kv-hog" {
            (200_000, "reached\") after 3")
        } else {
            (2304, "reached\") after 2")
        };
        check(run(small), &Expect::Refused(full), run(4 << 20), &Expect::Succeeded("20 "));
    }
    // What another run stored counts.
    let place = Place::new();
    let again = || Run::command("kv-hog", ["box", "1", "3000"]).at(&place).grant(kv("box", 8192));
    one(again(), &Expect::Succeeded("1 values"));
    let more = Run::command("kv-keys", ["box", "20", "1000"]).at(&place).grant(kv("box", 8192));
    one(more, &Expect::Refused("reached\") after 4"));
    one(again(), &Expect::Succeeded("1 values"));
}

#[test]
fn a_plugin_nobody_vouched_for_gets_no_more_than_reading() {
    let place = Place::new();
    place.file("ws/file.txt", "inside");
    let write = || {
        Run::command("write-file", ["/ws", "file.txt"])
            .at(&place)
            .grant(crate::common::write(".", "/ws"))
    };
    let unsigned = Expect::Error("policy::forbidden", &["fs.write:workspace", "unsigned"]);
    check(write().unvouched(), &unsigned, write(), &Expect::Succeeded("wrote"));
    let listed = || Run::command("dir-list", ["/ws"]).at(&place).grant(read(".", "/ws"));
    one(listed().unvouched(), &Expect::Succeeded("file.txt:regular-file"));
    let other = ringfence_capability::Digest::from_bytes([7; 32]);
    let wrong = listed().with(|options| options.trust = Some((other, Profile::Trusted)));
    check(
        wrong,
        &Expect::Error("runtime::not-trusted", &["not the one"]),
        listed(),
        &Expect::Succeeded(""),
    );
}
