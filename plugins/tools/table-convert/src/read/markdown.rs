//! The first pipe table of a Markdown text.

use std::io::{BufRead, BufReader, Read};

use super::{Header, Next, OnRow, Reading, Seen, Shape, fit, read_error};
use crate::bounds::{BUFFER_BYTES, Bounded, RowBudget};
use crate::cell::Cell;
use crate::error::TableError;

/// Returns whether the line is the rule under a header, such as `| --- | :-: |`.
pub(crate) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.contains('|')
        && split(line).iter().all(|cell| {
            let dashes = cell.strip_prefix(':').unwrap_or(cell);
            let dashes = dashes.strip_suffix(':').unwrap_or(dashes);
            !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
        })
}

/// Returns the texts of the header, or of the first row where there is no header.
pub(super) fn first_row(reading: &Reading<'_>) -> Result<Vec<String>, TableError> {
    Ok(Lines::open(reading)?.header()?.0)
}

/// Calls `on_row` for each row under the rule; with no header the row above it counts too.
pub(super) fn each_row(
    reading: &Reading<'_>,
    shape: &Shape,
    on_row: &mut OnRow<'_>,
) -> Result<Seen, TableError> {
    let mut lines = Lines::open(reading)?;
    let mut seen = Seen::default();
    let (header, number) = lines.header()?;
    let mut pending = (reading.header == Header::None).then_some((header, number));
    loop {
        let (texts, number) = match pending.take() {
            Some(row) => row,
            None => match lines.next()? {
                Some(line) if line.contains('|') => (split(&line), lines.number),
                _ => return Ok(seen),
            },
        };
        let cells = texts.iter().map(|text| Cell::from_text(text, reading.types)).collect();
        let place = format!("line {number}");
        if on_row(fit(cells, &place, reading, shape, &mut seen)?)? == Next::Stop {
            return Ok(seen);
        }
    }
}

/// Splits a table line at its pipes and takes the escapes back.
fn split(line: &str) -> Vec<String> {
    let line = line.trim();
    let line = line.strip_prefix('|').unwrap_or(line);
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, characters.peek()) {
            ('\\', Some(next @ ('|' | '\\'))) => {
                cell.push(*next);
                characters.next();
            }
            ('|', None) => break,
            ('|', _) => cells.push(clean(&std::mem::take(&mut cell))),
            (other, _) => cell.push(other),
        }
    }
    cells.push(clean(&cell));
    cells
}

fn clean(cell: &str) -> String {
    cell.trim().replace("<br>", "\n")
}

struct Lines<'a> {
    reading: &'a Reading<'a>,
    budget: RowBudget,
    reader: BufReader<Bounded<Box<dyn Read + 'a>>>,
    number: u64,
}

impl<'a> Lines<'a> {
    fn open(reading: &'a Reading<'a>) -> Result<Self, TableError> {
        let budget = RowBudget::new();
        let reader = BufReader::with_capacity(
            BUFFER_BYTES,
            Bounded::new(reading.origin.open()?, budget.clone()),
        );
        Ok(Self { reading, budget, reader, number: 0 })
    }

    fn next(&mut self) -> Result<Option<String>, TableError> {
        let line = next_line(self.reading, &mut self.reader, &self.budget, &mut self.number)?;
        line.map(|bytes| utf8(bytes, self.number)).transpose()
    }

    /// Reads up to the rule; returns the cells above it and their line number.
    fn header(&mut self) -> Result<(Vec<String>, u64), TableError> {
        let mut above = String::new();
        while let Some(line) = self.next()? {
            if is_rule(&line) && above.contains('|') {
                let header = split(&above);
                if header.len() == split(&line).len() {
                    return Ok((header, self.number - 1));
                }
            }
            above = line;
        }
        Err(TableError::input(
            "end",
            "no Markdown table found: a header line with a rule such as `| --- |` below it",
        ))
    }
}

/// Reads one line within the row limit.
pub(super) fn next_line(
    reading: &Reading<'_>,
    reader: &mut impl BufRead,
    budget: &RowBudget,
    number: &mut u64,
) -> Result<Option<Vec<u8>>, TableError> {
    budget.refill();
    let mut line = Vec::new();
    let count = reader.read_until(b'\n', &mut line).map_err(|e| read_error(reading, budget, e))?;
    *number += 1;
    Ok((count > 0).then_some(line))
}

/// Returns the line as text.
pub(super) fn utf8(line: Vec<u8>, number: u64) -> Result<String, TableError> {
    String::from_utf8(line).map_err(|error| {
        let byte = error.utf8_error().valid_up_to();
        TableError::input(format!("line {number}"), format!("not UTF-8 at byte {byte}"))
    })
}

#[cfg(test)]
mod tests {
    use super::{is_rule, split};

    #[test]
    fn cells_are_split_at_unescaped_pipes() {
        for (line, cells) in [
            ("| a | b |", vec!["a", "b"]),
            ("a|b", vec!["a", "b"]),
            (r"| a\|b | c\\|", vec!["a|b", r"c\"]),
            ("| | x |", vec!["", "x"]),
            ("|", vec![""]),
            (r"| C:\dir | one<br>two |", vec![r"C:\dir", "one\ntwo"]),
        ] {
            assert_eq!(split(line), cells, "{line}");
        }
    }

    #[test]
    fn a_rule_has_only_dashes_and_colons() {
        for (line, rule) in [
            ("|---|:-:|", true),
            ("--- | ---", true),
            ("---", false),
            ("| - | x |", false),
            ("||", false),
        ] {
            assert_eq!(is_rule(line), rule, "{line}");
        }
    }
}
