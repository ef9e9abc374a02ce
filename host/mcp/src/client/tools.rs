//! Listing and calling the tools of a server.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use super::ask::{Asking, Nobody, answered, question};
use super::talk::Company;
use super::{Client, ClientError, Revision};
use crate::contract::{Contract, Unusable};
use crate::{Answer, Answers, Asks, Listener, Outcome, Part, Quiet};

/// What a server lists.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "both lists are to be looked at")]
pub struct Listed {
    /// The tools.
    pub tools: Vec<Contract>,
    /// What is no tool, or shares its name with another.
    pub unusable: Vec<Unusable>,
}

/// One call.
#[expect(clippy::exhaustive_structs, reason = "callers build it")]
pub struct Called<'a> {
    /// The tool, by the server's own name.
    pub tool: &'a str,
    /// The input.
    pub input: Value,
    /// What was answered to its questions, when it was called before.
    pub answers: Option<Answers>,
    /// When nobody waits any more.
    pub deadline: Instant,
    /// Hears what the tool says while it runs.
    pub listener: &'a dyn Listener,
    /// Answers its questions where they come in the middle of a call.
    pub asking: &'a dyn Asking,
    /// Who it is, as a person should read it.
    pub asker: &'a str,
}

impl<I: AsyncRead + Unpin, O: AsyncWrite + Unpin> Client<I, O> {
    /// Lists all tools.
    ///
    /// # Errors
    /// Any [`ClientError`].
    pub async fn list(&mut self) -> Result<Listed, ClientError> {
        let after = self.bounds.list;
        let listed = tokio::time::timeout(after, self.pages()).await;
        listed.unwrap_or_else(|_| {
            self.over = true;
            Err(ClientError::Slow { what: "list its tools", after })
        })
    }

    async fn pages(&mut self) -> Result<Listed, ClientError> {
        let (mut listed, mut cursors) = (Listed::default(), HashSet::new());
        let mut cursor: Option<String> = None;
        loop {
            let mut params = json!({});
            if let Some(cursor) = &cursor {
                params["cursor"] = Value::from(cursor.as_str());
            }
            let params = self.with_meta(params, false);
            let company = Company { listener: &Quiet, asking: &Nobody };
            let page = self.request("list its tools", "tools/list", params, &company).await?;
            let Some(tools) = page.get("tools").and_then(Value::as_array) else {
                return Err(ClientError::NoAnswer { why: "`tools/list` has no `tools`" });
            };
            for tool in tools {
                match Contract::read(tool) {
                    Ok(contract) => listed.tools.push(contract),
                    Err(unusable) => listed.unusable.push(unusable),
                }
                if listed.tools.len() + listed.unusable.len() > self.bounds.tools {
                    return Err(ClientError::Flood { most: self.bounds.tools, what: "tools" });
                }
            }
            cursor = page.get("nextCursor").and_then(Value::as_str).map(str::to_owned);
            match &cursor {
                None => break,
                // It would never end.
                Some(next) if tools.is_empty() || !cursors.insert(next.clone()) => {
                    return Err(ClientError::NoAnswer { why: "the pages of its tools do not end" });
                }
                Some(_) => {}
            }
        }
        listed.without_doubles();
        Ok(listed)
    }

    /// Calls a tool.
    ///
    /// # Errors
    /// Any [`ClientError`].
    ///
    /// # Cancellation
    /// Whoever drops the future calls [`Client::withdraw`] before the next request.
    pub async fn call(&mut self, called: Called<'_>) -> Result<Outcome, ClientError> {
        let after = called.deadline.saturating_duration_since(Instant::now());
        if let Ok(done) = tokio::time::timeout(after, self.ask_for(called)).await {
            return done;
        }
        self.withdraw().await;
        Err(ClientError::Slow { what: "finish the call", after })
    }

