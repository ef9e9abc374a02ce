//! A tool that asks for one native program and says how it ended, so that a client can be asked about it.

wit_bindgen::generate!({
    inline: "package ringfence:exec-tool@0.1.0;
        world native {
            import ringfence:host/exec@0.1.0;
            export run: func(argv: list<string>) -> result<string, string>;
        }",
    path: "../../../wit/v0.1/host",
    world: "ringfence:exec-tool/native",
    generate_all,
});

use ringfence::host::exec::{Error, Request, run};

struct Native;

impl Guest for Native {
    fn run(argv: Vec<String>) -> Result<String, String> {
        match run(&Request { argv, stdin: None, timeout_ms: None }) {
            Ok(done) => Ok(String::from_utf8_lossy(&done.stdout.bytes).into_owned()),
            Err(Error::Denied(reason)) => Err(format!("denied: {reason}")),
            Err(error) => Err(format!("{error:?}")),
        }
    }
}

export!(Native);
