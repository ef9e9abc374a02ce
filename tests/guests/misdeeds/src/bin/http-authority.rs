//! Hides the real host in the authority (`allowed@host`, `host#`, a back slash), sent as given: SCHEME AUTHORITY PATH.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-authority", |args| {
        let url = format!(
            "{}://{}{}",
            args.text(0, "SCHEME"),
            args.text(1, "AUTHORITY"),
            args.optional(2).unwrap_or("/")
        );
        let reply = send(&Request::get(&url))?;
        let body = reply.read(200)?;
        Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)))
    });
}
