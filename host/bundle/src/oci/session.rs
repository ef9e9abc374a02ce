//! Talking to one repository of one registry: requests with credentials, redirects, bounded answers.
//!
//! Invariants: a credential goes to the registry it is for, to a host named for its tokens, and nowhere
//! else; a redirect is followed only for reading and only to where the transport may be led; no answer is
//! read past its limit, and content is hashed while it comes.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST,
    HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use ringfence_capability::{Digest, text};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::sync::{Mutex, PoisonError};
use tokio::time::timeout;

use super::challenge::Challenge;
use super::credentials::Credential;
use super::error::{OciError, RegistryProblem, broken};
use super::options::Guards;
use super::reference::Reference;
use super::transport::{Line, Transport, Way};
use super::url::{Origin, Url, escaped};
use super::{Options, Progress};

/// How many redirects of one request are followed.
const MAX_REDIRECTS: usize = 5;
/// The most bytes of an error's text that are read.
const MAX_ERROR_BYTES: u64 = 16 * 1024;
/// The most bytes of a token and what comes with it.
const MAX_TOKEN_BYTES: u64 = 256 * 1024;
/// The most characters of an error's text that are shown.
const MAX_SAID_CHARS: usize = 200;
/// Who asks, as servers see it.
const AGENT: &str = concat!("ringfence/", env!("CARGO_PKG_VERSION"));

/// What is done with the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Pull,
    Push,
}

/// One request.
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    /// What is asked for, in errors.
    pub(super) what: String,
    pub(super) headers: HeaderMap,
    pub(super) content: Bytes,
    /// Counts what is taken of the content.
    pub(super) progress: Option<Progress>,
}

impl Ask {
    pub(super) fn new(method: Method, url: Url, what: impl Into<String>) -> Self {
        let (headers, content) = (HeaderMap::new(), Bytes::new());
        Self { method, url, what: what.into(), headers, content, progress: None }
    }

    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub(super) fn content(mut self, media_type: &str, bytes: Bytes) -> Self {
        self.content = bytes;
        self.header(CONTENT_TYPE, media_type)
    }
}

/// How much of an answer is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Size {
    AtMost(u64),
    Exactly(u64),
}

/// The head of an answer, with what reads the rest.
pub(super) struct Answer<'s> {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    what: String,
    body: hyper::body::Incoming,
    line: Line,
    session: &'s Session,
}

/// One repository, for reading or for writing.
pub(super) struct Session {
    pub(super) transport: Transport,
    pub(super) guards: Guards,
    base: Origin,
    reference: Reference,
    access: Access,
    credential: Credential,
    token_hosts: Vec<String>,
    /// What is sent with every request to the registry itself.
    authorization: Mutex<Option<HeaderValue>>,
}

impl Session {
    /// Returns a session for the repository of `reference`; nothing is sent yet.
    pub(super) fn new(options: &Options, reference: &Reference, access: Access) -> Self {
        let base = Origin::of(reference.registry(), options.encrypts(reference.registry()));
        let transport = Transport::new(options.tls.clone(), &base, options.timeouts);
        let mut token_hosts = options.token_hosts.clone();
        if reference.registry().is_docker_hub() {
            token_hosts.push("auth.docker.io".to_owned());
        }
        Self {
            transport,
            guards: options.guards,
            base,
            reference: reference.clone(),
            access,
            credential: options.credential.clone(),
            token_hosts,
            authorization: Mutex::new(None),
        }
    }

    /// Returns the URL of something in the repository.
    pub(super) fn url(&self, rest: &str) -> Url {
        let path = format!("/v2/{}/{rest}", self.reference.repository());
        Url { origin: self.base.clone(), path }
    }

    /// Returns the origin of the registry.
    pub(super) fn base(&self) -> &Origin {
        &self.base
    }

