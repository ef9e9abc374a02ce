//! Every request of the protocol by its name, and no other: there is none that grants, approves or
//! widens anything.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::listen::Wanted;
use super::talk::{Out, Talk, View, supported};
use super::{Shared, convert, listen, pages};
use crate::message::{Id, RpcError, code};

/// The requests whose answers a client of the newest revision may keep, and for how long, in
/// milliseconds: not at all, since tools come and go.
const CACHEABLE: [&str; 6] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
];
/// The most values of one completion; the protocol says so.
const MAX_COMPLETIONS: usize = 100;

impl Shared {
    /// Answers one request.
    pub(super) async fn answer(
        self: &Arc<Self>,
        talk: &Arc<Talk>,
        out: &Out,
        id: &Id,
        method: &str,
        params: Map<String, Value>,
    ) -> Result<Value, RpcError> {
        let view = talk.view(method, &params)?;
        let mut result = match (method, view.modern) {
            ("initialize", false) => self.initialize(talk, &params),
            ("ping", false) => json!({}),
            ("logging/setLevel", false) => set_level(talk, &params)?,
            ("resources/subscribe", false) => Self::follow(talk, &params, true)?,
            ("resources/unsubscribe", false) => Self::follow(talk, &params, false)?,
            ("server/discover", true) => self.discover(),
            ("subscriptions/listen", true) => self.listen(out, id, &params).await?,
            ("tools/list", _) => self.list(&params, "tools")?,
            ("prompts/list", _) => self.list(&params, "prompts")?,
            ("resources/list", _) => self.list(&params, "resources")?,
            ("resources/templates/list", _) => self.list(&params, "resourceTemplates")?,
            ("tools/call", _) => self.call(talk, out, &view, params).await?,
            ("prompts/get", _) => self.prompt(talk, out, &view, params).await?,
            ("resources/read", _) => self.read(&view, &params).await?,
            ("completion/complete", _) => self.complete(&view, &params).await?,
            _ => {
                let method = ringfence_capability::text::brief(method, 80);
                let text = format!("there is no method `{method}`");
                return Err(RpcError::new(code::METHOD_NOT_FOUND, text));
            }
        };
        if view.modern {
            self.stamp(method, &mut result);
        }
        Ok(result)
    }

    /// Adds what every result of the newest revision says.
    fn stamp(&self, method: &str, result: &mut Value) {
        if result.get("resultType").is_none() {
            result["resultType"] = Value::from("complete");
        }
        if CACHEABLE.contains(&method) && result["resultType"] == "complete" {
            result["ttlMs"] = Value::from(0);
            result["cacheScope"] = Value::from("private");
        }
        if !result.get("_meta").is_some_and(Value::is_object) {
            result["_meta"] = json!({});
        }
        result["_meta"]["io.modelcontextprotocol/serverInfo"] = self.info();
    }

    fn info(&self) -> Value {
        json!({ "name": self.options.name, "version": self.options.version })
    }

    fn capabilities(&self, legacy: bool) -> Value {
        let changes = self.registry.changes().is_some();
        let mut offered = json!({
            "tools": { "listChanged": changes },
            "prompts": { "listChanged": changes },
            "resources": { "listChanged": changes, "subscribe": changes },
            "completions": {},
        });
        if legacy {
            offered["logging"] = json!({});
            offered["resources"]["subscribe"] = Value::Bool(true);
        }
        offered
    }

    fn initialize(&self, talk: &Talk, params: &Map<String, Value>) -> Value {
        let version = talk.begin(params);
        let mut result = json!({
            "protocolVersion": version,
            "capabilities": self.capabilities(true),
            "serverInfo": self.info(),
        });
        convert::put(
            &mut result,
            "instructions",
            self.options.instructions.clone().map(Value::from),
        );
        result
    }

    fn discover(&self) -> Value {
        let mut result = json!({
            "supportedVersions": supported(),
            "capabilities": self.capabilities(false),
        });
        convert::put(
            &mut result,
            "instructions",
            self.options.instructions.clone().map(Value::from),
        );
        result
    }

