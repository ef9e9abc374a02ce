//! What a plugin says in the types of `ringfence:mcp`, as the registry takes it. A plugin that only
//! pretends to use those types is refused by the shape of what it says.

use ringfence_mcp::{
    Answer, Answers, Asks, CallError, Given, Outcome, Part, PromptAnswer, PromptOutcome, Question,
    Speaker,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The most characters of an address.
pub(super) const MAX_URI: usize = 1_000;
/// Names of plugins that are no scheme of resources: they are the host's, or clients and systems open
/// them with another program. No list of those is whole, so that none is a fence: a client has to read
/// a resource through the server, and may open pages alone.
const TAKEN: [&str; 48] = [
    "about",
    "android-app",
    "blob",
    "chrome",
    "content",
    "cursor",
    "data",
    "discord",
    "file",
    "ftp",
    "ftps",
    "git",
    "gopher",
    "http",
    "https",
    "intent",
    "irc",
    "itms",
    "javascript",
    "jdbc",
    "ldap",
    "ldaps",
    "mailto",
    "market",
    "nfs",
    "obsidian",
    "rdp",
    "resource",
    "ringfence",
    "rsync",
    "sftp",
    "sip",
    "slack",
    "smb",
    "sms",
    "ssh",
    "steam",
    "svn",
    "tel",
    "telnet",
    "urn",
    "vbscript",
    "vnc",
    "vscode",
    "wasm",
    "ws",
    "wss",
    "zoommtg",
];
/// How names begin that are no scheme of resources either.
const TAKEN_FAMILIES: [&str; 6] = ["chrome-", "git-", "ms-", "view-", "vscode-", "x-apple-"];

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Said {
    Content(Vec<Content>),
    Filled(Filled),
    Asks(Questions),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Content {
    Text(String),
    Image(Media),
    Audio(Media),
    Document(Document),
    Link(Link),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Media {
    data: String,
    mime_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    uri: String,
    mime_type: Option<String>,
    body: Body,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Body {
    Text(String),
    Bytes(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Link {
    uri: String,
    name: String,
    description: Option<String>,
    mime_type: Option<String>,
}

#[derive(Deserialize)]
struct Questions {
    questions: Vec<Ask>,
    state: Option<String>,
}

#[derive(Deserialize)]
struct Ask {
    key: String,
    question: AskedOf,
    optional: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum AskedOf {
    Person(Form),
    Model(Request),
    Roots,
}

#[derive(Deserialize)]
struct Form {
    message: String,
    schema: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Request {
    prompt: String,
    max_tokens: u32,
}

#[derive(Deserialize)]
struct Filled {
    description: Option<String>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    speaker: Says,
    content: Content,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Says {
    User,
    Assistant,
}

/// Returns what a tool of `plugin` gave back as a `reply`.
pub(super) fn reply(plugin: &str, value: Value) -> Result<Outcome, CallError> {
    match read(value)? {
        Said::Content(content) => {
            let parts = content.into_iter().map(|one| part(plugin, one));
            let parts = parts.collect::<Result<_, _>>()?;
            Ok(Outcome::Done(Answer { parts, ..Answer::default() }))
        }
        Said::Asks(questions) => asks(plugin, questions).map(Outcome::Asks),
        Said::Filled(_) => Err(wrong("it is a prompt, and no reply")),
    }
}

/// Returns what a prompt of `plugin` gave back.
pub(super) fn prompt(plugin: &str, value: Value) -> Result<PromptOutcome, CallError> {
    match read(value)? {
        Said::Filled(filled) => {
            let messages = filled.messages.into_iter().map(|message| {
                let speaker = match message.speaker {
                    Says::User => Speaker::User,
                    Says::Assistant => Speaker::Assistant,
                };
                part(plugin, message.content).map(|content| (speaker, content))
            });
            let messages = messages.collect::<Result<_, _>>()?;
            let description = filled.description;
            Ok(PromptOutcome::Done(PromptAnswer { description, messages }))
        }
        Said::Asks(questions) => asks(plugin, questions).map(PromptOutcome::Asks),
        Said::Content(_) => Err(wrong("it is a reply, and no prompt")),
    }
}

/// Returns what a resource of `plugin` holds.
pub(super) fn contents(plugin: &str, value: Value) -> Result<Vec<Part>, CallError> {
    let documents: Vec<Document> = serde_json::from_value(value).map_err(|_| unknown())?;
    let each = documents.into_iter().map(|one| {
        own(plugin, &one.uri)?;
        Ok(document(one))
    });
    each.collect()
}

/// Returns answers as a function takes them.
pub(super) fn answers(answers: &Answers) -> Value {
    let given = answers.given.iter().map(|(key, given)| {
        let given = match given {
            Given::Filled(value) => json!({ "filled": value.to_string() }),
            Given::Declined => json!("declined"),
            Given::Cancelled => json!("cancelled"),
            Given::Said(said) => json!({ "said": said }),
            Given::Roots(roots) => json!({ "roots": roots }),
        };
        json!([key, given])
    });
    json!({ "given": given.collect::<Vec<_>>(), "state": answers.state })
}

/// Checks that `uri` is the address of a resource of `plugin`: its scheme is the plugin's name, so that
/// no plugin speaks for another.
pub(super) fn own(plugin: &str, uri: &str) -> Result<(), CallError> {
    let named = uri.split_once("://").is_some_and(|(scheme, rest)| {
        scheme == plugin
            && !rest.is_empty()
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
    });
    if taken(plugin) {
        let why = format!(
            "`{plugin}://` is opened by other programs: a plugin of another name can have resources"
        );
        return Err(wrong(&why));
    }
    if named && plain(uri) {
        return Ok(());
    }
    let why = format!("a resource of the plugin is called `{plugin}://…`, and this one is not");
    Err(wrong(&why))
}

fn taken(plugin: &str) -> bool {
    TAKEN.contains(&plugin) || TAKEN_FAMILIES.iter().any(|family| plugin.starts_with(family))
}

fn plain(uri: &str) -> bool {
    uri.len() <= MAX_URI && uri.chars().all(|c| c.is_ascii_graphic())
}

fn part(plugin: &str, content: Content) -> Result<Part, CallError> {
    Ok(match content {
        Content::Text(text) => Part::Text(text),
        Content::Image(Media { data, mime_type }) => Part::Image { data, mime_type },
        Content::Audio(Media { data, mime_type }) => Part::Audio { data, mime_type },
        Content::Document(one) => {
            mentioned(plugin, &one.uri)?;
            document(one)
        }
        Content::Link(Link { uri, name, description, mime_type }) => {
            mentioned(plugin, &uri)?;
            Part::Link { uri, name, description, mime_type }
        }
    })
}

fn document(one: Document) -> Part {
    let (uri, mime_type) = (one.uri, one.mime_type);
    match one.body {
        Body::Text(text) => Part::TextDocument { uri, mime_type, text },
        Body::Bytes(data) => Part::BytesDocument { uri, mime_type, data },
    }
}

/// Checks an address in an answer: of the plugin, or a page. Clients open what they are given: a file of
/// the person's machine is none of the plugin's business.
fn mentioned(plugin: &str, uri: &str) -> Result<(), CallError> {
    let page = uri.starts_with("https://") || uri.starts_with("http://");
    if page && plain(uri) { Ok(()) } else { own(plugin, uri) }
}

fn asks(plugin: &str, questions: Questions) -> Result<Asks, CallError> {
    let each = questions.questions.into_iter().map(|one| {
        let question = match one.question {
            AskedOf::Person(Form { message, schema }) => {
                let schema = serde_json::from_str(&schema).map_err(|error| {
                    CallError::BadQuestion { why: format!("its schema is no JSON: {error}") }
                })?;
                Question::Person { message, schema }
            }
            AskedOf::Model(Request { prompt, max_tokens }) => {
                Question::Model { prompt, max_tokens }
            }
            AskedOf::Roots => Question::Roots,
        };
        Ok((one.key, question, one.optional))
    });
    let questions_read = each.collect::<Result<_, CallError>>()?;
    let asker = format!("plugin `{plugin}`");
    Ok(Asks { asker, questions: questions_read, state: questions.state })
}

fn read(value: Value) -> Result<Said, CallError> {
    serde_json::from_value(value).map_err(|_| unknown())
}

/// The error for what has another shape than the types say.
pub(super) fn unknown() -> CallError {
    wrong("it is not of the types of `ringfence:mcp@0.1.0`")
}

fn wrong(why: &str) -> CallError {
    CallError::Output { problems: vec![why.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_plugin_speaks_for_another_or_for_the_host() {
        for (plugin, uri) in [("notes", "notes://a"), ("n-1", "n-1://x/y?z"), ("n", "n://{id}")] {
            assert_eq!(own(plugin, uri), Ok(()), "{uri}");
        }
        let long = format!("notes://{}", "a".repeat(MAX_URI));
        for (plugin, uri) in [
            ("notes", "other://a"),
            ("notes", "notes:a"),
            ("notes", "notes://"),
            ("notes", "notes://a b"),
            ("notes", "notes://a\u{202e}"),
            ("notes", "NOTES://a"),
            ("notes", &long),
            ("ringfence", "ringfence://plugin/other"),
            ("file", "file:///etc/passwd"),
            ("7zip", "7zip://a"),
            ("vscode", "vscode://settings/x"),
            ("ms-settings", "ms-settings://x"),
            ("view-source", "view-source://x"),
            ("smb", "smb://host/share"),
        ] {
            assert!(own(plugin, uri).is_err(), "{uri}");
        }
        assert_eq!(mentioned("notes", "https://example.com/"), Ok(()));
        for uri in ["file:///etc/passwd", "ringfence://plugin/x", "javascript://x", "other://a"] {
            assert!(mentioned("notes", uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn what_is_not_of_the_types_is_refused() {
        let link = json!({ "link": { "uri": "n://a", "name": "a", "description": null, "mime-type": null } });
        let fine = json!({ "content": [{ "text": "a" }, link] });
        assert!(reply("n", fine).is_ok());
        for value in [
            json!("content"),
            json!({ "content": "a" }),
            json!({ "content": [{ "text": 1 }] }),
            json!({ "content": [{ "tool": "a" }] }),
            json!({ "content": [link.clone()], "asks": [] }),
            json!({ "filled": { "messages": [] } }),
            json!(null),
        ] {
            assert!(matches!(reply("n", value.clone()), Err(CallError::Output { .. })), "{value}");
        }
        let schema = json!({ "message": "m", "schema": "{" });
        let ask = json!({ "key": "k", "question": { "person": schema }, "optional": false });
        let asks = json!({ "asks": { "questions": [ask], "state": null } });
        assert!(matches!(reply("n", asks), Err(CallError::BadQuestion { .. })));
    }

    #[test]
    fn answers_have_the_form_their_types_say() {
        let given = vec![
            ("a".to_owned(), Given::Filled(json!({ "n": 1 }))),
            ("b".to_owned(), Given::Declined),
            ("c".to_owned(), Given::Roots(vec!["file:///w".to_owned()])),
        ];
        let read = answers(&Answers { given, state: Some("s".to_owned()) });
        let expected = json!({
            "given": [["a", { "filled": "{\"n\":1}" }], ["b", "declined"], ["c", { "roots": ["file:///w"] }]],
            "state": "s",
        });
        assert_eq!(read, expected);
    }
}
