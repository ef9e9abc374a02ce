//! A directory of documents: what is in it, where each is, and the index over their words.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use research_quality::hash::sha256;
use research_quality::rank::{self, RankIndex};
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
/// The same in words.
const SNIPPET_WORDS: usize = 40;
/// Longest reason why a document cannot be read, in characters.
const MAX_FAULT_CHARS: usize = 300;

/// What kind of file a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Markdown,
    Html,
    Lines,
    Pdf,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "txt" | "text" => Some(Self::Text),
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "jsonl" | "ndjson" => Some(Self::Lines),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Text | Self::Lines => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            // The page says itself how it is encoded.
            Self::Html => "text/html",
            Self::Pdf => "application/pdf",
        }
    }
}

/// Where a document lies, and what a hit says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: u32,
    pub(crate) start: u64,
    pub(crate) length: u64,
    pub(crate) line: u32,
    pub(crate) meta: Meta,
    pub(crate) snippet: String,
    pub(crate) text: Text,
}

/// What is known of the text of a document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Text {
    /// Its words are in the index.
    #[default]
    Indexed,
    /// It is of a form that is read elsewhere, and nobody did yet.
    Unread,
    /// Nobody can read it, for this reason.
    Fault(String),
}

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) modified: u64,
    /// Whether it could change once more without showing it in its time.
    pub(crate) fresh: bool,
    pub(crate) sha256: [u8; 32],
    pub(crate) entries: Vec<Entry>,
}

/// A directory that was read.
#[derive(Default)]
pub(crate) struct Corpus {
    root: PathBuf,
    pub(crate) files: Vec<Seen>,
    pub(crate) index: RankIndex,
    /// Addresses, and the places in `files` that they are of.
    by_url: BTreeMap<String, (usize, usize)>,
    urls: BTreeMap<u32, (String, usize, usize)>,
    next: u32,
    /// How many files were read, not taken over.
    pub(crate) read: usize,
    /// Whether anything is other than what was kept.
    pub(crate) changed: bool,
}

impl Corpus {
    /// Indexes every document below `root`. What `kept` knows is taken over for the files that did not
    /// change since, so that only the others are read.
    pub(crate) fn open(
        root: &Path,
        kept: Option<(Vec<Seen>, RankIndex)>,
    ) -> Result<Self, ToolError> {
        let mut paths = Vec::new();
        walk(root, 0, &mut paths)?;
        let mut corpus = Self { root: root.to_owned(), changed: kept.is_none(), ..Self::default() };
        let (known, index) = kept.unwrap_or_default();
        corpus.index = index;
        let ids = known.iter().flat_map(|file| &file.entries).map(|entry| entry.id);
        corpus.next = ids.max().map_or(0, |id| id.saturating_add(1));
        let mut known: BTreeMap<String, Seen> =
            known.into_iter().map(|file| (file.name.clone(), file)).collect();
        let mut bytes = 0_u64;
        for path in paths {
            let Some(form) = Form::of(&path) else { continue };
            // A name that is no text cannot be an address.
            let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
            let name = name.to_owned();
            let before = known.remove(&name);
            let file = corpus.file(&path, name, form, before)?;
            bytes = bytes.saturating_add(file.size);
            if bytes > MAX_CORPUS_BYTES {
                return Err(ToolError::TooLarge(MAX_CORPUS_BYTES));
            }
            corpus.files.push(file);
            if corpus.index.len() > MAX_DOCUMENTS {
                let text = format!("there are more than {MAX_DOCUMENTS} documents");
                return Err(ToolError::InvalidInput(text));
            }
        }
        for gone in known.values() {
            corpus.forget(gone);
        }
        corpus.files.sort_by(|a, b| a.name.cmp(&b.name));
        corpus.name_documents();
        Ok(corpus)
    }

