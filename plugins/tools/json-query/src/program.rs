//! Compiles a program and says where it is wrong.

use std::fmt::Write as _;

use jaq_core::compile::Undefined;
use jaq_core::data::HasLut;
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, DataT, Filter, Lut};
use jaq_json::Val;
use jaq_std::input::{HasInputs, Inputs};
use ringfence_sdk::ToolError;

/// Longest program, in bytes. The parser is recursive, so length and nesting are bounded.
pub(crate) const MAX_PROGRAM_BYTES: usize = 16 << 10;
/// Deepest nesting of brackets in a program.
const MAX_NESTING: usize = 64;
/// How many mistakes one answer names.
const MAX_MISTAKES: usize = 5;
/// How much of the place of a mistake is quoted.
const MAX_QUOTE_CHARS: usize = 20;

/// What filters see besides the value they work on: the functions and the rest of the input.
pub(crate) struct Data;

impl DataT for Data {
    type V<'a> = Val;
    type Data<'a> = Run<'a>;
}

/// The data of one run.
#[derive(Clone)]
pub(crate) struct Run<'a> {
    pub(crate) lut: &'a Lut<Data>,
    pub(crate) inputs: Inputs<'a, Val>,
}

impl<'a> HasLut<'a, Data> for Run<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        self.lut
    }
}

impl<'a> HasInputs<'a, Val> for Run<'a> {
    fn inputs(&self) -> Inputs<'a, Val> {
        self.inputs
    }
}

/// Returns the program ready to run.
///
/// # Errors
///
/// `invalid-input` with line and column of each mistake, `too-large` for a program that is too long.
pub(crate) fn compile(code: &str) -> Result<Filter<Data>, ToolError> {
    if code.len() > MAX_PROGRAM_BYTES {
        return Err(ToolError::TooLarge(MAX_PROGRAM_BYTES as u64));
    }
    if nesting(code) > MAX_NESTING {
        let text = format!("`program`: brackets are nested deeper than {MAX_NESTING}");
        return Err(ToolError::InvalidInput(text));
    }
    let arena = Arena::default();
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let modules = Loader::new(defs)
        .load(&arena, File { code, path: () })
        .map_err(|errors| mistakes(code, &load_mistakes(errors)))?;
    let inputs =
        jaq_std::input::funs::<Data>().into_vec().into_iter().map(jaq_core::native::run::<Data>);
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs()).chain(inputs);
    Compiler::default().with_funs(funs).compile(modules).map_err(|errors| {
        let found: Vec<_> = errors
            .into_iter()
            .flat_map(|(_, errors)| errors)
            .map(|(name, kind)| (undefined(name, &kind), name))
            .collect();
        mistakes(code, &found)
    })
}

/// A text that says what is wrong, and the part of the program it is about.
type Mistake<'a> = (String, &'a str);

fn load_mistakes(errors: load::Errors<&str, ()>) -> Vec<Mistake<'_>> {
    let mut found = Vec::new();
    for (_, error) in errors {
        match error {
            load::Error::Io(errors) => found.extend(errors.into_iter().map(|(path, _)| {
                (format!("`{path}` cannot be included: a program is one text"), path)
            })),
            load::Error::Lex(errors) => found.extend(
                errors.into_iter().map(|(expected, at)| (expected_text(expected.as_str(), at), at)),
            ),
            load::Error::Parse(errors) => found.extend(
                errors.into_iter().map(|(expected, at)| (expected_text(expected.as_str(), at), at)),
            ),
        }
    }
    found
}

fn expected_text(expected: &str, at: &str) -> String {
    if at.is_empty() {
        return format!("expected {expected}, found the end of the program");
    }
    let quote: String = at.chars().take(MAX_QUOTE_CHARS).collect();
    format!("expected {expected}, found `{}`", quote.escape_debug())
}

fn undefined(name: &str, kind: &Undefined) -> String {
    match kind {
        Undefined::Filter(arguments) => format!("unknown filter `{name}/{arguments}`"),
        other => format!("unknown {} `{name}`", other.as_str()),
    }
}

fn mistakes(code: &str, found: &[Mistake<'_>]) -> ToolError {
    let mut text = "`program`: ".to_owned();
    for (number, (what, at)) in found.iter().take(MAX_MISTAKES).enumerate() {
        let separator = if number == 0 { "" } else { "; " };
        let (line, column) = place(code, at);
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}line {line}, column {column}: {what}");
    }
    if found.len() > MAX_MISTAKES {
        let _ = write!(text, "; and {} more", found.len() - MAX_MISTAKES);
    }
    ToolError::InvalidInput(text)
}

/// Returns line and column, from 1, of a part of the program.
fn place(code: &str, part: &str) -> (usize, usize) {
    let offset = (part.as_ptr() as usize).saturating_sub(code.as_ptr() as usize).min(code.len());
    let before = code.get(..offset).unwrap_or(code);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// Returns how deep brackets are nested. Brackets in strings and comments count too: that is on the
/// safe side, and interpolation nests in strings.
fn nesting(code: &str) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    for byte in code.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
