//! Which commands a capability stands for: a program, and a pattern for each of its arguments.
//!
//! A pattern is a list of words and never a shell string: nothing splits, expands or quotes it.
//!
//! | word | what it stands for |
//! |---|---|
//! | `text` | exactly this argument |
//! | `text*` | one argument that begins with `text` |
//! | `*` | one operand: any argument that does not begin with `-` |
//! | `-*` | one argument that begins with `-` |
//! | `**`, last | any number of operands, also none |
//! | `-**`, last | any number of arguments, options among them |
//!
//! **An argument that begins with `-` is matched only by a word that begins with `-`.** Whoever writes
//! `["git", "fetch", "*"]` thinks of the name of a remote; `--upload-pack=COMMAND` in its place would
//! run a command. `grep` reads another file with `-f`, `find` starts programs with `-exec`, and most
//! programs have one option of this sort. It holds after a word `--` too: not every program ends its
//! options there.
//!
//! What this does not hold: instructions in another form, such as `dd of=FILE`, `tar xf`, `vim +cmd` or
//! the `@FILE` of compilers. The operands of such a program are better written out.

mod text;

use crate::ParseError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most arguments in one pattern; a person has to read them.
pub const MAX_ARGUMENTS: usize = 1_024;
/// The most bytes in all words of one pattern together.
pub const MAX_ARGV_BYTES: usize = 32 * 1_024;

const WHAT: &str = "command pattern";

/// A program and a pattern for its arguments; see the table at the top of `argv.rs` and
/// [`ArgvPattern::parse`].
///
/// ```
/// use ringfence_capability::ArgvPattern;
///
/// let tests = ArgvPattern::parse(&["cargo", "test", "-p", "*"])?;
/// let matches = |argv: [&str; 4]| tests.matches(argv.iter().map(|word| word.as_bytes()));
/// assert!(matches(["cargo", "test", "-p", "parser"]));
/// assert!(!matches(["cargo", "test", "-p", "--config=evil.toml"]));
/// assert_eq!(tests.to_string(), "cargo test -p *");
/// # Ok::<(), ringfence_capability::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct ArgvPattern {
    program: Box<str>,
    elements: Box<[Element]>,
    rest: Rest,
}

/// What stands for one argument.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Element {
    Literal(Box<[u8]>),
    /// An argument that begins with this; with nothing, an operand.
    Prefix(Box<[u8]>),
}

/// What stands for the arguments after the elements.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Rest {
    Nothing,
    Operands,
    Anything,
}

impl ArgvPattern {
    /// Returns the pattern written as `words`: the program, a name or an absolute path, then its
    /// arguments. In a word `\*` is a star, `\\` a backslash, `\"` a quote and `\xNN` any byte.
    ///
    /// # Errors
    /// When there is no program, a star or a backslash stands where it means nothing, a character
    /// hides, or it is longer than [`MAX_ARGUMENTS`] or [`MAX_ARGV_BYTES`].
    pub fn parse<W: AsRef<str>>(words: &[W]) -> Result<Self, ParseError> {
        let mut words = words.iter().map(AsRef::as_ref);
        let program = words.next().ok_or_else(|| {
            ParseError::new(WHAT, "", "it begins with the program, a name or an absolute path")
        })?;
        let mut pattern = Building::of(program, &text::bytes(program)?)?;
        for word in words {
            if pattern.rest != Rest::Nothing {
                return Err(ParseError::new(WHAT, word, "nothing follows `**`, it stands last"));
            }
            match text::word(word)? {
                text::Word::Element(element) => pattern.push(word, element)?,
                text::Word::Rest(rest) => pattern.rest = rest,
            }
        }
        Ok(pattern.done())
    }

