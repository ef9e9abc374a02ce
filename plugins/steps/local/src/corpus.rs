//! A directory of documents: what is in it, where each is, and the index over their words.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use research_quality::rank::RankIndex;
use ringfence_sdk::ToolError;

use crate::exports::ringfence::research::provider::Hit;
use crate::meta::{self, Line, Meta};

/// Most documents.
const MAX_DOCUMENTS: usize = 200_000;
/// Most bytes of all documents together.
const MAX_CORPUS_BYTES: u64 = 256 << 20;
/// Largest document.
const MAX_DOCUMENT_BYTES: u64 = 8 << 20;
/// Most levels of directories.
const MAX_LEVELS: usize = 32;
/// How much of a document a hit shows, in characters.
const SNIPPET_CHARS: usize = 200;

/// What kind of file a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Markdown,
    Html,
    Lines,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" | "text" => Some(Self::Text),
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "jsonl" | "ndjson" => Some(Self::Lines),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Text | Self::Lines => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            // The page says itself how it is encoded.
            Self::Html => "text/html",
        }
    }
}

/// Where a document lies, and what a hit says of it.
struct Entry {
    file: usize,
    start: u64,
    length: u64,
    meta: Meta,
    url: String,
    snippet: String,
}

/// A directory that was read.
pub(crate) struct Corpus {
    files: Vec<(PathBuf, Form)>,
    entries: Vec<Entry>,
    by_url: BTreeMap<String, usize>,
    index: RankIndex,
    bytes: u64,
}

impl Corpus {
    /// Reads every document below `root` once and indexes its words.
    pub(crate) fn open(root: &Path) -> Result<Self, ToolError> {
        let mut files = Vec::new();
        walk(root, 0, &mut files)?;
        files.sort();
        let mut corpus = Self {
            files: Vec::new(),
            entries: Vec::new(),
            by_url: BTreeMap::new(),
            index: RankIndex::new(),
            bytes: 0,
        };
        for path in files {
            if let Some(form) = Form::of(&path) {
                corpus.add_file(root, path, form)?;
            }
        }
        Ok(corpus)
    }

    fn add_file(&mut self, root: &Path, path: PathBuf, form: Form) -> Result<(), ToolError> {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        let file = self.files.len();
        let most = if form == Form::Lines { MAX_CORPUS_BYTES } else { MAX_DOCUMENT_BYTES };
        let bytes = read_bounded(&path, &name, most)?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_CORPUS_BYTES {
            return Err(ToolError::TooLarge(MAX_CORPUS_BYTES));
        }
        self.files.push((path, form));
        let text = String::from_utf8_lossy(&bytes);
        let place = |start: usize, length: usize| (file, start as u64, length as u64);
        match form {
            Form::Lines => self.add_lines(&name, file, &bytes),
            Form::Html => {
                let (title, words) = meta::page(&text);
                let meta = Meta { title, ..Meta::default() };
                self.add(place(0, bytes.len()), &name, meta, &words)
            }
            Form::Text | Form::Markdown => {
                let (mut meta, body) = meta::front(&text);
                meta.title = meta.title.or_else(|| meta::heading(body));
                self.add(place(0, bytes.len()), &name, meta, body)
            }
        }
    }

