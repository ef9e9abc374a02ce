//! From a registry to a bundle.

use futures::StreamExt as _;
use http::Method;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE};
use ringfence_capability::{Digest, text};
use std::collections::BTreeMap;

use super::document::{
    self, BUNDLE, BUNDLE_FILE, Descriptor, EMPTY, MANIFEST, MAX_DOCUMENT_BYTES, Manifest, RFZ,
    TITLE, WASM_CONFIG, WASM_LAYER,
};
use super::error::{OciError, RegistryProblem, VersionProblem, broken};
use super::referrers::essence;
use super::session::{Access, Ask, Session, Size};
use super::{AT_ONCE, Options, Progress, Reference, layout, referrers, within};
use crate::archive::{MAX_FILE_BYTES, MAX_FILES, MAX_SIGNATURES, MAX_TOTAL_BYTES, Sealed};

/// How many referrers that say they are the bundle are tried.
const MAX_CANDIDATES: usize = 4;
/// The most layers of the artifact with the files: every file, every signature and the list.
const MAX_LAYERS: usize = MAX_FILES + MAX_SIGNATURES + 1;

/// A bundle that was pulled. Its files are the ones that were pushed; who signed them was not looked at.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pulled {
    /// The bundle.
    pub sealed: Sealed,
    /// The digest of the artifact: what a reference with a digest names.
    pub artifact: Digest,
    /// The SHA-256 of the `.rfz`.
    pub file: Digest,
}

/// A component that was pulled without a bundle.
#[derive(Debug)]
#[non_exhaustive]
pub struct Component {
    /// The component or module.
    pub bytes: Vec<u8>,
    /// The digest of the artifact.
    pub artifact: Digest,
}

/// Fetches the bundle that `reference` names.
///
/// # Errors
/// See [`OciError`]; [`OciError::NoBundle`] when there is only a component.
///
/// # Security
/// With a digest in the reference the bundle is exactly the one that was pushed, whoever runs the registry.
/// With a tag alone it is what the registry says the tag means. In both cases verify its signature.
///
/// # Cancellation
/// Closes the connections; nothing is left.
pub async fn pull(
    reference: &Reference,
    options: &Options,
    progress: &Progress,
) -> Result<Pulled, OciError> {
    let work = async {
        let session = Session::new(options, reference, Access::Pull);
        let found = find(&session, reference).await?;
        let Some(expected) = found.manifest.annotations.get(RFZ) else {
            return Err(OciError::NoBundle { reference: reference.to_string() });
        };
        let expected: Digest = expected.parse().map_err(|_| {
            let problem =
                RegistryProblem::Contradiction("its annotation for the file is no digest");
            broken("the manifest", problem)
        })?;
        let pull = Pull { session: &session, progress, found: &found, expected };
        let (sealed, file) = pull.bundle(reference).await?;
        Ok(Pulled { sealed, artifact: found.digest, file })
    };
    within(options.timeouts.whole, "the pull", work).await
}

/// Fetches the component that `reference` names, and no more of a bundle: what every WebAssembly tool does.
///
/// # Errors
/// See [`OciError`].
///
/// # Security
/// There is no manifest and no signature; treat it as a component from anywhere.
///
/// # Cancellation
/// Closes the connections; nothing is left.
pub async fn pull_component(
    reference: &Reference,
    options: &Options,
    progress: &Progress,
) -> Result<Component, OciError> {
    let work = async {
        let session = Session::new(options, reference, Access::Pull);
        let found = find(&session, reference).await?;
        progress.expect(found.layer.size);
        let bytes = blob(&session, &found.layer, "the component", progress).await?;
        Ok(Component { bytes, artifact: found.digest })
    };
    within(options.timeouts.whole, "the pull", work).await
}

/// The artifact with the component.
struct Found {
    digest: Digest,
    manifest: Manifest,
    layer: Descriptor,
}

