//! From a bundle to its two artifacts. Deterministic: the same bundle is the same artifacts everywhere, so
//! that pushing twice changes nothing.

use bytes::Bytes;
use ringfence_capability::Digest;
use serde::Serialize;

use super::document::{
    Annotations, BUNDLE, BUNDLE_FILE, Descriptor, EMPTY, MANIFEST, Manifest, RFZ, SUMS, TITLE,
    WASM_CONFIG, WASM_LAYER,
};
use super::error::OciError;
use super::sha256;
use crate::archive::{ArchiveError, SUMS_FILE, Sealed};
use crate::{BundleError, Found, MANIFEST_FILE, inspect, manifest, sniff};

/// When every config says it was made: a real time would make each push another artifact.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Something to upload.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
    /// What it is, in errors.
    pub(super) what: String,
}

/// One artifact with everything in it.
#[derive(Debug)]
pub(super) struct Artifact {
    pub(super) blobs: Vec<Blob>,
    /// The manifest as it is uploaded.
    pub(super) document: Bytes,
    pub(super) digest: Digest,
    annotations: Annotations,
    kind: Option<String>,
}

/// The two artifacts of a bundle.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) component: Artifact,
    pub(super) bundle: Artifact,
    /// The SHA-256 of the `.rfz`.
    pub(super) file: Digest,
}

/// The config of a WebAssembly artifact.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WasmConfig {
    created: &'static str,
    architecture: &'static str,
    os: &'static str,
    layer_digests: [Digest; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Externs>,
}

#[derive(Serialize)]
struct Externs {
    exports: Vec<String>,
    imports: Vec<String>,
}

impl Layout {
    /// Lays a bundle out.
    ///
    /// # Errors
    /// When it has no manifest or component, or they cannot be read.
    pub(super) fn of(sealed: &Sealed) -> Result<Self, OciError> {
        let display = sealed.display();
        let text = sealed.file(MANIFEST_FILE);
        let text = text.ok_or_else(|| BundleError::NoManifest { path: display.to_owned() })?;
        let manifest = manifest::parse_bytes(text, &format!("{display}/{MANIFEST_FILE}"))?;
        let path = manifest.component.as_str();
        let component = sealed.file(path);
        let missing = || BundleError::NoComponent { path: format!("{display}/{path}") };
        let component = component.ok_or_else(missing)?;

        let file = sha256(&packed(sealed)?);
        let mut annotations = Annotations::from([
            (RFZ.to_owned(), file.to_string()),
            (SUMS.to_owned(), sealed.digest().to_string()),
            (TITLE.to_owned(), manifest.name.clone()),
            ("org.opencontainers.image.version".to_owned(), manifest.version.to_string()),
        ]);
        let texts = [
            ("description", Some(manifest.description.clone()).filter(|text| !text.is_empty())),
            ("licenses", manifest.license.clone()),
        ];
        for (name, text) in texts {
            annotations.extend(text.map(|text| (format!("org.opencontainers.image.{name}"), text)));
        }
        let component = component_artifact(path, component, annotations)?;
        let others = std::iter::once((SUMS_FILE, sealed.sums()))
            .chain(sealed.signatures())
            .chain(sealed.files().filter(|(name, _)| *name != path));
        let bundle = bundle_artifact(&component, others, file)?;
        Ok(Self { component, bundle, file })
    }
}

/// Returns the bytes of the `.rfz`.
pub(super) fn packed(sealed: &Sealed) -> Result<Vec<u8>, OciError> {
    let mut bytes = Vec::new();
    sealed
        .write(&mut bytes)
        .map_err(|source| BundleError::Unreadable { path: sealed.display().to_owned(), source })?;
    Ok(bytes)
}

