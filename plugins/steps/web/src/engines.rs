//! Three search services: how each is asked, and how its answers are read.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{Engine, Hit, MAX_TEXT_CHARS};

/// The search of a wiki that runs `MediaWiki`.
#[derive(Debug)]
pub struct Wikipedia;

/// A `SearXNG` instance that gives JSON (`search.formats` of its settings).
#[derive(Debug)]
pub struct SearXng;

/// The web search of Brave. The token is added by the host, the plugin never has it.
#[derive(Debug)]
pub struct Brave;

impl Engine for Wikipedia {
    const VARIABLE: &'static str = "WIKIPEDIA_URL";
    const ADDRESS: Option<&'static str> = Some("https://en.wikipedia.org/");

    fn ask(base: &Url, query: &str, limit: u32, number: u32) -> Option<(Url, u32)> {
        let count = limit.clamp(1, 50);
        let mut url = base.join("/w/api.php").ok()?;
        url.query_pairs_mut()
            .extend_pairs([("action", "query"), ("list", "search"), ("format", "json")])
            .extend_pairs([("formatversion", "2"), ("srsearch", query)])
            .append_pair("srlimit", &count.to_string())
            .append_pair("sroffset", &(count * number).to_string());
        Some((url, count))
    }

    fn read(base: &Url, answer: &Value) -> Option<Vec<Hit>> {
        #[derive(Deserialize)]
        struct Found {
            title: String,
            snippet: Option<String>,
            timestamp: Option<String>,
        }
        let found = Vec::<Found>::deserialize(answer.get("query")?.get("search")?).ok()?;
        let hit = |found: Found| {
            let mut url = base.join("/wiki/").ok()?;
            url.path_segments_mut().ok()?.pop_if_empty().push(&found.title.replace(' ', "_"));
            Some(Hit {
                url: url.into(),
                title: text(&found.title),
                snippet: found.snippet.as_deref().and_then(text),
                published: found.timestamp.as_deref().and_then(text),
            })
        };
        Some(found.into_iter().filter_map(hit).collect())
    }
}

impl Engine for SearXng {
    const VARIABLE: &'static str = "SEARXNG_URL";
    const ADDRESS: Option<&'static str> = None;

    fn ask(base: &Url, query: &str, _: u32, number: u32) -> Option<(Url, u32)> {
        let mut url = base.clone();
        url.path_segments_mut().ok()?.pop_if_empty().push("search");
        url.query_pairs_mut()
            .extend_pairs([("q", query), ("format", "json")])
            .append_pair("pageno", &(number + 1).to_string());
        // It does not say how many a page has: the next one is asked for while there are any.
        Some((url, 1))
    }

    fn read(_: &Url, answer: &Value) -> Option<Vec<Hit>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Found {
            url: String,
            title: Option<String>,
            content: Option<String>,
            published_date: Option<String>,
        }
        let found = Vec::<Found>::deserialize(answer.get("results")?).ok()?;
        let hit = |found: Found| Hit {
            url: found.url,
            title: found.title.as_deref().and_then(text),
            snippet: found.content.as_deref().and_then(text),
            published: found.published_date.as_deref().and_then(text),
        };
        Some(found.into_iter().map(hit).collect())
    }
}

impl Engine for Brave {
    const VARIABLE: &'static str = "BRAVE_URL";
    const ADDRESS: Option<&'static str> = Some("https://api.search.brave.com/");

    fn ask(base: &Url, query: &str, limit: u32, number: u32) -> Option<(Url, u32)> {
        let count = limit.clamp(1, 20);
        let mut url = base.join("/res/v1/web/search").ok()?;
        url.query_pairs_mut()
            .append_pair("q", query)
            .append_pair("count", &count.to_string())
            .append_pair("offset", &number.to_string());
        Some((url, count))
    }

    fn read(_: &Url, answer: &Value) -> Option<Vec<Hit>> {
        #[derive(Deserialize)]
        struct Found {
            url: String,
            title: Option<String>,
            description: Option<String>,
            page_age: Option<String>,
        }
        // Without results there is no `web`, but always the query.
        let Some(web) = answer.get("web") else {
            return answer.get("query").map(|_| Vec::new());
        };
        let found = Vec::<Found>::deserialize(web.get("results")?).ok()?;
        let hit = |found: Found| Hit {
            url: found.url,
            title: found.title.as_deref().and_then(text),
            snippet: found.description.as_deref().and_then(text),
            published: found.page_age.as_deref().and_then(text),
        };
        Some(found.into_iter().map(hit).collect())
    }
}

/// Returns a text of a service without its marks, shortened; nothing when there is none.
pub(crate) fn text(marked: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = marked;
    while let Some((before, after)) = rest.split_once('<') {
        plain.push_str(before);
        rest = after.split_once('>').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#039;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(entity, character);
    }
    let words: Vec<_> = plain.split_whitespace().collect();
    let short: String = words.join(" ").chars().take(MAX_TEXT_CHARS).collect();
    (!short.is_empty()).then_some(short)
}
