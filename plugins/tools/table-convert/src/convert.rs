//! Options, checked; then one pass for the columns and one for the rows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::bounds::{BUFFER_BYTES, Capped, MAX_FILE_BYTES, MAX_INLINE_BYTES};
use crate::cell::Types;
use crate::error::TableError;
use crate::origin::{Origin, guess_delimiter, resolve};
use crate::read::{self, Header, Lengths, Next, Reading, Seen, Shape};
use crate::write::{RowForm, Shown, TableWriter, Writing};
use crate::{Converted, Format, Options, Source, Switches};

/// Converts a table; paths start at `root`.
pub(crate) fn convert(
    root: &Path,
    input: &Source,
    to: Format,
    options: Option<&Options>,
) -> Result<Converted, TableError> {
    let defaults = Options {
        from: None,
        delimiter: None,
        columns: None,
        max_rows: None,
        output: None,
        switches: None,
    };
    let options = options.unwrap_or(&defaults);
    let origin = Origin { root, source: input };
    let head = origin.head()?;
    let reading = reading(origin, options, &head)?;
    let shape = read::shape(&reading)?;
    let kept = selected(&shape, options.columns.as_deref().unwrap_or_default())?;
    let writing = writing(to, options)?;
    let job = Job { reading, shape, kept, writing, max_rows: options.max_rows };
    match &options.output {
        None => job.inline(),
        Some(path) => job.to_file(root, path, has(options, Switches::OVERWRITE)),
    }
}

fn reading<'a>(
    origin: Origin<'a>,
    options: &Options,
    head: &str,
) -> Result<Reading<'a>, TableError> {
    let format = options.from.unwrap_or_else(|| origin.guess_format(head));
    let given = options.delimiter.map(delimiter).transpose()?;
    Ok(Reading {
        origin,
        format,
        delimiter: match format {
            Format::Tsv => b'\t',
            _ => given.unwrap_or_else(|| guess_delimiter(head)),
        },
        header: if has(options, Switches::NO_HEADER) { Header::None } else { Header::FirstRow },
        types: if has(options, Switches::TEXT_ONLY) { Types::TextOnly } else { Types::Inferred },
        lengths: if has(options, Switches::LENIENT) { Lengths::Any } else { Lengths::Equal },
    })
}

fn writing(to: Format, options: &Options) -> Result<Writing, TableError> {
    Ok(Writing {
        format: to,
        delimiter: match (to, options.delimiter) {
            (Format::Tsv, _) => b'\t',
            (_, Some(character)) => delimiter(character)?,
            _ => b',',
        },
        header: if has(options, Switches::OMIT_HEADER) { Shown::No } else { Shown::Yes },
        rows: if has(options, Switches::ARRAYS) { RowForm::Array } else { RowForm::Object },
    })
}

fn has(options: &Options, switch: Switches) -> bool {
    options.switches.is_some_and(|switches| switches.contains(switch))
}

fn delimiter(character: char) -> Result<u8, TableError> {
    u8::try_from(character)
        .ok()
        .filter(|byte| byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r' | 0))
        .ok_or_else(|| {
            let reason = format!(
                "delimiter {character:?} is not one ASCII character that can separate values"
            );
            TableError::option(reason)
        })
}

/// Returns the places of the columns to keep; no names keep all.
fn selected(shape: &Shape, names: &[String]) -> Result<Vec<usize>, TableError> {
    if names.is_empty() {
        return Ok((0..shape.columns.len()).collect());
    }
    let place = |(nth, name): (usize, &String)| {
        if names.get(..nth).is_some_and(|before| before.contains(name)) {
            return Err(TableError::option(format!("column `{name}` is named twice")));
        }
        shape.columns.iter().position(|column| column == name).ok_or_else(|| {
            let known: Vec<&str> = shape.columns.iter().take(20).map(String::as_str).collect();
            TableError::option(format!("no column `{name}`; there are: {}", known.join(", ")))
        })
    };
    names.iter().enumerate().map(place).collect()
}

struct Job<'a> {
    reading: Reading<'a>,
    shape: Shape,
    kept: Vec<usize>,
    writing: Writing,
    max_rows: Option<u64>,
}

