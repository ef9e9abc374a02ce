//! Holds a store to its memory, table and instance limits.

use std::sync::Arc;

use ringfence_capability::Limit;
use wasmtime::ResourceLimiter;

use crate::Meter;

/// Asked by wasmtime before any memory or table grows. Growth past a limit fails inside the guest;
/// the meter remembers it, so that a guest that dies of it is reported with the limit's name.
#[derive(Debug)]
pub struct Limiter {
    meter: Arc<Meter>,
}

impl Limiter {
    /// Returns the limiter that counts on `meter`.
    pub fn new(meter: Arc<Meter>) -> Self {
        Self { meter }
    }

    fn grow(&self, limit: Limit, current: usize, desired: usize, most: Option<usize>) -> bool {
        let within = most.is_none_or(|most| desired <= most);
        let more = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        within && self.meter.charge(limit, more).is_ok()
    }

    fn count(&self, limit: Limit) -> usize {
        usize::try_from(self.meter.limits().of(limit)).unwrap_or(usize::MAX)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(Limit::Memory, current, desired, maximum))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.grow(Limit::TableElements, current, desired, maximum))
    }

    fn instances(&self) -> usize {
        self.count(Limit::Instances)
    }

    fn tables(&self) -> usize {
        self.count(Limit::Tables)
    }

    fn memories(&self) -> usize {
        self.count(Limit::Memories)
    }
}
