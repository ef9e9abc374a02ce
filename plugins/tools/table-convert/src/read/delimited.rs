//! CSV and TSV.

use std::cell::Cell as Slot;
use std::io::{self, Read};
use std::rc::Rc;

use csv::ByteRecord;

use super::{Header, Next, OnRow, Reading, Seen, Shape, fit, read_error};
use crate::bounds::{BUFFER_BYTES, Bounded, RowBudget};
use crate::cell::Cell;
use crate::error::TableError;

/// Returns the texts of the first row.
pub(super) fn first_row(reading: &Reading<'_>) -> Result<Vec<String>, TableError> {
    let mut rows = Rows::open(reading)?;
    if !rows.advance()? {
        return Err(TableError::input("start", "the input is empty"));
    }
    rows.texts().map(|text| text.map(str::to_owned)).collect()
}

/// Calls `on_row` for each row.
pub(super) fn each_row(
    reading: &Reading<'_>,
    shape: &Shape,
    on_row: &mut OnRow<'_>,
) -> Result<Seen, TableError> {
    let mut rows = Rows::open(reading)?;
    let mut seen = Seen::default();
    if reading.header == Header::FirstRow {
        rows.advance()?;
    }
    while rows.advance()? {
        let cells: Result<Vec<Cell>, TableError> =
            rows.texts().map(|text| Ok(Cell::from_text(text?, reading.types))).collect();
        let place = rows.place();
        if on_row(fit(cells?, &place, reading, shape, &mut seen)?)? == Next::Stop {
            return Ok(seen);
        }
    }
    rows.finish(&mut seen)?;
    Ok(seen)
}

struct Rows<'a> {
    reading: &'a Reading<'a>,
    budget: RowBudget,
    quotes: Rc<Slot<u64>>,
    csv: csv::Reader<CountQuotes<Bounded<Box<dyn Read + 'a>>>>,
    record: ByteRecord,
    start_line: u64,
    many_lines: bool,
}

impl<'a> Rows<'a> {
    fn open(reading: &'a Reading<'a>) -> Result<Self, TableError> {
        let budget = RowBudget::new();
        let quotes = Rc::new(Slot::new(0));
        let bounded = Bounded::new(reading.origin.open()?, budget.clone());
        let csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER_BYTES)
            .delimiter(reading.delimiter)
            .from_reader(CountQuotes { inner: bounded, quotes: Rc::clone(&quotes) });
        let record = ByteRecord::new();
        Ok(Self { reading, budget, quotes, csv, record, start_line: 0, many_lines: false })
    }

    fn advance(&mut self) -> Result<bool, TableError> {
        self.budget.refill();
        let more = match self.csv.read_byte_record(&mut self.record) {
            Ok(more) => more,
            Err(error) => {
                let message = error.to_string();
                return Err(match error.into_kind() {
                    csv::ErrorKind::Io(source) => read_error(self.reading, &self.budget, source),
                    _ => TableError::input(self.place(), message),
                });
            }
        };
        if more {
            self.start_line = self.record.position().map_or(0, csv::Position::line);
            self.many_lines = self.record.iter().any(|field| field.contains(&b'\n'));
        }
        Ok(more)
    }

    fn place(&self) -> String {
        format!("line {}", self.start_line)
    }

    fn texts(&self) -> impl Iterator<Item = Result<&str, TableError>> {
        self.record.iter().enumerate().map(|(index, field)| {
            std::str::from_utf8(field).map_err(|error| {
                let reason = format!(
                    "value {} is not UTF-8 (byte {}); convert the file to UTF-8 first",
                    index + 1,
                    error.valid_up_to()
                );
                TableError::input(self.place(), reason)
            })
        })
    }

    /// A cut-off file swallows its last rows into one quoted value: that is told, never silent.
    fn finish(&self, seen: &mut Seen) -> Result<(), TableError> {
        if self.quotes.get().is_multiple_of(2) {
            return Ok(());
        }
        if self.many_lines {
            let reason =
                "the quoted value that starts here is never closed; the input may be cut off";
            return Err(TableError::input(self.place(), reason));
        }
        seen.notes.push("the number of quotation marks is odd: check the last row".to_owned());
        Ok(())
    }
}

struct CountQuotes<R> {
    inner: R,
    quotes: Rc<Slot<u64>>,
}

impl<R: Read> Read for CountQuotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let new = buffer.iter().take(count).filter(|byte| **byte == b'"').count();
        self.quotes.set(self.quotes.get() + new as u64);
        Ok(count)
    }
}
