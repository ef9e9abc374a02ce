//! The wire formats of the services, as they document them, over a transport that answers from a list.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Cursor, Read};

use page_client::{FetchError, Reply, Request, Transport};
use ringfence_sdk::ToolError;

use super::{Brave, Engine, Hit, SearXng, Wikipedia, retrieve, search};

type Headers<'s> = &'s [(&'s str, &'s str)];

/// Answers one after the other, and remembers what was asked.
#[derive(Default)]
struct Script<'s> {
    answers: Vec<(u16, Headers<'s>, &'s str)>,
    asked: Vec<Request>,
}

impl Transport for Script<'_> {
    fn send(&mut self, request: &Request) -> Result<Reply, FetchError> {
        self.asked.push(request.clone());
        if self.answers.is_empty() {
            return Err(FetchError::Unavailable { reason: "nobody is there".to_owned() });
        }
        let (status, headers, body) = self.answers.remove(0);
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let body: Box<dyn Read> = Box::new(Cursor::new(body.as_bytes().to_vec()));
        Ok(Reply { status, headers, body })
    }
}

fn script<'s>(answers: &[(u16, Headers<'s>, &'s str)]) -> Script<'s> {
    Script { answers: answers.to_vec(), asked: Vec::new() }
}

fn hit(url: &str, title: &str, snippet: Option<&str>, published: Option<&str>) -> Hit {
    Hit {
        url: url.to_owned(),
        title: Some(title.to_owned()),
        snippet: snippet.map(str::to_owned),
        published: published.map(str::to_owned),
    }
}

#[track_caller]
fn check<E: Engine>(address: Option<&str>, answer: &str, asked: &str, found: &[Hit]) {
    let mut script = script(&[(200, &[("content-type", "application/json")], answer)]);
    assert_eq!(search::<E>(&mut script, address, "arch dams?", 2).unwrap(), found);
    assert_eq!(script.asked.first().unwrap().url.as_str(), asked);
}

#[test]
fn each_service_is_asked_and_read_in_its_own_form() {
    check::<Wikipedia>(
        None,
        r#"{"batchcomplete":true,"query":{"searchinfo":{"totalhits":2},"search":[
            {"ns":0,"title":"Arch dam","pageid":1,"snippet":"An <span class=\"searchmatch\">arch</span> dam &amp; more","timestamp":"2024-05-01T10:00:00Z"},
            {"ns":0,"title":"What/is?","pageid":2}]}}"#,
        "https://en.wikipedia.org/w/api.php?action=query&list=search&format=json&formatversion=2&srsearch=arch+dams%3F&srlimit=2&sroffset=0",
        &[
            hit(
                "https://en.wikipedia.org/wiki/Arch_dam",
                "Arch dam",
                Some("An arch dam & more"),
                Some("2024-05-01T10:00:00Z"),
            ),
            hit("https://en.wikipedia.org/wiki/What%2Fis%3F", "What/is?", None, None),
        ],
    );
    check::<SearXng>(
        Some("https://searx.example/below/"),
        r#"{"query":"arch dams?","results":[
            {"url":"https://a.example/x","title":"A","content":"text","publishedDate":"2023-01-02T00:00:00","engine":"e"},
            {"url":"javascript:alert(1)","title":"no address that is asked for"},
            {"url":"https://b.example/","title":"B","content":null},
            {"url":"https://c.example/","title":"one too many"}]}"#,
        "https://searx.example/below/search?q=arch+dams%3F&format=json&pageno=1",
        &[
            hit("https://a.example/x", "A", Some("text"), Some("2023-01-02T00:00:00")),
            hit("https://b.example/", "B", None, None),
        ],
    );
    check::<Brave>(
        None,
        r#"{"type":"search","query":{"original":"arch dams?"},"web":{"type":"search","results":[
            {"url":"https://a.example/","title":"A <strong>dam</strong>","description":"d","page_age":"2022-03-04T05:06:07"}]}}"#,
        "https://api.search.brave.com/res/v1/web/search?q=arch+dams%3F&count=2&offset=0",
        &[hit("https://a.example/", "A dam", Some("d"), Some("2022-03-04T05:06:07"))],
    );
    check::<Brave>(
        None,
        r#"{"type":"search","query":{"original":"arch dams?"}}"#,
        "https://api.search.brave.com/res/v1/web/search?q=arch+dams%3F&count=2&offset=0",
        &[],
    );
}

