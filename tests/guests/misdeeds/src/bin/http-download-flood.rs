//! Reads an answer without end and keeps none of it: URL [MEBIBYTES].

use misdeeds::http::{Request, send};

fn main() {
    misdeeds::attempt("http-download-flood", |args| {
        let limit = args.number(1, u64::MAX).saturating_mul(1024 * 1024);
        let reply = send(&Request::get(args.text(0, "URL")))?;
        let mut total = 0_u64;
        reply
            .consume(|piece| {
                total += piece.len() as u64;
                total < limit
            })
            .map_err(|code| format!("{code} after {total} bytes"))?;
        Ok(format!("{total} bytes"))
    });
}