    /// Returns what is known of a file: what was known, when it is still the same.
    fn file(
        &mut self,
        path: &Path,
        name: String,
        form: Form,
        before: Option<Seen>,
    ) -> Result<Seen, ToolError> {
        let failed = |error: std::io::Error| ToolError::Failed(format!("`{name}`: {error}"));
        let metadata = fs::metadata(path).map_err(failed)?;
        let (size, modified) = (metadata.len(), nanoseconds(&metadata));
        let unchanged = |file: &Seen| {
            !file.fresh && modified > 0 && (file.size, file.modified) == (size, modified)
        };
        let before = match before {
            Some(file) if unchanged(&file) => return Ok(file),
            other => other,
        };
        let most = if form == Form::Lines { MAX_CORPUS_BYTES } else { MAX_DOCUMENT_BYTES };
        if form == Form::Pdf && size > most {
            let fault = Text::Fault(format!("it is larger than {most} bytes"));
            let entries = vec![self.unindexed(0, fault)];
            return Ok(Seen { name, size, modified, fresh: true, sha256: [0; 32], entries });
        }
        let bytes = read_bounded(path, &name, most)?;
        self.read += 1;
        let sha256 = sha256(&bytes);
        if let Some(file) = before {
            if file.sha256 == sha256 {
                self.changed |= (file.size, file.modified) != (size, modified);
                return Ok(Seen { size, modified, ..file });
            }
            self.forget(&file);
        }
        self.changed = true;
        let size = bytes.len() as u64;
        let entries = self.entries(&name, form, &bytes)?;
        Ok(Seen { name, size, modified, fresh: false, sha256, entries })
    }

    fn forget(&mut self, file: &Seen) {
        self.changed = true;
        for entry in &file.entries {
            self.index.remove(entry.id);
        }
    }

    fn entries(&mut self, name: &str, form: Form, bytes: &[u8]) -> Result<Vec<Entry>, ToolError> {
        let text = String::from_utf8_lossy(bytes);
        let whole = (0, bytes.len() as u64, 0);
        match form {
            Form::Lines => self.lines(name, bytes),
            Form::Pdf => Ok(vec![self.unindexed(bytes.len() as u64, Text::Unread)]),
            Form::Html => {
                let (title, words) = meta::page(&text);
                let meta = Meta { title, ..Meta::default() };
                Ok(vec![self.add(whole, name, meta, &words)?])
            }
            Form::Text | Form::Markdown => {
                let (mut meta, body) = meta::front(&text);
                meta.title = meta.title.or_else(|| meta::heading(body));
                Ok(vec![self.add(whole, name, meta, body)?])
            }
        }
    }

    fn lines(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<Entry>, ToolError> {
        let (mut entries, mut start) = (Vec::new(), 0);
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            let place = (start as u64, line.len() as u64, number);
            start += line.len() + 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            let at = format!("{name}#{number}");
            let read: Line = parsed(&at, line)?;
            let meta = Meta { url: read.url, title: read.title, published: read.published };
            entries.push(self.add(place, &at, meta, &read.text)?);
        }
        Ok(entries)
    }

    fn add(
        &mut self,
        (start, length, line): (u64, u64, u32),
        name: &str,
        meta: Meta,
        words: &str,
    ) -> Result<Entry, ToolError> {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let mut indexed = meta.title.clone().unwrap_or_default();
        indexed.push('\n');
        indexed.push_str(words);
        self.index.add(id, &indexed).map_err(|error| {
            ToolError::InvalidInput(format!("`{name}` cannot be indexed: {error}"))
        })?;
        let (snippet, text) = (shortened(words), Text::Indexed);
        Ok(Entry { id, start, length, line, meta, snippet, text })
    }

    /// Returns a document whose words are not known here.
    fn unindexed(&mut self, length: u64, text: Text) -> Entry {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let (meta, snippet) = (Meta::default(), String::new());
        Entry { id, start: 0, length, line: 0, meta, snippet, text }
    }

    /// Returns the documents that have to be read elsewhere, and those that nobody can read, with the reason.
    pub(crate) fn unread(&self, limit: usize) -> Vec<(String, Option<String>)> {
        let address = |entry: &Entry| self.urls.get(&entry.id).map(|(url, ..)| url.clone());
        let pending = |entry: &Entry| match &entry.text {
            Text::Indexed => None,
            Text::Unread => Some((address(entry)?, None)),
            Text::Fault(why) => Some((address(entry)?, Some(why.clone()))),
        };
        let all = self.files.iter().flat_map(|file| &file.entries);
        all.filter_map(pending).take(limit).collect()
    }

