//! A program that was opened once and hashed: what was looked at is what runs.
//!
//! A file that begins with `#!` is a script. The kernel would run the interpreter its first line
//! names; here the interpreter is opened and hashed as well and started explicitly, with the script
//! pinned at its own path inside the sandbox. An interpreter that is a script itself is refused.
//! `#!/usr/bin/env NAME` runs `env`, which finds `NAME` on the `PATH` *inside* the sandbox: among
//! the system's programs and what was granted.

use crate::SandboxError;
use ringfence_capability::Digest;
use sha2::Digest as _;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The longest first line of a script that is read, as in the kernel.
const SHEBANG_BYTES: usize = 256;
/// The largest program that is hashed.
const PROGRAM_BYTES: u64 = 2 << 30;

/// An opened and hashed executable file, with its interpreter when it is a script.
#[derive(Debug)]
pub struct Program {
    image: Image,
    interpreter: Option<Interpreter>,
}

/// An opened and hashed file.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
    digest: Digest,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// To be executed.
    Program,
    /// To be hashed.
    AnyFile,
}

/// What the first line of a script names.
#[derive(Debug)]
pub(crate) struct Interpreter {
    pub(crate) image: Image,
    /// As the first line has it, links and all.
    named: PathBuf,
    #[cfg_attr(windows, allow(dead_code, reason = "Windows starts no script"))]
    pub(crate) argument: Option<OsString>,
}

impl Program {
    /// Opens the program at `path`, an absolute path whose links are followed now, and hashes it.
    ///
    /// # Errors
    /// [`SandboxError::Program`] when it cannot be opened or read, [`SandboxError::ProgramKind`]
    /// when it is not an executable file or a script the sandbox starts.
    pub fn open(path: &Path) -> Result<Self, SandboxError> {
        let (image, head) = Image::open(path, Wanted::Program)?;
        let Some(line) = head.strip_prefix(b"#!") else {
            return Ok(Self { image, interpreter: None });
        };
        let kind = |why| SandboxError::ProgramKind { path: image.path.clone(), why };
        let (name, argument) = shebang(line).map_err(kind)?;
        let (inner, inner_head) = Image::open(&name, Wanted::Program)?;
        if inner_head.starts_with(b"#!") {
            return Err(kind("its interpreter is a script itself"));
        }
        let interpreter = Some(Interpreter { image: inner, named: name, argument });
        Ok(Self { image, interpreter })
    }

    /// Returns the path without symbolic links.
    pub fn path(&self) -> &Path {
        &self.image.path
    }

    /// Returns the SHA-256 of its content as it was when it was opened.
    pub fn digest(&self) -> Digest {
        self.image.digest
    }

    /// Returns the interpreter's path and digest when it is a script.
    pub fn interpreter(&self) -> Option<(&Path, Digest)> {
        self.interpreter.as_ref().map(|inner| (inner.image.path.as_path(), inner.image.digest))
    }

    /// Returns the interpreter's path as the first line of a script has it, links and all.
    pub fn interpreter_named(&self) -> Option<&Path> {
        self.interpreter.as_ref().map(|inner| inner.named.as_path())
    }

    /// Returns the one argument that the first line of a script gives its interpreter.
    pub fn interpreter_argument(&self) -> Option<&std::ffi::OsStr> {
        self.interpreter.as_ref().and_then(|inner| inner.argument.as_deref())
    }

    /// Returns the real path and the SHA-256 of a plain file, executable or not.
    ///
    /// # Errors
    /// As [`Program::open`].
    pub fn file_digest(path: &Path) -> Result<(PathBuf, Digest), SandboxError> {
        let (image, _) = Image::open(path, Wanted::AnyFile)?;
        Ok((image.path, image.digest))
    }

    /// Hashes the opened files again, right before use.
    ///
    /// # Errors
    /// [`SandboxError::ProgramChanged`] when the content is another one than when it was opened.
    pub fn verify(&self) -> Result<(), SandboxError> {
        self.image.verify()?;
        self.interpreter.as_ref().map_or(Ok(()), |inner| inner.image.verify())
    }

    /// Returns the same opened file once more, without reading it again.
    #[cfg(target_os = "linux")]
    /// Returns the same open files once more.
    ///
    /// # Errors
    /// [`SandboxError::Program`] when there is no descriptor left.
    pub fn again(&self) -> Result<Self, SandboxError> {
        let image = self.image.again()?;
        let interpreter = self.interpreter.as_ref().map(|inner| {
            let (named, argument) = (inner.named.clone(), inner.argument.clone());
            Ok(Interpreter { image: inner.image.again()?, named, argument })
        });
        Ok(Self { image, interpreter: interpreter.transpose()? })
    }

