//! Writing a table row by row.

use std::io::{self, Write};

use crate::Format;
use crate::cell::{Cell, push_json_string};

/// How to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Writing {
    pub(crate) format: Format,
    pub(crate) delimiter: u8,
    pub(crate) header: Shown,
    pub(crate) rows: RowForm,
}

/// Whether the header row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Yes,
    No,
}

/// What a JSON row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowForm {
    Object,
    Array,
}

/// A table being written.
pub(crate) struct TableWriter<W: Write> {
    writing: Writing,
    columns: Vec<String>,
    out: Out<W>,
    line: String,
    lines: u64,
}

enum Out<W: Write> {
    Delimited(Box<csv::Writer<W>>),
    Text(W),
}

impl<W: Write> TableWriter<W> {
    /// Returns a writer that has written the header.
    pub(crate) fn start(out: W, writing: Writing, columns: Vec<String>) -> io::Result<Self> {
        let out = match writing.format {
            Format::Csv | Format::Tsv => Out::Delimited(Box::new(
                csv::WriterBuilder::new().delimiter(writing.delimiter).from_writer(out),
            )),
            Format::Json | Format::JsonLines | Format::Markdown => Out::Text(out),
        };
        let mut table = Self { writing, columns, out, line: String::new(), lines: 0 };
        table.header()?;
        Ok(table)
    }

    /// Writes one row, its cells in the order of the columns.
    pub(crate) fn row(&mut self, cells: &[Cell]) -> io::Result<()> {
        match self.writing.format {
            Format::Csv | Format::Tsv => self.delimited(cells.iter().map(Cell::plain)),
            Format::Markdown => self.markdown(cells),
            Format::Json | Format::JsonLines => self.json(cells),
        }
    }

    /// Ends the table and flushes it.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let end = match (self.writing.format, self.lines) {
            (Format::Json, 0) => "[]\n",
            (Format::Json, _) => "\n]\n",
            _ => "",
        };
        match &mut self.out {
            Out::Delimited(csv) => csv.flush(),
            Out::Text(out) => out.write_all(end.as_bytes()).and_then(|()| out.flush()),
        }
    }

    fn header(&mut self) -> io::Result<()> {
        let columns = self.columns.clone();
        let cells: Vec<Cell> = columns.iter().cloned().map(Cell::Text).collect();
        let shown = self.writing.header == Shown::Yes;
        match (self.writing.format, self.writing.rows) {
            (Format::Csv | Format::Tsv, _) if shown => {
                self.delimited(columns.iter().map(String::as_str))
            }
            (Format::Json | Format::JsonLines, RowForm::Array) if shown => self.json(&cells),
            (Format::Markdown, _) => self.markdown(&cells).and_then(|()| {
                let rule = format!("|{}\n", " --- |".repeat(columns.len()));
                self.text(&rule)
            }),
            _ => Ok(()),
        }
    }

    fn delimited<'c>(&mut self, values: impl Iterator<Item = &'c str>) -> io::Result<()> {
        match &mut self.out {
            Out::Delimited(csv) => csv.write_record(values).map_err(io::Error::from),
            Out::Text(_) => Ok(()),
        }
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        match &mut self.out {
            Out::Delimited(_) => Ok(()),
            Out::Text(out) => out.write_all(text.as_bytes()),
        }
    }

    fn markdown(&mut self, cells: &[Cell]) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        line.push('|');
        for cell in cells {
            line.push(' ');
            push_markdown(cell.plain(), &mut line);
            line.push_str(" |");
        }
        line.push('\n');
        let result = self.text(&line);
        self.line = line;
        result
    }

    fn json(&mut self, cells: &[Cell]) -> io::Result<()> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        match (self.writing.format, self.lines) {
            (Format::Json, 0) => line.push_str("[\n"),
            (Format::Json, _) => line.push_str(",\n"),
            _ => {}
        }
        let object = self.writing.rows == RowForm::Object;
        line.push(if object { '{' } else { '[' });
        let mut first = true;
        for (name, cell) in
            self.columns.iter().zip(cells).filter(|(_, c)| !object || **c != Cell::Missing)
        {
            if !std::mem::take(&mut first) {
                line.push(',');
            }
            if object {
                push_json_string(name, &mut line);
                line.push(':');
            }
            cell.push_json(&mut line);
        }
        line.push(if object { '}' } else { ']' });
        if self.writing.format == Format::JsonLines {
            line.push('\n');
        }
        self.lines += 1;
        let result = self.text(&line);
        self.line = line;
        result
    }
}

/// Escapes what would end a Markdown cell or row.
fn push_markdown(text: &str, out: &mut String) {
    let mut characters = text.trim().chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '|' => out.push_str("\\|"),
            '\\' => out.push_str("\\\\"),
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' | '\r' => out.push_str("<br>"),
            other => out.push(other),
        }
    }
}
