//! A server as the conformance suite of the Model Context Protocol expects it, in the types of
//! `ringfence:mcp`.

use std::time::Duration;

wit_bindgen::generate!({
    world: "ringfence:conformance/server",
    path: [
        "../../../wit/v0.1/plugin",
        "../../../wit/v0.1/mcp",
        "../../../wit/v0.1/host",
        "../wit-mcp",
    ],
    generate_all,
});

use exports::ringfence::conformance::{prompts, tools};
use exports::ringfence::mcp::{completion, resources};
use ringfence::host::{log, progress};
use ringfence::mcp::types::{
    Answers, Ask, Asks, Body, Content, Document, Filled, Form, Given, Link, Media, Message, Prompt,
    Question, Reply, Request, Speaker,
};
use ringfence::plugin::types::Error;

/// One red dot.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 8,
    0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];
/// A moment of silence.
const WAV: &[u8] = &[
    b'R', b'I', b'F', b'F', 38, 0, 0, 0, b'W', b'A', b'V', b'E', b'f', b'm', b't', b' ', 16, 0, 0,
    0, 1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0, b'd', b'a', b't', b'a', 2, 0,
    0, 0, 0, 0,
];
/// The only state that is taken back.
const STATE: &str = "put away";
const NAME: &str =
    r#"{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}"#;

struct Fixture;

export!(Fixture);

fn text(text: impl Into<String>) -> Content {
    Content::Text(text.into())
}

fn said(said: impl Into<String>) -> Reply {
    Reply::Content(vec![text(said)])
}

fn picture() -> Content {
    Content::Image(Media { data: PNG.to_vec(), mime_type: "image/png".to_owned() })
}

fn document(uri: &str, mime_type: &str, text: &str) -> Document {
    let (uri, mime_type) = (uri.to_owned(), Some(mime_type.to_owned()));
    Document { uri, mime_type, body: Body::Text(text.to_owned()) }
}

fn person(message: &str, schema: &str) -> Question {
    Question::Person(Form { message: message.to_owned(), schema: schema.to_owned() })
}

fn model(prompt: &str, max_tokens: u32) -> Question {
    Question::Model(Request { prompt: prompt.to_owned(), max_tokens })
}

fn ask(key: &str, question: Question) -> Ask {
    Ask { key: key.to_owned(), question, optional: false }
}

fn asks(questions: Vec<Ask>, state: Option<&str>) -> Asks {
    Asks { questions, state: state.map(str::to_owned) }
}

/// Returns the answer to one question.
fn answer(answers: Option<&Answers>, key: &str) -> Option<String> {
    let (_, given) = answers?.given.iter().find(|(name, _)| name == key)?;
    Some(match given {
        Given::Filled(values) => format!("accept, {values}"),
        Given::Declined => "decline".to_owned(),
        Given::Cancelled => "cancel".to_owned(),
        Given::Said(said) => said.clone(),
        Given::Roots(roots) => roots.join(" "),
    })
}

/// Asks one question until it is answered.
fn once(
    answers: Option<&Answers>,
    key: &str,
    question: Question,
    done: impl FnOnce(String) -> String,
) -> Reply {
    match answer(answers, key) {
        Some(given) => said(done(given)),
        None => Reply::Asks(asks(vec![ask(key, question)], None)),
    }
}

fn with_state(answers: Option<&Answers>) -> Reply {
    let schema = r#"{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]}"#;
    match answers.and_then(|answers| answers.state.as_deref()) {
        Some(STATE) => said("state-ok"),
        Some(_) => said("this is another state"),
        None => {
            Reply::Asks(asks(vec![ask("confirm", person("Please confirm", schema))], Some(STATE)))
        }
    }
}

fn say(message: &str) {
    log::write(log::Level::Info, message, &[]);
}

fn wait() {
    std::thread::sleep(Duration::from_millis(50));
}

