//! The list of referrers: the registry's own, and the index that is kept where it has none.

use super::bundles::{bundle, bytes, fetch, options, send, told};
use super::memory::{Memory, answer};
use ringfence_bundle::oci::{INDEX, Listing};
use serde_json::{Value, json};

fn entry(digit: &str) -> Value {
    let digest = format!("sha256:{}", digit.repeat(64));
    json!({ "mediaType": "application/x", "digest": digest, "size": 1, "artifactType": "x/y" })
}

fn index(entries: &[Value]) -> (String, Vec<u8>) {
    let text = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    (INDEX.to_owned(), text.to_string().into_bytes())
}

/// Returns the entries of the only index in the registry.
fn kept(memory: &Memory) -> Vec<Value> {
    let content = memory.content.lock().unwrap();
    let mut found = content.manifests.iter().filter(|(name, _)| name.starts_with("sha256-"));
    let index: Value = serde_json::from_slice(&found.next().unwrap().1.1).unwrap();
    assert!(found.next().is_none());
    index["manifests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_registry_that_lists_referrers_needs_no_index() {
    let memory = Memory::start().await;
    memory.content.lock().unwrap().lists = true;
    let pushed = send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    assert_eq!(pushed.listing, Listing::Registry);
    assert!(
        memory.content.lock().unwrap().manifests.keys().all(|name| !name.starts_with("sha256-"))
    );
    let pulled = fetch(&memory.at("a:1"), &options()).await.unwrap();
    assert_eq!(bytes(&pulled.sealed), bytes(&bundle("one")));
}

#[tokio::test]
async fn a_registry_that_learnt_to_list_still_has_what_was_pushed_before() {
    let memory = Memory::start().await;
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    memory.twist(|asked, honest, _| {
        let empty = index(&[]).1;
        let lists = asked.path.contains("/referrers/");
        if lists { answer(200, &[("content-type", INDEX)], empty) } else { honest }
    });
    fetch(&memory.at("a:1"), &options()).await.unwrap();
}

#[tokio::test]
async fn an_index_copied_by_a_tool_that_drops_types_is_still_understood() {
    let memory = Memory::start().await;
    let pushed = send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    let mut entries = kept(&memory);
    entries[0].as_object_mut().unwrap().remove("artifactType").unwrap();
    let tag = format!("sha256-{}", pushed.artifact.hex());
    memory.content.lock().unwrap().manifests.insert(tag, index(&entries));
    let pulled = fetch(&memory.at("a:1"), &options()).await.unwrap();
    assert_eq!(bytes(&pulled.sealed), bytes(&bundle("one")));
}

#[tokio::test]
async fn what_others_wrote_into_the_index_stays() {
    let memory = Memory::start().await;
    let pushed = send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    let tag = format!("sha256-{}", pushed.artifact.hex());
    let others = [entry("a"), entry("b")];
    memory.content.lock().unwrap().manifests.insert(tag, index(&others));
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    let kept = kept(&memory);
    assert_eq!(kept[..2], others);
    assert_eq!(kept[2]["digest"], pushed.referrer.to_string());
    assert_eq!(kept.len(), 3);
}

#[tokio::test]
async fn an_entry_that_another_write_took_away_is_put_back() {
    let memory = Memory::start().await;
    let mut turns = 0;
    memory.twist(move |asked, honest, content| {
        if asked.method == "PUT" && asked.path.contains("/manifests/sha256-") && turns < 3 {
            turns += 1;
            // Somebody who read the index before this write writes it after it.
            let name = asked.path.rsplit('/').next().unwrap().to_owned();
            content.manifests.insert(name, index(&[entry("a")]));
        }
        honest
    });
    let pushed = send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    let digests: Vec<_> = kept(&memory).iter().map(|entry| entry["digest"].clone()).collect();
    assert_eq!(digests, [entry("a")["digest"].clone(), json!(pushed.referrer)]);
}

#[tokio::test]
async fn a_registry_that_compares_before_it_writes_is_asked_to() {
    let memory = Memory::start().await;
    let mut refused = false;
    memory.twist(move |asked, honest, content| {
        let index_of = asked.path.contains("/manifests/sha256-");
        if asked.method == "GET" && index_of && honest.status == 200 {
            let mut honest = honest;
            honest.headers.push(("etag".to_owned(), "\"one\"".to_owned()));
            return honest;
        }
        if asked.method == "PUT" && index_of && !refused {
            refused = true;
            assert_eq!(asked.headers["if-none-match"], "*");
            let name = asked.path.rsplit('/').next().unwrap().to_owned();
            content.manifests.insert(name, index(&[entry("a")]));
            return answer(412, &[], "");
        }
        honest
    });
    send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap();
    assert_eq!(kept(&memory).len(), 2);
    let last = memory
        .asked()
        .into_iter()
        .rfind(|asked| asked.method == "PUT" && asked.path.contains("/manifests/sha256-"));
    assert_eq!(last.unwrap().headers["if-match"], "\"one\"");
}

#[tokio::test]
async fn an_index_that_never_keeps_the_entry_is_given_up() {
    let memory = Memory::start().await;
    memory.twist(|asked, honest, content| {
        content.manifests.retain(|name, _| !name.starts_with("sha256-"));
        let _ = asked;
        honest
    });
    let error = send(&bundle("one"), &memory.at("a:1"), &options()).await.unwrap_err();
    assert!(told(&error).contains("was changed by others 8 times"), "{}", told(&error));
    let tagged = memory.content.lock().unwrap().manifests.contains_key("1");
    assert!(!tagged, "a tag that means half a bundle");
}
