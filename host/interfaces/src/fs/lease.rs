//! A place among the files open at once. Whatever holds the file holds the lease: a descriptor, and
//! each stream made from it, which may outlive the descriptor.

use bytes::Bytes;
use ringfence_capability::Limit;
use ringfence_engine::{LimitExceeded, Meter};
use std::sync::Arc;
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, InputStream, OutputStream, Pollable, StreamResult,
};

/// One open file, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    meter: Option<Arc<Meter>>,
}

impl Lease {
    pub(super) fn take(meter: &Arc<Meter>) -> Result<Arc<Self>, LimitExceeded> {
        meter.charge(Limit::OpenFiles, 1)?;
        Ok(Arc::new(Self { meter: Some(Arc::clone(meter)) }))
    }

    /// Returns the lease of what is open for the whole run, which is not counted.
    pub(super) fn uncounted() -> Arc<Self> {
        Arc::new(Self { meter: None })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(meter) = &self.meter {
            meter.release(Limit::OpenFiles, 1);
        }
    }
}

/// A stream that holds the lease of the file it reads or writes.
pub(super) struct Leased<S> {
    pub(super) stream: S,
    /// Only held.
    pub(super) _lease: Arc<Lease>,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Leased<DynInputStream> {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Leased<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.stream.read(size)
    }

    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        self.stream.blocking_read(size).await
    }

    fn skip(&mut self, bytes: usize) -> StreamResult<usize> {
        self.stream.skip(bytes)
    }

    async fn blocking_skip(&mut self, bytes: usize) -> StreamResult<usize> {
        self.stream.blocking_skip(bytes).await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Leased<DynOutputStream> {
    async fn ready(&mut self) {
        self.stream.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Leased<DynOutputStream> {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.stream.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.stream.check_write()
    }

    async fn blocking_write_and_flush(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.stream.blocking_write_and_flush(bytes).await
    }

    fn write_zeroes(&mut self, bytes: usize) -> StreamResult<()> {
        self.stream.write_zeroes(bytes)
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.stream.write_ready().await
    }

    async fn cancel(&mut self) {
        self.stream.cancel().await;
    }
}