    /// Sends a request and returns the answer, whatever its status but for "not authorised".
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer<'_>, OciError> {
        let answer = self.follow(ask).await?;
        if answer.status != StatusCode::UNAUTHORIZED || answer.url.origin != self.base {
            return self.allowed(answer);
        }
        let challenge = Challenge::of(&answer.headers);
        answer.drain().await;
        let value = self.authorize(challenge).await?;
        if value.is_none() {
            return Err(self.unauthorized());
        }
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = value;
        self.allowed(self.follow(ask).await?)
    }

    fn allowed<'s>(&'s self, answer: Answer<'s>) -> Result<Answer<'s>, OciError> {
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.unauthorized()),
            _ => Ok(answer),
        }
    }

    fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends a request, and what it leads to when it only reads.
    async fn follow(&self, ask: &Ask) -> Result<Answer<'_>, OciError> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.send(ask, &url).await?;
            let reads = matches!(ask.method, Method::GET | Method::HEAD);
            if !reads || !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let to = answer.location()?;
            self.check_lead(&to.origin, &ask.what)?;
            answer.drain().await;
            url = to;
        }
        let (to, why) = (url.origin.to_string(), "there were five redirects before it");
        Err(broken(ask.what.as_str(), RegistryProblem::Redirect { to, why }))
    }

    /// Refuses a redirect to where the registry may not lead.
    pub(super) fn check_lead(&self, to: &Origin, what: &str) -> Result<(), OciError> {
        match self.transport.may_lead(to) {
            Err(why) if self.guards.redirects => {
                let problem = RegistryProblem::Redirect { to: to.to_string(), why };
                Err(broken(what, problem))
            }
            _ => Ok(()),
        }
    }

    async fn send(&self, ask: &Ask, url: &Url) -> Result<Answer<'_>, OciError> {
        let home = url.origin == self.base;
        // Another host, another port and the same host without TLS are all somebody else.
        let authorization = self.authorization().filter(|_| home || !self.guards.credentials);
        let way = if home || !self.guards.redirects { Way::Named } else { Way::Led };
        self.exchange(ask, url, way, authorization).await
    }

    async fn exchange(
        &self,
        ask: &Ask,
        url: &Url,
        way: Way,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer<'_>, OciError> {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.method = ask.method.clone();
        parts.uri = url.path.parse().map_err(|_| {
            broken(ask.what.as_str(), RegistryProblem::Contradiction("it leads to no path"))
        })?;
        parts.headers = ask.headers.clone();
        let host = HeaderValue::from_str(&url.origin.authority());
        parts.headers.extend(host.ok().map(|host| (HOST, host)));
        parts.headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        parts.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !parts.headers.contains_key(ACCEPT) {
            parts.headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        parts.headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
        let content = (&ask.content, ask.progress.as_ref());
        let (response, line) = self.transport.send(url, way, &parts, content).await?;
        let (head, body) = response.into_parts();
        let (status, headers, what) = (head.status, head.headers, ask.what.clone());
        Ok(Answer { status, headers, url: url.clone(), what, body, line, session: self })
    }

    /// Answers a challenge; nothing when there is nothing to answer with.
    async fn authorize(&self, given: Option<Challenge>) -> Result<Option<HeaderValue>, OciError> {
        let value = match (given, &self.credential) {
            (Some(Challenge::Bearer { realm, service }), _) => {
                self.token(&realm, service.as_deref()).await?
            }
            (Some(Challenge::Basic), Credential::Password { username, password }) => {
                Some(Credential::basic(username, password))
            }
            _ => None,
        };
        Ok(value.and_then(|value| sensitive(&value)))
    }

    /// Gets a token from where the registry says that tokens are.
    async fn token(&self, realm: &str, service: Option<&str>) -> Result<Option<String>, OciError> {
        let what = "a token";
        let url = Url::parse(realm, None).ok_or_else(|| {
            broken(what, RegistryProblem::Contradiction("where to get it is no URL"))
        })?;
        if url.origin != self.base {
            self.check_lead(&url.origin, what)?;
        }
        let credential = self.credential_for(&url.origin)?;
        let scope = format!("repository:{}:{}", self.reference.repository(), self.access.actions());
        let (mut ask, mut authorization) = match credential {
            Credential::IdentityToken(token) => {
                let token = escaped(token.reveal());
                let (service, scope) = (escaped(service.unwrap_or_default()), escaped(&scope));
                let form = format!(
                    "grant_type=refresh_token&client_id=ringfence&service={service}&scope={scope}&refresh_token={token}"
                );
                let ask = Ask::new(Method::POST, url.clone(), what);
                (ask.content("application/x-www-form-urlencoded", Bytes::from(form)), None)
            }
            Credential::Password { username, password } => {
                let ask = Ask::new(Method::GET, url.clone(), what);
                (ask, sensitive(&Credential::basic(username, password)))
            }
            Credential::Anonymous | Credential::Helper(_) => {
                (Ask::new(Method::GET, url.clone(), what), None)
            }
        };
        if ask.method == Method::GET {
            if let Some(service) = service {
                ask.url = ask.url.with("service", service);
            }
            ask.url = ask.url.with("scope", &scope);
        }
        let way = if url.origin == self.base { Way::Named } else { Way::Led };
        // One request, and no redirect: what is sent with it is for this host.
        let url = ask.url.clone();
        let answer = self.exchange(&ask, &url, way, authorization.take()).await?;
        match answer.status.as_u16() {
            200 => {}
            400..=403 => return Err(self.unauthorized()),
            _ => return Err(answer.unexpected().await),
        }
        let (bytes, _) = answer.read(Size::AtMost(MAX_TOKEN_BYTES)).await?;
        let token: Token = serde_json::from_slice(&bytes)
            .map_err(|_| broken(what, RegistryProblem::Contradiction("what came is no token")))?;
        let token = token.token.or(token.access_token).filter(|token| !token.is_empty());
        Ok(token.map(|token| format!("Bearer {token}")))
    }

    /// Returns the credential that may be sent to `host`, or says that it may not.
    fn credential_for(&self, to: &Origin) -> Result<&Credential, OciError> {
        let carries = !matches!(self.credential, Credential::Anonymous | Credential::Helper(_));
        let named = to.encrypted || self.base.is_loopback();
        let named = named && self.token_hosts.iter().any(|host| *host == to.authority());
        if carries && *to != self.base && !named && self.guards.credentials {
            let registry = self.reference.registry().to_string();
            return Err(OciError::TokenHost { registry, host: to.authority() });
        }
        Ok(&self.credential)
    }

    fn unauthorized(&self) -> OciError {
        let registry = self.reference.registry().to_string();
        let (who, hint) = match &self.credential {
            Credential::Anonymous => (
                "somebody without credentials".to_owned(),
                format!(
                    "run `docker login {registry}`, or give `--username NAME --password-stdin`; it may also not exist"
                ),
            ),
            Credential::Helper(helper) => (
                "somebody without credentials".to_owned(),
                format!(
                    "the helper `docker-credential-{}` has credentials, and ringfence starts no helpers: give `--username NAME --password-stdin`",
                    text::brief(helper, 40)
                ),
            ),
            Credential::Password { username, .. } => (
                format!("`{}`", text::brief(username, 60)),
                "check the name, the password and what they allow".to_owned(),
            ),
            Credential::IdentityToken(_) => (
                "the stored token".to_owned(),
                format!("run `docker login {registry}` again, and check what it allows"),
            ),
        };
        let (action, repository) = (self.access.name(), self.reference.repository().to_owned());
        OciError::Unauthorized { registry, who, action, repository, hint }
    }
}

