//! Registries that lie. Each lie is refused with its reason, and has its twin: the same lie with that one
//! check off, which then gets through.

use super::bundles::{bundle, bytes, component, fetch, options, reference, send, told};
use super::memory::{Answer, Asked, Content, Memory, answer, digest};
use ringfence_bundle::oci::danger::{Check, without};
use ringfence_bundle::oci::{
    MANIFEST, OciError, Options, Progress, Timeouts, WASM_LAYER, pull_component,
};
use ringfence_capability::{Class, Diagnostic as _};
use serde_json::{Value, json};
use std::time::Duration;

/// A registry with one bundle as `a:1`.
async fn registry() -> Memory {
    let memory = Memory::start().await;
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    memory
}

fn is_component(asked: &Asked) -> bool {
    asked.path.ends_with(&digest(&component()))
}

/// Fetches the component alone, where no sum of a bundle finds what got through.
async fn fetch_component(memory: &Memory, options: &Options) -> Result<Vec<u8>, OciError> {
    let from = reference(&memory.at("a:1"));
    pull_component(&from, options, &Progress::default()).await.map(|found| found.bytes)
}

fn off(checks: &[Check]) -> Options {
    checks.iter().fold(options(), |options, check| without(options, *check))
}

/// Twists answers and checks that the lie is refused as `says`, and gets through without `checks`.
async fn check(
    twist: impl FnMut(&Asked, Answer, &mut Content) -> Answer + Send + 'static,
    says: &str,
    checks: &[Check],
) {
    let memory = registry().await;
    memory.twist(twist);
    let error = fetch_component(&memory, &options()).await.unwrap_err();
    assert!(told(&error).contains(says), "{}", told(&error));
    assert!(!told(&error).contains(['\x1b', '\u{202e}']), "{error:?}");
    let through = fetch_component(&memory, &off(checks)).await;
    assert!(
        through.is_ok(),
        "{says}: the check that is off is not the one that refuses: {through:?}"
    );
}

/// Rewrites the manifest of `a:1`.
fn rewrite(
    mut change: impl FnMut(&mut Value) + Send,
) -> impl FnMut(&Asked, Answer, &mut Content) -> Answer + Send {
    move |asked, mut honest, _| {
        if asked.method == "GET" && asked.path.ends_with("/manifests/1") {
            let mut manifest: Value = serde_json::from_slice(&honest.body).unwrap();
            change(&mut manifest);
            honest = answer(200, &[("content-type", MANIFEST)], manifest.to_string());
        }
        honest
    }
}

#[tokio::test]
async fn other_bytes_than_the_digest_stands_for_are_refused() {
    let other = |asked: &Asked, mut honest: Answer, _: &mut Content| {
        if is_component(asked) {
            honest.body[4] ^= 1;
        }
        honest
    };
    check(other, "the component: it is sha256:", &[Check::Digests]).await;
    let lying = |asked: &Asked, mut honest: Answer, _: &mut Content| {
        if asked.path.ends_with("/manifests/1") {
            honest.body.push(b' ');
            honest.length = Some(honest.body.len());
        }
        honest
    };
    check(lying, "not sha256:", &[Check::Digests]).await;
}

#[tokio::test]
async fn more_bytes_than_were_announced_are_not_read() {
    let longer = |length: bool| {
        move |asked: &Asked, mut honest: Answer, _: &mut Content| {
            if is_component(asked) {
                honest.body.extend(vec![0; 100_000]);
                honest.length = length.then_some(honest.body.len());
            }
            honest
        }
    };
    let all = [Check::Sizes, Check::Digests];
    check(longer(true), "bytes where 8 were announced", &all).await;
    check(longer(false), "more than 8 bytes", &all).await;
    let shorter = |asked: &Asked, mut honest: Answer, _: &mut Content| {
        if is_component(asked) {
            honest.body.truncate(4);
            honest.length = None;
        }
        honest
    };
    check(shorter, "4 bytes where 8 were announced", &all).await;
}

#[tokio::test]
async fn a_document_past_its_limit_is_not_read() {
    let endless = |length: bool| {
        move |asked: &Asked, mut honest: Answer, _: &mut Content| {
            if asked.path.ends_with("/manifests/1") {
                honest.body.extend(vec![b' '; 5 * 1024 * 1024]);
                honest.headers.retain(|(name, _)| name == "content-type");
                honest.length = length.then_some(honest.body.len());
            }
            honest
        }
    };
    check(endless(true), "more than 4194304 bytes", &[Check::Sizes]).await;
    check(endless(false), "more than 4194304 bytes", &[Check::Sizes]).await;
    let memory = registry().await;
    memory.twist(rewrite(|manifest| manifest["layers"][0]["size"] = json!(u64::MAX)));
    let error = fetch_component(&memory, &options()).await.unwrap_err();
    assert!(told(&error).contains("the component: it has more than"), "{}", told(&error));
}

