//! The client of outside servers under the conformance suite of the protocol: talks to a server over its
//! own standard input and output, and does what the scenario named by its argument is about.
//!
//! `tests/mcp/client.mjs` starts it and carries the lines to the server of the suite, which is reached
//! over HTTP; see `cargo xtask conformance`.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "the suite names the scenario on the command line")]

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use ringfence_mcp::client::{Asked, Asking, Called, Client, ClientBounds, ClientError};
use ringfence_mcp::{Answers, Given, Outcome, Quiet};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

type Talk = Client<DuplexStream, DuplexStream>;

/// What is kept between a stream of the process and the client.
const PIPE_BYTES: usize = 64 * 1024;
/// How long one call may take.
const TIME: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let scenario = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(play(&scenario)),
        Err(_) => return ExitCode::FAILURE,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(2),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays one scenario; tells whether it is one that is about this client.
async fn play(scenario: &str) -> Result<bool, ClientError> {
    let calls: &[(&str, Value)] = &match scenario {
        "initialize" | "request-metadata" | "json-schema-ref-no-deref" => Vec::new(),
        "tools_call" => vec![("add_numbers", json!({ "a": 5, "b": 3 }))],
        "elicitation-sep1034-client-defaults" => {
            vec![("test_client_elicitation_defaults", json!({}))]
        }
        "sep-2322-client-request-state" => vec![
            ("test_mrtr_echo_state", json!({})),
            ("test_mrtr_no_state", json!({})),
            ("test_mrtr_no_result_type", json!({})),
        ],
        _ => return Ok(false),
    };
    let (input, output) = streams();
    let mut client = Client::begin(input, output, ClientBounds::default(), None).await?;
    client.list().await?;
    for (tool, input) in calls {
        let mut outcome = call(&mut client, tool, input, None).await?;
        while let Outcome::Asks(asks) = outcome {
            // Another call in between carries nothing of this one.
            call(&mut client, "test_mrtr_unrelated", &json!({}), None).await?;
            let yes = || Given::Filled(json!({ "confirmed": true }));
            let given = asks.questions.into_iter().map(|(key, ..)| (key, yes())).collect();
            let answers = Answers { given, state: asks.state };
            outcome = call(&mut client, tool, input, Some(answers)).await?;
        }
    }
    client.close().await;
    Ok(true)
}

async fn call(
    client: &mut Talk,
    tool: &str,
    input: &Value,
    answers: Option<Answers>,
) -> Result<Outcome, ClientError> {
    let called = Called {
        tool,
        input: input.clone(),
        answers,
        deadline: Instant::now() + TIME,
        listener: &Quiet,
        asking: &Agreeing,
        asker: "the suite",
    };
    client.call(called).await
}

/// A person who sends every form as it is shown.
struct Agreeing;

impl Asking for Agreeing {
    fn ask(&self, _: Asked) -> BoxFuture<'_, Given> {
        async { Given::Filled(json!({})) }.boxed()
    }
}

/// Returns the streams of this process, each moved by a thread of its own.
fn streams() -> (DuplexStream, DuplexStream) {
    let (input, mut to) = tokio::io::duplex(PIPE_BYTES);
    let (output, mut from) = tokio::io::duplex(PIPE_BYTES);
    let handle = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let mut bytes = vec![0; PIPE_BYTES];
        while let Ok(read @ 1..) = std::io::stdin().read(&mut bytes) {
            if handle.block_on(to.write_all(&bytes[..read])).is_err() {
                break;
            }
        }
    });
    let handle = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let mut bytes = vec![0; PIPE_BYTES];
        while let Ok(read @ 1..) = handle.block_on(from.read(&mut bytes)) {
            let mut stdout = std::io::stdout();
            if stdout.write_all(&bytes[..read]).and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
    });
    (input, output)
}