    /// Answers a request for a list, page by page.
    fn list(&self, params: &Map<String, Value>, what: &str) -> Result<Value, RpcError> {
        let catalog = self.registry.catalog();
        let cursor = match params.get("cursor") {
            None => None,
            Some(Value::String(cursor)) => Some(cursor.as_str()),
            Some(_) => return Err(RpcError::new(code::INVALID_PARAMS, "`cursor` is no text")),
        };
        let (most, revision) = (self.options.page, catalog.revision());
        let (page, next) = match what {
            "tools" => of(catalog.tools(), convert::tool, cursor, most, revision),
            "prompts" => of(catalog.prompts(), convert::prompt, cursor, most, revision),
            "resources" => of(catalog.documents(), convert::document, cursor, most, revision),
            _ => of(catalog.templates(), convert::template, cursor, most, revision),
        }?;
        let mut result = json!({ what: page });
        convert::put(&mut result, "nextCursor", next.map(Value::from));
        Ok(result)
    }

    fn follow(talk: &Talk, params: &Map<String, Value>, follow: bool) -> Result<Value, RpcError> {
        let uri = params.get("uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`uri` is missing"))?;
        if talk.follow(uri, follow) {
            Ok(json!({}))
        } else {
            Err(RpcError::new(code::BUSY, "too many resources are followed"))
        }
    }

    async fn listen(
        &self,
        out: &Out,
        id: &Id,
        params: &Map<String, Value>,
    ) -> Result<Value, RpcError> {
        if self.registry.changes().is_none() {
            return Err(RpcError::new(code::METHOD_NOT_FOUND, "nothing here changes"));
        }
        let Some(wanted) = params.get("notifications").filter(|wanted| wanted.is_object()) else {
            return Err(RpcError::new(code::INVALID_PARAMS, "`notifications` is missing"));
        };
        let on = |key: &str| wanted.get(key) == Some(&Value::Bool(true));
        let followed = wanted.get("resourceSubscriptions").and_then(Value::as_array);
        let followed =
            followed.into_iter().flatten().filter_map(|uri| uri.as_str().map(str::to_owned));
        let followed: Vec<String> = followed.take(1_000).collect();
        let wanted = Wanted {
            tools: on("toolsListChanged"),
            prompts: on("promptsListChanged"),
            resources: on("resourcesListChanged"),
        };
        let id = id.to_json();
        self.subscription(out, &id, wanted, &followed).await;
        Ok(json!({ "_meta": { "io.modelcontextprotocol/subscriptionId": id } }))
    }

    async fn complete(&self, view: &View, params: &Map<String, Value>) -> Result<Value, RpcError> {
        let refuse = |why: &str| RpcError::new(code::INVALID_PARAMS, why);
        let argument = params.get("argument").ok_or_else(|| refuse("`argument` is missing"))?;
        let of_argument = |key: &str| argument.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = of_argument("name").ok_or_else(|| refuse("`argument` has no `name`"))?;
        let begun = of_argument("value").ok_or_else(|| refuse("`argument` has no `value`"))?;
        let about = params.get("ref").ok_or_else(|| refuse("`ref` is missing"))?;
        let values = match about.get("type").and_then(Value::as_str) {
            Some("ref/prompt") => {
                let prompt =
                    about.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
                let _place = self.places.acquire().await.map_err(|_| refuse("it ends"))?;
                let values = self.registry.complete(prompt, name, begun);
                let values = tokio::time::timeout(self.options.call_time, values).await;
                values
                    .unwrap_or(Ok(Vec::new()))
                    .map_err(|error| convert::refusal(&error, view.modern))?
            }
            Some("ref/resource") => Vec::new(),
            _ => return Err(refuse("`ref` is neither a prompt nor a resource")),
        };
        let total = values.len();
        let shown: Vec<String> = values.into_iter().take(MAX_COMPLETIONS).collect();
        let shown: Vec<String> =
            shown.iter().map(|one| ringfence_capability::text::plain(one)).collect();
        let more = total > shown.len();
        Ok(json!({ "completion": { "values": shown, "total": total, "hasMore": more } }))
    }
}

fn set_level(talk: &Talk, params: &Map<String, Value>) -> Result<Value, RpcError> {
    let level = params.get("level").and_then(Value::as_str).and_then(listen::rank_of);
    let level = level.ok_or_else(|| RpcError::new(code::INVALID_PARAMS, "`level` is no level"))?;
    talk.set_level(level);
    Ok(json!({}))
}

/// Returns one page of a list as it is sent.
fn of<T>(
    all: &[T],
    each: fn(&T) -> Value,
    cursor: Option<&str>,
    most: usize,
    revision: u64,
) -> Result<(Vec<Value>, Option<String>), RpcError> {
    let (page, next) = pages::page(all, cursor, most, revision)?;
    Ok((page.iter().map(each).collect(), next))
}
