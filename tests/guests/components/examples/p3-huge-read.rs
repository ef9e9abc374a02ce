//! A command of WASI 0.3 that offers the host a buffer of many MiB for one read of standard input.

wit_bindgen::generate!({ world: "ringfence:guests/command-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::cli0_3_0::run::Guest;
use wasi::cli0_3_0::environment::get_arguments;
use wasi::cli0_3_0::stdin::read_via_stream;

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let mebibytes =
            get_arguments().get(1).and_then(|text| text.parse::<usize>().ok()).unwrap_or(2048);
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(mebibytes * 1024 * 1024).map_err(|_| ())?;
        let (mut stream, _) = read_via_stream();
        let (_, bytes) = stream.read(buffer).await;
        if bytes.is_empty() { Err(()) } else { Ok(()) }
    }
}

export!(Command);
