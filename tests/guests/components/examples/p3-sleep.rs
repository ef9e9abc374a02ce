//! A command of WASI 0.3 that waits for an hour, or for the milliseconds in its first argument.

wit_bindgen::generate!({ world: "ringfence:guests/command-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::cli0_3_0::run::Guest;
use wasi::cli0_3_0::environment::get_arguments;
use wasi::clocks0_3_0::monotonic_clock::wait_for;

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let milliseconds =
            get_arguments().get(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(3_600_000);
        wait_for(milliseconds.saturating_mul(1_000_000)).await;
        Ok(())
    }
}

export!(Command);