    fn add_lines(&mut self, name: &str, file: usize, bytes: &[u8]) -> Result<(), ToolError> {
        let mut start = 0;
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let place = (file, start as u64, line.len() as u64);
            start += line.len() + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let at = format!("{name}#{}", number + 1);
            let read: Line = parsed(&at, line)?;
            let meta = Meta { url: read.url, title: read.title, published: read.published };
            self.add(place, &at, meta, &read.text)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        (file, start, length): (usize, u64, u64),
        name: &str,
        mut meta: Meta,
        words: &str,
    ) -> Result<(), ToolError> {
        let number = self.entries.len();
        if number >= MAX_DOCUMENTS {
            let text = format!("there are more than {MAX_DOCUMENTS} documents");
            return Err(ToolError::InvalidInput(text));
        }
        // Of two documents that name one address the second keeps the address of its place.
        let own = meta.url.take().filter(|url| !self.by_url.contains_key(url));
        let url = own.unwrap_or_else(|| format!("corpus:{name}"));
        let id = u32::try_from(number).unwrap_or(u32::MAX);
        let mut indexed = meta.title.clone().unwrap_or_default();
        indexed.push('\n');
        indexed.push_str(words);
        self.index.add(id, &indexed).map_err(|error| {
            ToolError::InvalidInput(format!("`{name}` cannot be indexed: {error}"))
        })?;
        let snippet = words.split_whitespace().collect::<Vec<_>>();
        let snippet = snippet.get(..snippet.len().min(40)).unwrap_or_default().join(" ");
        let snippet = snippet.chars().take(SNIPPET_CHARS).collect();
        self.by_url.insert(url.clone(), number);
        self.entries.push(Entry { file, start, length, meta, url, snippet });
        Ok(())
    }

    /// Returns the documents that fit a query, the best first.
    pub(crate) fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let hits = self.index.search(query, limit, |_| None).into_iter();
        hits.filter_map(|hit| {
            let entry = self.entries.get(usize::try_from(hit.document).ok()?)?;
            Some(Hit {
                url: entry.url.clone(),
                title: entry.meta.title.clone(),
                snippet: Some(entry.snippet.clone()),
                published: entry.meta.published.clone(),
            })
        })
        .collect()
    }

    /// Returns the media type and the bytes of a document, read anew.
    pub(crate) fn read(&self, url: &str) -> Result<(&'static str, Vec<u8>), ToolError> {
        let missing = || ToolError::NotFound(format!("there is no document `{url}`"));
        let entry =
            self.by_url.get(url).and_then(|at| self.entries.get(*at)).ok_or_else(missing)?;
        let (path, form) = self.files.get(entry.file).ok_or_else(missing)?;
        let failed = |error: std::io::Error| ToolError::Failed(format!("`{url}`: {error}"));
        let mut file = fs::File::open(path).map_err(failed)?;
        file.seek(SeekFrom::Start(entry.start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(entry.length).read_to_end(&mut bytes).map_err(failed)?;
        let body = match form {
            Form::Html => bytes,
            Form::Lines => parsed::<Line>(url, &bytes)?.text.into_bytes(),
            Form::Text | Form::Markdown => {
                let text = String::from_utf8_lossy(&bytes);
                meta::front(&text).1.as_bytes().to_vec()
            }
        };
        Ok((form.media_type(), body))
    }
}

fn parsed<T: serde::de::DeserializeOwned>(at: &str, line: &[u8]) -> Result<T, ToolError> {
    serde_json::from_slice(line).map_err(|error| {
        let form = r#"{"url": …, "title": …, "published": …, "text": …}"#;
        ToolError::InvalidInput(format!("`{at}`: {error}; a line is {form}"))
    })
}

fn read_bounded(path: &Path, name: &str, most: u64) -> Result<Vec<u8>, ToolError> {
    let failed = |error: std::io::Error| ToolError::Failed(format!("`{name}`: {error}"));
    let file = fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        let text = format!("`{name}` is larger than {most} bytes");
        return Err(ToolError::InvalidInput(text));
    }
    Ok(bytes)
}

/// Finds the files below a directory. Links and names that begin with a dot are passed over.
fn walk(dir: &Path, level: usize, files: &mut Vec<PathBuf>) -> Result<(), ToolError> {
    if level > MAX_LEVELS {
        let text = format!("directories are nested deeper than {MAX_LEVELS} levels");
        return Err(ToolError::InvalidInput(text));
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&entry.path(), level + 1, files)?;
        } else if kind.is_file() {
            if files.len() >= MAX_DOCUMENTS {
                let text = format!("there are more than {MAX_DOCUMENTS} files");
                return Err(ToolError::InvalidInput(text));
            }
            files.push(entry.path());
        }
    }
    Ok(())
}
