//! Reading a table in two passes: its shape first, then row by row.

pub(crate) mod delimited;
pub(crate) mod json;
pub(crate) mod markdown;

use std::collections::BTreeSet;

use crate::Format;
use crate::bounds::{MAX_COLUMNS, MAX_ROW_BYTES, RowBudget};
use crate::cell::{Cell, Types};
use crate::error::TableError;
use crate::origin::Origin;

/// How to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) format: Format,
    pub(crate) delimiter: u8,
    pub(crate) header: Header,
    pub(crate) types: Types,
    pub(crate) lengths: Lengths,
}

/// Whether the first row names the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    FirstRow,
    None,
}

/// What to do with rows that are shorter or longer than the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lengths {
    Equal,
    Any,
}

/// What the first pass found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Distinct column names.
    pub(crate) columns: Vec<String>,
    /// How many had to be renamed to be distinct.
    pub(crate) renamed: usize,
    /// Whether rows are objects, looked up by name.
    pub(crate) keyed: bool,
}

/// Whether to go on after a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Row,
    Stop,
}

/// Takes one row: its place in the input and its cells in the order of the columns.
pub(crate) type OnRow<'f> = dyn FnMut(Vec<Cell>) -> Result<Next, TableError> + 'f;

/// What the second pass has to say.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) dropped_rows: u64,
    pub(crate) notes: Vec<String>,
}

/// Reads as much as it takes to know the columns.
pub(crate) fn shape(reading: &Reading<'_>) -> Result<Shape, TableError> {
    match reading.format {
        Format::Csv | Format::Tsv => {
            delimited::first_row(reading).map(|row| positional(row, reading.header))
        }
        Format::Markdown => markdown::first_row(reading).map(|row| positional(row, reading.header)),
        Format::Json | Format::JsonLines => json::shape(reading),
    }?
    .checked()
}

/// Calls `on_row` for each row but the header.
pub(crate) fn each_row(
    reading: &Reading<'_>,
    shape: &Shape,
    on_row: &mut OnRow<'_>,
) -> Result<Seen, TableError> {
    match reading.format {
        Format::Csv | Format::Tsv => delimited::each_row(reading, shape, on_row),
        Format::Markdown => markdown::each_row(reading, shape, on_row),
        Format::Json | Format::JsonLines => json::each_row(reading, shape, on_row),
    }
}

impl Shape {
    fn checked(self) -> Result<Self, TableError> {
        if self.columns.len() > MAX_COLUMNS {
            let reason = format!("more than {MAX_COLUMNS} columns");
            return Err(TableError::input("header", reason));
        }
        Ok(self)
    }
}

/// Returns the shape of rows without keys whose first one is given.
pub(crate) fn positional(first: Vec<String>, header: Header) -> Shape {
    let has_header = header == Header::FirstRow;
    let names: Vec<String> =
        if has_header { first } else { first.iter().map(|_| String::new()).collect() };
    let mut taken = BTreeSet::new();
    let mut renamed = 0;
    let columns = names.into_iter().enumerate().map(|(index, name)| {
        let name = name.trim().to_owned();
        let wanted = if name.is_empty() { format!("column-{}", index + 1) } else { name.clone() };
        let mut distinct = wanted.clone();
        let mut copy = 2;
        while !taken.insert(distinct.clone()) {
            distinct = format!("{wanted}-{copy}");
            copy += 1;
        }
        renamed += usize::from(has_header && distinct != name);
        distinct
    });
    let columns = columns.collect();
    Shape { columns, renamed, keyed: false }
}

/// Brings a row to the number of columns, or refuses it.
pub(crate) fn fit(
    mut cells: Vec<Cell>,
    place: &str,
    reading: &Reading<'_>,
    shape: &Shape,
    seen: &mut Seen,
) -> Result<Vec<Cell>, TableError> {
    let wanted = shape.columns.len();
    if cells.len() != wanted && reading.lengths == Lengths::Equal {
        let reason = format!(
            "{} values where the table has {wanted} columns; the `lenient` switch accepts that",
            cells.len()
        );
        return Err(TableError::input(place, reason));
    }
    seen.dropped_rows += u64::from(cells.len() > wanted);
    cells.resize(wanted, Cell::Missing);
    Ok(cells)
}

/// Returns the error behind a failed read: the row limit, or what the system said.
pub(crate) fn read_error(
    reading: &Reading<'_>,
    budget: &RowBudget,
    source: std::io::Error,
) -> TableError {
    if budget.is_spent() {
        return TableError::TooLarge { what: "a row of the input", limit: MAX_ROW_BYTES };
    }
    TableError::from_io("read", reading.origin.name(), source)
}
