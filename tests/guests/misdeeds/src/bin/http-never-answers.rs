//! Waits for the head of an answer that never comes: URL.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-never-answers", |args| {
        let reply = send(&Request::get(args.text(0, "URL")))?;
        Ok(format!("{}", reply.status))
    });
}
