//! The provider of a research run over a directory: finds documents in it by BM25, and gets them.
//!
//! `corpus` walks the directory and reads documents, within bounds; `kept` has what the next run takes
//! over; this file keeps the index of the running instance. What the documents say is data: none of it
//! decides what is opened.

#![deny(unsafe_code)]

mod corpus;
mod kept;
mod meta;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::path::Path;

use research_quality::hash::sha256_hex;
use ringfence_sdk::ToolError;

use corpus::Corpus;

ringfence_sdk::plugin!("ringfence:step-local/local" for Local, generate_all);

use exports::ringfence::research::memory::Guest as Memory;
use exports::ringfence::research::provider::{Guest, Hit, Known, Page};
use exports::ringfence::research::unread::{Content, Guest as Unread, Learned, Pending};

/// Where the host puts the directory.
const ROOT: &str = "/corpus";
/// Most documents one search returns.
const MAX_HITS: u32 = 1000;

/// The component.
struct Local;

thread_local! {
    /// The index, made by the first call of an instance.
    static CORPUS: RefCell<Option<Corpus>> = const { RefCell::new(None) };
    /// What an earlier run kept, until the first call.
    static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Memory for Local {
    fn restore(kept: Vec<u8>) {
        KEPT.set(kept);
    }

    fn keep() -> Option<Vec<u8>> {
        CORPUS.with_borrow(|corpus| corpus.as_ref().filter(|c| c.changed).and_then(kept::write))
    }
}

impl Unread for Local {
    fn unread(limit: u32) -> Result<Vec<Pending>, ToolError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        with_corpus(|corpus| {
            let pending = |(url, fault)| Pending { url, fault };
            Ok(corpus.unread(limit).into_iter().map(pending).collect())
        })
    }

    fn learn(learned: Learned) -> Result<(), ToolError> {
        let Learned { url, title, content } = learned;
        with_corpus(|corpus| match content {
            Content::Text(text) => corpus.learn(&url, title, Ok(&text)),
            Content::Fault(why) => corpus.learn(&url, title, Err(why)),
        })
    }
}

impl Guest for Local {
    fn search(query: String, limit: u32) -> Result<Vec<Hit>, ToolError> {
        with_corpus(|corpus| {
            let limit = usize::try_from(limit.min(MAX_HITS)).unwrap_or(usize::MAX);
            Ok(corpus.search(&query, limit))
        })
    }

    fn retrieve(url: String, known: Option<Known>) -> Result<Option<Page>, ToolError> {
        with_corpus(|corpus| {
            let (media_type, body) = corpus.read(&url)?;
            let etag = sha256_hex(&body);
            if known.and_then(|known| known.etag).is_some_and(|known| known == etag) {
                return Ok(None);
            }
            let media_type = Some(media_type.to_owned());
            Ok(Some(Page { url, media_type, etag: Some(etag), modified: None, body }))
        })
    }
}

fn with_corpus<T>(work: impl FnOnce(&mut Corpus) -> Result<T, ToolError>) -> Result<T, ToolError> {
    CORPUS.with_borrow_mut(|kept| {
        if kept.is_none() {
            *kept = Some(Corpus::open(Path::new(ROOT), kept::read(&KEPT.take()))?);
        }
        kept.as_mut().map_or_else(|| Err(ToolError::Failed("no index".to_owned())), work)
    })
}
