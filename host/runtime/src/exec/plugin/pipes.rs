//! What a plugin's program reads and writes: bytes that are there already, and bounded buffers. Never
//! a descriptor of the host's own.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::thread::JoinHandle;

use ringfence_interfaces::exec::Captured;
use ringfence_sandbox::Stdio;

use super::super::ExecError;

/// How much is read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The ends a program gets, and what reads the others.
pub(super) struct Pipes {
    pub(super) stdio: [Stdio; 3],
    pub(super) capture: Capture,
}

/// Reads what a program writes, on threads of its own, until the last writer is gone.
pub(super) struct Capture([JoinHandle<Captured>; 2]);

impl Pipes {
    /// Makes them. Of each stream `most` bytes are kept and the rest is read and dropped, so that the
    /// program never waits for room.
    pub(super) fn open(input: Option<Vec<u8>>, most: u64) -> Result<Self, ExecError> {
        let input = match input.filter(|bytes| !bytes.is_empty()) {
            None => Stdio::Null,
            Some(bytes) => {
                let (reader, mut writer) = io::pipe().map_err(fail("standard input"))?;
                // A program that does not read all of it ends the write, which is no error.
                spawn("stdin", move || drop(writer.write_all(&bytes)))?;
                Stdio::Fd(reader.into())
            }
        };
        let (out, stdout) = io::pipe().map_err(fail("standard output"))?;
        let (err, stderr) = io::pipe().map_err(fail("standard error"))?;
        let read = |name, pipe| spawn(name, move || kept(pipe, most));
        let capture = Capture([read("stdout", out)?, read("stderr", err)?]);
        let stdio = [input, Stdio::Fd(stdout.into()), Stdio::Fd(stderr.into())];
        Ok(Self { stdio, capture })
    }
}

impl Capture {
    /// Returns what was kept of standard output and standard error. The program has ended.
    pub(super) fn end(self) -> [Captured; 2] {
        let lost = |_| Captured { bytes: Vec::new(), truncated: true };
        self.0.map(|thread| thread.join().unwrap_or_else(lost))
    }
}

fn kept(mut pipe: PipeReader, most: u64) -> Captured {
    let (mut captured, mut chunk) = (Captured::default(), vec![0; CHUNK_BYTES]);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    loop {
        match pipe.read(&mut chunk) {
            Ok(0) => return captured,
            Ok(length) => {
                let room = length.min(most.saturating_sub(captured.bytes.len()));
                captured.truncated |= room < length;
                captured.bytes.extend(chunk.iter().take(room));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Captured { truncated: true, ..captured },
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ExecError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    thread.map_err(fail("threads for the program's streams"))
}

fn fail(what: &'static str) -> impl FnOnce(io::Error) -> ExecError {
    move |source| ExecError::Host { what, source }
}
