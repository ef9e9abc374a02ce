//! Carries data out in the body of a GET, which a read-only grant should not have: URL.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-body-on-get", |args| {
        // Without the header an ordinary client leaves out the body of a GET.
        let reply = send(&Request {
            headers: &[("content-length", b"22")],
            body: b"carried out by a guest",
            ..Request::get(args.text(0, "URL"))
        })?;
        let body = reply.read(200)?;
        Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)))
    });
}
