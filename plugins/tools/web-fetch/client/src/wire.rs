//! `Transport` over `wasi:http`.

use std::io::{self, Read};

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WireMethod, OutgoingRequest,
    RequestOptions, Scheme, http_error_code,
};
use wasip2::io::streams::{InputStream, StreamError};

use crate::address;
use crate::{FetchError, Method, Reply, Request, Transport};

/// The outgoing handler of the host.
pub struct Wasi;

impl Transport for Wasi {
    fn send(&mut self, request: &Request) -> Result<Reply, FetchError> {
        let target = address::authority(&request.url);
        let refused = |code: ErrorCode| refusal(&code, &target);
        let pending =
            handle(outgoing(request, &target)?, Some(waits(request)?)).map_err(refused)?;
        pending.subscribe().block();
        let response = pending
            .get()
            .and_then(Result::ok)
            .ok_or_else(|| FetchError::Failed { reason: "the host gave no answer".to_owned() })?
            .map_err(refused)?;
        reply(response, target)
    }
}

fn outgoing(request: &Request, target: &str) -> Result<OutgoingRequest, FetchError> {
    let wire = OutgoingRequest::new(fields(request)?);
    let method = match request.method {
        Method::Get => WireMethod::Get,
        Method::Head => WireMethod::Head,
    };
    let scheme = if request.url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
    let path = address::path_and_query(&request.url);
    wire.set_method(&method)
        .and_then(|()| wire.set_scheme(Some(&scheme)))
        .and_then(|()| wire.set_authority(Some(target)))
        .and_then(|()| wire.set_path_with_query(Some(&path)))
        .map_err(|()| FetchError::BadAddress {
            url: request.url.to_string(),
            reason: "the host does not accept it".to_owned(),
        })?;
    Ok(wire)
}

/// Headers are appended one by one, so that the one the host does not accept can be named.
fn fields(request: &Request) -> Result<Fields, FetchError> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value.as_bytes()).map_err(|_| FetchError::BadHeader {
            name: name.clone(),
            reason: "is not accepted by the host",
        })?;
    }
    Ok(fields)
}

fn waits(request: &Request) -> Result<RequestOptions, FetchError> {
    let options = RequestOptions::new();
    let nanoseconds = u64::try_from(request.timeout.as_nanos()).ok();
    options
        .set_connect_timeout(nanoseconds)
        .and_then(|()| options.set_first_byte_timeout(nanoseconds))
        .and_then(|()| options.set_between_bytes_timeout(nanoseconds))
        .map_err(|()| FetchError::Failed { reason: "the host knows no time limits".to_owned() })?;
    Ok(options)
}

fn reply(response: IncomingResponse, target: String) -> Result<Reply, FetchError> {
    let broken =
        || FetchError::Failed { reason: "the host gave an answer without a body".to_owned() };
    let headers = response.headers().entries().into_iter().map(|(name, value)| {
        (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned())
    });
    let headers = headers.collect();
    let body = response.consume().map_err(|()| broken())?;
    let stream = body.stream().map_err(|()| broken())?;
    let status = response.status();
    let body = Box::new(Body { stream, _incoming: body, _response: response, target });
    Ok(Reply { status, headers, body })
}

/// The stream goes first when this is dropped: the host refuses to drop a parent before its child.
struct Body {
    stream: InputStream,
    _incoming: IncomingBody,
    _response: IncomingResponse,
    target: String,
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.blocking_read(buffer.len() as u64) {
            Ok(chunk) => {
                let count = chunk.len().min(buffer.len());
                let (Some(to), Some(from)) = (buffer.get_mut(..count), chunk.get(..count)) else {
                    return Ok(0);
                };
                to.copy_from_slice(from);
                Ok(count)
            }
            Err(StreamError::Closed) => Ok(0),
            Err(StreamError::LastOperationFailed(error)) => {
                Err(io::Error::other(match http_error_code(&error) {
                    Some(code) => refusal(&code, &self.target),
                    None => FetchError::Unavailable { reason: error.to_debug_string() },
                }))
            }
        }
    }
}

/// Sorts what the host says into what a caller can do about it.
fn refusal(code: &ErrorCode, target: &str) -> FetchError {
    let unavailable = |what: &str| FetchError::Unavailable { reason: format!("`{target}` {what}") };
    match code {
        ErrorCode::HttpRequestDenied => FetchError::Denied {
            reason: format!("a request to `{target}` is not covered by the `http` grant"),
        },
        ErrorCode::DestinationIpProhibited => FetchError::Denied {
            reason: format!("`{target}` leads to an address that may not be reached"),
        },
        ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => {
            FetchError::UnknownHost { host: target.to_owned() }
        }
        ErrorCode::DnsTimeout
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => FetchError::TimedOut,
        ErrorCode::HttpResponseBodySize(limit) => {
            FetchError::TooLarge { limit: limit.unwrap_or(0) }
        }
        ErrorCode::ConnectionRefused => unavailable("refused the connection"),
        ErrorCode::ConnectionTerminated => unavailable("closed the connection"),
        ErrorCode::ConnectionLimitReached => {
            unavailable("was not asked: too many connections are open")
        }
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            unavailable("cannot be reached")
        }
        ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => unavailable("could not prove who it is (TLS)"),
        ErrorCode::InternalError(Some(reason)) => FetchError::Failed { reason: reason.clone() },
        other => FetchError::Failed { reason: format!("`{target}`: {other:?}") },
    }
}
