//! From a question to texts: plan, search, retrieve, extract.
//!
//! Searches come from the question alone. A document is a value from here on: its title, its address
//! and its text are passed on, and none of them is ever searched for or called.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::ResearchError;
use crate::options::Options;
use crate::report::{Search, Skipped};
use crate::steps::{StepError, StepKind, Steps, Watch};

/// A text that was read.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) url: String,
    pub(crate) title: Option<String>,
    pub(crate) published: Option<String>,
    pub(crate) text: String,
    pub(crate) sha256: String,
    pub(crate) words: u32,
}

/// What gathering gave.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) searches: Vec<Search>,
    pub(crate) found: Vec<Found>,
    pub(crate) skipped: Vec<Skipped>,
    /// Documents that were found beyond the budget.
    pub(crate) beyond: usize,
}

#[derive(Deserialize)]
struct Query {
    text: String,
    reason: String,
}

#[derive(Deserialize)]
struct Hit {
    url: String,
    title: Option<String>,
    published: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Page {
    url: String,
    media_type: Option<String>,
    body: String,
}

#[derive(Deserialize)]
struct Readable {
    text: String,
    sha256: String,
    title: Option<String>,
    published: Option<String>,
    words: u32,
}

/// Most documents that are read for the provider's index in one run.
const MAX_UNREAD: u32 = 1000;

/// Plans, searches, and reads what was found, as far as the budget goes.
pub(crate) async fn gather(
    steps: &dyn Steps,
    question: &str,
    options: &Options,
    watch: &dyn Watch,
) -> Result<Gathered, ResearchError> {
    let mut gathered = Gathered::default();
    watch.progress(StepKind::Plan, 0, 1);
    let task =
        json!({ "question": question, "strategy": options.strategy, "breadth": options.breadth });
    let queries: Vec<Query> = call(steps, StepKind::Plan, "plan", task).await?;
    let queries: Vec<_> = queries.into_iter().take(Options::MAX_BREADTH as usize).collect();
    watch.progress(StepKind::Plan, 1, 1);
    learn(steps, watch, &mut gathered).await?;
    let hits = search(steps, queries, options, watch, &mut gathered).await?;
    let budget = options.budget.clamp(1, Options::MAX_BUDGET) as usize;
    gathered.beyond = hits.len().saturating_sub(budget);
    let wanted = hits.len().min(budget);
    for (done, hit) in hits.into_iter().take(budget).enumerate() {
        watch.progress(StepKind::Extract, done, wanted);
        let url = hit.url.clone();
        match read(steps, hit).await? {
            Ok(found) => gathered.found.push(found),
            Err(why) => gathered.skipped.push(Skipped { url, why }),
        }
    }
    watch.progress(StepKind::Extract, wanted, wanted);
    Ok(gathered)
}

/// Has documents read that the provider has and does not read itself, and tells it what they say. What reads them
/// is the extract step, which is granted nothing: a document that stops or exhausts it is one less.
async fn learn(
    steps: &dyn Steps,
    watch: &dyn Watch,
    gathered: &mut Gathered,
) -> Result<(), ResearchError> {
    #[derive(Deserialize)]
    struct Pending {
        url: String,
        fault: Option<String>,
    }
    if !steps.has(StepKind::Provider, "unread") {
        return Ok(());
    }
    let limit = json!({ "limit": MAX_UNREAD });
    let all: Vec<Pending> = call(steps, StepKind::Provider, "unread", limit).await?;
    let total = all.len();
    for (done, Pending { url, fault }) in all.into_iter().enumerate() {
        watch.progress(StepKind::Provider, done, total);
        if let Some(why) = fault {
            gathered.skipped.push(Skipped { url, why });
            continue;
        }
        let hit = Hit { url: url.clone(), title: None, published: None };
        let learned = match read(steps, hit).await? {
            Ok(found) => {
                json!({ "url": url, "title": found.title, "content": { "text": found.text } })
            }
            Err(why) => {
                gathered.skipped.push(Skipped { url: url.clone(), why: why.clone() });
                json!({ "url": url, "content": { "fault": why } })
            }
        };
        call::<Value>(steps, StepKind::Provider, "learn", learned).await?;
    }
    Ok(())
}

/// Makes every search and returns the hits, the best of each search first, each address once.
async fn search(
    steps: &dyn Steps,
    queries: Vec<Query>,
    options: &Options,
    watch: &dyn Watch,
    gathered: &mut Gathered,
) -> Result<Vec<Hit>, ResearchError> {
    let total = queries.len();
    let mut lists: Vec<std::vec::IntoIter<Hit>> = Vec::new();
    let mut refused = None;
    for (done, query) in queries.into_iter().enumerate() {
        watch.progress(StepKind::Provider, done, total);
        let input = json!({ "query": query.text, "limit": options.hits() });
        let (hits, failed) = match steps.call(StepKind::Provider, "search", input).await {
            Ok(value) => (parsed::<Vec<Hit>>(StepKind::Provider, value)?, None),
            // One search that a server does not answer leaves the others.
            Err(StepError::Said { case, text }) => {
                let why = format!("{case}: {text}");
                refused = Some(StepError::Said { case, text });
                (Vec::new(), Some(why))
            }
            Err(error) => return Err(ResearchError::of(StepKind::Provider, error)),
        };
        let most = usize::try_from(options.hits()).unwrap_or(usize::MAX);
        let hits: Vec<_> = hits.into_iter().take(most).collect();
        let Query { text, reason } = query;
        gathered.searches.push(Search { query: text, reason, hits: hits.len(), failed });
        lists.push(hits.into_iter());
    }
    watch.progress(StepKind::Provider, total, total);
    match refused {
        Some(error) if gathered.searches.iter().all(|search| search.failed.is_some()) => {
            Err(ResearchError::of(StepKind::Provider, error))
        }
        _ => Ok(in_turn(lists)),
    }
}

/// Takes the first of each list, then the second of each; each address once.
fn in_turn(mut lists: Vec<std::vec::IntoIter<Hit>>) -> Vec<Hit> {
    let (mut seen, mut hits) = (BTreeSet::new(), Vec::new());
    while !lists.is_empty() {
        lists.retain_mut(|list| match list.next() {
            Some(hit) => {
                if seen.insert(key(&hit.url)) {
                    hits.push(hit);
                }
                true
            }
            None => false,
        });
    }
    hits
}

/// Gets one document and its text; the inner error says why it cannot be used.
async fn read(steps: &dyn Steps, hit: Hit) -> Result<Result<Found, String>, ResearchError> {
    let input = json!({ "url": hit.url });
    let page = match steps.call(StepKind::Provider, "retrieve", input).await {
        Ok(Value::Null) => return Ok(Err("the provider gave nothing".to_owned())),
        Ok(value) => parsed::<Page>(StepKind::Provider, value)?,
        Err(error @ StepError::Said { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(ResearchError::of(StepKind::Provider, error)),
    };
    let input = json!({ "body": page.body, "media-type": page.media_type, "url": page.url });
    let text = match steps.call(StepKind::Extract, "extract", input).await {
        Ok(value) => parsed::<Readable>(StepKind::Extract, value)?,
        // A page that exhausts the step is one page less.
        Err(error) => return Ok(Err(error.to_string())),
    };
    if text.text.trim().is_empty() {
        return Ok(Err("there is no text in it".to_owned()));
    }
    if sha256(&text.text) != text.sha256 {
        let why = "its hash is not that of its text".to_owned();
        return Err(ResearchError::Answer { step: StepKind::Extract, why });
    }
    Ok(Ok(Found {
        url: page.url,
        title: hit.title.or(text.title),
        published: hit.published.or(text.published),
        words: text.words,
        sha256: text.sha256,
        text: text.text,
    }))
}

/// Calls a function of a step and reads its answer.
pub(crate) async fn call<T: DeserializeOwned>(
    steps: &dyn Steps,
    step: StepKind,
    function: &str,
    input: Value,
) -> Result<T, ResearchError> {
    let value = steps.call(step, function, input).await;
    parsed(step, value.map_err(|error| ResearchError::of(step, error))?)
}

fn parsed<T: DeserializeOwned>(step: StepKind, value: Value) -> Result<T, ResearchError> {
    serde_json::from_value(value)
        .map_err(|error| ResearchError::Answer { step, why: error.to_string() })
}

/// Returns the SHA-256 of a text in hexadecimal.
pub(crate) fn sha256(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write as _;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns what two addresses of one document have in common: without fragment, default port, tracking
/// parameters and a last slash, with the scheme and the host in lower case.
pub(crate) fn key(url: &str) -> String {
    let url = url.split('#').next().filter(|_| url.contains("://")).unwrap_or(url);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = authority.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(port).unwrap_or(&authority);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let kept: Vec<_> =
        query.split('&').filter(|part| !part.is_empty() && !part.starts_with("utm_")).collect();
    let query = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    format!("{scheme}://{authority}{}{query}", path.trim_end_matches('/'))
}
