//! Calls a tool of an outside server, or lists what it may call: [SERVER TOOL [ARGUMENTS [TIMEOUT-MS]]].

use misdeeds::ringfence::host::mcp::{Error, Part, Reply, call, tools};

fn main() {
    misdeeds::attempt("mcp-caller", |args| {
        let (Some(server), Some(tool)) = (args.optional(0), args.optional(1)) else {
            let all = tools().into_iter().map(|tool| format!("{}/{}", tool.server, tool.name));
            return Ok(all.collect::<Vec<_>>().join(" "));
        };
        let timeout = args.number(3, 0);
        let timeout = (timeout > 0).then_some(timeout);
        let reply = call(server, tool, args.optional(2).unwrap_or("{}"), timeout);
        reply.map(|reply| said(&reply)).map_err(|error| refusal(&error))
    });
}

fn said(reply: &Reply) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Blob(blob) => format!("{} {}", blob.mime_type, misdeeds::excerpt(&blob.data)),
        Part::Document(document) => format!("{} {}", document.uri, document.text),
        Part::Link(link) => link.uri.clone(),
    };
    let parts: Vec<_> = reply.parts.iter().map(part).collect();
    let failed = if reply.is_error { "error " } else { "" };
    let structured = reply.structured.as_deref().unwrap_or_default();
    format!("{failed}{}{structured}", parts.join("; "))
}

fn refusal(error: &Error) -> String {
    match error {
        Error::Denied(why) => format!("denied: {why}"),
        Error::NotFound(what) => format!("not-found: {what}"),
        Error::Quarantined(why) => format!("quarantined: {why}"),
        Error::InvalidArguments(why) => format!("invalid-arguments: {why}"),
        Error::Timeout => "timeout".to_owned(),
        Error::TooLarge(most) => format!("too-large: {most}"),
        Error::Unavailable(why) => format!("unavailable: {why}"),
        Error::Failed(why) => format!("failed: {why}"),
    }
}
