//! Requests by raw `wasi:http`, which checks less than an ordinary client would.

use crate::code;
use crate::wasi::http::outgoing_handler::handle;
use crate::wasi::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme, http_error_code,
};
use crate::wasi::io::streams::{InputStream, StreamError};

/// A request before it is sent.
pub struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, one piece sent `repeat` times.
    pub body: &'a [u8],
    pub repeat: u64,
}

impl<'a> Request<'a> {
    /// Returns a GET without headers or body.
    pub fn get(url: &'a str) -> Self {
        Self { method: "GET", url, headers: &[], body: &[], repeat: 1 }
    }
}

/// An answer; its body is read on demand.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, Vec<u8>)>,
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
}

impl Reply {
    /// Reads the body until its end or until `limit` bytes have come.
    pub fn read(&self, limit: usize) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.consume(|piece| {
            bytes.extend_from_slice(piece);
            bytes.len() < limit
        })?;
        Ok(bytes)
    }

    /// Hands each piece of the body to `take` until it says no.
    pub fn consume(&self, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), String> {
        loop {
            match self.stream.blocking_read(64 * 1024) {
                Ok(piece) if take(&piece) => {}
                Ok(_) | Err(StreamError::Closed) => return Ok(()),
                Err(error) => return Err(stream_code(&error)),
            }
        }
    }

    /// Returns the first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

/// Sends the request and waits for the head of the answer.
pub fn send(request: &Request<'_>) -> Result<Reply, String> {
    reply(start(request)?)
}

/// Sends the request and does not wait.
pub fn start(request: &Request<'_>) -> Result<FutureIncomingResponse, String> {
    let outgoing = OutgoingRequest::new(fields(request.headers)?);
    let (scheme, authority, path) = split(request.url)?;
    let set = |result: Result<(), ()>, what: &str| result.map_err(|()| format!("invalid {what}"));
    set(outgoing.set_method(&method(request.method)), "method")?;
    set(outgoing.set_scheme(Some(&scheme)), "scheme")?;
    set(outgoing.set_authority(Some(authority)), "authority")?;
    set(outgoing.set_path_with_query(Some(path)), "path")?;
    let body = outgoing.body().map_err(|()| "body taken".to_owned())?;
    let future = handle(outgoing, None).map_err(|error| code(&error))?;
    upload(body, request)?;
    Ok(future)
}

/// Waits for the head of the answer.
pub fn reply(future: FutureIncomingResponse) -> Result<Reply, String> {
    future.subscribe().block();
    let response =
        future.get().ok_or("not ready")?.map_err(|()| "taken")?.map_err(|error| code(&error))?;
    let body = response.consume().map_err(|()| "consumed")?;
    let stream = body.stream().map_err(|()| "streamed")?;
    Ok(Reply {
        status: response.status(),
        headers: response.headers().entries(),
        stream,
        _body: body,
        _response: response,
    })
}

fn fields(headers: &[(&str, &[u8])]) -> Result<Fields, String> {
    let fields = Fields::new();
    for (name, value) in headers {
        fields.append(name, value).map_err(|error| format!("header {name}: {}", code(&error)))?;
    }
    Ok(fields)
}

fn upload(body: OutgoingBody, request: &Request<'_>) -> Result<(), String> {
    let stream = body.write().map_err(|()| "body taken")?;
    for _ in 0..request.repeat {
        for piece in request.body.chunks(4096) {
            stream
                .blocking_write_and_flush(piece)
                .map_err(|error| format!("body: {}", stream_code(&error)))?;
        }
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|error| code(&error))
}

/// Returns the code of the request behind a failed stream where there is one.
fn stream_code(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => {
            http_error_code(error).map_or_else(|| error.to_debug_string(), |it| code(&it))
        }
    }
}

fn split(url: &str) -> Result<(Scheme, &str, &str), String> {
    let (scheme, rest) = url.split_once("://").ok_or("url without scheme")?;
    let end = rest.find('/').unwrap_or(rest.len());
    let path = if end == rest.len() { "/" } else { &rest[end..] };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    Ok((scheme, &rest[..end], path))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}
