//! Secrets the host attaches, and TLS.

use crate::support::{all_hosts, error, fetch, get, ok, run, server, tls_server};
use http::HeaderName;
use ringfence_capability::{Capability, MethodClass};
use ringfence_interfaces::http::{AttachedSecret, SecretValue, danger};
use std::sync::Arc;

fn token(host: &str) -> Arc<[AttachedSecret]> {
    let (name, host) = ("TOKEN".parse().unwrap(), host.parse().unwrap());
    let header = HeaderName::from_static("authorization");
    let value = SecretValue::new("hunter2");
    Arc::new([AttachedSecret::new(name, host, header, "Bearer {}", value).unwrap()])
}

fn granted(port: u16, secret_host: &str) -> Vec<Capability> {
    let mut grants = all_hosts(MethodClass::Read, port);
    let (name, host) = ("TOKEN".parse().unwrap(), secret_host.parse().unwrap());
    grants.push(Capability::Secret { name, host });
    grants
}

#[tokio::test]
async fn a_secret_goes_to_its_host_in_place_of_what_the_guest_put_there() {
    for (secret_host, granted_host, sent_there) in [
        ("example.test", "example.test", true),
        ("*.test", "example.test", true),
        ("other.test", "other.test", false),
        ("example.test", "other.test", false),
        ("example.test", "sub.example.test", false),
    ] {
        let (port, inbox) = server(ok("")).await;
        let run = run(granted(port, granted_host), |config| config.secrets = token(secret_host));
        let mut request = get(&format!("http://example.test:{port}/"));
        request.headers_mut().append("authorization", "guest-1".parse().unwrap());
        request.headers_mut().append("authorization", "guest-2".parse().unwrap());
        fetch(&run, request).await.unwrap();
        let sent = inbox.only();
        let what = format!("{secret_host} {granted_host}: {sent}");
        assert_eq!(sent.contains("authorization: bearer hunter2\r\n"), sent_there, "{what}");
        assert_eq!(sent.contains("guest-"), !sent_there, "{what}");
        assert!(run.log.lines().iter().all(|line| !line.contains("hunter2")));
    }
}

#[tokio::test]
async fn a_server_that_echoes_the_secret_in_a_header_does_not_show_it_to_the_guest() {
    let echo =
        "HTTP/1.1 200 OK\r\nx-echo: Bearer hunter2\r\nx-other: y\r\ncontent-length: 0\r\n\r\n";
    let (port, _) = server(echo).await;
    let uri = format!("http://example.test:{port}/");
    let hidden = run(granted(port, "*"), |config| config.secrets = token("*"));
    let response = fetch(&hidden, get(&uri)).await.unwrap();
    assert!(
        !response.headers().contains_key("x-echo") && response.headers().contains_key("x-other")
    );
    let without = run(granted(port, "*"), |_| {});
    let response = fetch(&without, get(&uri)).await.unwrap();
    assert!(response.headers().contains_key("x-echo"), "only known secrets are hidden");
}

#[tokio::test]
async fn a_server_has_to_prove_the_name_that_was_asked_for() {
    let (port, inbox, certificate) = tls_server(&["example.test"]).await;
    for (host, trusted, seen) in [
        ("example.test", true, "status 200"),
        ("example.test", false, "TlsCertificateError"),
        ("other.test", true, "TlsCertificateError"),
        ("127.0.0.1", true, "TlsCertificateError"),
    ] {
        let run = run(granted(port, "*"), |config| {
            config.secrets = token("*");
            if trusted {
                config.roots = danger::trust_also(certificate.clone()).unwrap();
            }
        });
        let result = fetch(&run, get(&format!("https://{host}:{port}/"))).await;
        assert_eq!(error(result), seen, "{host} {trusted}");
    }
    assert!(inbox.only().contains("authorization: bearer hunter2\r\n"));
}
