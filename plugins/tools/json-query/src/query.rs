//! Runs a program over the input and writes the results, within limits.
//!
//! A program may yield results without end: the number and the length of the results are bounded. One
//! that computes without end and without a result is ended by the host, like any endless loop.

use jaq_core::{Ctx, Exn, Filter, Vars};
use jaq_json::{Val, write};
use jaq_std::input::RcIter;
use ringfence_sdk::ToolError;

use crate::program::{Data, Run};
use crate::{Report, Request, input, program};

const DEFAULT_RESULTS: u32 = 1000;
const MAX_RESULTS: u32 = 100_000;
const DEFAULT_OUTPUT_BYTES: u64 = 1 << 20;
const MAX_OUTPUT_BYTES: u64 = 16 << 20;
/// How much of the text of a failed program is kept: it quotes the value it failed on.
const MAX_ERROR_CHARS: usize = 500;

/// Returns the results of the program.
///
/// # Errors
///
/// `invalid-input` for a program or an input that cannot be parsed (with line and column) and for a
/// program that fails, `not-found`, `denied` and `too-large` for a file.
pub fn run(request: &Request) -> Result<Report, ToolError> {
    let filter = program::compile(&request.program)?;
    let bytes = input::bytes(request)?;
    let mut output = Output::new(request);
    match (&bytes, request.slurp.unwrap_or(false)) {
        (None, _) => each(&filter, std::iter::once(Ok(Val::Null)), &mut output)?,
        (Some(bytes), false) => each(&filter, input::values(bytes), &mut output)?,
        (Some(bytes), true) => {
            let all: Result<Vec<Val>, String> = input::values(bytes).collect();
            let all = Val::from_iter(all.map_err(ToolError::InvalidInput)?);
            each(&filter, std::iter::once(Ok(all)), &mut output)?;
        }
    }
    Ok(Report { results: output.results, truncated: output.truncated })
}

/// Runs the program on each value that it does not take itself with `input`.
fn each<'a>(
    filter: &'a Filter<Data>,
    values: impl Iterator<Item = Result<Val, String>> + 'a,
    output: &mut Output,
) -> Result<(), ToolError> {
    let values: Box<dyn Iterator<Item = Result<Val, String>> + 'a> = Box::new(values);
    let inputs = RcIter::new(values);
    while let Some(value) = (&inputs).next() {
        let value = value.map_err(ToolError::InvalidInput)?;
        let data = Run { lut: &filter.lut, inputs: &inputs };
        for result in filter.id.run((Ctx::<Data>::new(data, Vars::new([])), value)) {
            let more = match result {
                Ok(value) => output.push(&value),
                Err(exception) => output.exception(exception)?,
            };
            if !more {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The results so far, and what still fits.
struct Output {
    results: Vec<String>,
    truncated: bool,
    left_results: u32,
    left_bytes: usize,
    raw: bool,
    style: write::Pp,
}

impl Output {
    fn new(request: &Request) -> Self {
        let bytes = request.max_output.unwrap_or(DEFAULT_OUTPUT_BYTES).min(MAX_OUTPUT_BYTES);
        let indent = request.pretty.unwrap_or(false).then(|| "  ".to_owned());
        Self {
            results: Vec::new(),
            truncated: false,
            left_results: request.max_results.unwrap_or(DEFAULT_RESULTS).min(MAX_RESULTS),
            left_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            raw: request.raw.unwrap_or(false),
            style: write::Pp { sep_space: indent.is_some(), indent, ..write::Pp::default() },
        }
    }

    /// Adds a result, and returns whether there is room for another.
    fn push(&mut self, value: &Val) -> bool {
        let mut text = Bounded { bytes: Vec::new(), left: self.left_bytes };
        let written = match value {
            Val::TStr(string) | Val::BStr(string) if self.raw => {
                std::io::Write::write_all(&mut text, string)
            }
            _ => write::write(&mut text, &self.style, 0, value),
        };
        if self.left_results == 0 || written.is_err() {
            self.truncated = true;
            return false;
        }
        self.left_results -= 1;
        self.left_bytes = text.left;
        self.results.push(String::from_utf8_lossy(&text.bytes).into_owned());
        true
    }

    /// Ends the run: quietly for `halt`, with an error for everything else.
    fn exception(&self, exception: Exn<'_, Val>) -> Result<bool, ToolError> {
        let text = match exception.get_err() {
            Ok(error) => error.to_string(),
            Err(other) => match other.get_halt() {
                Ok(0) => return Ok(false),
                Ok(code) => format!("ended itself with code {code}"),
                Err(_) => "ended in a `break` without its label".to_owned(),
            },
        };
        let text: String = text.chars().take(MAX_ERROR_CHARS).collect();
        let count = self.results.len();
        Err(ToolError::InvalidInput(format!("`program` failed after {count} results: {text}")))
    }
}

/// A buffer that refuses to grow past what is left.
struct Bounded {
    bytes: Vec<u8>,
    left: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.left = self.left.checked_sub(part.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
