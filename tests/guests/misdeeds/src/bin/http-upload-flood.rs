//! Sends a body without end: URL [MEBIBYTES].

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-upload-flood", |args| {
        let block = vec![b'x'; 1024 * 1024];
        let mebibytes = args.number(1, u64::MAX);
        let reply = send(&Request {
            method: "POST",
            body: &block,
            repeat: mebibytes,
            ..Request::get(args.text(0, "URL"))
        })?;
        Ok(format!("{} after {mebibytes} MiB", reply.status))
    });
}
