//! Who refers to an artifact: asked of the registry where it knows, kept in an index of our own under the tag
//! `sha256-<hex>` where it does not.

use bytes::Bytes;
use http::Method;
use http::StatusCode;
use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LINK};
use ringfence_capability::Digest;
use serde_json::Value;

use super::document::{self, BUNDLE, Descriptor, INDEX, Index, MAX_DOCUMENT_BYTES, RFZ};
use super::error::{OciError, RegistryProblem, broken};
use super::layout::json;
use super::session::{Answer, Ask, Session, Size};
use super::url::Url;

/// How many pages of referrers are read.
const MAX_PAGES: usize = 8;
/// How often the index is written again when others write it too.
const ATTEMPTS: u32 = 8;
/// The most entries of an index that is added to.
const MAX_ENTRIES: usize = 4096;

/// Returns the bundles that refer to `subject`.
pub(super) async fn find(session: &Session, subject: Digest) -> Result<Vec<Descriptor>, OciError> {
    let found = ask(session, subject).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    // A registry that has learnt to answer may still not know what was pushed before.
    let kept = read(session, subject).await?.map(|kept| kept.index);
    Ok(kept.map(|index| bundles(&index).collect()).unwrap_or_default())
}

/// Returns what can be the rest of a bundle. Some tools that copy an index leave out `artifactType`; the
/// annotation tells then, and the artifact itself says its type anyway.
fn bundles(index: &Index) -> impl Iterator<Item = Descriptor> {
    index.descriptors().filter(|entry| match &entry.artifact_type {
        Some(kind) => kind == BUNDLE,
        None => entry.annotations.contains_key(RFZ),
    })
}

/// Asks the registry; nothing when it does not know such questions.
async fn ask(session: &Session, subject: Digest) -> Result<Vec<Descriptor>, OciError> {
    let first = session.url(&format!("referrers/{subject}")).with("artifactType", BUNDLE);
    let (mut next, mut found) = (Some(first), Vec::new());
    for _ in 0..MAX_PAGES {
        let Some(url) = next.take() else { break };
        let ask = Ask::new(Method::GET, url, "the list of referrers").header(ACCEPT, INDEX);
        let answer = session.ask(&ask).await?;
        match answer.status {
            StatusCode::OK if is_index(&answer) => {}
            // Every registry has its own way to say that it does not know the question.
            status if status == StatusCode::OK || status.is_client_error() => {
                answer.drain().await;
                break;
            }
            _ => return Err(answer.unexpected().await),
        }
        next = next_page(&answer, session);
        let (bytes, _) = answer.read(Size::AtMost(MAX_DOCUMENT_BYTES)).await?;
        found.extend(bundles(&Index::parse(&bytes, "the list of referrers")?));
    }
    Ok(found)
}

fn is_index(answer: &Answer<'_>) -> bool {
    answer.header(CONTENT_TYPE).is_some_and(|found| essence(found) == INDEX)
}

/// Returns a media type without its parameters.
pub(super) fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// Returns the next page, at the same registry.
fn next_page(answer: &Answer<'_>, session: &Session) -> Option<Url> {
    let link = answer.header(LINK)?;
    let (url, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let url = Url::parse(url, Some(session.base()))?;
    (rest.contains("rel=\"next\"") && url.origin == *session.base()).then_some(url)
}

/// The index of our own, and how to say which state of it one means.
struct Kept {
    index: Index,
    etag: Option<String>,
}

/// Returns the tag of the index for `subject`.
pub(super) fn tag(subject: Digest) -> String {
    format!("sha256-{}", subject.hex())
}

async fn read(session: &Session, subject: Digest) -> Result<Option<Kept>, OciError> {
    let url = session.url(&format!("manifests/{}", tag(subject)));
    let what = "the index of referrers";
    let answer = session.ask(&Ask::new(Method::GET, url, what).header(ACCEPT, INDEX)).await?;
    match answer.status {
        StatusCode::OK => {}
        StatusCode::NOT_FOUND => {
            answer.drain().await;
            return Ok(None);
        }
        _ => return Err(answer.unexpected().await),
    }
    let found = answer.header(CONTENT_TYPE).map(essence).unwrap_or_default();
    if found != INDEX {
        return Err(broken(what, document::media_type(INDEX, found)));
    }
    let etag = answer.header(ETAG).map(str::to_owned);
    let (bytes, _) = answer.read(Size::AtMost(MAX_DOCUMENT_BYTES)).await?;
    Ok(Some(Kept { index: Index::parse(&bytes, what)?, etag }))
}

/// Adds `entry` to the index for `subject`, keeping what others wrote there.
///
/// Registries that can compare before they write are asked to; with the others the index is read again
/// after it was written, and what another's write took away is put back.
pub(super) async fn add(
    session: &Session,
    subject: Digest,
    entry: &Descriptor,
) -> Result<(), OciError> {
    let mut seen: Vec<Value> = Vec::new();
    for _ in 0..ATTEMPTS {
        let kept = read(session, subject).await?;
        let (mut index, before) = match kept {
            Some(Kept { index, etag: Some(etag) }) => (index, Before::State(etag)),
            Some(Kept { index, etag: None }) => (index, Before::Unknown),
            None => (Index::empty(), Before::Nothing),
        };
        let lost: Vec<_> = seen.iter().filter(|one| !holds(&index, one)).cloned().collect();
        if lost.is_empty() && index.names(entry.digest) {
            return Ok(());
        }
        index.manifests.extend(lost);
        if !index.names(entry.digest) {
            let value = serde_json::to_value(entry);
            let malformed = |source| broken("the entry", RegistryProblem::Malformed(source));
            index.manifests.push(value.map_err(malformed)?);
        }
        let found = index.manifests.len();
        if found > MAX_ENTRIES {
            let problem = RegistryProblem::TooMany { what: "entries", found, limit: MAX_ENTRIES };
            return Err(broken("the index of referrers", problem));
        }
        if write(session, subject, &index, &before).await? {
            seen = index.manifests;
        }
    }
    Err(OciError::Contended { tag: tag(subject), attempts: ATTEMPTS })
}

fn holds(index: &Index, entry: &Value) -> bool {
    index.manifests.iter().any(|other| other["digest"] == entry["digest"])
}

/// What was there when the index was read.
enum Before {
    Nothing,
    /// An index, with the registry's mark of its state.
    State(String),
    /// An index of which the registry says no state.
    Unknown,
}

/// Writes the index, unless somebody wrote it since it was read and the registry can tell.
async fn write(
    session: &Session,
    subject: Digest,
    index: &Index,
    before: &Before,
) -> Result<bool, OciError> {
    let url = session.url(&format!("manifests/{}", tag(subject)));
    let mut ask = Ask::new(Method::PUT, url, "the index of referrers");
    ask = ask.content(INDEX, Bytes::from(json(index)?));
    ask = match before {
        Before::Nothing => ask.header(IF_NONE_MATCH, "*"),
        Before::State(etag) => ask.header(IF_MATCH, etag),
        Before::Unknown => ask,
    };
    let answer = session.ask(&ask).await?;
    match answer.status.as_u16() {
        200..=299 => {
            answer.drain().await;
            Ok(true)
        }
        // Somebody else was faster.
        409 | 412 => {
            answer.drain().await;
            Ok(false)
        }
        _ => Err(answer.unexpected().await),
    }
}