#[test]
fn further_answers_are_asked_for_while_there_are_any() {
    let one = r#"{"results":[{"url":"https://a.example/1"}]}"#;
    let other = r#"{"results":[{"url":"https://a.example/2"}]}"#;
    let searx = Some("http://searx.example");
    let mut all = script(&[(200, &[], one), (200, &[], other), (200, &[], r#"{"results":[]}"#)]);
    assert_eq!(search::<SearXng>(&mut all, searx, "x", 9).unwrap().len(), 2);
    assert_eq!(all.asked.len(), 3);
    let mut cut = script(&[(200, &[], one), (429, &[], "")]);
    assert_eq!(search::<SearXng>(&mut cut, searx, "x", 9).unwrap().len(), 1, "what there is stays");
    let mut endless = script(&vec![(200, [].as_slice(), one); 50]);
    assert_eq!(search::<SearXng>(&mut endless, searx, "x", 99).unwrap().len(), 5);
}

#[test]
fn what_goes_wrong_is_told_by_what_can_be_done_about_it() {
    let failed = |status, headers, body| {
        let mut script = script(&[(status, headers, body)]);
        let searx = Some("http://searx.example");
        let error = search::<SearXng>(&mut script, searx, "x", 1).unwrap_err();
        format!("{error:?}").trim_start_matches("Error::").to_owned()
    };
    for (status, headers, body, says) in [
        (
            429,
            [("retry-after", "30")].as_slice(),
            "",
            "Unavailable(\"`searx.example` was asked too often, and says to ask again after 30\")",
        ),
        (403, &[], "", "Denied(\"`searx.example` refused with status 403\")"),
        (503, &[], "", "Unavailable(\"`searx.example` failed with status 503\")"),
        (418, &[], "", "Failed(\"`searx.example` answered with status 418\")"),
        (
            200,
            &[],
            "<html>",
            "Failed(\"the service sent no whole JSON: expected value at line 1 column 1\")",
        ),
        (
            200,
            &[],
            "{\"results\":[{\"url\":\"https://a",
            "Failed(\"the service sent no whole JSON: EOF while parsing a string at line 1 column 29\")",
        ),
        (
            200,
            &[],
            "{\"results\":{}}",
            "Failed(\"the service answered in a form that is not its own\")",
        ),
        (
            200,
            &[("content-encoding", "gzip")],
            "x",
            "Failed(\"the body is encoded as `gzip`, which was not asked for\")",
        ),
        (
            302,
            &[("location", "file:///etc/passwd")],
            "",
            "InvalidInput(\"address `file:///etc/passwd`: scheme `file` is not http or https\")",
        ),
    ] {
        assert_eq!(failed(status, headers, body), says);
    }
    let mut nobody = Script::default();
    let error = search::<SearXng>(&mut nobody, None, "x", 1).unwrap_err();
    assert!(matches!(error, ToolError::InvalidInput(text) if text.contains("--env SEARXNG_URL=")));
    let large = "x".repeat((4 << 20) + 1);
    let mut script = script(&[(200, &[], &large)]);
    let error = search::<Brave>(&mut script, None, "x", 1).unwrap_err();
    assert!(matches!(error, ToolError::TooLarge(4_194_304)));
}

#[test]
fn a_page_is_asked_for_with_what_is_known_of_it() {
    let url = "https://a.example/x";
    let headers: Headers<'_> =
        &[("content-type", "text/html"), ("etag", "\"v1\""), ("last-modified", "Mon")];
    let mut first = script(&[(301, &[("location", "/y")], ""), (200, headers, "<p>x")]);
    let page = retrieve(&mut first, url, None).unwrap().unwrap();
    assert_eq!(
        (page.url.as_str(), page.body.as_slice()),
        ("https://a.example/y", b"<p>x".as_slice())
    );
    assert_eq!((page.etag.as_deref(), page.modified.as_deref()), (Some("\"v1\""), Some("Mon")));
    let known = Some((page.etag, page.modified));
    let mut again = script(&[(304, &[], "")]);
    assert_eq!(retrieve(&mut again, url, known).unwrap(), None);
    let sent = |name: &str| {
        let headers = &again.asked.first().unwrap().headers;
        headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    };
    assert_eq!(sent("if-none-match").as_deref(), Some("\"v1\""));
    assert_eq!(sent("if-modified-since").as_deref(), Some("Mon"));
    // Another host does not learn what is known of this one's page, and has no say in whether it changed.
    let known = || Some((Some("\"v1\"".to_owned()), Some("Mon".to_owned())));
    let away: Headers<'_> = &[("location", "https://b.example/")];
    let mut moved = script(&[(302, away, ""), (200, headers, "<p>y")]);
    assert!(retrieve(&mut moved, url, known()).unwrap().is_some());
    let told = |n: usize| moved.asked[n].headers.iter().any(|(name, _)| name.starts_with("if-"));
    assert!(told(0) && !told(1));
    assert!(retrieve(&mut script(&[(302, away, ""), (304, &[], "")]), url, known()).is_err());
    // A server that says so without having been asked sends no page.
    assert!(retrieve(&mut script(&[(304, &[], "")]), url, None).is_err());
    // What cannot be sent as a header is left out, and the page asked for anew.
    let odd = Some((Some("a\r\nx: y".to_owned()), None));
    let mut odd_one = script(&[(200, headers, "x")]);
    assert!(retrieve(&mut odd_one, url, odd).unwrap().is_some());
    assert!(odd_one.asked.first().unwrap().headers.iter().all(|(n, _)| n != "if-none-match"));
    assert!(matches!(
        retrieve(&mut script(&[(404, &[], "")]), url, None),
        Err(ToolError::NotFound(_))
    ));
    assert!(matches!(
        retrieve(&mut script(&[]), "file:///x", None),
        Err(ToolError::InvalidInput(_))
    ));
}
