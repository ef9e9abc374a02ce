//! What was not granted is not linked, and the refusal names the import, the capability, the profile
//! and the line that would grant it.

use ringfence::Profile;
use ringfence_capability::{Capability, HostPattern, MethodClass};
use serde_json::json;

use crate::common::{Expect, Run, check, guest_text, http, one, read};
use crate::server::{Answer, Server};

const NONE: [&str; 0] = [];

#[test]
fn a_manifest_that_asks_for_nothing_gets_nothing() {
    let server = Server::start(Answer::Echo);
    let lies = include_str!("../../../../tests/guests/manifests/lying-manifest/plugin.toml");
    let honest = format!(
        "{lies}\n[[request]]\ncapability = \"http\"\nhosts = [\"127.0.0.1:{}\"]\nmethods = \"write\"\n\
         reason = \"tells how many words there are\"\n",
        server.port()
    )
    .replace("needs-profile = \"offline\"", "needs-profile = \"workspace-write\"");
    let run = || Run::command("lying-manifest", [server.url("/"), "two".to_owned()]);
    for profile in Profile::ALL {
        let refused = run().manifest(lies).profile(profile);
        let reasons = [
            "`wasi:http/outgoing-handler@0.2",
            profile.name(),
            "did not grant",
            "`[[request]]` capability = \"http\", hosts = [\"…\"]",
            "`--http HOST --profile net-read-only --trust-digest DIGEST`",
        ];
        one(refused, &Expect::Error("interfaces::not-granted", &reasons));
    }
    assert_eq!(server.seen(), 0);
    let approved = http("127.0.0.1", server.port(), MethodClass::Write);
    let twin = run().manifest(&honest).grant(approved);
    one(
        twin.with(|options| options.addresses.push("127.0.0.0/8".to_owned())),
        &Expect::Succeeded("2 words, told at 200"),
    );
    assert!(server.heard().ends_with("\r\n\r\n2") || server.heard().contains("\r\n2\r\n"));
}

#[test]
fn each_import_without_a_grant_is_refused_with_the_line_that_would_grant_it() {
    for (guest, import, request, flag) in [
        ("http-get", "wasi:http/outgoing-handler@0.2", "capability = \"http\"", "--http HOST"),
        ("socket-tcp", "wasi:sockets/tcp@0.2", "capability = \"socket\"", "--socket ADDRESS:PORT"),
        (
            "socket-listen",
            "wasi:sockets/tcp-create-socket@0.2",
            "capability = \"socket\"",
            "--socket",
        ),
        ("socket-udp", "wasi:sockets/udp@0.2", "capability = \"socket\"", "--socket"),
        ("dns-lookup", "wasi:sockets/ip-name-lookup@0.2", "capability = \"socket\"", "--socket"),
        ("kv-store", "wasi:keyvalue/store@0.2.0-draft", "capability = \"kv\"", "--kv NAMESPACE"),
        (
            "config-reader",
            "wasi:config/store@0.2.0-rc.1",
            "capability = \"config\"",
            "--config NAME=VALUE",
        ),
        ("dir-list", "wasi:filesystem/types@0.2", "capability = \"fs.read\"", "--dir"),
    ] {
        let error = Expect::Error("interfaces::not-granted", &[import, "`trusted`", request, flag]);
        one(Run::command(guest, NONE), &error);
    }
}

#[test]
fn sockets_reach_the_granted_address_and_no_other() {
    let server = Server::start(Answer::Echo);
    let here = server.address().to_string();
    let grant = |port: u16| Capability::Socket { host: host("127.0.0.1"), port };
    // The guest's standard library imports files too.
    let run = |guest: &str, arg: &str| Run::command(guest, [arg]).grant(read(".", "/ws"));
    let port = server.address().port();
    check(
        run("socket-tcp", &here).grant(grant(port ^ 1)),
        &Expect::Refused("permission-denied"),
        run("socket-tcp", &here).grant(grant(port)),
        &Expect::Succeeded("GET / HTTP/1.0"),
    );
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let send = || run("socket-udp", &address.to_string());
    check(
        send().grant(grant(address.port() ^ 1)),
        &Expect::Refused("permission-denied"),
        send().grant(grant(address.port())),
        &Expect::Succeeded("sent 11 bytes"),
    );
    // Listening and asking for names are never given, whatever was granted.
    one(
        run("socket-listen", "127.0.0.1:0").grant(grant(port)),
        &Expect::Refused("permission-denied"),
    );
    one(
        run("dns-lookup", "localhost").grant(grant(port)),
        &Expect::Refused("permanent-resolver-failure"),
    );
}

#[test]
fn what_the_profile_does_not_let_through_is_refused_before_anything_is_linked() {
    let web = |methods| http("example.com", 443, methods);
    let get = |methods| Run::command("http-get", ["http://example.com:443/"]).grant(web(methods));
    for profile in [Profile::Offline, Profile::ReadOnly] {
        let refused =
            Expect::Error("policy::forbidden", &["http.read:example.com:443", profile.name()]);
        one(get(MethodClass::Read).profile(profile), &refused);
    }
    for profile in [Profile::Offline, Profile::ReadOnly, Profile::NetReadOnly] {
        let refused =
            Expect::Error("policy::forbidden", &["http.write:example.com:443", profile.name()]);
        one(get(MethodClass::Write).profile(profile), &refused);
    }
    let socket = Capability::Socket { host: host("127.0.0.1"), port: 9 };
    for profile in &Profile::ALL[..4] {
        let run = Run::command("socket-tcp", ["127.0.0.1:9"]).grant(socket.clone());
        let refused = Expect::Error("policy::forbidden", &["socket:127.0.0.1:9", profile.name()]);
        one(run.profile(*profile), &refused);
    }
    // Nobody vouched for it: no profile gives it the network.
    let refused = Expect::Error("policy::forbidden", &["unsigned", "http.read:example.com:443"]);
    one(get(MethodClass::Read).unvouched(), &refused);
}

#[test]
fn an_interface_this_host_does_not_have_is_refused_by_its_name() {
    let known = guest_text("newer-import").replace("@0.9.0", "@0.1.0");
    check(
        Run::attempt("newer-import", json!({})),
        &Expect::Error(
            "interfaces::unknown-import",
            &["`ringfence:host/log@0.9.0`", "`ringfence:host@0.1`"],
        ),
        Run::attempt("newer-import", json!({})).bytes(wat::parse_str(known).unwrap()),
        &Expect::Returns(json!(1)),
    );
    one(
        Run::attempt("unknown-import", json!({})),
        &Expect::Error("interfaces::unknown-import", &["`acme:telepathy/send@1.0.0`"]),
    );
    one(
        Run::attempt("wrong-import-type", json!({})),
        &Expect::Error("interfaces::mismatch", &["ringfence:host/log@0.1.0", "write"]),
    );
    one(
        Run::command("core-other", NONE),
        &Expect::Error("bundle::not-adaptable", &["launch_missiles"]),
    );
}

fn host(text: &str) -> HostPattern {
    text.parse().unwrap()
}