    /// Returns the pattern that only the command `argv` matches, the program first.
    ///
    /// # Errors
    /// When the program is neither a name nor an absolute path, an argument has a NUL, or there are
    /// more or longer arguments than a pattern can have.
    pub fn exactly<'a>(argv: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ParseError> {
        let mut argv = argv.into_iter();
        let program = argv.next().unwrap_or_default();
        let mut pattern = Building::of(&String::from_utf8_lossy(program), program)?;
        for argument in argv {
            let shown = String::from_utf8_lossy(argument);
            pattern.push(&shown, Element::Literal(argument.into()))?;
        }
        Ok(pattern.done())
    }

    /// Returns the program: a name, or an absolute path.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Returns the last part of the program's path, which is its name.
    pub fn program_name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the words, the program first, as [`ArgvPattern::parse`] reads them.
    pub fn words(&self) -> impl Iterator<Item = String> {
        text::words(self)
    }

    /// Tells whether it stands for one single command.
    pub fn is_exact(&self) -> bool {
        let literal = |element: &Element| matches!(element, Element::Literal(_));
        self.rest == Rest::Nothing && self.elements.iter().all(literal)
    }

    /// Tells whether it stands for the program without arguments, and nothing else.
    pub fn is_bare(&self) -> bool {
        self.rest == Rest::Nothing && self.elements.is_empty()
    }

    /// Returns the same program with any arguments.
    #[must_use]
    pub fn with_any_arguments(&self) -> Self {
        let elements = Box::default();
        Self { program: self.program.clone(), elements, rest: Rest::Anything }
    }

    /// Tells whether the command `argv` matches, the program first as it was asked for. Arguments
    /// are bytes and need not be text. Does not allocate.
    pub fn matches<'a>(&self, argv: impl IntoIterator<Item = &'a [u8]>) -> bool {
        let mut argv = argv.into_iter();
        if argv.next() != Some(self.program.as_bytes()) {
            return false;
        }
        let mut elements = self.elements.iter();
        for argument in argv {
            let good = match elements.next() {
                Some(element) => element.matches(argument),
                None => self.rest.matches(argument),
            };
            if !good {
                return false;
            }
        }
        elements.next().is_none()
    }

    /// Tells whether every command that `other` matches is matched by this pattern. Does not
    /// allocate.
    pub fn contains(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.elements.len(), other.elements.len());
        let length = mine == theirs || (mine < theirs && self.rest != Rest::Nothing);
        let each = |(at, theirs): (usize, &Element)| match self.elements.get(at) {
            Some(mine) => mine.contains(theirs),
            None => self.rest.contains(theirs),
        };
        self.program == other.program
            && length
            && other.rest <= self.rest
            && other.elements.iter().enumerate().all(each)
    }

    /// Tells whether a rule that takes away what this pattern stands for takes away a part of
    /// `other`. Errs on the side of yes: programs are compared by name whatever their directory,
    /// without case and `.exe`, and `*` and `**` of this pattern stand for options too. Does not
    /// allocate.
    pub fn touches(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.elements.len(), other.elements.len());
        let length = (mine >= theirs || self.rest != Rest::Nothing)
            && (theirs >= mine || other.rest != Rest::Nothing);
        let each = |(at, mine): (usize, &Element)| match other.elements.get(at) {
            Some(theirs) => mine.touches(theirs),
            None => mine.touches_rest(other.rest),
        };
        length
            && same_program(self.program_name(), other.program_name())
            && self.elements.iter().enumerate().all(each)
    }

    /// Tells whether the name of the program is `name`, compared without case and `.exe`; `name`
    /// may end in `*`. Does not allocate.
    pub fn runs(&self, name: &str) -> bool {
        let program = without_exe(self.program_name());
        match name.strip_suffix('*') {
            Some(stem) => {
                let mut program = folded(program);
                folded(stem).all(|c| program.next() == Some(c))
            }
            None => same_program(program, name),
        }
    }

    /// Tells whether it stands for a command with an argument that begins with `-` and is matched by
    /// no word of `known`.
    pub fn takes_options_beyond(&self, known: &Self) -> bool {
        let unknown = |element: &&Element| {
            element.is_option() && !known.elements.iter().any(|known| known.contains(element))
        };
        self.rest == Rest::Anything || self.elements.iter().any(|element| unknown(&element))
    }
}

impl Element {
    fn matches(&self, argument: &[u8]) -> bool {
        match self {
            Self::Literal(text) => **text == *argument,
            Self::Prefix(stem) if stem.is_empty() => !is_option(argument),
            Self::Prefix(stem) => argument.starts_with(stem),
        }
    }