impl tools::Guest for Fixture {
    fn simple_text() -> String {
        "This is a simple text response for testing.".to_owned()
    }
    fn image_content() -> Reply {
        Reply::Content(vec![picture()])
    }
    fn audio_content() -> Reply {
        let media = Media { data: WAV.to_vec(), mime_type: "audio/wav".to_owned() };
        Reply::Content(vec![Content::Audio(media)])
    }
    fn embedded_resource() -> Reply {
        let text = "This is an embedded resource content.";
        let document = document("test://embedded-resource", "text/plain", text);
        Reply::Content(vec![Content::Document(document)])
    }
    fn resource_link() -> Reply {
        Reply::Content(vec![Content::Link(Link {
            uri: "test://static-text".to_owned(),
            name: "static-text".to_owned(),
            description: None,
            mime_type: Some("text/plain".to_owned()),
        })])
    }
    fn multiple_content_types() -> Reply {
        let json = r#"{"test":"data","value":123}"#;
        let document = document("test://mixed-content-resource", "application/json", json);
        let first = text("Multiple content types test:");
        Reply::Content(vec![first, picture(), Content::Document(document)])
    }
    fn tool_with_logging() -> String {
        say("Tool execution started");
        wait();
        say("Tool processing data");
        wait();
        say("Tool execution completed");
        "it said three things".to_owned()
    }
    fn logging_tool() -> String {
        say("something");
        "it said something".to_owned()
    }
    fn tool_with_progress() -> String {
        for done in [0.0, 50.0, 100.0] {
            progress::report(done, Some(100.0), "");
            wait();
        }
        "it told three times how far it was".to_owned()
    }
    fn error_handling() -> Result<String, String> {
        Err("This tool intentionally returns an error for testing".to_owned())
    }
    fn sampling(prompt: String, answers: Option<Answers>) -> Reply {
        let question = model(&prompt, 100);
        once(answers.as_ref(), "answer", question, |given| format!("LLM response: {given}"))
    }
    fn missing_capability(answers: Option<Answers>) -> Reply {
        once(answers.as_ref(), "answer", model("Anything?", 10), |given| given)
    }
    fn elicitation(message: String, answers: Option<Answers>) -> Reply {
        let schema = r#"{"type":"object","properties":{
            "username":{"type":"string","description":"User's response"},
            "email":{"type":"string","description":"User's email address"}},
            "required":["username","email"]}"#;
        let question = person(&message, schema);
        once(answers.as_ref(), "user", question, |given| format!("User response: {given}"))
    }
    fn streaming_elicitation(answers: Option<Answers>) -> Reply {
        progress::report(1.0, Some(2.0), "asking");
        once(answers.as_ref(), "user_name", person("Your name?", NAME), |given| given)
    }
    fn elicitation_sep1034_defaults(answers: Option<Answers>) -> Reply {
        let schema = r#"{"type":"object","properties":{
            "name":{"type":"string","default":"John Doe"},
            "age":{"type":"integer","default":30},
            "score":{"type":"number","default":95.5},
            "status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},
            "verified":{"type":"boolean","default":true}}}"#;
        let question = person("Please review", schema);
        once(answers.as_ref(), "user", question, |given| format!("Elicitation completed: {given}"))
    }
    fn elicitation_sep1330_enums(answers: Option<Answers>) -> Reply {
        let schema = r#"{"type":"object","properties":{
            "untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
            "titledSingle":{"type":"string","oneOf":[
                {"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"},
                {"const":"value3","title":"Third Option"}]},
            "legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],
                "enumNames":["Option One","Option Two","Option Three"]},
            "untitledMulti":{"type":"array","items":{"type":"string",
                "enum":["option1","option2","option3"]}},
            "titledMulti":{"type":"array","items":{"anyOf":[
                {"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"},
                {"const":"value3","title":"Third Choice"}]}}}}"#;
        let question = person("Please choose", schema);
        once(answers.as_ref(), "user", question, |given| format!("Elicitation completed: {given}"))
    }
    fn input_required_result_elicitation(answers: Option<Answers>) -> Result<Reply, String> {
        let question = person("What is your name?", NAME);
        Ok(once(answers.as_ref(), "user_name", question, |given| format!("Hello, {given}!")))
    }
    fn input_required_result_sampling(answers: Option<Answers>) -> Reply {
        let question = model("What is the capital of France?", 100);
        once(answers.as_ref(), "capital_question", question, |given| given)
    }
    fn input_required_result_list_roots(answers: Option<Answers>) -> Reply {
        once(answers.as_ref(), "client_roots", Question::Roots, |given| format!("Roots: {given}"))
    }
    fn input_required_result_request_state(answers: Option<Answers>) -> Reply {
        with_state(answers.as_ref())
    }
    fn input_required_result_tampered_state(answers: Option<Answers>) -> Reply {
        with_state(answers.as_ref())
    }
    fn input_required_result_multiple_inputs(answers: Option<Answers>) -> Reply {
        let keys = ["user_name", "greeting", "client_roots"];
        let given: Option<Vec<_>> = keys.iter().map(|key| answer(answers.as_ref(), key)).collect();
        let questions = || {
            vec![
                ask("user_name", person("What is your name?", NAME)),
                ask("greeting", model("Generate a greeting", 50)),
                ask("client_roots", Question::Roots),
            ]
        };
        given.map_or_else(
            || Reply::Asks(asks(questions(), Some(STATE))),
            |given| said(given.join(", ")),
        )
    }
    fn input_required_result_multi_round(answers: Option<Answers>) -> Reply {
        let colour =
            r#"{"type":"object","properties":{"color":{"type":"string"}},"required":["color"]}"#;
        let state = answers.as_ref().and_then(|answers| answers.state.as_deref());
        match state {
            None => {
                let question = person("Step 1: What is your name?", NAME);
                Reply::Asks(asks(vec![ask("step1", question)], Some("round 1")))
            }
            Some("round 1") => {
                let question = person("Step 2: What is your favorite color?", colour);
                Reply::Asks(asks(vec![ask("step2", question)], Some("round 2")))
            }
            Some(_) => said(answer(answers.as_ref(), "step2").unwrap_or_default()),
        }
    }
    fn input_required_result_capabilities(answers: Option<Answers>) -> Reply {
        if answers.is_some() {
            return said("answered");
        }
        let optional = |key, question| Ask { optional: true, ..ask(key, question) };
        Reply::Asks(asks(
            vec![
                optional("user_name", person("What is your name?", NAME)),
                optional("greeting", model("Generate a greeting", 50)),
            ],
            None,
        ))
    }
}

