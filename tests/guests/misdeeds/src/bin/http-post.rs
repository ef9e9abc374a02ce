//! Sends a body with a method that changes things: URL [METHOD].

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-post", |args| {
        let reply = send(&Request {
            method: args.optional(1).unwrap_or("POST"),
            body: b"changed by a guest",
            ..Request::get(args.text(0, "URL"))
        })?;
        let body = reply.read(200)?;
        Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)))
    });
}