impl Access {
    fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push to",
        }
    }
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Answer<'_> {
    /// Returns where it leads.
    pub(super) fn location(&self) -> Result<Url, OciError> {
        let text = self.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let url = text.and_then(|text| Url::parse(text, Some(&self.url.origin)));
        url.ok_or_else(|| {
            broken(self.what.as_str(), RegistryProblem::Contradiction("it leads to no URL"))
        })
    }

    /// Returns a header as text.
    pub(super) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads the content within `size` and returns it with its digest.
    ///
    /// # Cancellation
    /// Closes the connection.
    pub(super) async fn read(self, size: Size) -> Result<(Vec<u8>, Digest), OciError> {
        self.read_with(size, &Progress::default()).await
    }

    /// Reads like [`Answer::read`], and says how far it is.
    ///
    /// # Cancellation
    /// Closes the connection.
    pub(super) async fn read_with(
        self,
        size: Size,
        progress: &Progress,
    ) -> Result<(Vec<u8>, Digest), OciError> {
        let Self { headers, url, what, mut body, line, session, .. } = self;
        let fail = |problem| broken(what.as_str(), problem);
        if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|value| *value != "identity") {
            let encoding = text::brief(&String::from_utf8_lossy(encoding.as_bytes()), 40);
            return Err(fail(RegistryProblem::Encoding(encoding)));
        }
        let limit = match size {
            Size::AtMost(limit) | Size::Exactly(limit) if session.guards.sizes => limit,
            _ => u64::MAX,
        };
        let announced =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if let Some(announced) = announced {
            check(size, announced, limit).map_err(fail)?;
        }
        let between = session.transport.timeouts.between;
        let (mut bytes, mut hasher) = (Vec::new(), Sha256::new());
        loop {
            let frame = timeout(between, body.frame()).await;
            let late =
                |_| OciError::TimedOut { what: format!("the next part of {what}"), limit: between };
            let Some(frame) = frame.map_err(late)? else { break };
            let frame = frame.map_err(|error| super::transport::unreachable(&url.origin, error))?;
            let Some(data) = frame.data_ref() else { continue };
            if (bytes.len() + data.len()) as u64 > limit {
                return Err(fail(RegistryProblem::TooLarge { limit_bytes: limit }));
            }
            progress.add(data.len() as u64);
            hasher.update(data);
            bytes.extend_from_slice(data);
        }
        if let Size::Exactly(expected) = size {
            check(Size::Exactly(expected), bytes.len() as u64, limit).map_err(fail)?;
        }
        session.transport.keep(&url.origin, line);
        Ok((bytes, Digest::from_bytes(hasher.finalize().into())))
    }

    /// Reads a short rest, so that the connection can be used again; gives a long one up.
    pub(super) async fn drain(self) {
        let _ = self.read(Size::AtMost(MAX_ERROR_BYTES)).await;
    }

    /// Returns the error that this answer is, with what the registry says.
    pub(super) async fn unexpected(self) -> OciError {
        let (host, what) = (self.url.origin.authority(), self.what.clone());
        let status = self.status.as_u16();
        if status == 404 {
            return OciError::NotFound { what };
        }
        let said = match self.read(Size::AtMost(MAX_ERROR_BYTES)).await {
            Ok((bytes, _)) => said(&bytes),
            Err(_) => String::new(),
        };
        OciError::Status { host, what, status, said }
    }
}

/// Compares a number of bytes with what is allowed.
fn check(size: Size, found: u64, limit: u64) -> Result<(), RegistryProblem> {
    match size {
        Size::AtMost(_) if found > limit => Err(RegistryProblem::TooLarge { limit_bytes: limit }),
        Size::Exactly(expected) if found != expected && limit != u64::MAX => {
            Err(RegistryProblem::Size { expected, found })
        }
        _ => Ok(()),
    }
}

/// Returns the first error of a registry's list, as one short line.
fn said(bytes: &[u8]) -> String {
    let Ok(Errors { errors }) = serde_json::from_slice(bytes) else { return String::new() };
    let Some(first) = errors.first() else { return String::new() };
    format!(": {}", text::brief(&format!("{} {}", first.code, first.message), MAX_SAID_CHARS))
}

/// Returns a header that is shown nowhere.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
