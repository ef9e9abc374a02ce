//! What goes over the socket.

use crate::request::MAX_REQUEST;
use crate::{Answer, ApprovalError, MAX_DETAIL, Prompt, Request};
use ringfence_capability::{ArgvPattern, Digest, text};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The most bytes of an offer: a request and what a person can look at as JSON texts, and what else
/// the host adds.
pub(super) const MAX_OFFER: usize = 2 * MAX_REQUEST + 2 * MAX_DETAIL + 256 * 1024;
/// The most bytes of a reply and of a receipt: the longest pattern, written as JSON.
pub(super) const MAX_REPLY: usize = 256 * 1024;

/// The bytes in front of each frame.
pub(super) const HEADER: usize = 4;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Offer {
    version: u32,
    request: String,
    pattern: Option<ArgvPattern>,
    warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reply {
    version: u32,
    request: Digest,
    answer: Answer,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    version: u32,
    pub(super) accepted: bool,
}

impl Offer {
    pub(super) fn frame(request: &Request, prompt: &Prompt) -> Result<Vec<u8>, ApprovalError> {
        let text = String::from_utf8_lossy(request.as_bytes()).into_owned();
        let Prompt { pattern, warnings, detail, .. } = prompt.clone();
        frame(&Self { version: VERSION, request: text, pattern, warnings, detail })
    }

    /// Returns the request and what the host adds to it.
    pub(super) fn open(bytes: &[u8]) -> Result<(Request, Prompt), ApprovalError> {
        let offer: Self = read(bytes)?;
        version(offer.version)?;
        let request = Request::parse(offer.request.as_bytes())
            .map_err(|source| ApprovalError::Request { source })?;
        let Self { pattern, warnings, detail, .. } = offer;
        // A host of ours neutralised it already; another one might not have.
        let detail = detail.map(|detail| text::lines(&detail));
        Ok((request, Prompt { pattern, warnings, detail, ..Prompt::default() }))
    }
}

impl Reply {
    pub(super) fn frame(request: Digest, answer: &Answer) -> Result<Vec<u8>, ApprovalError> {
        frame(&Self { version: VERSION, request, answer: answer.clone() })
    }

    /// Returns the answer, if it is one to `waiting`.
    pub(super) fn open(bytes: &[u8], waiting: Digest) -> Result<Answer, ApprovalError> {
        let reply: Self = read(bytes)?;
        version(reply.version)?;
        if reply.request != waiting {
            return Err(ApprovalError::OtherRequest { answered: reply.request, waiting });
        }
        Ok(reply.answer)
    }
}

impl Receipt {
    pub(super) fn frame(accepted: bool) -> Result<Vec<u8>, ApprovalError> {
        frame(&Self { version: VERSION, accepted })
    }

    pub(super) fn open(bytes: &[u8]) -> Result<bool, ApprovalError> {
        let receipt: Self = read(bytes)?;
        version(receipt.version)?;
        Ok(receipt.accepted)
    }
}

/// Returns how long the frame is whose first bytes these are, header included; nothing when the
/// header is not whole yet.
pub(super) fn length(bytes: &[u8], most: usize) -> Result<Option<usize>, ApprovalError> {
    let Some(header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    match usize::try_from(u32::from_be_bytes(*header)) {
        Ok(length) if length <= most => Ok(Some(length + HEADER)),
        _ => Err(ApprovalError::Protocol { why: "a message is too long" }),
    }
}

fn frame(value: &impl Serialize) -> Result<Vec<u8>, ApprovalError> {
    let why = "a message cannot be written";
    let mut bytes = vec![0; HEADER];
    serde_json::to_writer(&mut bytes, value).map_err(|_| ApprovalError::Protocol { why })?;
    let length = bytes.len() - HEADER;
    let short = u32::try_from(length).ok().filter(|_| length <= MAX_OFFER);
    let header = short.ok_or(ApprovalError::Protocol { why })?.to_be_bytes();
    bytes[..HEADER].copy_from_slice(&header);
    Ok(bytes)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApprovalError> {
    serde_json::from_slice(bytes)
        .map_err(|_| ApprovalError::Protocol { why: "a message cannot be read" })
}

fn version(version: u32) -> Result<(), ApprovalError> {
    if version == VERSION {
        return Ok(());
    }
    Err(ApprovalError::Protocol { why: "it speaks another version" })
}
