//! The JSON documents of a registry: image manifests, indexes and the descriptors in them.
//!
//! Unknown keys are passed over, as the image specification asks; what this module does read it reads
//! strictly: sizes and digests are types, and a key that stands twice is an error.

use ringfence_capability::{Digest, text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::error::{OciError, RegistryProblem, broken};

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of the config of a WebAssembly artifact.
pub const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The media type of a component or module.
pub const WASM_LAYER: &str = "application/wasm";
/// The media type of a config that says nothing: `{}`.
pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The type of the artifact that makes a component a bundle.
pub const BUNDLE: &str = "application/vnd.ringfence.bundle.v1";
/// The media type of a file in it.
pub const BUNDLE_FILE: &str = "application/vnd.ringfence.bundle.file.v1";

/// The annotation with the path of a layer's file.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The annotation with the SHA-256 of the whole `.rfz`.
pub const RFZ: &str = "io.github.ringfence.rfz";
/// The annotation with the digest of the bundle, that is of its `SHA256SUMS`.
pub const SUMS: &str = "io.github.ringfence.bundle";

/// The most bytes of a manifest or an index: what the specification asks registries to take.
pub const MAX_DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;

pub(super) type Annotations = BTreeMap<String, String>;

/// Names content by type, digest and size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_null")]
    pub(super) annotations: Annotations,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
}

/// An image manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u8,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    #[serde(deserialize_with = "or_null")]
    pub(super) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_null")]
    pub(super) annotations: Annotations,
}

/// An index, which is written back with everything others put into it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) schema_version: u8,
    #[serde(default)]
    pub(super) media_type: Option<String>,
    #[serde(deserialize_with = "or_null")]
    pub(super) manifests: Vec<serde_json::Value>,
    #[serde(flatten)]
    pub(super) rest: BTreeMap<String, serde_json::Value>,
}

/// Reads what some tools write as `null`.
fn or_null<'de, D, T>(from: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl Manifest {
    /// Reads a manifest; `what` names it in errors.
    pub(super) fn parse(bytes: &[u8], what: &str) -> Result<Self, OciError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|source| broken(what, RegistryProblem::Malformed(source)))?;
        checked(manifest.schema_version, manifest.media_type.as_deref(), MANIFEST, what)?;
        Ok(manifest)
    }
}

impl Index {
    /// Returns an index without entries.
    pub(super) fn empty() -> Self {
        let (manifests, rest) = (Vec::new(), BTreeMap::new());
        Self { schema_version: 2, media_type: Some(INDEX.to_owned()), manifests, rest }
    }

    /// Reads an index; `what` names it in errors.
    pub(super) fn parse(bytes: &[u8], what: &str) -> Result<Self, OciError> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|source| broken(what, RegistryProblem::Malformed(source)))?;
        checked(index.schema_version, index.media_type.as_deref(), INDEX, what)?;
        Ok(index)
    }

    /// Returns the entries that are well formed; another tool's may not be.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = Descriptor> {
        self.manifests.iter().filter_map(|entry| serde_json::from_value(entry.clone()).ok())
    }

    /// Tells whether an entry has this digest.
    pub(super) fn names(&self, digest: Digest) -> bool {
        let digest = digest.to_string();
        self.manifests.iter().any(|entry| entry["digest"].as_str() == Some(&digest))
    }
}

/// What follows from a registry's word about a type: a document without one is taken for what it was
/// asked for, one with another is refused.
fn checked(
    version: u8,
    found: Option<&str>,
    expected: &'static str,
    what: &str,
) -> Result<(), OciError> {
    if version != 2 {
        let problem = RegistryProblem::Contradiction("its `schemaVersion` is not 2");
        return Err(broken(what, problem));
    }
    match found {
        Some(found) if found != expected => Err(broken(what, media_type(expected, found))),
        _ => Ok(()),
    }
}

/// Returns the problem of a wrong media type.
pub(super) fn media_type(expected: &'static str, found: &str) -> RegistryProblem {
    RegistryProblem::MediaType { expected, found: text::brief(found, 100) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    fn manifest() -> serde_json::Value {
        let digest = format!("sha256:{}", "1".repeat(64));
        let config = json!({ "mediaType": WASM_CONFIG, "digest": digest, "size": 2 });
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [] })
    }

    /// Changes one member of a manifest and returns what its refusal says.
    fn check(pointer: &str, value: serde_json::Value) -> String {
        let mut changed = manifest();
        *changed.pointer_mut(pointer).unwrap() = value;
        let error = Manifest::parse(changed.to_string().as_bytes(), "the manifest").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap();
        let deeper = cause.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{cause}{deeper}")
    }

    #[test]
    fn a_manifest_is_read_strictly_where_it_matters() {
        Manifest::parse(manifest().to_string().as_bytes(), "it").unwrap();
        let says = check("/schemaVersion", json!(1));
        assert_eq!(says, "its `schemaVersion` is not 2");
        let says = check("/mediaType", json!(INDEX));
        assert_eq!(says, format!("its media type is `{INDEX}`, not `{MANIFEST}`"));
        for (pointer, value, expected) in [
            ("/config/size", json!(-1), "invalid value: integer `-1`"),
            ("/config/size", json!(1.5), "invalid type: floating point"),
            ("/config/digest", json!("sha512:00"), "a digest is written"),
            ("/config/digest", json!("../../x"), "a digest is written"),
            ("/layers", json!({}), "invalid type: map"),
            ("/config", json!(null), "invalid type: null"),
        ] {
            let says = check(pointer, value);
            assert!(says.contains(expected), "{pointer}: {says}");
        }
        let twice = "{\"schemaVersion\":2,\"schemaVersion\":2}";
        let error = Manifest::parse(twice.as_bytes(), "it").unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().source().unwrap().to_string();
        assert!(cause.contains("duplicate field"), "{cause}");
    }

    #[test]
    fn an_index_keeps_what_other_tools_wrote() {
        let entry = json!({ "mediaType": "x", "digest": "sha512:aa", "size": 1, "urls": ["u"] });
        let text = json!({
            "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry], "annotations": { "a": "b" }
        });
        let index = Index::parse(text.to_string().as_bytes(), "it").unwrap();
        assert_eq!(serde_json::to_value(&index).unwrap(), text);
        assert_eq!(index.descriptors().count(), 0);
    }
}
