//! JSON arrays and JSON Lines, one row at a time; values are kept as they were written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Header, Next, OnRow, Reading, Seen, Shape, fit, markdown, positional, read_error};
use crate::Format;
use crate::bounds::{BUFFER_BYTES, Bounded, MAX_COLUMNS, RowBudget};
use crate::cell::Cell;
use crate::error::TableError;

/// One row as it stands in the input.
enum Row {
    Object(Vec<(String, Box<RawValue>)>),
    Array(Vec<Box<RawValue>>),
}

type Take<'f> = dyn FnMut(Row, String) -> Result<Next, TableError> + 'f;

/// Reads the whole input once: objects may bring new columns in any row.
pub(super) fn shape(reading: &Reading<'_>) -> Result<Shape, TableError> {
    let mut first: Option<Vec<String>> = None;
    let mut names = Vec::new();
    let mut known = BTreeSet::new();
    let mut keyed = None;
    scan(reading, &mut |row, place| {
        let is_object = matches!(row, Row::Object(_));
        if *keyed.get_or_insert(is_object) != is_object {
            return Err(TableError::input(place, "objects and arrays are mixed"));
        }
        match row {
            Row::Object(entries) => {
                let new =
                    entries.into_iter().map(|e| e.0).filter(|name| known.insert(name.clone()));
                names.extend(new);
                if names.len() > MAX_COLUMNS {
                    return Err(TableError::input(
                        place,
                        format!("more than {MAX_COLUMNS} columns"),
                    ));
                }
            }
            Row::Array(values) if first.is_none() => first = Some(texts(&values, &place)?),
            Row::Array(_) => {}
        }
        Ok(Next::Row)
    })?;
    Ok(match first {
        Some(row) => positional(row, reading.header),
        None => Shape { columns: names, renamed: 0, keyed: true },
    })
}

/// Calls `on_row` for each row.
pub(super) fn each_row(
    reading: &Reading<'_>,
    shape: &Shape,
    on_row: &mut OnRow<'_>,
) -> Result<Seen, TableError> {
    let index: BTreeMap<&str, usize> =
        shape.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    let mut seen = Seen::default();
    let mut skip = !shape.keyed && reading.header == Header::FirstRow;
    scan(reading, &mut |row, place| {
        let cells = match row {
            _ if std::mem::take(&mut skip) => return Ok(Next::Row),
            Row::Object(entries) => by_name(entries, &index, &place)?,
            Row::Array(values) => {
                let cells: Result<Vec<Cell>, TableError> =
                    values.iter().map(|raw| cell(raw, &place)).collect();
                fit(cells?, &place, reading, shape, &mut seen)?
            }
        };
        on_row(cells)
    })?;
    Ok(seen)
}

fn by_name(
    entries: Vec<(String, Box<RawValue>)>,
    index: &BTreeMap<&str, usize>,
    place: &str,
) -> Result<Vec<Cell>, TableError> {
    let mut cells = vec![Cell::Missing; index.len()];
    for (name, raw) in entries {
        let slot = index.get(name.as_str()).and_then(|at| cells.get_mut(*at));
        let slot =
            slot.ok_or_else(|| TableError::input(place, "the input changed while it was read"))?;
        *slot = cell(&raw, place)?;
    }
    Ok(cells)
}

fn cell(raw: &RawValue, place: &str) -> Result<Cell, TableError> {
    Cell::from_json(raw.get())
        .ok_or_else(|| TableError::input(place, "a string with a broken escape"))
}

fn texts(values: &[Box<RawValue>], place: &str) -> Result<Vec<String>, TableError> {
    values.iter().map(|raw| cell(raw, place).map(|cell| cell.plain().to_owned())).collect()
}

fn scan(reading: &Reading<'_>, take: &mut Take<'_>) -> Result<(), TableError> {
    let budget = RowBudget::new();
    let reader = BufReader::with_capacity(
        BUFFER_BYTES,
        Bounded::new(reading.origin.open()?, budget.clone()),
    );
    match reading.format {
        Format::JsonLines => scan_lines(reading, reader, &budget, take),
        _ => scan_array(reading, reader, &budget, take),
    }
}

fn scan_lines(
    reading: &Reading<'_>,
    mut reader: impl std::io::BufRead,
    budget: &RowBudget,
    take: &mut Take<'_>,
) -> Result<(), TableError> {
    let mut number = 0;
    while let Some(line) = markdown::next_line(reading, &mut reader, budget, &mut number)? {
        let text = markdown::utf8(line, number)?;
        if text.trim().is_empty() {
            continue;
        }
        let mut json = serde_json::Deserializer::from_str(&text);
        let row = RowSeed.deserialize(&mut json).and_then(|row| json.end().map(|()| row));
        let row = row.map_err(|e| TableError::input(format!("line {number}"), json_reason(&e)))?;
        if take(row, format!("line {number}"))? == Next::Stop {
            break;
        }
    }
    Ok(())
}

fn scan_array(
    reading: &Reading<'_>,
    reader: impl Read,
    budget: &RowBudget,
    take: &mut Take<'_>,
) -> Result<(), TableError> {
    let mut json = serde_json::Deserializer::from_reader(reader);
    let mut stopped = None;
    let rows = Rows { budget, take, stopped: &mut stopped };
    let result = json.deserialize_seq(rows).and_then(|()| json.end());
    match (stopped, result) {
        (Some(Ok(())), _) | (None, Ok(())) => Ok(()),
        (Some(Err(error)), _) => Err(error),
        (None, Err(error)) if error.is_io() => Err(read_error(reading, budget, error.into())),
        (None, Err(error)) => {
            let place = format!("line {}, column {}", error.line(), error.column());
            Err(TableError::input(place, json_reason(&error)))
        }
    }
}

/// Returns what the parser found, without the place it appends.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    format!("not a table in JSON: {reason}")
}

/// The rows of an array; the outcome of a row that ends the walk is left in `stopped`.
struct Rows<'r, 'f> {
    budget: &'r RowBudget,
    take: &'r mut Take<'f>,
    stopped: &'r mut Option<Result<(), TableError>>,
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of objects or arrays")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let mut number = 0_u64;
        loop {
            self.budget.refill();
            let Some(row) = rows.next_element_seed(RowSeed)? else { return Ok(()) };
            number += 1;
            match (self.take)(row, format!("row {number}")) {
                Ok(Next::Row) => {}
                outcome => {
                    *self.stopped = Some(outcome.map(|_| ()));
                    return Err(A::Error::custom("stopped"));
                }
            }
        }
    }
}

struct RowSeed;

impl<'de> DeserializeSeed<'de> for RowSeed {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Row, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed {
    type Value = Row;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object or an array as a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Row::Object(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Row::Array(values))
    }
}
