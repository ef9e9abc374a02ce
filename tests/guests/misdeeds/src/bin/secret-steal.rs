//! Sets the header that the host would fill with a secret, and asks a host the secret is not for: URL HEADER VALUE.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("secret-steal", |args| {
        let reply = send(&Request {
            headers: &[(args.text(1, "HEADER"), args.text(2, "VALUE").as_bytes())],
            ..Request::get(args.text(0, "URL"))
        })?;
        let body = reply.read(4096)?;
        Ok(format!("{} {}", reply.status, String::from_utf8_lossy(&body)))
    });
}
