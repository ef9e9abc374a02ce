//! Carries data out in the body of a GET, which a read-only grant should not have: URL.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-body-on-get", |args| {
        let reply = send(&Request {
            body: b"carried out by a guest",
            ..Request::get(args.text(0, "URL"))
        })?;
        let body = reply.read(200)?;
        Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)))
    });
}