fn component_artifact(
    path: &str,
    bytes: &[u8],
    annotations: Annotations,
) -> Result<Artifact, OciError> {
    let digest = sha256(bytes);
    let is_component = sniff(bytes) == Found::Component;
    let externs = if is_component {
        let interface = inspect::inspect(bytes, path)?;
        let names =
            |externs: Vec<inspect::Extern>| externs.into_iter().map(|one| one.name).collect();
        Some(Externs { exports: names(interface.exports), imports: names(interface.imports) })
    } else {
        None
    };
    let config = WasmConfig {
        created: CREATED,
        architecture: "wasm",
        // The words of the layout: WASI 0.1 for a module, anything later for a component.
        os: if is_component { "wasip2" } else { "wasip1" },
        layer_digests: [digest],
        component: externs,
    };
    let config = Blob::new(Bytes::from(json(&config)?), "the config");
    let layer = Blob::new(Bytes::copy_from_slice(bytes), format!("`{path}`"));
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: None,
        config: config.descriptor(WASM_CONFIG, None),
        layers: vec![layer.descriptor(WASM_LAYER, Some(path))],
        subject: None,
        annotations,
    };
    Artifact::new(manifest, vec![config, layer])
}

fn bundle_artifact<'f>(
    component: &Artifact,
    files: impl Iterator<Item = (&'f str, &'f [u8])>,
    file: Digest,
) -> Result<Artifact, OciError> {
    let config = Blob::new(Bytes::from_static(b"{}"), "the empty config");
    let (mut layers, mut blobs) = (Vec::new(), vec![config.clone()]);
    for (path, bytes) in files {
        let blob = Blob::new(Bytes::copy_from_slice(bytes), format!("`{path}`"));
        layers.push(blob.descriptor(BUNDLE_FILE, Some(path)));
        // Two files with the same content are one blob.
        if !blobs.iter().any(|other| other.digest == blob.digest) {
            blobs.push(blob);
        }
    }
    let subject = Descriptor {
        media_type: MANIFEST.to_owned(),
        digest: component.digest,
        size: component.document.len() as u64,
        annotations: Annotations::new(),
        artifact_type: None,
    };
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: Some(BUNDLE.to_owned()),
        config: config.descriptor(EMPTY, None),
        layers,
        subject: Some(subject),
        annotations: Annotations::from([(RFZ.to_owned(), file.to_string())]),
    };
    Artifact::new(manifest, blobs)
}

impl Blob {
    fn new(bytes: Bytes, what: impl Into<String>) -> Self {
        Self { digest: sha256(&bytes), bytes, what: what.into() }
    }

    fn descriptor(&self, media_type: &str, path: Option<&str>) -> Descriptor {
        let annotations =
            path.map(|path| (TITLE.to_owned(), path.to_owned())).into_iter().collect();
        Descriptor {
            media_type: media_type.to_owned(),
            digest: self.digest,
            size: self.bytes.len() as u64,
            annotations,
            artifact_type: None,
        }
    }
}

impl Artifact {
    fn new(manifest: Manifest, blobs: Vec<Blob>) -> Result<Self, OciError> {
        let document = Bytes::from(json(&manifest)?);
        let digest = sha256(&document);
        let Manifest { annotations, artifact_type: kind, .. } = manifest;
        Ok(Self { blobs, document, digest, annotations, kind })
    }

    /// Returns how an index names it.
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor {
            media_type: MANIFEST.to_owned(),
            digest: self.digest,
            size: self.document.len() as u64,
            annotations: self.annotations.clone(),
            artifact_type: self.kind.clone(),
        }
    }

    /// Returns how many bytes it has.
    pub(super) fn bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.bytes.len() as u64).sum()
    }
}

/// Writes a document of our own.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, OciError> {
    serde_json::to_vec(value).map_err(|source| {
        super::error::broken("a document", super::error::RegistryProblem::Malformed(source))
    })
}

/// Puts the files of a bundle together again.
pub(super) fn rebuild(
    files: std::collections::BTreeMap<String, Vec<u8>>,
    display: &str,
) -> Result<(Sealed, Digest), OciError> {
    let sealed = Sealed::from_files(files, display).map_err(|error: ArchiveError| error)?;
    let file = sha256(&packed(&sealed)?);
    Ok((sealed, file))
}