#[tokio::test]
async fn anything_but_one_webassembly_layer_is_refused() {
    let second = |manifest: &mut Value| {
        let layer = manifest["layers"][0].clone();
        manifest["layers"].as_array_mut().unwrap().push(layer);
    };
    check(rewrite(second), "it has 2 layers, not one", &[Check::Layers]).await;
    let config = |manifest: &mut Value| {
        manifest["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    };
    check(rewrite(config), "its config is `application/vnd.oci.image", &[Check::MediaTypes]).await;
    let layer = |manifest: &mut Value| manifest["layers"][0]["mediaType"] = json!("\u{1b}[2Jx");
    check(rewrite(layer), "its layer is `\u{fffd}[2Jx`", &[Check::MediaTypes]).await;
    let kind = |asked: &Asked, mut honest: Answer, _: &mut Content| {
        if asked.path.ends_with("/manifests/1") {
            honest.headers = vec![("content-type".to_owned(), "text/html".to_owned())];
        }
        honest
    };
    check(kind, "its media type is `text/html`", &[Check::MediaTypes]).await;
    let memory = registry().await;
    memory.twist(rewrite(|manifest| manifest["layers"] = json!([])));
    let error = fetch_component(&memory, &options()).await.unwrap_err();
    assert!(told(&error).contains("it has 0 layers"), "{}", told(&error));
}

#[tokio::test]
async fn another_bundle_around_the_same_component_is_refused() {
    let memory = registry().await;
    let good = fetch(&memory.at("a:1"), &options()).await.unwrap();
    // The rest of another bundle, made to refer to the component of the first.
    let other = bundle("evil");
    let pushed = send(&other, &memory.at("a:2"), &options()).await.unwrap();
    {
        let mut content = memory.content.lock().unwrap();
        let rest = content.manifests[&pushed.referrer.to_string()].1.clone();
        let mut rest: Value = serde_json::from_slice(&rest).unwrap();
        rest["subject"]["digest"] = json!(good.artifact);
        rest["annotations"]["io.github.ringfence.rfz"] = json!(good.file);
        let rest = rest.to_string().into_bytes();
        let (name, size) = (digest(&rest), rest.len());
        let tag = format!("sha256-{}", good.artifact.hex());
        let (kind, index) = content.manifests[&tag].clone();
        let mut index: Value = serde_json::from_slice(&index).unwrap();
        index["manifests"][0]["digest"] = json!(name);
        index["manifests"][0]["size"] = json!(size);
        content.manifests.insert(tag, (kind, index.to_string().into_bytes()));
        content.manifests.insert(name, (MANIFEST.to_owned(), rest));
    }
    let error = fetch(&memory.at("a:1"), &options()).await.unwrap_err();
    assert!(told(&error).contains("the bundle put together again: it is"), "{}", told(&error));
    assert_eq!(error.class(), Class::Refused);
    let through = fetch(&memory.at("a:1"), &off(&[Check::WholeFile])).await.unwrap();
    assert_eq!(bytes(&through.sealed), bytes(&other));
}

#[tokio::test]
async fn a_bundle_whose_rest_was_taken_away_does_not_turn_into_a_component() {
    let memory = registry().await;
    memory.twist(
        |asked, honest, _| {
            if asked.path.contains("sha256-") { answer(404, &[], "") } else { honest }
        },
    );
    let error = fetch(&memory.at("a:1"), &options()).await.unwrap_err();
    assert!(matches!(error, OciError::Incomplete { last: None, .. }), "{error:?}");
    assert_eq!(error.class(), Class::Refused);
    // And one that never was a bundle is told apart from it.
    memory.twist(rewrite(|manifest| manifest["annotations"] = json!({})));
    let error = fetch(&memory.at("a:1"), &options()).await.unwrap_err();
    assert!(matches!(error, OciError::NoBundle { .. }), "{error:?}");
}

/// Changes the artifact with the files and returns what the refusal says.
async fn with_rest(change: impl FnOnce(&mut Value)) -> String {
    let memory = registry().await;
    {
        let mut content = memory.content.lock().unwrap();
        let tag =
            content.manifests.keys().find(|name| name.starts_with("sha256-")).unwrap().clone();
        let (kind, index) = content.manifests[&tag].clone();
        let mut index: Value = serde_json::from_slice(&index).unwrap();
        let name = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
        let mut rest: Value = serde_json::from_slice(&content.manifests[&name].1).unwrap();
        change(&mut rest);
        let rest = rest.to_string().into_bytes();
        index["manifests"][0]["digest"] = json!(digest(&rest));
        content.manifests.insert(digest(&rest), (MANIFEST.to_owned(), rest));
        content.manifests.insert(tag, (kind, index.to_string().into_bytes()));
    }
    match fetch(&memory.at("a:1"), &options()).await {
        Ok(_) => "pulled".to_owned(),
        Err(error) => told(&error),
    }
}

#[tokio::test]
async fn the_rest_of_a_bundle_is_checked_before_a_file_is_fetched() {
    let title = "org.opencontainers.image.title";
    assert_eq!(with_rest(|_| ()).await, "pulled");
    let says = with_rest(|rest| rest["layers"][1]["annotations"][title] = json!("../../x")).await;
    assert!(says.contains("../../x"), "{says}");
    for (says, change) in [
        (
            "a path stands twice in it",
            &(|rest: &mut Value| {
                let path = rest["layers"][0]["annotations"][title].clone();
                rest["layers"][1]["annotations"][title] = path;
            }) as &dyn Fn(&mut Value),
        ),
        ("a file in it has no path", &|rest| rest["layers"][1]["annotations"] = json!({})),
        ("it refers to another artifact", &|rest| {
            rest["subject"]["digest"] = json!(format!("sha256:{}", "a".repeat(64)));
        }),
        ("it belongs to another file", &|rest| rest["annotations"] = json!({})),
        ("not `application/vnd.ringfence.bundle.file.v1`", &|rest| {
            rest["layers"][1]["mediaType"] = json!(WASM_LAYER);
        }),
        ("not `application/vnd.ringfence.bundle.v1`", &|rest| rest["artifactType"] = json!("x/y")),
        ("more than", &|rest| rest["layers"][1]["size"] = json!(u64::MAX)),
        ("5000 layers, and at most", &|rest| {
            let layer = rest["layers"][1].clone();
            rest["layers"] = Value::Array(vec![layer; 5000]);
        }),
    ] {
        let told = with_rest(change).await;
        assert!(told.contains(says), "{says}: {told}");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_is_refused() {
    for (says, headers, body) in [
        ("encoded as `gzip`", ("content-encoding", "gzip"), "{}".to_owned()),
        ("not well formed", ("x", "y"), "[".repeat(100_000)),
        ("not well formed", ("x", "y"), "{\"schemaVersion\":2".to_owned()),
        ("not well formed", ("x", "y"), String::new()),
        ("cannot be reached", ("x", &*"y".repeat(200_000)), "{}".to_owned()),
    ] {
        let memory = registry().await;
        let headers = (headers.0, headers.1.to_owned());
        memory.twist(move |asked, honest, _| {
            if !asked.path.ends_with("/manifests/1") {
                return honest;
            }
            let headers = [("content-type", MANIFEST), (headers.0, headers.1.as_str())];
            answer(200, &headers, body.clone())
        });
        let error = fetch_component(&memory, &options()).await.unwrap_err();
        assert!(told(&error).contains(says), "{says}: {}", told(&error));
    }
    let memory = registry().await;
    memory.twist(|_, _, _| {
        let text = json!({ "errors": [{ "code": "X", "message": format!("\u{1b}]0;y{}", "z".repeat(999)) }] });
        answer(500, &[], text.to_string())
    });
    let error = fetch_component(&memory, &options()).await.unwrap_err().to_string();
    assert!(error.contains("answered 500") && error.contains("X \u{fffd}]0;yzzz"), "{error}");
    assert!(error.len() < 400, "{error}");
}

#[tokio::test]
async fn a_registry_that_stops_is_not_waited_for() {
    let mut timeouts = Timeouts::default();
    timeouts.between = Duration::from_millis(200);
    timeouts.answer = Duration::from_millis(200);
    let short = options().timeouts(timeouts);
    let memory = registry().await;
    assert!(fetch_component(&memory, &short).await.is_ok());
    memory.twist(|asked, mut honest, _| {
        if is_component(asked) {
            honest.body.truncate(4);
            honest.stops = true;
        }
        honest
    });
    let error = fetch_component(&memory, &short).await.unwrap_err();
    assert!(told(&error).contains("the next part of the component took longer"), "{error:?}");
    assert_eq!(error.class(), Class::LimitReached);
    timeouts.whole = Duration::from_millis(200);
    timeouts.between = Duration::from_mins(1);
    let error = fetch_component(&memory, &options().timeouts(timeouts)).await.unwrap_err();
    assert!(told(&error).contains("the pull took longer"), "{error:?}");
    // One that takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let from = format!("localhost:{}/a:1", silent.local_addr().unwrap().port());
    let error = fetch(&from, &short).await.unwrap_err();
    assert!(told(&error).contains("the answer of `localhost"), "{error:?}");
}