    pub(crate) fn script(&self) -> Option<(&Image, &Interpreter)> {
        self.interpreter.as_ref().map(|inner| (&self.image, inner))
    }

    /// Returns the file the kernel executes: the interpreter of a script, else the program.
    pub(crate) fn executed(&self) -> &Image {
        self.interpreter.as_ref().map_or(&self.image, |inner| &inner.image)
    }
}

impl Image {
    #[cfg(target_os = "linux")]
    fn again(&self) -> Result<Self, SandboxError> {
        let fail = |source| SandboxError::Program { path: self.path.clone(), source };
        let file = self.file.try_clone().map_err(fail)?;
        Ok(Self { file, path: self.path.clone(), digest: self.digest })
    }

    fn open(path: &Path, wanted: Wanted) -> Result<(Self, Vec<u8>), SandboxError> {
        let fail = |source| SandboxError::Program { path: path.to_owned(), source };
        let kind = |why| Err(SandboxError::ProgramKind { path: path.to_owned(), why });
        if !path.is_absolute() {
            return kind("a program is named by its absolute path");
        }
        let path = std::fs::canonicalize(path).map_err(fail)?;
        // A look before the open: opening a pipe would wait for a writer.
        if !std::fs::metadata(&path).map_err(fail)?.is_file() {
            return kind("it is not a plain file");
        }
        let mut file = File::open(&path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        let executes = wanted == Wanted::AnyFile || executable(&metadata);
        if !metadata.is_file() || metadata.len() > PROGRAM_BYTES || !executes {
            return kind("it is not an executable file of at most 2 GiB");
        }
        let (digest, head) = hash(&mut file).map_err(fail)?;
        Ok((Self { file, path, digest }, head))
    }

    fn verify(&self) -> Result<(), SandboxError> {
        let fail = |source| SandboxError::Program { path: self.path.clone(), source };
        let mut file = self.file.try_clone().map_err(fail)?;
        let (digest, _) = hash(&mut file).map_err(fail)?;
        let changed = || SandboxError::ProgramChanged { path: self.path.clone() };
        (digest == self.digest).then_some(()).ok_or_else(changed)
    }
}

#[cfg(unix)]
fn executable(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o111 != 0
}

#[cfg(not(unix))]
fn executable(_metadata: &std::fs::Metadata) -> bool {
    true
}

/// Returns the digest of the whole file and its first bytes.
fn hash(file: &mut File) -> io::Result<(Digest, Vec<u8>)> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = sha2::Sha256::new();
    let mut head = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bounded = Read::by_ref(file).take(PROGRAM_BYTES + 1);
    loop {
        let read = match bounded.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if head.is_empty() {
            head.extend_from_slice(&buffer[..read.min(SHEBANG_BYTES)]);
        }
        hasher.update(&buffer[..read]);
    }
    Ok((Digest::from_bytes(hasher.finalize().into()), head))
}

/// Returns the interpreter and its one argument from what follows `#!`.
fn shebang(line: &[u8]) -> Result<(PathBuf, Option<OsString>), &'static str> {
    let end = line.iter().position(|byte| *byte == b'\n').ok_or("its first line is too long")?;
    let text = str::from_utf8(&line[..end]).map_err(|_| "its first line is not UTF-8")?;
    let text = text.trim_matches([' ', '\t', '\r']);
    let (name, rest) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    if !name.starts_with('/') {
        return Err("its first line names no interpreter by an absolute path");
    }
    let rest = rest.trim_matches([' ', '\t']);
    Ok((PathBuf::from(name), (!rest.is_empty()).then(|| OsString::from(rest))))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_first_line_of_a_script_is_read_like_the_kernel_reads_it() {
        let check = |line: &str, name: &str, argument: Option<&str>| {
            let (path, rest) = shebang(line.as_bytes()).unwrap();
            assert_eq!((path.to_str().unwrap(), rest), (name, argument.map(OsString::from)));
        };
        check("/bin/sh\necho", "/bin/sh", None);
        check(" /usr/bin/env node\n", "/usr/bin/env", Some("node"));
        check("/usr/bin/python3 -s -E \n", "/usr/bin/python3", Some("-s -E"));
        for bad in ["sh\n", "\n", "../sh\n", "/bin/sh"] {
            assert!(shebang(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_an_executable_file_is_not_opened() {
        for (path, why) in [
            ("true", "a program is named by its absolute path"),
            ("/usr", "it is not a plain file"),
            ("/dev/null", "it is not a plain file"),
            ("/etc/passwd", "it is not an executable file of at most 2 GiB"),
        ] {
            match Program::open(Path::new(path)) {
                Err(SandboxError::ProgramKind { why: said, .. }) => assert_eq!(said, why, "{path}"),
                other => assert!(other.is_err() && !Path::new(path).exists(), "{path}: {other:?}"),
            }
        }
    }
}
