//! Sends a GET to a place it may not reach: URL (loopback, metadata, mapped or translated address, private name).

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-get", |args| {
        let reply = send(&Request::get(args.text(0, "URL")))?;
        let body = reply.read(200)?;
        Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)))
    });
}
