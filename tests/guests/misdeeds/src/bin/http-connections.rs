//! Opens connection after connection and reads none of the answers: URL [COUNT].

use misdeeds::http::{Request, reply, start};

fn main() {
    misdeeds::attempt("http-connections", |args| {
        let url = args.text(0, "URL");
        let count = args.number(1, 10_000);
        let mut pending = Vec::new();
        for done in 0..count {
            pending.push(start(&Request::get(url)).map_err(|code| format!("{code} after {done}"))?);
        }
        let mut open = Vec::new();
        for future in pending {
            open.push(reply(future).map_err(|code| format!("{code} after {}", open.len()))?);
        }
        Ok(format!("{} connections", open.len()))
    });
}
