//! One process of an outside server, from its start to its end.

use std::io::{PipeReader, PipeWriter};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use ringfence_approval::Approver;
use ringfence_mcp::client::{Client, ClientBounds, ClientError};
use ringfence_sandbox::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{OutsideError, ServerSpec};
use crate::exec::{ExecError, Hold};
use crate::{ExecIo, ExecOptions, ExecPlan, Executed, Host, RunError};

/// How much of standard error is kept.
const SAID_BYTES: usize = 4 * 1024;
/// How long a server may take to end by itself once its input ended.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);

/// A server that runs, and the talk with it. Dropping it kills everything of it.
pub(super) struct Run {
    pub(super) client: Client<pipe::Receiver, pipe::Sender>,
    pub(super) hold: Hold,
    ended: Option<oneshot::Receiver<Result<Executed, RunError>>>,
    said: Arc<Mutex<Vec<u8>>>,
    listening: JoinHandle<()>,
}

/// The ends that stay here.
struct Ends {
    input: PipeWriter,
    output: PipeReader,
    errors: PipeReader,
}

impl Run {
    /// Plans, asks, starts, and begins to talk.
    pub(super) async fn start(
        host: &Host,
        spec: &ServerSpec,
        options: ExecOptions,
        approver: Arc<dyn Approver>,
        bounds: ClientBounds,
    ) -> Result<Self, RunError> {
        let (stdio, ends) = pipes()?;
        let (holding, got_hold) = oneshot::channel();
        let (ending, mut ended) = oneshot::channel();
        let io = ExecIo::new(stdio).holding(Box::new(move |hold| drop(holding.send(hold))));
        let (of_thread, of_spec) = (host.clone(), spec.clone());
        let run = move || {
            let plan = of_thread.plan_server(&of_spec, options);
            let done = plan.and_then(|plan: ExecPlan| of_thread.exec(plan, &*approver, io));
            drop(ending.send(done));
        };
        let thread = std::thread::Builder::new().name("mcp-server".to_owned()).spawn(run);
        thread.map_err(|source| ExecError::Host { what: "thread of the server", source })?;
        let hold = tokio::select! {
            biased;
            Ok(hold) = got_hold => hold,
            done = &mut ended => return Err(not_started(spec.name.as_str(), done)),
        };
        Self::talk(hold, ended, ends, spec, bounds).await
    }

    async fn talk(
        hold: Hold,
        ended: oneshot::Receiver<Result<Executed, RunError>>,
        ends: Ends,
        spec: &ServerSpec,
        bounds: ClientBounds,
    ) -> Result<Self, RunError> {
        let fail = |source| ExecError::Host { what: "pipes of the server", source };
        let input = pipe::Sender::from_owned_fd(OwnedFd::from(ends.input)).map_err(fail)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(ends.output)).map_err(fail)?;
        let errors = pipe::Receiver::from_owned_fd(OwnedFd::from(ends.errors)).map_err(fail)?;
        let said = Arc::new(Mutex::new(Vec::new()));
        let listening = tokio::spawn(listen(errors, Arc::clone(&said)));
        let guard = Killed(Some(hold));
        match Client::begin(output, input, bounds, spec.revision.as_deref()).await {
            Ok(client) => {
                let hold = guard.release();
                hold.map(|hold| Self { client, hold, ended: Some(ended), said, listening })
                    .ok_or_else(|| OutsideError::NotHere.into())
            }
            Err(source) => {
                drop(guard);
                // It has said why, if it said anything: the pipe ends with the process.
                let _ = tokio::time::timeout(GOODBYE, listening).await;
                let said = text_of(&said);
                let server = spec.name.to_string();
                Err(OutsideError::Talk { server, said, source }.into())
            }
        }
    }

    /// Returns what it wrote last on standard error.
    pub(super) fn said(&self) -> String {
        text_of(&self.said)
    }

    /// Ends it: its input ends, and after a while it is killed with all it started.
    pub(super) async fn close(mut self) -> Option<Result<Executed, RunError>> {
        self.hold.thaw();
        self.client.close().await;
        let mut ended = self.ended.take()?;
        if let Ok(done) = tokio::time::timeout(GOODBYE, &mut ended).await {
            return done.ok();
        }
        self.hold.kill();
        ended.await.ok()
    }

    /// Kills it with all it started, and returns how that came out.
    pub(super) async fn kill(mut self) -> Option<Result<Executed, RunError>> {
        self.hold.kill();
        self.ended.take()?.await.ok()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.hold.kill();
        self.listening.abort();
    }
}

/// Kills what it holds unless it is released.
struct Killed(Option<Hold>);

impl Killed {
    fn release(mut self) -> Option<Hold> {
        self.0.take()
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        if let Some(hold) = &self.0 {
            hold.kill();
        }
    }
}

fn not_started(
    server: &str,
    done: Result<Result<Executed, RunError>, oneshot::error::RecvError>,
) -> RunError {
    if let Ok(Err(error)) = done {
        return error;
    }
    let source = ClientError::Ended { what: "begin" };
    OutsideError::Talk { server: server.to_owned(), said: String::new(), source }.into()
}

fn pipes() -> Result<([Stdio; 3], Ends), ExecError> {
    let make = || {
        std::io::pipe().map_err(|source| ExecError::Host { what: "pipes of the server", source })
    };
    let ((theirs_in, input), (output, theirs_out), (errors, theirs_err)) =
        (make()?, make()?, make()?);
    let stdio =
        [Stdio::Fd(theirs_in.into()), Stdio::Fd(theirs_out.into()), Stdio::Fd(theirs_err.into())];
    Ok((stdio, Ends { input, output, errors }))
}

/// Keeps the last bytes of what is written.
async fn listen(mut from: pipe::Receiver, said: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = vec![0; SAID_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let mut kept = said.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&chunk[..length]);
        let over = kept.len().saturating_sub(SAID_BYTES);
        kept.drain(..over);
    }
}

fn text_of(said: &Mutex<Vec<u8>>) -> String {
    let kept = said.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&kept).trim().to_owned()
}
