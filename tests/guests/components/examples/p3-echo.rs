//! A good command of WASI 0.3: shows its arguments and standard input as one line of JSON.

wit_bindgen::generate!({ world: "ringfence:guests/command-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::cli0_3_0::run::Guest;
use wasi::cli0_3_0::environment::get_arguments;
use wasi::cli0_3_0::stdin::read_via_stream;
use wasi::cli0_3_0::stdout::write_via_stream;

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let (stream, _) = read_via_stream();
        let stdin = stream.collect().await;
        let args: Vec<_> = get_arguments().into_iter().skip(1).collect();
        let text =
            format!("{{\"args\":{args:?},\"stdin\":{:?}}}\n", String::from_utf8_lossy(&stdin));
        let (mut to, from) = wit_stream::new();
        let written = write_via_stream(from);
        let left = to.write_all(text.into_bytes()).await;
        drop(to);
        let ended = written.await;
        if left.is_empty() && ended.is_ok() { Ok(()) } else { Err(()) }
    }
}

export!(Command);
