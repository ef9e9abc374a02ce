//! Where credentials go, where a registry may lead, and what is said without encryption.

use super::bundles::{bundle, fetch, options, reference, send, told};
use super::memory::{Asked, Memory, answer};
use ringfence_bundle::oci::danger::{Check, without};
use ringfence_bundle::oci::{Credential, OciError, Options, Progress, Secret, pull};
use std::sync::{Arc, Mutex};

/// `somebody:hunter2` as `Basic` credentials.
const BASIC: &str = "Basic c29tZWJvZHk6aHVudGVyMg==";

fn somebody(options: Options) -> Options {
    let (username, password) = ("somebody".to_owned(), Secret::new("hunter2".to_owned()));
    options.credential(Credential::Password { username, password })
}

/// A registry with one bundle as `a:1` that from now on wants a token from `realm`.
async fn guarded(realm: Option<String>) -> Memory {
    let memory = Memory::start().await;
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    memory.content.lock().unwrap().asked.clear();
    let own = format!("http://localhost:{}/token", memory.port);
    let realm = realm.unwrap_or(own);
    memory.twist(move |asked, honest, _| {
        if asked.path.starts_with("/token") {
            return answer(200, &[], "{\"token\":\"let-me-in\"}");
        }
        if asked.headers.get("authorization").is_some_and(|value| value == "Bearer let-me-in") {
            return honest;
        }
        let wants = format!("Bearer realm=\"{realm}\",service=\"s\"");
        answer(401, &[("www-authenticate", &wants)], "")
    });
    memory
}

/// A server that gives everybody a token and keeps what it was asked.
async fn tokens() -> Memory {
    let memory = Memory::start().await;
    memory.twist(|_, _, _| answer(200, &[], "{\"token\":\"let-me-in\"}"));
    memory
}

fn authorizations(asked: &[Asked]) -> Vec<Option<String>> {
    asked.iter().map(|asked| asked.headers.get("authorization").cloned()).collect()
}

#[tokio::test]
async fn a_token_is_fetched_with_the_credentials_and_used_for_the_rest() {
    let memory = guarded(None).await;
    fetch(&memory.at("a:1"), &somebody(options())).await.unwrap();
    let asked = memory.asked();
    assert_eq!(asked[1].path, "/token?service=s&scope=repository%3Aa%3Apull");
    assert_eq!(asked[1].headers["authorization"], BASIC);
    let rest = authorizations(&asked[2..]);
    assert!(rest.iter().all(|one| one.as_deref() == Some("Bearer let-me-in")), "{rest:?}");
    assert_eq!(authorizations(&asked[..1]), [None]);
}

#[tokio::test]
async fn a_stored_token_is_exchanged() {
    let memory = guarded(None).await;
    let token = Credential::IdentityToken(Secret::new("a/b".to_owned()));
    fetch(&memory.at("a:1"), &options().credential(token)).await.unwrap();
    let asked = memory.asked();
    let form = String::from_utf8(asked[1].body.clone()).unwrap();
    assert_eq!(asked[1].method, "POST");
    assert!(
        form.contains("grant_type=refresh_token") && form.ends_with("&refresh_token=a%2Fb"),
        "{form}"
    );
}

#[tokio::test]
async fn credentials_go_to_no_host_they_are_not_for() {
    let other = tokens().await;
    let memory = guarded(Some(format!("http://localhost:{}/token", other.port))).await;
    let error = fetch(&memory.at("a:1"), &somebody(options())).await.unwrap_err();
    assert!(matches!(error, OciError::TokenHost { .. }), "{error:?}");
    assert_eq!(other.asked().len(), 0);
    // With that check off, the other host has the password.
    let off = without(somebody(options()), Check::Credentials);
    fetch(&memory.at("a:1"), &off).await.unwrap();
    assert_eq!(authorizations(&other.asked()), [Some(BASIC.to_owned())]);
    // A person can say that the host is the registry's; nobody needs to when there is no password.
    let named = somebody(options()).token_host(&format!("localhost:{}", other.port));
    fetch(&memory.at("a:1"), &named).await.unwrap();
    fetch(&memory.at("a:1"), &options()).await.unwrap();
    assert_eq!(authorizations(&other.asked()).last(), Some(&None));
}

