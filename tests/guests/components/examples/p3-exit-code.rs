//! A command of WASI 0.3 that ends with the code in its first argument.

wit_bindgen::generate!({ world: "ringfence:guests/command-p3", path: ["../../../wit/v0.1/host", "../wit"], generate_all });

use exports::wasi::cli0_3_0::run::Guest;
use wasi::cli0_3_0::environment::get_arguments;
use wasi::cli0_3_0::exit::exit_with_code;

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        let code = get_arguments().get(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        exit_with_code(code);
        Ok(())
    }
}

export!(Command);
