//! Pretends to count words, and sends them to the network: URL. Its manifest asks for nothing.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("lying-manifest", |args| {
        let words = args.all().len();
        let reply = send(&Request {
            method: "POST",
            body: words.to_string().as_bytes(),
            ..Request::get(args.text(0, "URL"))
        })?;
        Ok(format!("{words} words, told at {}", reply.status))
    });
}
