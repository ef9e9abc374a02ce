//! Requests go only where a grant and the address rules let them, and no further than their budgets.
//!
//! "Protection off" is the wider grant, or the loopback range named by the operator.

use ringfence::Limit;
use ringfence_capability::{Capability, MethodClass};

use crate::common::{Expect, Run, check, http, one};
use crate::server::{Answer, Server};

const LOOPBACK: &str = "127.0.0.0/8";
const READ: MethodClass = MethodClass::Read;
const WRITE: MethodClass = MethodClass::Write;

/// A run of `guest` with one grant, which may reach these addresses beside the public ones.
fn run<T: ToString>(
    guest: &str,
    args: impl IntoIterator<Item = T>,
    grant: Capability,
    addresses: &[&str],
) -> Run<'static> {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    Run::command(guest, args).grant(grant).with(|options| options.addresses = addresses)
}

#[test]
fn a_granted_host_at_an_address_that_is_not_public_is_not_dialled() {
    let server = Server::start(Answer::Echo);
    let port = server.port();
    for (host, shown, off) in [
        ("127.0.0.1", "127.0.0.1", vec![LOOPBACK]),
        ("localhost", "localhost", vec![LOOPBACK, "::1"]),
        ("localhost", "localhost.", vec![LOOPBACK, "::1"]),
        ("localhost", "LOCALHOST", vec![LOOPBACK, "::1"]),
        ("0.0.0.0", "0.0.0.0", vec!["0.0.0.0"]),
        ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]", vec!["::ffff:127.0.0.0/104"]),
        ("::ffff:127.0.0.1", "[::ffff:7f00:1]", vec!["::ffff:127.0.0.0/104"]),
    ] {
        let url = format!("http://{shown}:{port}/");
        let seen = server.seen();
        one(
            run("http-get", [&url], http(host, port, READ), &[]),
            &Expect::Refused("destination-ip-prohibited"),
        );
        assert_eq!(server.seen(), seen, "{shown}: not even a connection");
        one(
            run("http-get", [&url], http(host, port, READ), &off),
            &Expect::Succeeded("200 GET / "),
        );
    }
}

#[test]
fn addresses_that_only_a_cloud_or_a_translator_has_are_not_dialled() {
    // Nothing answers there, so the twin is the loopback address above, which the same rule refuses.
    for host in [
        "169.254.169.254",
        "fd00:ec2::254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "10.0.0.1",
        "::1",
        "::",
    ] {
        let literal = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let url = format!("http://{literal}:8080/latest/meta-data/");
        let grant = http(host, 8080, READ);
        one(run("http-get", [url], grant, &[]), &Expect::Refused("destination-ip-prohibited"));
    }
}

#[test]
fn a_host_or_port_outside_the_grant_hears_nothing() {
    let server = Server::start(Answer::Echo);
    let (port, url) = (server.port(), server.url("/"));
    for grant in [http("example.com", port, READ), http("127.0.0.1", port ^ 1, READ)] {
        one(run("http-get", [&url], grant, &[LOOPBACK]), &Expect::Refused("http-request-denied"));
    }
    assert_eq!(server.seen(), 0, "not even a connection");
    one(
        run("http-get", [&url], http("127.0.0.1", port, READ), &[LOOPBACK]),
        &Expect::Succeeded("200 GET / "),
    );
}

#[test]
fn the_second_hop_of_a_redirect_is_checked_like_the_first() {
    let inner = Server::at("127.0.0.2", Answer::Echo);
    let outer = Server::start(Answer::Redirect(inner.url("/inner")));
    let first = || http("127.0.0.1", outer.port(), READ);
    let both = |addresses: &[&str]| {
        let second = http("127.0.0.2", inner.port(), READ);
        run("http-redirect", [outer.url("/")], first(), addresses).grant(second)
    };
    // The name is granted, its address is not public.
    check(
        both(&["127.0.0.1/32"]),
        &Expect::Refused("destination-ip-prohibited at hop 1"),
        both(&[LOOPBACK]),
        &Expect::Succeeded("200 GET /inner"),
    );
    let seen = inner.seen();
    // The address is allowed, its host is not granted.
    one(
        run("http-redirect", [outer.url("/")], first(), &[LOOPBACK]),
        &Expect::Refused("http-request-denied at hop 1"),
    );
    assert_eq!(inner.seen(), seen);
}

#[test]
fn a_grant_to_read_changes_nothing_and_carries_nothing_out() {
    let server = Server::start(Answer::Echo);
    let (port, url) = (server.port(), server.url("/"));
    let local = |guest: &str, args: &[&str], methods| {
        run(guest, args.iter().copied(), http("127.0.0.1", port, methods), &[LOOPBACK])
    };
    for method in ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "get"] {
        let before = server.seen();
        let refused = local("http-post", &[&url, method], READ);
        one(refused, &Expect::Refused("http-request-denied"));
        assert_eq!(server.seen(), before, "{method}: not even a connection");
        let twin = local("http-post", &[&url, method], WRITE);
        one(twin, &Expect::Succeeded("changed by a guest"));
    }
    check(
        local("http-body-on-get", &[&url], READ),
        &Expect::Refused("http-request-denied"),
        local("http-body-on-get", &[&url], WRITE),
        &Expect::Succeeded("carried out by a guest"),
    );
    // A tunnel, and a method that would show the headers the host added, are never given.
    for method in ["CONNECT", "TRACE"] {
        let refused = local("http-post", &[&url, method], WRITE);
        one(refused, &Expect::Refused("http-request-method-invalid"));
    }
}

