//! Fetching over a transport that answers from a list: no network.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{self, Read};

use super::{FetchError, Reply, Request, Transport, fetch};
use crate::{Body, Form, Method, Options, Page};

/// Answers by address, and remembers what was asked.
struct Script<'s> {
    answers: &'s [Answer<'s>],
    asked: Vec<Request>,
}

/// Address, status, headers, body.
type Answer<'s> = (&'s str, u16, &'s [(&'s str, &'s str)], &'s [u8]);

impl Transport for Script<'_> {
    fn send(&mut self, request: &Request) -> Result<Reply, FetchError> {
        self.asked.push(request.clone());
        let found = self.answers.iter().find(|answer| answer.0 == request.url.as_str());
        let (_, status, headers, body) = found.ok_or_else(|| FetchError::Denied {
            reason: format!("a request to `{}` is not covered", request.url.authority()),
        })?;
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let body: Box<dyn Read> = Box::new(io::Cursor::new(body.to_vec()));
        Ok(Reply { status: *status, headers, body })
    }
}

fn options() -> Options {
    Options {
        method: None,
        headers: vec![],
        form: None,
        max_bytes: None,
        max_redirects: None,
        timeout_ms: None,
    }
}

fn run(answers: &[Answer<'_>], options: &Options) -> (Result<Page, String>, Vec<Request>) {
    let mut script = Script { answers, asked: vec![] };
    let page = fetch(&mut script, "https://a.example/", Some(options));
    (page.map_err(|error| error.to_string()), script.asked)
}

#[track_caller]
fn check_body(
    headers: &[(&str, &str)],
    bytes: &[u8],
    options: &Options,
    expected: Result<Body, &str>,
) {
    let (page, _) = run(&[("https://a.example/", 200, headers, bytes)], options);
    assert_eq!(page.map(|page| page.body), expected.map_err(str::to_owned));
}

fn text(text: &str) -> Body {
    Body::Text(text.to_owned())
}

#[test]
fn text_is_decoded_by_header_mark_page_and_default() {
    let html = |charset| [("content-type", charset)];
    check_body(&html("text/html; charset=iso-8859-1"), b"caf\xe9", &options(), Ok(text("café")));
    check_body(&html("text/html"), b"\xef\xbb\xbfZo\xc3\xab", &options(), Ok(text("Zoë")));
    check_body(
        &html("text/html"),
        b"<meta charset=koi8-r>\xc1",
        &options(),
        Ok(text("<meta charset=koi8-r>а")),
    );
    check_body(&html("text/plain"), b"caf\xe9", &options(), Ok(text("café")));
    check_body(&html("application/ld+json"), b"{}", &options(), Ok(text("{}")));
    check_body(&[], b"plain", &options(), Ok(text("plain")));
    check_body(&html("text/html"), b"", &options(), Ok(Body::None));
}

#[test]
fn what_is_no_text_is_refused_unless_bytes_are_asked_for() {
    let png = [("content-type", "image/PNG")];
    let bytes = Options { form: Some(Form::Bytes), ..options() };
    check_body(&png, b"\x89PNG", &options(), Err("`image/png` is not text; ask for bytes"));
    check_body(&png, b"\x89PNG", &bytes, Ok(Body::Bytes(b"\x89PNG".to_vec())));
    check_body(
        &[],
        b"a\0b",
        &options(),
        Err("`application/octet-stream` is not text; ask for bytes"),
    );
    let gzip = [("content-type", "text/html"), ("content-encoding", "gzip")];
    check_body(
        &gzip,
        b"\x1f\x8b",
        &options(),
        Err("the body is encoded as `gzip`, which was not asked for"),
    );
    let odd = [("content-type", "text/html; charset=klingon")];
    check_body(&odd, b"x", &options(), Err("unknown charset `klingon`; ask for bytes"));
}

#[test]
fn a_long_body_is_cut_between_characters() {
    let limit = Options { max_bytes: Some(4), ..options() };
    let (page, _) = run(&[("https://a.example/", 200, &[], "Zoëe!".as_bytes())], &limit);
    let page = page.unwrap();
    assert_eq!((page.body, page.size, page.truncated), (Body::Text("Zoë".to_owned()), 4, true));
    let (page, _) = run(&[("https://a.example/", 200, &[], "日本".as_bytes())], &limit);
    let page = page.unwrap();
    assert_eq!((page.body, page.truncated), (Body::Text("日".to_owned()), true));
    let (page, _) = run(&[("https://a.example/", 200, &[], b"four")], &limit);
    assert!(!page.unwrap().truncated);
}

#[test]
fn redirects_are_followed_and_credentials_stay_behind() {
    let answers: &[Answer<'_>] = &[
        ("https://a.example/", 301, &[("location", "/next")], b""),
        ("https://a.example/next", 302, &[("location", "https://b.example/page")], b""),
        (
            "https://b.example/page",
            200,
            &[("content-type", "text/html"), ("set-cookie", "x=1")],
            b"ok",
        ),
    ];
    let headers = vec![
        ("Authorization".to_owned(), "Bearer x".to_owned()),
        ("X-One".to_owned(), "1".to_owned()),
    ];
    let (page, asked) = run(answers, &Options { headers, ..options() });
    let page = page.unwrap();
    assert_eq!(page.url, "https://b.example/page");
    assert_eq!(page.redirects, ["https://a.example/", "https://a.example/next"]);
    assert_eq!(page.headers, [("content-type".to_owned(), "text/html".to_owned())]);
    assert_eq!(
        (page.content_type.as_deref(), page.charset.as_deref()),
        (Some("text/html"), Some("UTF-8"))
    );
    let names = |nth: usize| asked[nth].headers.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>();
    assert_eq!(names(1), ["authorization", "x-one", "accept", "user-agent"]);
    assert_eq!(names(2), ["x-one", "accept", "user-agent"]);
}

#[test]
fn redirects_that_go_wrong_are_refused() {
    let check = |location: &str, expected: &str| {
        let headers = [("location", location)];
        let (page, _) = run(&[("https://a.example/", 302, &headers, b"")], &options());
        assert_eq!(page.map(|p| p.url), Err(expected.to_owned()));
    };
    check("/", "more than 5 redirects, the last to `https://a.example/`");
    check("https://c.example/", "the host refused: a request to `c.example` is not covered");
    check(
        "http://a.example/",
        "redirect from `https://a.example/` to `http://a.example/` would give up encryption",
    );
    check("file:///etc/passwd", "address `file:///etc/passwd`: scheme `file` is not http or https");
    let none = Options { max_redirects: Some(0), ..options() };
    let (page, _) = run(&[("https://a.example/", 302, &[("location", "/x")], b"")], &none);
    assert_eq!(
        page.map(|p| p.url),
        Err("more than 0 redirects, the last to `https://a.example/x`".to_owned())
    );
}

#[test]
fn an_error_status_is_an_answer() {
    let (page, _) =
        run(&[("https://a.example/", 404, &[("retry-after", "9")], b"gone")], &options());
    let page = page.unwrap();
    assert_eq!((page.status, page.body), (404, Body::Text("gone".to_owned())));
    let (page, _) = run(&[("https://a.example/", 302, &[], b"no location")], &options());
    assert_eq!(page.unwrap().status, 302);
}

#[test]
fn head_reads_no_body() {
    let head = Options { method: Some(Method::Head), ..options() };
    let headers = [("content-type", "image/png"), ("content-length", "999")];
    let (page, asked) = run(&[("https://a.example/", 200, &headers, b"never read")], &head);
    assert_eq!(page.map(|p| (p.body, p.size)), Ok((Body::None, 0)));
    assert_eq!(asked[0].method, super::Method::Head);
}

#[test]
fn headers_that_could_confuse_anyone_are_refused() {
    let check = |name: &str, value: &str, expected: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let (page, asked) = run(&[], &Options { headers, ..options() });
        assert_eq!((page.map(|p| p.url), asked.len()), (Err(expected.to_owned()), 0));
    };
    check("Host", "b.example", "header `host` is set by the host");
    check("Transfer-Encoding", "chunked", "header `transfer-encoding` is set by the host");
    check("x\r\ny", "1", "header `xy` is not a header name");
    check("", "1", "header `` is not a header name");
    check("x", "1\r\nhost: b", "header `x` has a value that is not printable ASCII");
    check("x", &"1".repeat(9000), "header `x` has a value longer than 8192 bytes");
    let headers = vec![("x".to_owned(), String::new()); 33];
    let (page, _) = run(&[], &Options { headers, ..options() });
    assert_eq!(page.map(|p| p.url), Err("header `x` is one too many; 32 can be sent".to_owned()));
}

/// A body that breaks off.
struct Broken(Option<FetchError>);

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(self.0.take().map_or_else(|| io::Error::other("reset"), io::Error::other))
    }
}

#[test]
fn a_body_that_breaks_off_says_why() {
    struct Breaking(Option<FetchError>);
    impl Transport for Breaking {
        fn send(&mut self, _: &Request) -> Result<Reply, FetchError> {
            Ok(Reply { status: 200, headers: vec![], body: Box::new(Broken(self.0.take())) })
        }
    }
    let check = |inside: Option<FetchError>, expected: FetchError| {
        let page = fetch(&mut Breaking(inside), "https://a.example/", None);
        assert_eq!(page.map(|p| p.url), Err(expected));
    };
    check(Some(FetchError::TimedOut), FetchError::TimedOut);
    check(None, FetchError::Unavailable { reason: "the body broke off: reset".to_owned() });
}
