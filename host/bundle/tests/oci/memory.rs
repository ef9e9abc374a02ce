//! A registry in memory that does everything right, unless a test twists its answers.

use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

/// One answer as it will be sent.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What the length is said to be; nothing means chunks.
    pub(crate) length: Option<usize>,
    /// Sends this much of the body and then nothing more.
    pub(crate) stops: bool,
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
    let body = body.into();
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Answer { status, headers: headers.collect(), length: Some(body.len()), body, stops: false }
}

type Twist = Box<dyn FnMut(&Asked, Answer, &mut Content) -> Answer + Send>;

/// What is in the registry.
#[derive(Default)]
pub(crate) struct Content {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// Media type and content by tag and by digest.
    pub(crate) manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Whether it lists referrers itself.
    pub(crate) lists: bool,
    pub(crate) asked: Vec<Asked>,
    twist: Option<Twist>,
}

/// A registry that lives as long as the test's runtime.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) content: Arc<Mutex<Content>>,
    pub(crate) port: u16,
    /// Has a permit for each connection that the other side closed while an answer was not complete.
    pub(crate) given_up: Arc<Semaphore>,
    /// Its certificate, when it speaks TLS.
    pub(crate) certificate: Option<String>,
}

impl Memory {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one that speaks TLS as `localhost`.
    pub(crate) async fn start_encrypted() -> Self {
        let names = vec!["localhost".to_owned()];
        Self::start_with(Some(rcgen::generate_simple_self_signed(names).unwrap())).await
    }

    async fn start_with(key: Option<rcgen::CertifiedKey<rcgen::KeyPair>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let content = Arc::new(Mutex::new(Content::default()));
        let acceptor = key.as_ref().map(acceptor);
        let (shared, given_up) = (Arc::clone(&content), Arc::new(Semaphore::new(0)));
        let closed = Arc::clone(&given_up);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                let closed = Arc::clone(&closed);
                tokio::spawn(async move {
                    match acceptor {
                        None => converse(stream, &shared, &closed, port).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, &shared, &closed, port).await;
                            }
                        }
                    }
                });
            }
        });
        Self { content, port, given_up, certificate: key.map(|key| pem(key.cert.der())) }
    }

    /// Has every answer pass through `twist` from now on.
    pub(crate) fn twist(
        &self,
        twist: impl FnMut(&Asked, Answer, &mut Content) -> Answer + Send + 'static,
    ) {
        self.content.lock().unwrap().twist = Some(Box::new(twist));
    }

    pub(crate) fn at(&self, rest: &str) -> String {
        format!("localhost:{}/{rest}", self.port)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.content.lock().unwrap().asked.clone()
    }
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn acceptor(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> tokio_rustls::TlsAcceptor {
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.into())
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    content: &Mutex<Content>,
    given_up: &Semaphore,
    port: u16,
) {
    while let Some(asked) = read(&mut stream).await {
        let answer = {
            let mut content = content.lock().unwrap();
            content.asked.push(asked.clone());
            let honest = content.honest(&asked, port);
            match content.twist.take() {
                None => honest,
                Some(mut twist) => {
                    let twisted = twist(&asked, honest, &mut content);
                    content.twist.get_or_insert(twist);
                    twisted
                }
            }
        };
        let mut head = format!("HTTP/1.1 {} Word\r\n", answer.status);
        for (name, value) in &answer.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let mut body = answer.body;
        if let Some(length) = answer.length {
            let _ = write!(head, "content-length: {length}\r\n\r\n");
        } else {
            head.push_str("transfer-encoding: chunked\r\n\r\n");
            let size = format!("{:x}\r\n", body.len());
            body = [size.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
        }
        if asked.method == "HEAD" {
            body.clear();
        }
        if stream.write_all(&[head.as_bytes(), &body].concat()).await.is_err() {
            return;
        }
        if answer.stops {
            while stream.read(&mut [0; 64]).await.is_ok_and(|more| more > 0) {}
            given_up.add_permits(1);
            return;
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        (stream.read_buf(&mut bytes).await.ok()? > 0).then_some(())?;
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        (stream.read_buf(&mut body).await.ok()? > 0).then_some(())?;
    }
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    Some(Asked { method, path, headers, body })
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

impl Content {
    /// Answers as the specification says.
    fn honest(&mut self, asked: &Asked, port: u16) -> Answer {
        let path = asked.path.split('?').next().unwrap();
        let Some((_, rest)) = path.strip_prefix("/v2/").and_then(|path| path.split_once('/'))
        else {
            return answer(404, &[], "");
        };
        match (asked.method.as_str(), rest.split_once('/').unwrap_or((rest, ""))) {
            ("GET" | "HEAD", ("blobs", name)) => match self.blobs.get(name) {
                Some(bytes) => answer(200, &[], bytes.clone()),
                None => answer(404, &[], ""),
            },
            ("POST", ("blobs", _)) => {
                answer(202, &[("location", &format!("{path}{port}?state=x"))], "")
            }
            ("PUT", ("blobs", _)) => {
                let name = asked.path.split_once("digest=").unwrap().1.replace("%3A", ":");
                assert_eq!(digest(&asked.body), name);
                self.blobs.insert(name, asked.body.clone());
                answer(201, &[], "")
            }
            ("GET" | "HEAD", ("manifests", name)) => match self.manifests.get(name) {
                Some((kind, bytes)) => {
                    let own = digest(bytes);
                    let headers =
                        [("content-type", kind.as_str()), ("docker-content-digest", &own)];
                    answer(200, &headers, bytes.clone())
                }
                None => answer(404, &[], ""),
            },
            ("PUT", ("manifests", name)) => self.keep(name, asked),
            ("GET", ("referrers", subject)) if self.lists => self.referrers(subject),
            _ => answer(404, &[], ""),
        }
    }

    fn keep(&mut self, name: &str, asked: &Asked) -> Answer {
        let content = (asked.headers["content-type"].clone(), asked.body.clone());
        self.manifests.insert(digest(&asked.body), content.clone());
        self.manifests.insert(name.to_owned(), content);
        let parsed: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        match parsed["subject"]["digest"].as_str() {
            Some(subject) if self.lists => answer(201, &[("oci-subject", subject)], ""),
            _ => answer(201, &[], ""),
        }
    }

    fn referrers(&self, subject: &str) -> Answer {
        let found = self.manifests.iter().filter(|(name, _)| name.starts_with("sha256:"));
        let entries = found.filter_map(|(name, (kind, bytes))| {
            let parsed: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            (parsed["subject"]["digest"] == subject).then(|| {
                serde_json::json!({ "mediaType": kind, "digest": name, "size": bytes.len(),
                    "artifactType": parsed["artifactType"] })
            })
        });
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": kind,
            "manifests": entries.collect::<Vec<_>>() });
        answer(200, &[("content-type", kind)], index.to_string())
    }
}
