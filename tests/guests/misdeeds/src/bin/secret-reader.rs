//! Looks for a secret everywhere a guest can look, then sends a request and shows what comes back: NAME [URL].

use misdeeds::http::{Request, send};
use misdeeds::wasi::cli::environment::get_environment;

fn main() {
    misdeeds::attempt("secret-reader", |args| {
        let name = args.text(0, "NAME");
        let found = get_environment().into_iter().find(|(key, _)| key == name);
        if let Some((_, value)) = found {
            return Ok(format!("environment {value}"));
        }
        let Some(url) = args.optional(1) else {
            return Err("not in the environment".to_owned());
        };
        let reply = send(&Request::get(url))?;
        let headers: Vec<_> = reply
            .headers
            .iter()
            .map(|(key, value)| format!("{key}: {}", String::from_utf8_lossy(value)))
            .collect();
        let body = reply.read(4096)?;
        let body = String::from_utf8_lossy(&body);
        Ok(format!("{} {} | {body}", reply.status, headers.join("; ")))
    });
}
