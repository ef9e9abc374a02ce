//! Follows redirects by itself, wherever they lead: URL.

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-redirect", |args| {
        let mut url = args.text(0, "URL").to_owned();
        for hop in 0..10 {
            let reply = send(&Request::get(&url)).map_err(|code| format!("{code} at hop {hop}"))?;
            match reply.header("location") {
                Some(next) if (300..400).contains(&reply.status) => url = next,
                _ => {
                    let body = reply.read(200)?;
                    return Ok(format!("{} {}", reply.status, misdeeds::excerpt(&body)));
                }
            }
        }
        Err("too many redirects".to_owned())
    });
}
