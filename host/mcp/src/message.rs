//! The messages of the protocol: JSON-RPC 2.0, one object each, never a list of them.

use serde_json::{Map, Value, json};

/// The number or the text that ties an answer to its request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows these two")]
pub enum Id {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows these three")]
pub enum Message {
    /// Something that is answered.
    Request {
        /// Its id.
        id: Id,
        /// What is asked for.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// Something that is not.
    Notification {
        /// What it is about.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// The answer to a request.
    Answer {
        /// The id of the request.
        id: Id,
        /// The result, or the error.
        result: Result<Value, RpcError>,
    },
}

/// An error of the protocol.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message} ({code})")]
#[expect(clippy::exhaustive_structs, reason = "what the protocol says an error is")]
pub struct RpcError {
    /// What kind it is.
    pub code: i64,
    /// One sentence.
    pub message: String,
    /// More, for programs.
    pub data: Option<Value>,
}

/// The codes of errors.
pub mod code {
    /// It is no JSON.
    pub const PARSE: i64 = -32700;
    /// It is no message, or not one that can be taken now.
    pub const INVALID_REQUEST: i64 = -32600;
    /// Nothing is called so.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// What came with it cannot be used.
    pub const INVALID_PARAMS: i64 = -32602;
    /// Something failed here.
    pub const INTERNAL: i64 = -32603;
    /// There is no room for it now.
    pub const BUSY: i64 = -32000;
    /// There is no such resource, in revisions before 2026-07-28.
    pub const NO_RESOURCE: i64 = -32002;
    /// A header says something else than the message.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// The client does not say that it can do what is needed.
    pub const MISSING_CAPABILITY: i64 = -32021;
    /// That revision is not spoken here.
    pub const UNSUPPORTED_VERSION: i64 = -32022;
}

impl RpcError {
    /// Returns the error with this code and sentence.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Returns the error with more for programs.
    #[must_use]
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Returns the error as it is sent.
    pub fn to_json(&self) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        error
    }
}

impl Id {
    /// Reads an id; nothing when it is none.
    pub fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i64().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    /// Returns the id as it is sent.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Number(number) => Value::from(*number),
            Self::Text(text) => Value::from(text.as_str()),
        }
    }
}

/// Why bytes are no message, and the id of the request they were meant to be, where it shows.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "it is taken apart where it is answered")]
pub struct NoMessage {
    /// The id, where there is one.
    pub id: Option<Id>,
    /// Why not.
    pub error: RpcError,
    /// Whether it may be answered: a broken answer is not, or two sides would never stop.
    pub answer: bool,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// [`NoMessage`] when it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, NoMessage> {
        let refuse = |id, code, why: String, answer| {
            Err(NoMessage { id, error: RpcError::new(code, why), answer })
        };
        let mut object = match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(object)) => object,
            Ok(Value::Array(_)) => {
                let why = "messages are sent one by one, not as a list".to_owned();
                return refuse(None, code::INVALID_REQUEST, why, true);
            }
            Ok(_) => {
                let why = "a message is an object".to_owned();
                return refuse(None, code::INVALID_REQUEST, why, true);
            }
            Err(error) => return refuse(None, code::PARSE, format!("no JSON: {error}"), true),
        };
        let id = object.get("id").and_then(Id::read);
        let is_request = object.contains_key("method");
        if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            let why = "`jsonrpc` is not \"2.0\"".to_owned();
            return refuse(id, code::INVALID_REQUEST, why, is_request);
        }
        if !is_request {
            return Self::answer(object, id);
        }
        let params = match object.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => {
                let why = "`params` is not an object".to_owned();
                return refuse(id, code::INVALID_REQUEST, why, true);
            }
        };
        let Some(Value::String(method)) = object.remove("method") else {
            return refuse(id, code::INVALID_REQUEST, "`method` is no text".to_owned(), true);
        };
        match (object.contains_key("id"), id) {
            (false, _) => Ok(Self::Notification { method, params }),
            (true, Some(id)) => Ok(Self::Request { id, method, params }),
            (true, None) => {
                let why = "`id` is neither an integer nor a text".to_owned();
                refuse(None, code::INVALID_REQUEST, why, true)
            }
        }
    }

    fn answer(mut object: Map<String, Value>, id: Option<Id>) -> Result<Self, NoMessage> {
        let error = object.remove("error");
        let result = match (object.remove("result"), &error) {
            (Some(result), None) => Ok(result),
            (None, Some(Value::Object(error))) => Err(RpcError {
                code: error.get("code").and_then(Value::as_i64).unwrap_or(code::INTERNAL),
                message: error
                    .get("message")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                data: error.get("data").cloned(),
            }),
            _ => {
                let error =
                    RpcError::new(code::INVALID_REQUEST, "it is no message of the protocol");
                return Err(NoMessage { id: None, error, answer: false });
            }
        };
        let error = RpcError::new(code::INVALID_REQUEST, "an answer without an id");
        let id = id.ok_or(NoMessage { id: None, error, answer: false })?;
        Ok(Self::Answer { id, result })
    }
}

/// Returns a request as it is sent.
pub fn request(id: &Id, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.to_json(), "method": method, "params": params })
}

/// Returns a notification as it is sent.
pub fn notification(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// Returns an answer as it is sent; without an id it is about something that had none.
pub fn answer(id: Option<&Id>, result: Result<Value, RpcError>) -> Value {
    let id = id.map_or(Value::Null, Id::to_json);
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error.to_json() }),
    }
}