#[test]
fn headers_cannot_hide_another_request_or_host() {
    let server = Server::start(Answer::Echo);
    let smuggle = |kind: &str| {
        let grant = http("127.0.0.1", server.port(), WRITE);
        run("http-smuggle", [server.url("/"), kind.to_owned()], grant, &[LOOPBACK])
    };
    for (kind, reason) in [
        ("crlf", "header x-note: invalid-syntax"),
        ("crlf-name", "invalid-syntax"),
        ("nul", "header x-note: invalid-syntax"),
        ("host", "header host: forbidden"),
        ("transfer-encoding", "header transfer-encoding: forbidden"),
        ("connection", "header connection: forbidden"),
        ("upgrade", "header upgrade: forbidden"),
        ("proxy", "header proxy-authorization: forbidden"),
    ] {
        one(smuggle(kind), &Expect::Refused(reason));
    }
    assert_eq!(server.seen(), 0, "not even a connection");
    for kind in ["content-length", "content-length-long"] {
        one(smuggle(kind), &Expect::Refused("http-request-body-size"));
    }
    assert!(
        !server.heard().contains("/second"),
        "the bytes past the declared length were not sent"
    );
    one(smuggle("none"), &Expect::Succeeded("x-note: fine"));
}

#[test]
fn an_authority_has_one_reading() {
    let server = Server::start(Answer::Echo);
    let port = server.port();
    let ask = |scheme: &str, authority: &str| {
        let grant = http("allowed.example", port, READ);
        let args = [scheme.to_owned(), authority.replace("PORT", &port.to_string())];
        run("http-authority", args, grant.clone(), &[LOOPBACK]).grant(http("127.0.0.1", port, READ))
    };
    for (authority, reason) in [
        ("allowed.example@127.0.0.1:PORT", "http-request-denied"),
        ("user:password@127.0.0.1:PORT", "http-request-denied"),
        ("allowed.example#127.0.0.1:PORT", "invalid authority"),
        ("allowed.example\\127.0.0.1:PORT", "invalid authority"),
        ("127.1:PORT", "http-request-uri-invalid"),
        ("2130706433:PORT", "http-request-uri-invalid"),
        ("0x7f.0.0.1:PORT", "http-request-uri-invalid"),
        ("127.0.0.1:99999999", "http-request-uri-invalid"),
        ("127.0.0.1:PORT ", "invalid authority"),
    ] {
        one(ask("http", authority), &Expect::Refused(reason));
    }
    one(ask("gopher", "127.0.0.1:PORT"), &Expect::Refused("http-request-denied"));
    assert_eq!(server.seen(), 0, "not even a connection");
    one(ask("http", "127.0.0.1:PORT"), &Expect::Succeeded("200 GET / "));
}

#[test]
fn bodies_end_at_their_budgets() {
    let server = Server::start(Answer::Echo);
    let upload = || {
        let grant = http("127.0.0.1", server.port(), WRITE);
        run("http-upload-flood", [server.url("/"), "1".to_owned()], grant, &[LOOPBACK])
    };
    // The stream of a body that is no longer taken is closed; the code of the request says why, to a
    // guest that asks for it. What counts is that no more was sent.
    one(upload().limit(Limit::RequestBytes, 300_000), &Expect::Refused("body: closed"));
    assert!(server.heard().len() < 301_000, "{}", server.heard().len());
    one(upload(), &Expect::Succeeded("200 after 1 MiB"));
    let server = Server::start(Answer::Flood);
    let download = || {
        let grant = http("127.0.0.1", server.port(), READ);
        run("http-download-flood", [server.url("/"), "1".to_owned()], grant, &[LOOPBACK])
    };
    check(
        download().limit(Limit::ResponseBytes, 300_000),
        &Expect::Refused("HTTP response body size exceeds limit: 300000 bytes after"),
        download(),
        &Expect::Succeeded("bytes"),
    );
}

#[test]
fn connections_end_at_their_number() {
    let server = Server::start(Answer::Echo);
    let bomb = || {
        let grant = http("127.0.0.1", server.port(), READ);
        run("http-connections", [server.url("/"), "6".to_owned()], grant, &[LOOPBACK])
    };
    check(
        bomb().limit(Limit::Connections, 3),
        &Expect::Refused("connection-limit-reached after 3"),
        bomb(),
        &Expect::Succeeded("6 connections"),
    );
}

#[test]
fn a_server_that_never_answers_costs_no_more_than_the_wall_time() {
    let (silent, echo) = (Server::start(Answer::Silence), Server::start(Answer::Echo));
    let ask = |server: &Server| {
        let grant = http("127.0.0.1", server.port(), READ);
        run("http-never-answers", [server.url("/")], grant, &[LOOPBACK])
    };
    check(
        ask(&silent).limit(Limit::WallTime, 300),
        &Expect::Limit(Limit::WallTime),
        ask(&echo),
        &Expect::Succeeded("200"),
    );
}