/// Reads what `reference` names, and checks that it is a WebAssembly artifact.
async fn find(session: &Session, reference: &Reference) -> Result<Found, OciError> {
    let name = match (reference.tag(), reference.digest()) {
        // The tag is asked for even when there is a digest: whether they still agree is worth knowing.
        (Some(tag), _) => tag.to_owned(),
        (None, Some(digest)) => digest.to_string(),
        (None, None) => {
            let (reference, problem) = (reference.to_string(), VersionProblem::Missing);
            return Err(OciError::Version { reference, problem });
        }
    };
    let what = format!("`{reference}`");
    let (manifest, digest) = manifest(session, &name, &what).await?;
    match reference.digest() {
        Some(expected) if expected != digest => {
            if reference.tag().is_none() {
                if session.guards.digests {
                    return Err(broken(what, RegistryProblem::Digest { expected, found: digest }));
                }
            } else if session.guards.moved {
                return Err(OciError::Moved { reference: reference.to_string(), found: digest });
            }
        }
        _ => {}
    }
    let layer = only_layer(session, &manifest, reference)?;
    Ok(Found { digest, manifest, layer })
}

/// Fetches one manifest and returns it with the digest of its bytes.
async fn manifest(
    session: &Session,
    name: &str,
    what: &str,
) -> Result<(Manifest, Digest), OciError> {
    let url = session.url(&format!("manifests/{name}"));
    let answer = session.ask(&Ask::new(Method::GET, url, what).header(ACCEPT, MANIFEST)).await?;
    if answer.status != StatusCode::OK {
        return Err(answer.unexpected().await);
    }
    let found = answer.header(CONTENT_TYPE).map(essence).unwrap_or_default();
    if found != MANIFEST && session.guards.media_types {
        return Err(broken(what, document::media_type(MANIFEST, found)));
    }
    let said = answer.header("docker-content-digest").and_then(|text| text.parse().ok());
    let (bytes, digest) = answer.read(Size::AtMost(MAX_DOCUMENT_BYTES)).await?;
    if let Some(expected) = said.filter(|said| *said != digest && session.guards.digests) {
        return Err(broken(what, RegistryProblem::Digest { expected, found: digest }));
    }
    Ok((Manifest::parse(&bytes, what)?, digest))
}

/// Returns the one layer of a WebAssembly artifact.
fn only_layer(
    session: &Session,
    manifest: &Manifest,
    reference: &Reference,
) -> Result<Descriptor, OciError> {
    let not = |problem: String| OciError::NotWasm { reference: reference.to_string(), problem };
    let config = manifest.config.media_type.as_str();
    if config != WASM_CONFIG && session.guards.media_types {
        return Err(not(format!("its config is `{}`", text::brief(config, 100))));
    }
    let wasm = |layer: &&Descriptor| layer.media_type == WASM_LAYER || !session.guards.media_types;
    let first = match manifest.layers.as_slice() {
        [only] => only,
        [first, ..] if !session.guards.layers => first,
        layers => return Err(not(format!("it has {} layers, not one", layers.len()))),
    };
    let layer = Some(first)
        .filter(wasm)
        .ok_or_else(|| not(format!("its layer is `{}`", text::brief(&first.media_type, 100))))?;
    bounded(session, layer, MAX_FILE_BYTES, "the component")?;
    Ok(layer.clone())
}

fn bounded(
    session: &Session,
    layer: &Descriptor,
    limit_bytes: u64,
    what: &str,
) -> Result<(), OciError> {
    if layer.size > limit_bytes && session.guards.sizes {
        return Err(broken(what, RegistryProblem::TooLarge { limit_bytes }));
    }
    Ok(())
}

/// Fetches content that a descriptor names.
async fn blob(
    session: &Session,
    layer: &Descriptor,
    what: &str,
    progress: &Progress,
) -> Result<Vec<u8>, OciError> {
    let url = session.url(&format!("blobs/{}", layer.digest));
    let answer = session.ask(&Ask::new(Method::GET, url, what)).await?;
    if answer.status != StatusCode::OK {
        return Err(answer.unexpected().await);
    }
    let (bytes, found) = answer.read_with(Size::Exactly(layer.size), progress).await?;
    if found != layer.digest && session.guards.digests {
        return Err(broken(what, RegistryProblem::Digest { expected: layer.digest, found }));
    }
    Ok(bytes)
}

/// One pull, after the component's artifact is known.
struct Pull<'p> {
    session: &'p Session,
    progress: &'p Progress,
    found: &'p Found,
    /// The SHA-256 that the `.rfz` must have.
    expected: Digest,
}

