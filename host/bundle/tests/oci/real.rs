//! Against the registry that most others are built on.

use super::bundles::{bundle, bytes, component, fetch, options, reference, send, told};
use super::server::{Registry, USER};
use ringfence_bundle::oci::{
    Credential, INDEX, Listing, MANIFEST, OciError, Progress, Secret, WASM_CONFIG, WASM_LAYER,
    danger, pull_component,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_bundle_comes_back_byte_for_byte_by_tag_and_by_digest() {
    let name = "a_bundle_comes_back_byte_for_byte_by_tag_and_by_digest";
    let Some(registry) = Registry::start(name, false) else { return };
    let sealed = bundle("one");
    let to = registry.at("tools/word-count:0.1.0");
    let pushed = send(&sealed, &to, &options()).await.unwrap();
    assert_eq!(pushed.listing, Listing::Tag);
    assert_eq!(pushed.replaced, None);
    let pinned = reference(&to).pinned(pushed.artifact).to_string();
    for from in [&to, &pinned, &format!("oci://{to}@{}", pushed.artifact)] {
        let pulled = fetch(from, &options()).await.unwrap();
        assert_eq!(bytes(&pulled.sealed), bytes(&sealed));
        assert_eq!(pulled.sealed.digest(), sealed.digest());
        assert_eq!((pulled.artifact, pulled.file), (pushed.artifact, pushed.file));
    }
    let again = send(&sealed, &to, &options()).await.unwrap();
    assert_eq!((again.artifact, again.referrer), (pushed.artifact, pushed.referrer));
    assert_eq!(again.replaced, None);
}

#[tokio::test]
async fn other_tools_find_one_layer_and_every_type_they_look_for() {
    let name = "other_tools_find_one_layer_and_every_type_they_look_for";
    let Some(registry) = Registry::start(name, false) else { return };
    let pushed = send(&bundle("one"), &registry.at("a:1"), &options()).await.unwrap();
    let (head, text) = registry.get("/v2/a/manifests/1", MANIFEST).await;
    assert!(head.contains(&format!("content-type: {MANIFEST}")), "{head}");
    let manifest: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(manifest["config"]["mediaType"], WASM_CONFIG);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(manifest["layers"][0]["mediaType"], WASM_LAYER);
    assert_eq!(manifest["annotations"]["org.opencontainers.image.version"], "0.1.0");
    let blob =
        |descriptor: &Value| format!("/v2/a/blobs/{}", descriptor["digest"].as_str().unwrap());
    let (_, layer) = registry.get(&blob(&manifest["layers"][0]), "*/*").await;
    assert_eq!(layer, component());
    let (_, config) = registry.get(&blob(&manifest["config"]), "*/*").await;
    let expected = json!({
        "created": "1970-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2",
        "layerDigests": [manifest["layers"][0]["digest"]],
        "component": { "exports": [], "imports": [] },
    });
    assert_eq!(serde_json::from_slice::<Value>(&config).unwrap(), expected);

    let tag = format!("sha256-{}", pushed.artifact.hex());
    let (head, index) = registry.get(&format!("/v2/a/manifests/{tag}"), INDEX).await;
    assert!(head.contains(&format!("content-type: {INDEX}")), "{head}");
    let index: Value = serde_json::from_slice(&index).unwrap();
    assert_eq!(index["manifests"][0]["artifactType"], "application/vnd.ringfence.bundle.v1");
    assert_eq!(index["manifests"][0]["digest"], pushed.referrer.to_string());
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_moved_tag_is_found_by_the_digest_beside_it() {
    let name = "a_moved_tag_is_found_by_the_digest_beside_it";
    let Some(registry) = Registry::start(name, false) else { return };
    let to = registry.at("a:1");
    let first = send(&bundle("one"), &to, &options()).await.unwrap();
    let both = format!("{to}@{}", first.artifact);
    fetch(&both, &options()).await.unwrap();
    let second = send(&bundle("two"), &to, &options()).await.unwrap();
    assert_eq!(second.replaced, Some(first.artifact));
    match fetch(&both, &options()).await {
        Err(OciError::Moved { found, .. }) => assert_eq!(found, second.artifact),
        other => panic!("{other:?}"),
    }
    // With that check off, the other bundle comes in place of the one that was meant.
    let off = danger::without(options(), danger::Check::Moved);
    assert_eq!(fetch(&both, &off).await.unwrap().artifact, second.artifact);
    let pinned = registry.at(&format!("a@{}", first.artifact));
    assert_eq!(bytes(&fetch(&pinned, &options()).await.unwrap().sealed), bytes(&bundle("one")));
}

#[tokio::test]
async fn a_registry_with_passwords_lets_in_who_has_one() {
    let name = "a_registry_with_passwords_lets_in_who_has_one";
    let Some(registry) = Registry::start(name, true) else { return };
    let to = registry.at("a:1");
    let with = |username: &str, password: &str| {
        let (username, password) = (username.to_owned(), Secret::new(password.to_owned()));
        options().credential(Credential::Password { username, password })
    };
    let right = with(USER.0, USER.1);
    send(&bundle("one"), &to, &right).await.unwrap();
    fetch(&to, &right).await.unwrap();
    let helper = options().credential(Credential::Helper("desktop".to_owned()));
    for (options, who, hint) in [
        (options(), "somebody without credentials", "docker login"),
        (with(USER.0, "wrong battery"), "`somebody`", "check the name"),
        (helper, "somebody without credentials", "`docker-credential-desktop`"),
    ] {
        let error = fetch(&to, &options).await.unwrap_err();
        let hinted = ringfence_capability::Diagnostic::hint(&error).unwrap();
        assert!(told(&error).contains(who), "{}", told(&error));
        assert!(hinted.contains(hint), "{hinted}");
        let all = format!("{error:?} {} {hinted} {options:?}", told(&error));
        assert!(!all.contains("battery") && !all.contains("horse"), "{all}");
        let error = send(&bundle("two"), &to, &options).await.unwrap_err();
        assert!(told(&error).contains("push to"), "{}", told(&error));
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let Some(registry) = Registry::start("what_is_not_there_is_named", false) else { return };
    let error = fetch(&registry.at("a:1"), &options()).await.unwrap_err();
    assert!(told(&error).contains("/a:1`"), "{}", told(&error));
    assert!(matches!(error, OciError::NotFound { .. }), "{error:?}");
    let error = send(&bundle("one"), &registry.at("a"), &options()).await.unwrap_err();
    assert!(told(&error).ends_with("names no version"), "{}", told(&error));
}

#[tokio::test]
async fn a_component_can_be_had_without_its_bundle() {
    let name = "a_component_can_be_had_without_its_bundle";
    let Some(registry) = Registry::start(name, false) else { return };
    let pushed = send(&bundle("one"), &registry.at("a:1"), &options()).await.unwrap();
    let from = reference(&registry.at("a:1"));
    let found = pull_component(&from, &options(), &Progress::default()).await.unwrap();
    assert_eq!((found.bytes, found.artifact), (component(), pushed.artifact));
}