#[tokio::test]
async fn a_redirect_takes_no_credentials_along() {
    let storage = Memory::start().await;
    send(&bundle("one"), &storage.at("a:1"), &options()).await.unwrap();
    storage.content.lock().unwrap().asked.clear();
    let memory = guarded(None).await;
    let port = storage.port;
    memory.twist(move |asked, honest, _| {
        let basic = asked.headers.get("authorization").map(String::as_str) == Some(BASIC);
        match asked.path.split_once("/blobs/") {
            _ if !basic => answer(401, &[("www-authenticate", "Basic realm=\"r\"")], ""),
            Some((_, blob)) => {
                let to = format!("http://localhost:{port}/v2/a/blobs/{blob}");
                answer(307, &[("location", &to)], "")
            }
            None => honest,
        }
    });
    fetch(&memory.at("a:1"), &somebody(options())).await.unwrap();
    let seen = authorizations(&storage.asked());
    assert!(!seen.is_empty() && seen.iter().all(Option::is_none), "{seen:?}");
    let off = without(somebody(options()), Check::Credentials);
    fetch(&memory.at("a:1"), &off).await.unwrap();
    assert_eq!(authorizations(&storage.asked()).last(), Some(&Some(BASIC.to_owned())));
}

/// A registry with TLS, and the options that believe it.
async fn encrypted() -> (Memory, Options) {
    let memory = Memory::start_encrypted().await;
    let pem = memory.certificate.clone().unwrap();
    let options = options().authorities(pem.as_bytes(), "ca.pem").unwrap();
    send(&bundle("one"), &memory.at("a:1"), &options).await.unwrap();
    (memory, options)
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let (memory, right) = encrypted().await;
    fetch(&memory.at("a:1"), &right).await.unwrap();
    let (other, _) = encrypted().await;
    let error = fetch(&other.at("a:1"), &right).await.unwrap_err();
    assert!(told(&error).contains("certificate"), "{}", told(&error));
    let by_address = format!("127.0.0.1:{}/a:1", memory.port);
    let error = fetch(&by_address, &right).await.unwrap_err();
    assert!(told(&error).contains("certificate"), "{}", told(&error));
    let error = options().authorities(b"nothing", "ca.pem").unwrap_err();
    assert!(matches!(error, OciError::Authority { .. }), "{error:?}");
}

#[tokio::test]
async fn nothing_leads_from_an_encrypted_registry_to_one_that_is_not() {
    let plain = Memory::start().await;
    send(&bundle("one"), &plain.at("a:1"), &options()).await.unwrap();
    let (memory, right) = encrypted().await;
    let port = plain.port;
    memory.twist(move |asked, honest, _| {
        let to = format!("http://localhost:{port}{}", asked.path);
        let blob = asked.path.contains("/blobs/");
        if blob { answer(302, &[("location", &to)], "") } else { honest }
    });
    plain.content.lock().unwrap().asked.clear();
    let error = fetch(&memory.at("a:1"), &right).await.unwrap_err();
    assert!(told(&error).contains("it is not encrypted"), "{}", told(&error));
    assert_eq!(plain.asked().len(), 0);
    fetch(&memory.at("a:1"), &without(right, Check::Redirects)).await.unwrap();
    assert!(!plain.asked().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let memory = Memory::start().await;
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    memory.twist(move |asked, _, _| {
        *counted.lock().unwrap() += 1;
        answer(302, &[("location", asked.path.as_str())], "")
    });
    let error = fetch(&memory.at("a:1"), &options()).await.unwrap_err();
    assert!(told(&error).contains("five redirects"), "{}", told(&error));
    assert_eq!(*count.lock().unwrap(), 6);
    for to in ["ftp://localhost/x", "https://a:b@localhost/x", "x", ""] {
        memory.twist(move |_, _, _| answer(302, &[("location", to)], ""));
        let error = fetch(&memory.at("a:1"), &options()).await.unwrap_err();
        assert!(told(&error).contains("it leads to no URL"), "{to}: {}", told(&error));
    }
}

#[tokio::test]
async fn what_a_pull_gives_up_leaves_no_connection() {
    let memory = Memory::start().await;
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    memory.twist(|_, mut honest, _| {
        honest.stops = true;
        honest.body.truncate(1);
        honest
    });
    let from = reference(&memory.at("a:1"));
    let (options, progress) = (options(), Progress::default());
    let ended = {
        let pull = pull(&from, &options, &progress);
        tokio::time::timeout(std::time::Duration::from_millis(100), pull).await
    };
    assert!(ended.is_err());
    let closed = memory.given_up.acquire();
    tokio::time::timeout(std::time::Duration::from_secs(10), closed)
        .await
        .unwrap()
        .unwrap()
        .forget();
}
