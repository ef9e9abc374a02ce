//! From a bundle to a registry.

use futures::{StreamExt as _, TryStreamExt as _};
use http::header::ACCEPT;
use http::{Method, StatusCode};
use ringfence_capability::Digest;

use super::document::MANIFEST;
use super::error::{OciError, VersionProblem};
use super::layout::{Artifact, Blob, Layout};
use super::session::{Access, Ask, Session};
use super::{AT_ONCE, Options, Progress, Reference, referrers, within};
use crate::archive::Sealed;

/// What was pushed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Pushed {
    /// The digest of the artifact with the component: what a reference with a digest names.
    pub artifact: Digest,
    /// The digest of the artifact with the other files.
    pub referrer: Digest,
    /// The SHA-256 of the `.rfz`.
    pub file: Digest,
    /// What the tag meant before, when that was something else.
    pub replaced: Option<Digest>,
    /// Where the registry has it that one refers to the other.
    pub listing: Listing,
}

/// Who keeps the list of referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// The registry does.
    Registry,
    /// We do, in an index with a tag of its own.
    Tag,
}

impl Listing {
    /// Returns the name used in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Tag => "tag",
        }
    }
}

/// Sends `sealed` to where `reference` says. The tag is written last: it never means half a bundle.
///
/// # Errors
/// See [`OciError`]. Content that was sent before the error stays in the registry without a name.
///
/// # Cancellation
/// As after an error.
pub async fn push(
    sealed: &Sealed,
    reference: &Reference,
    options: &Options,
    progress: &Progress,
) -> Result<Pushed, OciError> {
    let problem = match (reference.tag(), reference.digest()) {
        (Some(tag), None) => Ok(tag),
        (_, Some(_)) => Err(VersionProblem::DigestInPush),
        (None, None) => Err(VersionProblem::Missing),
    };
    let fail = |problem| OciError::Version { reference: reference.to_string(), problem };
    let tag = problem.map_err(fail)?;
    let layout = Layout::of(sealed)?;
    let work = async {
        let session = Session::new(options, reference, Access::Push);
        progress.expect(layout.component.bytes().saturating_add(layout.bundle.bytes()));
        upload(&session, &layout.component, progress).await?;
        upload(&session, &layout.bundle, progress).await?;
        put(&session, &layout.component, &layout.component.digest.to_string()).await?;
        let name = layout.bundle.digest.to_string();
        let listing = put(&session, &layout.bundle, &name).await?;
        let entry = layout.bundle.descriptor();
        if listing == Listing::Tag {
            referrers::add(&session, layout.component.digest, &entry).await?;
        }
        let before = meaning(&session, tag).await?;
        put(&session, &layout.component, tag).await?;
        if listing == Listing::Tag {
            // Who wrote the index in the meantime, from what was there before, took our entry away.
            referrers::add(&session, layout.component.digest, &entry).await?;
        }
        Ok(Pushed {
            artifact: layout.component.digest,
            referrer: layout.bundle.digest,
            file: layout.file,
            replaced: before.filter(|before| *before != layout.component.digest),
            listing,
        })
    };
    within(options.timeouts.whole, "the push", work).await
}

/// Sends what the registry does not have yet.
async fn upload(
    session: &Session,
    artifact: &Artifact,
    progress: &Progress,
) -> Result<(), OciError> {
    let sent = artifact.blobs.iter().map(|blob| send(session, blob, progress));
    futures::stream::iter(sent).buffer_unordered(AT_ONCE).try_collect::<()>().await
}

async fn send(session: &Session, blob: &Blob, progress: &Progress) -> Result<(), OciError> {
    let what = blob.what.as_str();
    let url = session.url(&format!("blobs/{}", blob.digest));
    let answer = session.ask(&Ask::new(Method::HEAD, url, what)).await?;
    let is_there = answer.status == StatusCode::OK;
    answer.drain().await;
    if is_there {
        progress.add(blob.bytes.len() as u64);
        return Ok(());
    }
    let start = Ask::new(Method::POST, session.url("blobs/uploads/"), what);
    let answer = session.ask(&start).await?;
    if answer.status != StatusCode::ACCEPTED {
        return Err(answer.unexpected().await);
    }
    let to = answer.location()?;
    session.check_lead(&to.origin, what)?;
    answer.drain().await;
    let url = to.with("digest", &blob.digest.to_string());
    let ask = Ask::new(Method::PUT, url, what);
    let mut ask = ask.content("application/octet-stream", blob.bytes.clone());
    ask.progress = Some(progress.clone());
    let answer = session.ask(&ask).await?;
    if answer.status != StatusCode::CREATED {
        return Err(answer.unexpected().await);
    }
    answer.drain().await;
    Ok(())
}

/// Writes a manifest under a tag or its digest, and returns who will know what it refers to.
async fn put(session: &Session, artifact: &Artifact, name: &str) -> Result<Listing, OciError> {
    let url = session.url(&format!("manifests/{name}"));
    let ask = Ask::new(Method::PUT, url, format!("the manifest `{name}`"));
    let ask = ask.content(MANIFEST, artifact.document.clone());
    let answer = session.ask(&ask).await?;
    if answer.status != StatusCode::CREATED {
        return Err(answer.unexpected().await);
    }
    let knows = answer.header("oci-subject").is_some();
    answer.drain().await;
    Ok(if knows { Listing::Registry } else { Listing::Tag })
}

/// Returns the digest that a tag means now.
async fn meaning(session: &Session, tag: &str) -> Result<Option<Digest>, OciError> {
    let url = session.url(&format!("manifests/{tag}"));
    let ask = Ask::new(Method::HEAD, url, format!("the tag `{tag}`")).header(ACCEPT, MANIFEST);
    let answer = session.ask(&ask).await?;
    let found = answer.header("docker-content-digest").and_then(|text| text.parse().ok());
    let found = found.filter(|_| answer.status == StatusCode::OK);
    answer.drain().await;
    Ok(found)
}
