//! Why a bundle is refused, each reason told apart.

use crate::{BundleError, Found};
use ringfence_capability::{Class, Diagnostic, Digest, text};
use std::io;

/// Why a bundle cannot be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The operating system refused to read it.
    #[error("`{path}` cannot be read")]
    Unreadable {
        /// The bundle, as the operator named it.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of a bundle in a directory cannot be read.
    #[error(transparent)]
    File(#[from] BundleError),
    /// Something compressed.
    #[error("`{path}` is compressed ({how}), and bundles are not")]
    Compressed {
        /// The bundle, as the operator named it.
        path: String,
        /// How it is compressed.
        how: &'static str,
    },
    /// Something else where a bundle belongs.
    #[error("`{path}` is not a bundle: {found}")]
    WrongKind {
        /// The bundle, as the operator named it.
        path: String,
        /// What it is instead.
        found: Found,
    },
    /// A bundle that is refused; the source says why.
    #[error("the bundle `{path}` is refused")]
    Refused {
        /// The bundle, as the operator named it.
        path: String,
        /// Why.
        #[source]
        problem: Box<ArchiveProblem>,
    },
}

impl ArchiveError {
    pub(crate) fn refused(path: &str, problem: ArchiveProblem) -> Self {
        Self::Refused { path: path.to_owned(), problem: Box::new(problem) }
    }

    /// Returns why the bundle is refused, when it is for its content.
    pub fn problem(&self) -> Option<&ArchiveProblem> {
        match self {
            Self::Refused { problem, .. } => Some(problem),
            _ => None,
        }
    }
}

impl Diagnostic for ArchiveError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "bundle::unreadable",
            Self::File(error) => error.code(),
            Self::Compressed { .. } => "bundle::compressed",
            Self::WrongKind { .. } => "bundle::not-a-bundle",
            Self::Refused { problem, .. } => problem.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Refused { problem, .. } => problem.class(),
            _ => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { .. } => None,
            Self::File(error) => error.hint(),
            Self::Compressed { how, .. } => {
                Some(format!("decompress it first (`{how} -d`), or fetch the bundle itself"))
            }
            Self::WrongKind { .. } => Some(
                "`ringfence pack DIR` makes a bundle (`.rfz`) of a plugin directory".to_owned(),
            ),
            Self::Refused { problem, .. } => Some(problem.hint()),
        }
    }
}

