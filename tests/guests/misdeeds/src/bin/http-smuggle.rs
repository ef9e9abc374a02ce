//! Hides a second request or another host in the headers: URL KIND, see the source for the kinds.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-smuggle", |args| {
        let kind = args.text(1, "KIND");
        let (header, body): ((&str, &[u8]), &[u8]) = match kind {
            "crlf" => (("x-note", b"a\r\nx-injected: yes"), b""),
            "crlf-name" => (("x-note: a\r\nx-injected", b"yes"), b""),
            "nul" => (("x-note", b"a\0b"), b""),
            "host" => (("host", b"internal.example"), b""),
            "content-length" => (("content-length", b"4"), b"GET /second HTTP/1.1\r\n\r\n"),
            "content-length-long" => (("content-length", b"4096"), b"short"),
            "transfer-encoding" => (("transfer-encoding", b"chunked, identity"), b"0\r\n\r\n"),
            "connection" => (("connection", b"authorization, close"), b""),
            "upgrade" => (("upgrade", b"h2c"), b""),
            "proxy" => (("proxy-authorization", b"Basic Zzp4"), b""),
            "none" => (("x-note", b"fine"), b""),
            other => return Err(format!("unknown kind {other}")),
        };
        let reply = send(&Request {
            method: if body.is_empty() { "GET" } else { "POST" },
            headers: &[header],
            body,
            ..Request::get(args.text(0, "URL"))
        })?;
        let answer = reply.read(4096)?;
        Ok(format!("{} {}", reply.status, String::from_utf8_lossy(&answer)))
    });
}