/// What came of writing the rows.
struct Written {
    rows: u64,
    size: u64,
    truncated: bool,
    seen: Seen,
}

impl Job<'_> {
    fn inline(&self) -> Result<Converted, TableError> {
        let mut bytes = Vec::new();
        let written = self.pump(&mut bytes, MAX_INLINE_BYTES, "text")?;
        // Every cell was text, so this never replaces anything.
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Ok(self.report(Some(text), None, written))
    }

    fn to_file(&self, root: &Path, path: &str, overwrite: bool) -> Result<Converted, TableError> {
        let target = resolve(root, path)?;
        let fail = |source| TableError::from_io("write", path, source);
        match fs::symlink_metadata(&target) {
            Ok(_) if !overwrite => {
                let reason = format!("`{path}` exists; the `overwrite` switch replaces it");
                return Err(TableError::option(reason));
            }
            Ok(meta) if !meta.is_file() => {
                return Err(TableError::option(format!("`{path}` is not a plain file")));
            }
            _ => {}
        }
        let (part, file) = Part::create(&target).map_err(fail)?;
        let mut file = BufWriter::with_capacity(BUFFER_BYTES, file);
        let written = self.pump(&mut file, MAX_FILE_BYTES, path)?;
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|f| f.sync_all())
            .map_err(fail)?;
        part.keep(&target).map_err(fail)?;
        Ok(self.report(None, Some(path.to_owned()), written))
    }

    fn pump(&self, out: &mut dyn Write, limit: u64, path: &str) -> Result<Written, TableError> {
        let (out, size) = Capped::new(out, limit);
        let fail = |source| {
            if size.get() > limit {
                return TableError::TooLarge { what: "the converted table", limit };
            }
            TableError::from_io("write", path, source)
        };
        let columns = self.columns();
        let mut table = TableWriter::start(out, self.writing, columns).map_err(fail)?;
        let (mut rows, mut truncated) = (0, false);
        let seen = read::each_row(&self.reading, &self.shape, &mut |cells| {
            if self.max_rows.is_some_and(|most| rows >= most) {
                truncated = true;
                return Ok(Next::Stop);
            }
            let kept: Vec<_> = self.kept.iter().filter_map(|at| cells.get(*at).cloned()).collect();
            table.row(&kept).map_err(fail)?;
            rows += 1;
            Ok(Next::Row)
        })?;
        table.finish().map_err(fail)?;
        Ok(Written { rows, size: size.get(), truncated, seen })
    }

    fn columns(&self) -> Vec<String> {
        self.kept.iter().filter_map(|at| self.shape.columns.get(*at).cloned()).collect()
    }

    fn report(&self, text: Option<String>, file: Option<String>, written: Written) -> Converted {
        let Written { rows, size, truncated, seen } = written;
        let mut notes = seen.notes;
        if self.shape.renamed > 0 {
            notes.push(format!("{} columns were renamed to be distinct", self.shape.renamed));
        }
        if seen.dropped_rows > 0 {
            notes.push(format!("extra values were dropped from {} rows", seen.dropped_rows));
        }
        if self.reading.format == Format::Csv && self.reading.delimiter != b',' {
            notes.push(format!(
                "the delimiter of the input is {:?}",
                char::from(self.reading.delimiter)
            ));
        }
        let from = self.reading.format;
        Converted { text, file, from, columns: self.columns(), rows, size, truncated, notes }
    }
}

/// A file beside its target that is removed unless it was kept, so a failed run leaves nothing.
struct Part {
    path: Option<PathBuf>,
}

impl Part {
    fn create(target: &Path) -> io::Result<(Self, File)> {
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut nth = 0;
        loop {
            let path = target.with_file_name(format!(".{name}.part-{nth}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Self { path: Some(path) }, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && nth < 100 => nth += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(mut self, target: &Path) -> io::Result<()> {
        match self.path.take() {
            Some(path) => fs::rename(&path, target).inspect_err(|_| self.path = Some(path)),
            None => Ok(()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // Nothing can be done about a leftover here; the error that led here is the one to tell.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