    async fn ask_for(&mut self, called: Called<'_>) -> Result<Outcome, ClientError> {
        let mut params = json!({ "name": called.tool, "arguments": called.input });
        if let Some(answers) = &called.answers {
            let given = answers.given.iter().map(|(key, given)| (key.clone(), answered(given)));
            params["inputResponses"] = Value::Object(given.collect());
            if let Some(state) = &answers.state {
                params["requestState"] = Value::from(state.as_str());
            }
        }
        params["_meta"]["progressToken"] = Value::from(self.next + 1);
        let params = self.with_meta(params, true);
        let company = Company { listener: called.listener, asking: called.asking };
        let result = self.request("answer the call", "tools/call", params, &company).await?;
        if self.revision == Revision::Modern
            && result.get("resultType").and_then(Value::as_str) == Some("input_required")
        {
            return questions(&result, called.asker).map(Outcome::Asks);
        }
        answer(result, self.bounds.answer).map(Outcome::Done)
    }
}

impl Listed {
    /// Takes out what shares its name: nobody could say which of them is meant.
    fn without_doubles(&mut self) {
        let (mut seen, mut double) = (HashSet::new(), HashSet::new());
        for tool in &self.tools {
            if !seen.insert(tool.name().to_owned()) {
                double.insert(tool.name().to_owned());
            }
        }
        self.tools.retain(|tool| !double.contains(tool.name()));
        let mut double: Vec<_> = double.into_iter().collect();
        double.sort();
        let why = "several tools of this server have this name";
        self.unusable.extend(double.into_iter().map(|name| Unusable { name, why }));
    }
}

fn questions(result: &Value, asker: &str) -> Result<Asks, ClientError> {
    let requests = result.get("inputRequests").and_then(Value::as_object);
    let state = result.get("requestState").and_then(Value::as_str).map(str::to_owned);
    let mut questions = Vec::new();
    for (key, request) in requests.into_iter().flatten() {
        let Some(question) = question(request) else {
            return Err(ClientError::NoAnswer { why: "it asks for what is not offered here" });
        };
        questions.push((key.clone(), question, false));
    }
    Ok(Asks { asker: asker.to_owned(), questions, state })
}

fn answer(mut result: Value, most: usize) -> Result<Answer, ClientError> {
    let Some(object) = result.as_object_mut() else {
        return Err(ClientError::NoAnswer { why: "the result is no object" });
    };
    let mut answer = Answer {
        failed: object.get("isError").and_then(Value::as_bool).unwrap_or(false),
        structured: object.remove("structuredContent"),
        ..Answer::default()
    };
    let content = match object.remove("content") {
        Some(Value::Array(content)) => content,
        None if answer.structured.is_some() => Vec::new(),
        _ => return Err(ClientError::NoAnswer { why: "the result has no `content`" }),
    };
    let mut size = answer.structured.as_ref().map_or(0, |value| value.to_string().len());
    for one in content {
        let part = part(&one).ok_or(ClientError::NoAnswer { why: "a part of it is of no kind" })?;
        size = size.saturating_add(size_of(&part));
        answer.parts.push(part);
    }
    if size > most { Err(ClientError::TooLarge { most }) } else { Ok(answer) }
}

fn part(value: &Value) -> Option<Part> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    match value.get("type")?.as_str()? {
        "text" => text(value, "text").map(Part::Text),
        "image" => {
            Some(Part::Image { data: text(value, "data")?, mime_type: text(value, "mimeType")? })
        }
        "audio" => {
            Some(Part::Audio { data: text(value, "data")?, mime_type: text(value, "mimeType")? })
        }
        "resource" => {
            let resource = value.get("resource")?;
            let (uri, mime_type) = (text(resource, "uri")?, text(resource, "mimeType"));
            match text(resource, "text") {
                Some(text) => Some(Part::TextDocument { uri, mime_type, text }),
                None => Some(Part::BytesDocument { uri, mime_type, data: text(resource, "blob")? }),
            }
        }
        // Where it leads is not followed here.
        "resource_link" => Some(Part::Link {
            uri: text(value, "uri")?,
            name: text(value, "name").unwrap_or_default(),
            description: text(value, "description"),
            mime_type: text(value, "mimeType"),
        }),
        _ => None,
    }
}

fn size_of(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Image { data, mime_type } | Part::Audio { data, mime_type } => {
            data.len() + mime_type.len()
        }
        Part::TextDocument { uri, text, .. } => uri.len() + text.len(),
        Part::BytesDocument { uri, data, .. } => uri.len() + data.len(),
        Part::Link { uri, name, description, .. } => {
            uri.len() + name.len() + description.as_ref().map_or(0, String::len)
        }
    }
}
