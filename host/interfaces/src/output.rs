//! Standard output and error of a guest: kept or passed on, bounded either way.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use ringfence_capability::Limit;
use ringfence_engine::{LimitExceeded, Meter};
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Most bytes a guest may hand over in one write; more take another call.
const CHUNK_BYTES: usize = 64 * 1024;

/// Takes what a guest prints, as it prints it.
pub trait Sink: Send + 'static {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When nobody reads any more; the guest is told that its stream is closed.
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()>;
}

impl Sink for Vec<u8> {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl Sink for Box<dyn Sink> {
    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        (**self).take(bytes)
    }
}

/// One bounded stream of a guest. Clones share the stream and its bound.
#[derive(Clone)]
pub struct Output {
    shared: Arc<Mutex<Shared>>,
    meter: Arc<Meter>,
}

struct Shared {
    sink: Box<dyn Sink>,
    left: u64,
}

impl Output {
    /// Returns the stream that hands at most the run's `output` limit to `sink`.
    pub fn new(sink: impl Sink, meter: &Arc<Meter>) -> Self {
        let shared = Shared { sink: Box::new(sink), left: meter.limits().output_bytes };
        Self { shared: Arc::new(Mutex::new(shared)), meter: Arc::clone(meter) }
    }

    fn put(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let size = bytes.len() as u64;
        if size > shared.left {
            return Err(Refusal::Limit(self.meter.reach(Limit::Output)));
        }
        shared.left -= size;
        shared.sink.take(bytes).map_err(|_| Refusal::Closed)
    }
}

enum Refusal {
    Limit(LimitExceeded),
    Closed,
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

#[async_trait]
impl OutputStream for Output {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        match self.put(&bytes) {
            Ok(()) => Ok(()),
            Err(Refusal::Limit(limit)) => Err(StreamError::Trap(limit.into())),
            Err(Refusal::Closed) => Err(StreamError::Closed),
        }
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK_BYTES)
    }
}

#[async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Output {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(match self.put(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(Refusal::Limit(limit)) => Err(std::io::Error::other(limit)),
            Err(Refusal::Closed) => Err(std::io::ErrorKind::BrokenPipe.into()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use ringfence_capability::Limits;

    #[test]
    fn the_byte_past_the_limit_ends_the_run_with_its_name() {
        let meter = Meter::new(Limits { output_bytes: 4, ..Limits::default() });
        let mut output = Output::new(Vec::new(), &meter);
        output.write(Bytes::from_static(b"four")).unwrap();
        let Err(StreamError::Trap(trap)) = output.write(Bytes::from_static(b"!")) else {
            panic!("a flood must trap")
        };
        assert_eq!(trap.downcast_ref::<LimitExceeded>().unwrap().limit, Limit::Output);
        assert_eq!(meter.reached().unwrap().limit, Limit::Output);
    }

    #[test]
    fn each_stream_has_its_own_bound() {
        let meter = Meter::new(Limits { output_bytes: 4, ..Limits::default() });
        for _ in 0..2 {
            Output::new(Vec::new(), &meter).write(Bytes::from_static(b"four")).unwrap();
        }
        assert_eq!(meter.reached(), None);
    }
}