    fn contains(&self, other: &Self) -> bool {
        match other {
            Self::Literal(text) => self.matches(text),
            Self::Prefix(theirs) => match self {
                Self::Literal(_) => false,
                Self::Prefix(mine) if mine.is_empty() => !is_option(theirs),
                Self::Prefix(mine) => theirs.starts_with(mine),
            },
        }
    }

    fn touches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Prefix(mine), _) if mine.is_empty() => true,
            (Self::Literal(text), _) => other.matches(text),
            (Self::Prefix(mine), Self::Prefix(theirs)) if theirs.is_empty() => !is_option(mine),
            (Self::Prefix(mine), Self::Prefix(theirs)) => {
                mine.starts_with(theirs) || theirs.starts_with(mine)
            }
            (Self::Prefix(_), Self::Literal(text)) => self.matches(text),
        }
    }

    fn touches_rest(&self, rest: Rest) -> bool {
        match rest {
            Rest::Nothing => false,
            Rest::Operands => !self.is_option(),
            Rest::Anything => true,
        }
    }

    /// Tells whether everything it matches begins with `-`.
    fn is_option(&self) -> bool {
        let (Self::Literal(text) | Self::Prefix(text)) = self;
        is_option(text)
    }
}

impl Rest {
    fn matches(self, argument: &[u8]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Operands => !is_option(argument),
            Self::Anything => true,
        }
    }

    fn contains(self, element: &Element) -> bool {
        match self {
            Self::Nothing => false,
            Self::Operands => !element.is_option(),
            Self::Anything => true,
        }
    }
}

fn is_option(argument: &[u8]) -> bool {
    argument.starts_with(b"-")
}

/// Tells whether two file names may be the same program on some file system.
fn same_program(one: &str, other: &str) -> bool {
    let (one, other) = (without_exe(one), without_exe(other));
    if one.is_ascii() && other.is_ascii() {
        return one.eq_ignore_ascii_case(other);
    }
    folded(one).eq(folded(other))
}

fn without_exe(name: &str) -> &str {
    match name.len().checked_sub(4).and_then(|at| name.split_at_checked(at)) {
        Some((stem, end)) if end.eq_ignore_ascii_case(".exe") => stem,
        _ => name,
    }
}

/// Returns the characters without differences of case. Through upper case first: only that folds `ſ`
/// into `s`.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// A pattern whose words are added one by one, within the limits.
struct Building {
    program: Box<str>,
    elements: Vec<Element>,
    rest: Rest,
    bytes: usize,
}

impl Building {
    fn of(shown: &str, program: &[u8]) -> Result<Self, ParseError> {
        let program = text::program(shown, program)?;
        Ok(Self { bytes: program.len(), program, elements: Vec::new(), rest: Rest::Nothing })
    }

    fn push(&mut self, shown: &str, element: Element) -> Result<(), ParseError> {
        let fail = |why| Err(ParseError::new(WHAT, shown, why));
        let (Element::Literal(bytes) | Element::Prefix(bytes)) = &element;
        self.bytes = self.bytes.saturating_add(bytes.len());
        if bytes.contains(&0) {
            return fail("an argument has no NUL");
        }
        if self.elements.len() >= MAX_ARGUMENTS || self.bytes > MAX_ARGV_BYTES {
            return fail("a command has at most 1024 arguments and 32 KiB");
        }
        self.elements.push(element);
        Ok(())
    }

    fn done(self) -> ArgvPattern {
        let elements = self.elements.into();
        ArgvPattern { program: self.program, elements, rest: self.rest }
    }
}

impl TryFrom<Vec<String>> for ArgvPattern {
    type Error = ParseError;

    fn try_from(words: Vec<String>) -> Result<Self, ParseError> {
        Self::parse(&words)
    }
}

impl From<ArgvPattern> for Vec<String> {
    fn from(pattern: ArgvPattern) -> Self {
        pattern.words().collect()
    }
}

impl fmt::Debug for ArgvPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArgvPattern({self})")
    }
}

#[cfg(test)]
mod tests;
