//! A command of WASI 0.3 that writes to standard output without end, in writes as big as its memory allows.

wit_bindgen::generate!({ world: "ringfence:guests/command-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::cli0_3_0::run::Guest;
use wasi::cli0_3_0::environment::get_arguments;
use wasi::cli0_3_0::stdout::write_via_stream;

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let mebibytes =
            get_arguments().get(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let (mut to, from) = wit_stream::new();
        let _written = write_via_stream(from);
        let mut left = mebibytes;
        while left > 0 {
            let now = left.min(16);
            let size = usize::try_from(now).unwrap_or(1) * 1024 * 1024;
            if !to.write_all(vec![b'x'; size]).await.is_empty() {
                return Err(());
            }
            left -= now;
        }
        Ok(())
    }
}

export!(Command);