/// What is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveProblem {
    /// The archive ends inside a header or a file.
    #[error("it ends at byte {offset}, inside {inside}")]
    Truncated {
        /// Where it ends.
        offset: u64,
        /// What was being read.
        inside: String,
    },
    /// The two empty blocks at the end are missing.
    #[error("the two empty blocks that end a tar archive are missing at byte {offset}")]
    NoEnd {
        /// Where they belong.
        offset: u64,
    },
    /// Bytes after the end.
    #[error("there are bytes after the end of the archive, at byte {offset}")]
    Trailing {
        /// Where they begin.
        offset: u64,
    },
    /// A header whose checksum is wrong.
    #[error("the header at byte {offset} has a wrong checksum")]
    Checksum {
        /// Where the header begins.
        offset: u64,
    },
    /// A header that is not the one this format has for the entry.
    #[error("the header at byte {offset} is not canonical: its {field} is not `{expected}`")]
    NotCanonical {
        /// Where the header begins.
        offset: u64,
        /// The field.
        field: &'static str,
        /// What it has to hold.
        expected: String,
    },
    /// A size in a form for sizes a bundle never has.
    #[error("the header at byte {offset} gives a size of more than 8 GiB")]
    LargeSize {
        /// Where the header begins.
        offset: u64,
    },
    /// An entry that is no plain file.
    #[error("the entry at byte {offset} is {kind}; a bundle has plain files only")]
    Kind {
        /// Where the header begins.
        offset: u64,
        /// What it is, with its article.
        kind: &'static str,
    },
    /// Bytes other than zero after the end of a file.
    #[error("the padding after `{path}` is not zero")]
    Padding {
        /// The file.
        path: String,
    },
    /// A path that cannot stand in a bundle.
    #[error("the path `{}` cannot stand in a bundle", text::brief(.path, 160))]
    Path {
        /// The path.
        path: String,
        /// Why.
        #[source]
        problem: PathProblem,
    },
    /// The same path twice.
    #[error("`{path}` is there twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// Two paths that are one where case does not count.
    #[error("`{path}` and `{other}` are one path on systems where case does not count")]
    SameButForCase {
        /// The path.
        path: String,
        /// The one before it.
        other: String,
    },
    /// A file where a directory is needed too.
    #[error("`{path}` cannot be there: `{other}` is a file and a directory at once")]
    FileAndDirectory {
        /// The path.
        path: String,
        /// What is both.
        other: String,
    },
    /// Entries in the wrong order.
    #[error("`{path}` stands in the wrong place: {wanted}")]
    Order {
        /// The path.
        path: String,
        /// What the order is.
        wanted: &'static str,
    },
    /// One file is too large.
    #[error("`{path}` is larger than {limit_bytes} bytes, the most it may have")]
    FileTooLarge {
        /// The path.
        path: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// All files together are too large.
    #[error("its files have more than {limit_bytes} bytes together")]
    TooLarge {
        /// The limit.
        limit_bytes: u64,
    },
    /// Too many files.
    #[error("it has more than {limit} files")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// Too many signatures.
    #[error("it has more than {limit} signatures")]
    TooManySignatures {
        /// The limit.
        limit: usize,
    },
    /// There is no list.
    #[error("it has no `SHA256SUMS`, which comes first")]
    NoSums,
    /// A line of the list is wrong.
    #[error("line {line} of `SHA256SUMS` {why}")]
    Sums {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file that the list does not name.
    #[error("`{path}` is not listed in `SHA256SUMS`")]
    NotListed {
        /// The path.
        path: String,
    },
    /// A file that the list names and that is not there.
    #[error("`{path}` is listed in `SHA256SUMS` and is not there")]
    Missing {
        /// The path.
        path: String,
    },
    /// A file that is not what the list says.
    #[error("`{path}` was changed: it is not what `SHA256SUMS` lists")]
    Changed {
        /// The path.
        path: String,
        /// What the list says.
        expected: Option<Digest>,
        /// What it is.
        found: Digest,
    },
    /// A name kept for the list and its signatures.
    #[error("`{path}` is a name kept for the list and its signatures")]
    ReservedName {
        /// The path.
        path: String,
    },
}

impl ArchiveProblem {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "bundle::truncated",
            Self::NoEnd { .. } => "bundle::no-end",
            Self::Trailing { .. } => "bundle::trailing-data",
            Self::Checksum { .. } => "bundle::checksum",
            Self::NotCanonical { .. } => "bundle::not-canonical",
            Self::LargeSize { .. } => "bundle::large-size",
            Self::Kind { .. } => "bundle::entry-kind",
            Self::Padding { .. } => "bundle::padding",
            Self::Path { .. } => "bundle::path",
            Self::Duplicate { .. } => "bundle::duplicate",
            Self::SameButForCase { .. } => "bundle::same-but-for-case",
            Self::FileAndDirectory { .. } => "bundle::file-and-directory",
            Self::Order { .. } => "bundle::order",
            Self::FileTooLarge { .. } => "bundle::file-too-large",
            Self::TooLarge { .. } => "bundle::bundle-too-large",
            Self::TooMany { .. } => "bundle::too-many-files",
            Self::TooManySignatures { .. } => "bundle::too-many-signatures",
            Self::NoSums => "bundle::no-sums",
            Self::Sums { .. } => "bundle::sums",
            Self::NotListed { .. } => "bundle::not-listed",
            Self::Missing { .. } => "bundle::missing-file",
            Self::Changed { .. } => "bundle::changed",
            Self::ReservedName { .. } => "bundle::reserved-name",
        }
    }

    /// A bundle whose files are not the listed ones was changed after it was made: refused, not just
    /// badly written.
    fn class(&self) -> Class {
        match self {
            Self::NotListed { .. } | Self::Missing { .. } | Self::Changed { .. } => Class::Refused,
            _ => Class::BadInput,
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Truncated { .. } | Self::NoEnd { .. } => "fetch it again: a part is missing",
            Self::Trailing { .. }
            | Self::Checksum { .. }
            | Self::NotCanonical { .. }
            | Self::LargeSize { .. }
            | Self::Kind { .. }
            | Self::Padding { .. }
            | Self::Duplicate { .. }
            | Self::Order { .. }
            | Self::Sums { .. }
            | Self::NoSums => {
                "only one tar of the same files is a bundle: `ringfence pack` writes it"
            }
            Self::Path { .. } | Self::SameButForCase { .. } | Self::FileAndDirectory { .. } => {
                "name the file differently and pack it again"
            }
            Self::FileTooLarge { .. } | Self::TooLarge { .. } | Self::TooMany { .. } => {
                "leave out what the plugin does not need to run"
            }
            Self::TooManySignatures { .. } => "leave out signatures nobody checks",
            Self::NotListed { .. } | Self::Missing { .. } | Self::Changed { .. } => {
                "do not run it: fetch it again from its publisher; if the changes are your own, pack \
                 it again"
            }
            Self::ReservedName { .. } => "leave the file out: `ringfence pack` writes the list",
        }
        .to_owned()
    }
}

/// Why a path cannot stand in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathProblem {
    /// Nothing.
    #[error("it is empty")]
    Empty,
    /// It starts at the root.
    #[error("it is absolute")]
    Absolute,
    /// It leads out.
    #[error("it has `..` in it")]
    Parent,
    /// It has `.` in it.
    #[error("it has `.` as a part")]
    Dot,
    /// It has an empty part, or ends with `/`.
    #[error("it has an empty part")]
    EmptyPart,
    /// It has a backslash.
    #[error("it has a backslash, which separates parts on some systems")]
    Backslash,
    /// It has a control character, NUL among them.
    #[error("it has a control character")]
    Control,
    /// It has other letters than ASCII.
    #[error("it has a character outside ASCII, which systems compose and fold in different ways")]
    NotAscii,
    /// It is not UTF-8.
    #[error("it is not text in UTF-8")]
    NotText,
    /// It has a character some systems do not allow.
    #[error("it has `{c}`, which some systems do not allow")]
    Character {
        /// The character.
        c: char,
    },
    /// A part starts with a space, or ends with a space or a dot.
    #[error("a part of it starts or ends with a space, or ends with a dot")]
    Ending,
    /// A part is the name of a device on Windows.
    #[error("a part of it is the name of a device on some systems")]
    Device,
    /// It, or a part of it, is too long.
    #[error("it, or a part of it, has more than {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: usize,
    },
    /// It has too many parts.
    #[error("it has more than {limit} parts")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
}