fn user(content: Content) -> Message {
    Message { speaker: Speaker::User, content }
}

fn filled(messages: Vec<Message>) -> Prompt {
    Prompt::Filled(Filled { description: None, messages })
}

impl prompts::Guest for Fixture {
    fn simple_prompt() -> Prompt {
        filled(vec![user(text("This is a simple prompt for testing."))])
    }
    fn prompt_with_arguments(arg1: String, arg2: String) -> Prompt {
        let text = text(format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"));
        filled(vec![user(text)])
    }
    fn prompt_with_embedded_resource(resource_uri: String) -> Prompt {
        let held = "Embedded resource content for testing.";
        let document = document(&resource_uri, "text/plain", held);
        let after = text("Please process the embedded resource above.");
        filled(vec![user(Content::Document(document)), user(after)])
    }
    fn prompt_with_image() -> Prompt {
        filled(vec![user(picture()), user(text("Please analyze the image above."))])
    }
    fn input_required_result_prompt(answers: Option<Answers>) -> Prompt {
        let schema = r#"{"type":"object","properties":{"context":{"type":"string"}},"required":["context"]}"#;
        match answer(answers.as_ref(), "user_context") {
            Some(given) => filled(vec![user(text(format!("In this context: {given}")))]),
            None => {
                let question = person("What context should the prompt use?", schema);
                Prompt::Asks(asks(vec![ask("user_context", question)], None))
            }
        }
    }
}

impl resources::Guest for Fixture {
    fn listed() -> Vec<resources::ResourceInfo> {
        let one = |name: &str, mime_type: &str| resources::ResourceInfo {
            uri: format!("test://{name}"),
            name: name.to_owned(),
            description: Some("a resource for testing".to_owned()),
            mime_type: Some(mime_type.to_owned()),
        };
        vec![one("static-text", "text/plain"), one("static-binary", "image/png")]
    }
    fn templates() -> Vec<resources::Template> {
        vec![resources::Template {
            uri_template: "test://template/{id}/data".to_owned(),
            name: "template".to_owned(),
            description: Some("a resource for each id".to_owned()),
            mime_type: Some("application/json".to_owned()),
        }]
    }
    fn read(uri: String) -> Result<Vec<Document>, Error> {
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let document = match (uri.as_str(), id) {
            ("test://static-text", _) => {
                let text = "This is the content of the static text resource.";
                document(&uri, "text/plain", text)
            }
            ("test://static-binary", _) => Document {
                uri,
                mime_type: Some("image/png".to_owned()),
                body: Body::Bytes(PNG.to_vec()),
            },
            (_, Some(id)) => {
                let json =
                    format!(r#"{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}"#);
                document(&uri, "application/json", &json)
            }
            _ => return Err(Error::NotFound(uri)),
        };
        Ok(vec![document])
    }
}

impl completion::Guest for Fixture {
    fn complete(prompt: String, argument: String, begun: String) -> Vec<String> {
        if (prompt.as_str(), argument.as_str()) != ("prompt-with-arguments", "arg1") {
            return Vec::new();
        }
        let known = ["paris", "park", "party", "test"].into_iter().map(str::to_owned);
        known.filter(|one| one.starts_with(&begun)).collect()
    }
}
