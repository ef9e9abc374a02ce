//! Writing records in the forms that other tools read.

mod csv;
mod ocsf;

use crate::record::Record;
use std::io::{self, Write};

/// A form that other tools read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// One JSON object a line, the record as it is.
    Json,
    /// A table with a header line, one record a row (RFC 4180).
    Csv,
    /// One event of the Open Cybersecurity Schema Framework a line: API Activity.
    Ocsf,
}

/// Writes records in one form.
#[derive(Debug)]
pub struct Writer<W> {
    format: Format,
    out: W,
}

impl<W: Write> Writer<W> {
    /// Returns what writes to `out`, with the header written.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn new(format: Format, mut out: W) -> io::Result<Self> {
        if format == Format::Csv {
            csv::header(&mut out)?;
        }
        Ok(Self { format, out })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn write(&mut self, record: &Record) -> io::Result<()> {
        match self.format {
            Format::Csv => csv::row(&mut self.out, record),
            Format::Json => self.line(&serde_json::to_vec(record)?),
            Format::Ocsf => self.line(&serde_json::to_vec(&ocsf::event(record))?),
        }
    }

    /// Returns what was written to, all of it handed on.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, json: &[u8]) -> io::Result<()> {
        self.out.write_all(json)?;
        self.out.write_all(b"\n")
    }
}
