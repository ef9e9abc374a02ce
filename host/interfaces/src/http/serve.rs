//! Calls in: one HTTP request becomes one call of a `wasi:http` handler, 0.2 or 0.3.
//!
//! Invariants: every request has an instance of its own, in a store the caller makes; a run nobody
//! waits for any more ends; the response body is held to the `output` limit, and one that the guest
//! did not finish fails instead of looking complete.
//!
//! Start with [`HttpHandler`].

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use http_body_util::BodyExt as _;
use ringfence_capability::{Class, Diagnostic, text};
use ringfence_engine::Meter;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime::component::InstancePre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme as SchemeP2;
use wasmtime_wasi_http::p3::bindings::ServicePre;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView, p3};

mod response;

pub use response::ServedBody;
use response::{Waiting, tie};

/// The longest `error-code` that is told: the name and the beginning of what it carries.
const CODE_CHARS: usize = 200;

/// A component that answers HTTP requests.
pub struct HttpHandler<T: 'static>(Version<T>);

enum Version<T: 'static> {
    /// It exports `wasi:http/incoming-handler`.
    P2(ProxyPre<T>),
    /// It exports `wasi:http/handler`.
    P3(ServicePre<T>),
}

impl<T: 'static> Clone for Version<T> {
    fn clone(&self) -> Self {
        match self {
            Self::P2(pre) => Self::P2(pre.clone()),
            Self::P3(pre) => Self::P3(pre.clone()),
        }
    }
}

/// Why a request got no response from the component. `E` is what the caller's run can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError<E: Diagnostic> {
    /// The request does not say which host it is for, or not in one way.
    #[error("the request cannot be read")]
    BadRequest,
    /// The component ended without an answer.
    #[error("the plugin gave no answer")]
    NoAnswer,
    /// The component answered with an error.
    #[error("the plugin answered with the error `{code}`")]
    Answered {
        /// The error, one of the `error-code`s of `wasi:http`.
        code: String,
    },
    /// It crashed, reached a limit, or was not started.
    #[error(transparent)]
    Run(E),
}

impl<E: Diagnostic> ServeError<E> {
    /// Returns the status for whoever sent the request. It does not tell what went wrong inside.
    pub fn status(&self) -> StatusCode {
        match self.class() {
            Class::BadInput => StatusCode::BAD_REQUEST,
            Class::PluginFailed => StatusCode::BAD_GATEWAY,
            Class::LimitReached => StatusCode::GATEWAY_TIMEOUT,
            Class::Refused => StatusCode::FORBIDDEN,
            Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl<E: Diagnostic> Diagnostic for ServeError<E> {
    fn code(&self) -> &'static str {
        match self {
            Self::BadRequest => "interfaces::bad-request",
            Self::NoAnswer => "interfaces::no-answer",
            Self::Answered { .. } => "interfaces::answered-error",
            Self::Run(error) => error.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::BadRequest => Class::BadInput,
            Self::NoAnswer | Self::Answered { .. } => Class::PluginFailed,
            Self::Run(error) => error.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        if let Self::Run(error) = self { error.hint() } else { None }
    }
}

/// Carries the head of the response, or the guest's error, out of the run.
type Answer = oneshot::Sender<Result<Response<WasiBody>, String>>;

/// One request on its way into a guest. [`run`](Self::run) it in a store made for it.
pub struct HttpCall<T: 'static> {
    handler: Version<T>,
    request: Request<WasiBody>,
    answer: Answer,
    waiting: Waiting,
}

impl<T: WasiHttpView + Send + 'static> HttpHandler<T> {
    /// Returns the handler that the component exports; a 0.3 one goes before a 0.2 one.
    ///
    /// # Errors
    /// When it exports neither.
    pub fn new(pre: InstancePre<T>) -> wasmtime::Result<Self> {
        if let Ok(service) = ServicePre::new(pre.clone()) {
            return Ok(Self(Version::P3(service)));
        }
        Ok(Self(Version::P2(ProxyPre::new(pre)?)))
    }

    /// Answers one request. `run` makes a fresh store, runs the call in it with its limits, and
    /// returns how that ended; it may go on after the head of the response.
    ///
    /// # Errors
    /// When there is no response: what `run` failed with, or what the guest answered instead.
    ///
    /// # Cancellation
    /// Dropping the future, or the response body before its end, ends the call with an error.
    pub async fn answer<B, E, F>(
        &self,
        request: Request<B>,
        meter: Arc<Meter>,
        run: impl FnOnce(HttpCall<T>) -> F,
    ) -> Result<Response<ServedBody>, ServeError<E>>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
        E: Diagnostic,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let request = absolute(request).ok_or(ServeError::BadRequest)?;
        let head = request.method() == Method::HEAD;
        let (answer, answered) = oneshot::channel();
        let (waiter, waiting) = tie();
        let call = HttpCall { handler: self.0.clone(), request, answer, waiting };
        // Owned by `waiter`: the call ends when that is dropped, and it is in the response then.
        let task = tokio::spawn(run(call));
        match answered.await {
            Ok(Ok(response)) => {
                let expected = if head { Some(0) } else { expected(&response) };
                Ok(response.map(|body| ServedBody::new(body, expected, meter, waiter)))
            }
            Ok(Err(code)) => Err(ServeError::Answered { code }),
            Err(_) => match task.await {
                Ok(Err(error)) => Err(ServeError::Run(error)),
                Ok(Ok(())) | Err(_) => Err(ServeError::NoAnswer),
            },
        }
    }
}

