//! Readers and writers that stop at a limit.

use std::cell::Cell as Slot;
use std::io::{self, Read, Write};
use std::rc::Rc;

/// Largest row of the input, so that one endless field cannot fill the memory.
pub(crate) const MAX_ROW_BYTES: u64 = 4 << 20;
/// What is read at once: a read that crosses to the host costs more than the bytes it brings.
pub(crate) const BUFFER_BYTES: usize = 64 << 10;
/// Most columns of a table.
pub(crate) const MAX_COLUMNS: usize = 4096;
/// Largest result that is returned inline.
pub(crate) const MAX_INLINE_BYTES: u64 = 4 << 20;
/// Largest file that is written.
pub(crate) const MAX_FILE_BYTES: u64 = 4 << 30;

/// What is left of the current row; shared between the reader below a parser and the loop above it.
#[derive(Debug, Clone)]
pub(crate) struct RowBudget {
    left: Rc<Slot<u64>>,
    spent: Rc<Slot<bool>>,
}

impl RowBudget {
    pub(crate) fn new() -> Self {
        Self { left: Rc::new(Slot::new(MAX_ROW_BYTES)), spent: Rc::new(Slot::new(false)) }
    }

    /// Starts the next row.
    pub(crate) fn refill(&self) {
        self.left.set(MAX_ROW_BYTES);
    }

    /// Returns whether a row was cut off.
    pub(crate) fn is_spent(&self) -> bool {
        self.spent.get()
    }
}

/// A reader that fails when one row takes more than its budget.
pub(crate) struct Bounded<R> {
    inner: R,
    budget: RowBudget,
}

impl<R> Bounded<R> {
    pub(crate) fn new(inner: R, budget: RowBudget) -> Self {
        Self { inner, budget }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.budget.left.get();
        if left == 0 {
            self.budget.spent.set(true);
            return Err(io::Error::other("row too large"));
        }
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = self.inner.read(buffer.get_mut(..wanted).unwrap_or_default())?;
        self.budget.left.set(left.saturating_sub(count as u64));
        Ok(count)
    }
}

/// A writer that counts, and fails past its limit.
pub(crate) struct Capped<W> {
    pub(crate) inner: W,
    limit: u64,
    written: Rc<Slot<u64>>,
}

impl<W> Capped<W> {
    /// Returns the writer and the count of what passed through it; the count goes past the limit
    /// when something was refused.
    pub(crate) fn new(inner: W, limit: u64) -> (Self, Rc<Slot<u64>>) {
        let written = Rc::new(Slot::new(0));
        (Self { inner, limit, written: Rc::clone(&written) }, written)
    }
}

impl<W: Write> Write for Capped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let total = self.written.get().saturating_add(bytes.len() as u64);
        self.written.set(total);
        if total > self.limit {
            return Err(io::Error::other("output too large"));
        }
        self.inner.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
