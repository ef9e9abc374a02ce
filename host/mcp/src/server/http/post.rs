//! What each request leads to.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc};

use super::body::{self, Body, QUIET, Running};
use super::session::{NoRoom, Session};
use super::{BODY_TIME, HEAD_BYTES, Http, MAX_LINE, PATH, guard, headers};
use crate::message::{self, Id, Message, RpcError, code};
use crate::server::talk::Talk;

/// Messages that wait to be written.
const WAITING: usize = 64;

impl Http {
    /// Answers one request.
    pub(super) async fn respond(self: &Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let sizes = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len());
        // The buffer behind this may hold a little more.
        if sizes.sum::<usize>() > HEAD_BYTES {
            let why = "the head of a request has at most 64 KiB";
            return body::last(refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why));
        }
        if let Err((status, why)) = guard::check(&parts, &self.options.token, &self.options.hosts) {
            tracing::warn!(%status, why, "a request was refused");
            let mut response = refused(status, why);
            if status == StatusCode::UNAUTHORIZED {
                let scheme = HeaderValue::from_static("Bearer realm=\"ringfence\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
            }
            // Its body is not read: nothing else may come on this connection.
            return body::last(response);
        }
        if parts.uri.path() != PATH {
            return body::last(refused(StatusCode::NOT_FOUND, "there is only `/mcp`"));
        }
        match parts.method {
            Method::POST => self.post(&parts, body).await,
            Method::GET => self.get(&parts),
            Method::DELETE => self.delete(&parts),
            _ => body::last(not_allowed()),
        }
    }

    async fn post(self: &Arc<Self>, parts: &Parts, body: Incoming) -> Response<Body> {
        let head = &parts.headers;
        if !headers::is_json(head) {
            let why = "a message is `Content-Type: application/json`";
            return body::last(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        if !["application/json", "text/event-stream"]
            .iter()
            .all(|wanted| headers::accepts(head, wanted))
        {
            let why = "`Accept` has to have `application/json` and `text/event-stream`";
            return body::last(refused(StatusCode::NOT_ACCEPTABLE, why));
        }
        let reading = read(body, MAX_LINE, &self.bodies);
        let message = match tokio::time::timeout(BODY_TIME, reading).await {
            Ok(Ok(bytes)) => Message::read(&bytes),
            Ok(Err((status, why))) => return body::last(refused(status, &why)),
            Err(_) => {
                let why = "the body did not come in time";
                return body::last(refused(StatusCode::REQUEST_TIMEOUT, why));
            }
        };
        let message = match message {
            Ok(message) => message,
            Err(none) => {
                return body::error(StatusCode::BAD_REQUEST, none.id.as_ref(), none.error);
            }
        };
        let (id, method, params) = match &message {
            Message::Request { id, method, params } => (Some(id), method.as_str(), Some(params)),
            Message::Notification { method, params } => (None, method.as_str(), Some(params)),
            Message::Answer { .. } => (None, "", None),
        };
        let modern = match params {
            Some(params) if id.is_some() => headers::modern(head, method, params),
            // Nothing of the newest revision but requests has to be of a revision at all.
            _ => Ok(headers::value(head, headers::VERSION) == Some(crate::server::talk::MODERN)),
        };
        match modern {
            Err(error) => body::error(StatusCode::BAD_REQUEST, id, error),
            Ok(true) => self.alone(message).await,
            Ok(false) => self.of_session(parts, message).await,
        }
    }

    /// Answers a message of the newest revision, which needs none before it.
    async fn alone(self: &Arc<Self>, message: Message) -> Response<Body> {
        let Message::Request { id, method, params } = message else {
            // A client withdraws by hanging up, and was asked nothing it could answer here.
            return body::empty(StatusCode::ACCEPTED);
        };
        let client = Arc::<Talk>::default();
        if let Err(error) = client.view(&method, &params) {
            return body::error(StatusCode::BAD_REQUEST, Some(&id), error);
        }
        let (out, from) = mpsc::channel(WAITING);
        let task = tokio::spawn(self.run(client, out, id, method, params));
        reply(from, Running { task, _open: None }, modern_status).await
    }

    /// Takes in a message that belongs to a session, or begins one.
    async fn of_session(self: &Arc<Self>, parts: &Parts, message: Message) -> Response<Body> {
        let named = headers::value(&parts.headers, headers::SESSION);
        let session = match (named, &message) {
            (None, Message::Request { method, .. }) if method == "initialize" => {
                return self.begin(message).await;
            }
            (None, _) => {
                let why = "`Mcp-Session-Id` is missing, and only `initialize` begins a session";
                return refused(StatusCode::BAD_REQUEST, why);
            }
            (Some(name), _) => match self.sessions.find(name) {
                Some(session) => session,
                None => return refused(StatusCode::NOT_FOUND, "there is no such session"),
            },
        };
        match message {
            Message::Request { id, method, .. } if method == "initialize" => {
                let error = RpcError::new(code::INVALID_REQUEST, "the session has begun already");
                body::error(StatusCode::BAD_REQUEST, Some(&id), error)
            }
            Message::Request { id, method, params } => {
                self.in_session(&session, id, method, params).await
            }
            Message::Notification { method, params } => {
                if method == "notifications/cancelled"
                    && let Some(id) = params.get("requestId").and_then(Id::read)
                {
                    session.withdraw(&id);
                }
                body::empty(StatusCode::ACCEPTED)
            }
            Message::Answer { id, result } => {
                session.talk.answered(&id, result);
                body::empty(StatusCode::ACCEPTED)
            }
        }
    }

    async fn begin(self: &Arc<Self>, message: Message) -> Response<Body> {
        let Message::Request { id, method, params } = message else {
            return body::empty(StatusCode::BAD_REQUEST);
        };
        let (talk, (out, _from)) = (Arc::<Talk>::default(), mpsc::channel(1));
        let result = self.shared.answer(&talk, &out, &id, &method, params).await;
        let began = result.is_ok().then(|| self.sessions.begin(talk));
        let mut response = match began {
            Some(None) => {
                let error = RpcError::new(code::BUSY, "too many sessions wait for something");
                return body::error(StatusCode::SERVICE_UNAVAILABLE, Some(&id), error);
            }
            _ => body::json(StatusCode::OK, &message::answer(Some(&id), result)),
        };
        let name = began.flatten().and_then(|name| HeaderValue::try_from(name).ok());
        if let Some(name) = name {
            response.headers_mut().insert(headers::SESSION, name);
        }
        response
    }

    async fn in_session(
        self: &Arc<Self>,
        session: &Arc<Session>,
        id: Id,
        method: String,
        params: Map<String, Value>,
    ) -> Response<Body> {
        let (out, from) = mpsc::channel(WAITING);
        let task = self.run(Arc::clone(&session.talk), out, id.clone(), method, params);
        let mut spawned = None;
        let open = session.opened(&id, || {
            let task = spawned.insert(tokio::spawn(task));
            task.abort_handle()
        });
        let (open, task) = match (open, spawned) {
            (Ok(open), Some(task)) => (open, task),
            (Err(NoRoom::SameId), _) => {
                let text = "a request with this id is not answered yet";
                let error = RpcError::new(code::INVALID_REQUEST, text).with(id.to_json());
                // Without its id: the answer that bears it is that of the first.
                return body::error(StatusCode::OK, None, error);
            }
            (Err(NoRoom::TooMany), _) => {
                let error = RpcError::new(code::BUSY, "too many requests are without an answer");
                return body::error(StatusCode::OK, Some(&id), error);
            }
            _ => return refused(StatusCode::NOT_FOUND, "the session is over"),
        };
        reply(from, Running { task, _open: Some(open) }, |_| StatusCode::OK).await
    }

    /// Returns what answers a request, and ends early where that waits for changes alone.
    fn run(
        self: &Arc<Self>,
        talk: Arc<Talk>,
        out: mpsc::Sender<Value>,
        id: Id,
        method: String,
        params: Map<String, Value>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let http = Arc::clone(self);
        async move {
            let listens = method == "subscriptions/listen";
            let answer = http.shared.answer(&talk, &out, &id, &method, params);
            tokio::select! {
                result = answer => { let _ = out.send(message::answer(Some(&id), result)).await; }
                () = http.closes(), if listens => {}
            }
        }
    }

    /// Opens the stream on which a session hears of changes.
    fn get(self: &Arc<Self>, parts: &Parts) -> Response<Body> {
        let head = &parts.headers;
        if self.shared.registry.changes().is_none() {
            return not_allowed();
        }
        if !headers::accepts(head, "text/event-stream") {
            let why = "`Accept` has to have `text/event-stream`";
            return refused(StatusCode::NOT_ACCEPTABLE, why);
        }
        let Some(name) = headers::value(head, headers::SESSION) else { return not_allowed() };
        let Some(session) = self.sessions.find(name) else {
            return refused(StatusCode::NOT_FOUND, "there is no such session");
        };
        let (out, from) = mpsc::channel(WAITING);
        let tell = self.shared.tell(Arc::clone(&session.talk), out);
        let http = Arc::clone(self);
        let mut spawned = None;
        let open = session.listens(|| {
            let task = spawned.insert(tokio::spawn(async move {
                tokio::select! {
                    () = tell => {}
                    () = http.closes() => {}
                }
            }));
            task.abort_handle()
        });
        match (open, spawned) {
            (Some(open), Some(task)) => {
                body::events(None, from, Running { task, _open: Some(open) })
            }
            _ => refused(StatusCode::CONFLICT, "the session has such a stream already"),
        }
    }

    /// Waits until the end was asked for.
    async fn closes(&self) {
        let _ = self.closing.clone().wait_for(|closing| *closing).await;
    }

    fn delete(&self, parts: &Parts) -> Response<Body> {
        match headers::value(&parts.headers, headers::SESSION) {
            None => not_allowed(),
            Some(name) if self.sessions.end(name) => body::empty(StatusCode::NO_CONTENT),
            Some(_) => refused(StatusCode::NOT_FOUND, "there is no such session"),
        }
    }
}

/// Waits for what is said first: an answer goes back as it is, all else as a stream.
async fn reply(
    mut from: mpsc::Receiver<Value>,
    running: Running,
    status: fn(&Value) -> StatusCode,
) -> Response<Body> {
    let first = tokio::time::timeout(QUIET, from.recv()).await.ok();
    match first {
        Some(Some(answer)) if answer.get("method").is_none() => {
            body::json(status(&answer), &answer)
        }
        Some(first) => body::events(first, from, running),
        None => body::events(None, from, running),
    }
}

/// Returns the status that the newest revision wants for an answer.
fn modern_status(answer: &Value) -> StatusCode {
    match answer["error"]["code"].as_i64() {
        Some(code::METHOD_NOT_FOUND) => StatusCode::NOT_FOUND,
        Some(code::MISSING_CAPABILITY | code::UNSUPPORTED_VERSION) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// Reads a body of at most `most` bytes, while all that are read at once fit into `room`.
async fn read(
    mut body: Incoming,
    most: usize,
    room: &Arc<Semaphore>,
) -> Result<Bytes, (StatusCode, String)> {
    let too_large =
        || (StatusCode::PAYLOAD_TOO_LARGE, format!("a message has at most {most} bytes"));
    if hyper::body::Body::size_hint(&body).lower() > most as u64 {
        return Err(too_large());
    }
    let (mut bytes, mut held) = (BytesMut::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            (StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}"))
        })?;
        let Ok(piece) = frame.into_data() else { continue };
        if bytes.len() + piece.len() > most {
            return Err(too_large());
        }
        let wanted = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let busy = |_| (StatusCode::SERVICE_UNAVAILABLE, "too much is sent at once".to_owned());
        held.push(room.try_acquire_many(wanted).map_err(busy)?);
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

fn refused(status: StatusCode, why: &str) -> Response<Body> {
    body::error(status, None, RpcError::new(code::INVALID_REQUEST, why))
}

fn not_allowed() -> Response<Body> {
    let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "that is not offered here");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    response
}