impl<T: WasiHttpView + Send + 'static> HttpCall<T> {
    /// Instantiates the component in `store` and calls its handler, until it is done and, for a 0.3
    /// handler, its response has been read.
    ///
    /// # Errors
    /// When it traps or reaches a limit, or nobody waits for the response any more.
    ///
    /// # Cancellation
    /// Dropping the future ends the call; the response body fails if it was not finished.
    pub async fn run(self, store: &mut Store<T>) -> wasmtime::Result<()> {
        let Self { handler, request, answer, waiting } = self;
        let finishing = waiting.finishing();
        let calling: BoxFuture<'_, wasmtime::Result<()>> = match handler {
            Version::P2(proxy) => call_p2(proxy, store, request, answer).boxed(),
            Version::P3(service) => {
                call_p3(service, store, request, answer, waiting.clone()).boxed()
            }
        };
        tokio::select! {
            biased;
            // Asked first: a guest that sees its stream closed may well end as if all were done.
            () = waiting.abandoned() => {
                return Err(wasmtime::Error::msg("nobody waits for the response any more"));
            }
            ended = calling => ended?,
        }
        finishing.done();
        Ok(())
    }
}

async fn call_p2<T: WasiHttpView + Send + 'static>(
    proxy: ProxyPre<T>,
    store: &mut Store<T>,
    request: Request<WasiBody>,
    answer: Answer,
) -> wasmtime::Result<()> {
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(SchemeP2::Http, request)?;
    let out = http.new_response_outparam_from_callback(|response| {
        // Nobody there any more is noticed by the one who calls this.
        let _ = answer.send(response.map_err(|code| told(&code)));
    })?;
    let proxy = proxy.instantiate_async(&mut *store).await?;
    proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await
}

async fn call_p3<T: WasiHttpView + Send + 'static>(
    service: ServicePre<T>,
    store: &mut Store<T>,
    request: Request<WasiBody>,
    answer: Answer,
    waiting: Waiting,
) -> wasmtime::Result<()> {
    let service = service.instantiate_async(&mut *store).await?;
    let (request, received) = p3::Request::from_http(store.data_mut().http().hooks, request);
    let call = store.run_concurrent(async move |accessor| {
        let calling = async {
            let response = match service.handle(accessor, request).await? {
                Ok(response) => response,
                Err(code) => {
                    let _ = answer.send(Err(told(&code)));
                    return Ok(());
                }
            };
            let response = accessor.with(|access| response.into_http(access, async { Ok(()) }))?;
            let _ = answer.send(Ok(response));
            // The guest makes the body while it is read, and only inside this loop.
            waiting.passed().await;
            Ok(())
        };
        let (mut calling, mut received) = (pin!(calling), pin!(received.fuse()));
        loop {
            tokio::select! {
                biased;
                ended = &mut calling => break ended,
                // Whether the guest read the request to its end is its own affair.
                _ = &mut received => {}
            }
        }
    });
    call.await?
}

/// Returns an `error-code` as it is told. Some carry a text of the guest's, of any length.
fn told(code: &impl std::fmt::Debug) -> String {
    text::brief(&format!("{code:?}"), CODE_CHARS)
}

/// Returns how long the body is that the client of a request other than HEAD expects, if known.
fn expected(response: &Response<WasiBody>) -> Option<u64> {
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(0);
    }
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns the request with scheme and authority in its URI, as guests expect it.
fn absolute<B>(request: Request<B>) -> Option<Request<WasiBody>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Error>,
{
    let (mut parts, body) = request.into_parts();
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let named = hosts.next().map(|host| Authority::try_from(host.as_bytes()));
    let authority = match (parts.uri.authority(), named, hosts.next()) {
        (Some(authority), None, None) => authority.clone(),
        (Some(authority), Some(Ok(named)), None) if *authority == named => named,
        (None, Some(Ok(named)), None) => named,
        _ => return None,
    };
    if authority.as_str().contains('@') || parts.method == Method::CONNECT {
        return None;
    }
    let path = parts.uri.path_and_query().cloned();
    parts.uri = Uri::builder()
        .scheme(Scheme::HTTP)
        .authority(authority)
        .path_and_query(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
        .build()
        .ok()?;
    Some(Request::from_parts(parts, body.map_err(Into::into).boxed_unsync()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_a_guest_says_in_an_error_code_is_bounded() {
        use p3::bindings::http::types::ErrorCode;
        let code = ErrorCode::InternalError(Some("\u{1b}[2J\u{202e}".repeat(1 << 20)));
        let told = told(&code);
        assert!(told.starts_with("ErrorCode::InternalError(") && told.ends_with('…'), "{told}");
        assert_eq!((told.chars().count(), told.chars().any(text::hides)), (CODE_CHARS + 1, false));
    }

    #[test]
    fn a_request_is_for_one_host_only() {
        for (uri, hosts, seen) in [
            ("/a?b", &["example.com:8080"][..], Some("http://example.com:8080/a?b")),
            ("http://example.com/a", &["example.com"], Some("http://example.com/a")),
            ("http://example.com/a", &[], Some("http://example.com/a")),
            ("http://example.com/a", &["other.com"], None),
            ("/a", &["example.com", "other.com"], None),
            ("/a", &["user@example.com"], None),
            ("/a", &["a b"], None),
            ("/a", &[""], None),
            ("/a", &[], None),
        ] {
            let mut request = Request::get(uri);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            let request = request.body(http_body_util::Empty::new()).unwrap();
            let read = absolute(request).map(|request| request.uri().to_string());
            assert_eq!(read.as_deref(), seen, "{uri} {hosts:?}");
        }
    }
}