impl Pull<'_> {
    /// Tries every referrer that says it is the rest of the bundle.
    async fn bundle(&self, reference: &Reference) -> Result<(Sealed, Digest), OciError> {
        let candidates = referrers::find(self.session, self.found.digest).await?;
        let mut last = None;
        for candidate in candidates.iter().take(MAX_CANDIDATES) {
            match self.candidate(candidate, reference).await {
                Ok(bundle) => return Ok(bundle),
                Err(error @ (OciError::Unreachable { .. } | OciError::TimedOut { .. })) => {
                    return Err(error);
                }
                Err(error) => last = Some(Box::new(error)),
            }
        }
        Err(OciError::Incomplete { reference: reference.to_string(), last })
    }

    async fn candidate(
        &self,
        candidate: &Descriptor,
        reference: &Reference,
    ) -> Result<(Sealed, Digest), OciError> {
        let what = "the rest of the bundle";
        let name = candidate.digest.to_string();
        let (manifest, found) = manifest(self.session, &name, what).await?;
        if found != candidate.digest && self.session.guards.digests {
            let expected = candidate.digest;
            return Err(broken(what, RegistryProblem::Digest { expected, found }));
        }
        self.check(&manifest).map_err(|problem| broken(what, problem))?;
        let bytes: u64 = manifest.layers.iter().map(|layer| layer.size).sum();
        self.progress.expect(bytes.saturating_add(self.found.layer.size));
        let files = self.files(&manifest).await?;
        let display = format!("{}/{}", reference.registry(), reference.repository());
        let (sealed, file) = layout::rebuild(files, &display)?;
        if file != self.expected && self.session.guards.whole_file {
            let problem = RegistryProblem::Digest { expected: self.expected, found: file };
            return Err(broken("the bundle put together again", problem));
        }
        Ok((sealed, file))
    }

    /// Checks the artifact with the files before any of them is fetched.
    fn check(&self, manifest: &Manifest) -> Result<(), RegistryProblem> {
        let guards = self.session.guards;
        if guards.media_types {
            let artifact_type = manifest.artifact_type.as_deref().unwrap_or_default();
            let types = [(BUNDLE, artifact_type), (EMPTY, manifest.config.media_type.as_str())];
            let layers =
                manifest.layers.iter().map(|layer| (BUNDLE_FILE, layer.media_type.as_str()));
            let wrong = types.into_iter().chain(layers).find(|(expected, found)| expected != found);
            if let Some((expected, found)) = wrong {
                return Err(document::media_type(expected, found));
            }
        }
        if manifest.subject.as_ref().map(|subject| subject.digest) != Some(self.found.digest) {
            return Err(RegistryProblem::Contradiction("it refers to another artifact"));
        }
        let file = manifest.annotations.get(RFZ).and_then(|text| text.parse().ok());
        if file != Some(self.expected) && guards.whole_file {
            return Err(RegistryProblem::Contradiction("it belongs to another file"));
        }
        let found = manifest.layers.len();
        if found > MAX_LAYERS {
            return Err(RegistryProblem::TooMany { what: "layers", found, limit: MAX_LAYERS });
        }
        let sizes = manifest.layers.iter().chain([&self.found.layer]).map(|layer| layer.size);
        let total = sizes.fold(0_u64, u64::saturating_add);
        if total > MAX_TOTAL_BYTES && guards.sizes {
            return Err(RegistryProblem::TooLarge { limit_bytes: MAX_TOTAL_BYTES });
        }
        Ok(())
    }

    /// Fetches every file, the component among them.
    async fn files(&self, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, OciError> {
        let layers = std::iter::once(&self.found.layer).chain(&manifest.layers);
        let fetched = futures::stream::iter(layers.map(|layer| self.file(layer)));
        let mut fetched = fetched.buffer_unordered(AT_ONCE);
        let mut files = BTreeMap::new();
        while let Some(file) = fetched.next().await {
            let (path, bytes) = file?;
            if files.insert(path, bytes).is_some() {
                let problem = RegistryProblem::Contradiction("a path stands twice in it");
                return Err(broken("the rest of the bundle", problem));
            }
        }
        Ok(files)
    }

    async fn file(&self, layer: &Descriptor) -> Result<(String, Vec<u8>), OciError> {
        let path = layer.annotations.get(TITLE).ok_or_else(|| {
            let problem = RegistryProblem::Contradiction("a file in it has no path");
            broken("the rest of the bundle", problem)
        })?;
        let what = format!("`{}`", text::brief(path, 100));
        let bytes = blob(self.session, layer, &what, self.progress).await?;
        Ok((path.clone(), bytes))
    }
}