    /// Takes what a document says that was read elsewhere.
    pub(crate) fn learn(
        &mut self,
        url: &str,
        title: Option<String>,
        content: Result<&str, String>,
    ) -> Result<(), ToolError> {
        let place = self.by_url.get(url).copied();
        let entry = place.and_then(|(file, at)| self.files.get_mut(file)?.entries.get_mut(at));
        let entry = entry.filter(|entry| entry.text != Text::Indexed);
        let entry = entry.ok_or_else(|| {
            ToolError::NotFound(format!("there is no document `{url}` without a text"))
        })?;
        self.changed = true;
        let words = match content {
            Ok(words) => words,
            Err(why) => {
                entry.text = Text::Fault(why.chars().take(MAX_FAULT_CHARS).collect());
                return Ok(());
            }
        };
        let indexed = format!("{}\n{words}", title.as_deref().unwrap_or_default());
        if let Err(error) = self.index.add(entry.id, &indexed) {
            entry.text = Text::Fault(format!("it cannot be indexed: {error}"));
            return Ok(());
        }
        (entry.meta.title, entry.snippet, entry.text) = (title, shortened(words), Text::Indexed);
        Ok(())
    }

    /// Gives every document its address: of two that name the same one, the second has that of its place.
    fn name_documents(&mut self) {
        for (file, seen) in self.files.iter().enumerate() {
            for (at, entry) in seen.entries.iter().enumerate() {
                let own = entry.meta.url.clone().filter(|url| !self.by_url.contains_key(url));
                let place = || match entry.line {
                    0 => format!("corpus:{}", seen.name),
                    line => format!("corpus:{}#{line}", seen.name),
                };
                let url = own.unwrap_or_else(place);
                self.by_url.insert(url.clone(), (file, at));
                self.urls.insert(entry.id, (url, file, at));
            }
        }
    }

    /// Returns the documents that fit a query, the best first; of those that fit as well, by their place.
    pub(crate) fn search(&self, query: &str, limit: usize) -> Vec<Hit> {
        let hits = self.index.search(query, usize::MAX, |_| None).into_iter();
        let place = |hit: rank::Hit| Some((hit.score, self.urls.get(&hit.document)?));
        let mut hits: Vec<_> = hits.filter_map(place).collect();
        hits.sort_by(|(a, x), (b, y)| b.total_cmp(a).then((x.1, x.2).cmp(&(y.1, y.2))));
        hits.truncate(limit);
        let hit = |(_, (url, file, at)): (f64, &(String, usize, usize))| {
            let entry = self.files.get(*file)?.entries.get(*at)?;
            Some(Hit {
                url: url.clone(),
                title: entry.meta.title.clone(),
                snippet: Some(entry.snippet.clone()),
                published: entry.meta.published.clone(),
            })
        };
        hits.into_iter().filter_map(hit).collect()
    }

    /// Returns the media type and the bytes of a document, read anew.
    pub(crate) fn read(&self, url: &str) -> Result<(&'static str, Vec<u8>), ToolError> {
        let missing = || ToolError::NotFound(format!("there is no document `{url}`"));
        let (file, at) = self.by_url.get(url).copied().ok_or_else(missing)?;
        let file = self.files.get(file).ok_or_else(missing)?;
        let entry = file.entries.get(at).ok_or_else(missing)?;
        let form = Form::of(Path::new(&file.name)).ok_or_else(missing)?;
        let failed = |error: std::io::Error| ToolError::Failed(format!("`{url}`: {error}"));
        let mut opened = fs::File::open(self.root.join(&file.name)).map_err(failed)?;
        opened.seek(SeekFrom::Start(entry.start)).map_err(failed)?;
        let mut bytes = Vec::new();
        opened.take(entry.length).read_to_end(&mut bytes).map_err(failed)?;
        let body = match form {
            Form::Html | Form::Pdf => bytes,
            Form::Lines => parsed::<Line>(url, &bytes)?.text.into_bytes(),
            Form::Text | Form::Markdown => {
                let text = String::from_utf8_lossy(&bytes);
                meta::front(&text).1.as_bytes().to_vec()
            }
        };
        Ok((form.media_type(), body))
    }
}

fn shortened(words: &str) -> String {
    let first: Vec<_> = words.split_whitespace().take(SNIPPET_WORDS).collect();
    first.join(" ").chars().take(SNIPPET_CHARS).collect()
}

/// Returns when a file was changed last, in nanoseconds; 0 when nobody knows.
fn nanoseconds(metadata: &fs::Metadata) -> u64 {
    let time = metadata.modified().ok();
    let since = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
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
