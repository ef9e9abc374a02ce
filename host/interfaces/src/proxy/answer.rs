//! What the program is told when its request was not sent.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::http::{Reason, Refusal, Unsent};

/// The header of an answer to a refused request; its value is the reason's stable name
/// ([`Reason::name`]).
pub const DENIED: HeaderName = HeaderName::from_static("x-ringfence-denied");
/// The header of an answer to a request that was admitted and failed.
pub const FAILED: HeaderName = HeaderName::from_static("x-ringfence-failed");

/// Returns the answer to a request that was not sent.
pub(super) fn unsent(method: &Method, unsent: &Unsent) -> Response<WasiBody> {
    match unsent {
        Unsent::Refused(refusal) => refused(method, refusal),
        Unsent::Failed(error) => failed(method, error),
    }
}

/// Removes from a server's response what only the proxy says.
pub(super) fn remove_own(headers: &mut HeaderMap) {
    headers.remove(DENIED);
    headers.remove(FAILED);
}

/// Tells whether a tunnel is what is asked for and only reading is granted.
fn is_unseen(method: &Method, reason: Reason) -> bool {
    *method == Method::CONNECT && reason == Reason::MethodNotGranted
}

fn refused(method: &Method, refusal: &Refusal) -> Response<WasiBody> {
    let Refusal { reason, target, missing } = refusal;
    let status = match reason {
        Reason::NotRecorded => StatusCode::BAD_GATEWAY,
        _ => StatusCode::FORBIDDEN,
    };
    let unseen = "what a tunnel carries cannot be seen, so a grant that only reads does not cover \
                  it; send `GET https://...` to the proxy itself";
    let (why, advice) = if is_unseen(method, *reason) {
        (unseen.to_owned(), ", or")
    } else {
        (reason.to_string(), "; if it is intended,")
    };
    let mut text = format!("ringfence refused {} to {target}: {why}", short(method));
    if let Some(missing) = missing {
        text = format!("{text}{advice} have `{missing}` granted");
    }
    answer(status, DENIED, reason.name(), text)
}

fn failed(method: &Method, error: &Error) -> Response<WasiBody> {
    let (status, name, text) = match error {
        // The parser has held the body to its declared length: only the limit is left.
        Error::HttpRequestBodySize(_) => {
            let reason = Reason::Limit;
            let text = format!("ringfence refused {}: {reason}", short(method));
            return answer(StatusCode::FORBIDDEN, DENIED, reason.name(), text);
        }
        Error::DnsTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "dns", "its name was not resolved in time")
        }
        Error::DnsError { .. } | Error::DestinationNotFound => {
            (StatusCode::BAD_GATEWAY, "dns", "its name cannot be resolved")
        }
        Error::ConnectionTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "connect", "the server cannot be reached in time")
        }
        Error::ConnectionRefused | Error::DestinationUnavailable => {
            (StatusCode::BAD_GATEWAY, "connect", "the server cannot be reached")
        }
        Error::ConnectionReadTimeout | Error::HttpResponseTimeout => {
            (StatusCode::GATEWAY_TIMEOUT, "response", "the server did not answer in time")
        }
        Error::TlsCertificateError => {
            (StatusCode::BAD_GATEWAY, "tls-certificate", "the server did not prove its name")
        }
        Error::TlsProtocolError | Error::TlsAlertReceived { .. } => {
            (StatusCode::BAD_GATEWAY, "tls", "no TLS connection could be made")
        }
        _ => (StatusCode::BAD_GATEWAY, "response", "the server did not answer as it should"),
    };
    answer(status, FAILED, name, format!("ringfence could not send {}: {text}", short(method)))
}

fn answer(
    status: StatusCode,
    header: HeaderName,
    name: &'static str,
    text: String,
) -> Response<WasiBody> {
    let body = Full::new(Bytes::from(text + "\n")).map_err(|never| match never {});
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header, HeaderValue::from_static(name));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    // What follows on a connection that was misused is not looked at.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Returns the beginning of a method's name, which can be anything.
fn short(method: &Method) -> &str {
    let name = method.as_str();
    name.get(..32).unwrap_or(name)
}
