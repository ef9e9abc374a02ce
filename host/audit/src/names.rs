//! Which files a log has: the one that is written, those it went on from, its key and the copies of
//! its checkpoints.

use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use std::io;

/// The names of the files of one log.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// The file that is written.
    pub(crate) live: String,
    stem: usize,
}

impl Names {
    pub(crate) fn new(live: &str) -> Self {
        let stem = live.strip_suffix(".jsonl").unwrap_or(live).len();
        Self { live: live.to_owned(), stem }
    }

    fn stem(&self) -> &str {
        &self.live[..self.stem]
    }

    /// Returns the name of the `number`th file that was full.
    pub(crate) fn segment(&self, number: u64) -> String {
        format!("{}.{number:06}.jsonl", self.stem())
    }

    /// Returns the name of the file with the signing key.
    pub(crate) fn key(&self) -> String {
        format!("{}.key", self.stem())
    }

    /// Returns the name of the file with copies of the checkpoints.
    pub(crate) fn kept(&self) -> String {
        format!("{}.checkpoints.jsonl", self.stem())
    }

    fn number(&self, name: &str) -> Option<u64> {
        let digits = name.strip_prefix(self.stem())?.strip_prefix('.')?.strip_suffix(".jsonl")?;
        let number: u64 = digits.parse().ok()?;
        // Only the one way of writing a number counts, so that a file has one number.
        (self.segment(number) == name).then_some(number)
    }

    /// Returns the numbers of the full files in `dir`, in order.
    pub(crate) fn segments(&self, dir: &Dir) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in dir.entries()? {
            let name = entry?.file_name();
            numbers.extend(name.to_str().and_then(|name| self.number(name)));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }
}

/// Opens the file `name` of `dir` for reading and writing; made when missing, for its owner alone.
pub(crate) fn open_or_create(dir: &Dir, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true);
    open(dir, name, &mut options)
}

/// Opens the file `name` of `dir` for reading.
pub(crate) fn open_to_read(dir: &Dir, name: &str) -> io::Result<File> {
    open(dir, name, OpenOptions::new().read(true))
}

/// Opens a file that `options` may create, for its owner alone; nothing but a regular one.
pub(crate) fn open(dir: &Dir, name: &str, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let file = dir.open_with(name, options)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// Tells whether the file with the metadata `mine` still has the name `name` in `dir`.
#[cfg(unix)]
pub(crate) fn is_same(dir: &Dir, name: &str, mine: &Metadata) -> io::Result<bool> {
    use cap_std::fs::MetadataExt;
    match dir.metadata(name) {
        Ok(named) => Ok((named.dev(), named.ino()) == (mine.dev(), mine.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file keeps its name on the other systems.
#[cfg(not(unix))]
pub(crate) fn is_same(_: &Dir, _: &str, _: &Metadata) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn only_the_files_of_the_log_itself_have_a_number() {
        let names = Names::new("audit.jsonl");
        assert_eq!(names.segment(7), "audit.000007.jsonl");
        assert_eq!(names.key(), "audit.key");
        assert_eq!(names.kept(), "audit.checkpoints.jsonl");
        for (name, number) in [
            ("audit.000001.jsonl", Some(1)),
            ("audit.1234567.jsonl", Some(1_234_567)),
            ("audit.1.jsonl", None),
            ("audit.0000001.jsonl", None),
            ("audit.+00001.jsonl", None),
            ("audit.jsonl", None),
            ("audit.checkpoints.jsonl", None),
            ("other.000001.jsonl", None),
        ] {
            assert_eq!(names.number(name), number, "{name}");
        }
        assert_eq!(Names::new("log").segment(1), "log.000001.jsonl");
    }
}
