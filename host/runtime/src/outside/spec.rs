//! What an outside server is: the program, what of it is pinned, and what is not.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use ringfence_capability::{ArgvPattern, Digest, Name};
use ringfence_policy::Interpreters;
use ringfence_sandbox::Program;

use super::OutsideError;
use crate::RunError;
use crate::exec::{ExecError, ServerBinding};

/// Where the sandbox looks programs up that are called by name.
const SYSTEM_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// What an outside server is started from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever keeps servers builds it")]
pub struct ServerSpec {
    /// The name it was added under.
    pub name: Name,
    /// The program, by its absolute path.
    pub program: PathBuf,
    /// Its arguments, the name it is called by first.
    pub argv: Vec<OsString>,
    /// What must be what it was.
    pub pinned: Vec<Pinned>,
    /// What a person should know about what is not pinned.
    pub notes: Vec<String>,
    /// The revision of the protocol it spoke last time.
    pub revision: Option<String>,
}

/// One file that a server is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever keeps servers builds it")]
pub struct Pinned {
    /// What it is.
    pub role: Role,
    /// Where it is, without links.
    pub path: PathBuf,
    /// The SHA-256 of its content.
    pub digest: Digest,
}

/// What a pinned file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "records name each")]
pub enum Role {
    /// What is executed.
    Program,
    /// What the first line of a script names.
    Interpreter,
    /// What an interpreter is given to run.
    Script,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Program, Self::Interpreter, Self::Script];

    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::Interpreter => "interpreter",
            Self::Script => "script",
        }
    }
}

impl ServerSpec {
    /// Finds out what the command is: `program` is where it was found, and relative paths in `argv` are
    /// looked for below `directory`. What can be pinned is hashed; the notes say what cannot be.
    ///
    /// # Errors
    /// When a file cannot be opened, or is no program.
    pub fn resolve(
        name: Name,
        program: &Path,
        argv: Vec<OsString>,
        directory: &Path,
    ) -> Result<Self, RunError> {
        let opened = Program::open(program).map_err(ExecError::from)?;
        let mut spec = Self {
            name,
            program: program.to_owned(),
            argv,
            pinned: Vec::new(),
            notes: Vec::new(),
            revision: None,
        };
        match by_env(&opened).or_else(|| by_link(&opened)) {
            Some(found) => spec.run_by(&found, &opened)?,
            None => spec.run_itself(&opened, directory)?,
        }
        Ok(spec)
    }

    fn pin(&mut self, role: Role, path: &Path, digest: Digest) {
        self.pinned.push(Pinned { role, path: path.to_owned(), digest });
    }

    fn run_itself(&mut self, opened: &Program, directory: &Path) -> Result<(), RunError> {
        self.pin(Role::Program, opened.path(), opened.digest());
        if let Some((path, digest)) = opened.interpreter() {
            self.pin(Role::Interpreter, path, digest);
            self.notes.push(LOADED.to_owned());
            return Ok(());
        }
        // Some programs find what belongs to them by the name they are called by.
        if opened.path() != self.program
            && let Some(name) = self.argv.first_mut()
        {
            self.program.as_os_str().clone_into(name);
        }
        self.pin_script(opened, directory)
    }

    /// Starts a script by its interpreter, which is pinned with it and called by its own name.
    fn run_by(&mut self, (found, argument): &Found, script: &Program) -> Result<(), RunError> {
        let inner = Program::open(found).map_err(ExecError::from)?;
        self.pin(Role::Program, inner.path(), inner.digest());
        self.pin(Role::Script, script.path(), script.digest());
        let rest = self.argv.drain(..).skip(1).collect::<Vec<_>>();
        self.argv = std::iter::once(found.as_os_str().to_owned())
            .chain(argument.clone())
            .chain([script.path().as_os_str().to_owned()])
            .chain(rest)
            .collect();
        found.clone_into(&mut self.program);
        self.notes.push(LOADED.to_owned());
        Ok(())
    }

    /// Pins the script that an interpreter is given.
    fn pin_script(&mut self, opened: &Program, directory: &Path) -> Result<(), RunError> {
        let name = opened.path().file_name().unwrap_or_default();
        let words = std::iter::once(name).chain(self.argv.iter().skip(1).map(OsString::as_os_str));
        let pattern = ArgvPattern::exactly(words.map(OsStr::as_encoded_bytes))
            .map_err(|source| ExecError::Command { source })?;
        if Interpreters::built_in().reached_by(&pattern).is_none() {
            return Ok(());
        }
        let mut script = None;
        for (index, word) in self.argv.iter().enumerate().skip(1) {
            let text = word.to_string_lossy();
            if ["-m", "-c", "-e", "-p", "--eval", "--print", "-"].contains(&text.as_ref()) {
                break;
            }
            let path = directory.join(word);
            if !text.starts_with('-') && path.is_file() {
                script = Some((index, path));
                break;
            }
        }
        let Some((index, path)) = script else {
            self.notes.push(
                "what the interpreter runs is not a file of its own, so only the interpreter is \
                 pinned: an update of the code is not noticed, a change of its tools is"
                    .to_owned(),
            );
            return Ok(());
        };
        let (path, digest) = Program::file_digest(&path).map_err(ExecError::from)?;
        self.pin(Role::Script, &path, digest);
        self.argv[index] = path.into_os_string();
        self.notes.push(LOADED.to_owned());
        Ok(())
    }

    /// Hashes again what is pinned.
    ///
    /// # Errors
    /// [`OutsideError::Changed`] for the first file that is another.
    pub fn check(&self) -> Result<(), OutsideError> {
        for pinned in &self.pinned {
            let found = Program::file_digest(&pinned.path).ok();
            let found = found.filter(|(path, _)| *path == pinned.path).map(|(_, digest)| digest);
            if found != Some(pinned.digest) {
                return Err(OutsideError::Changed {
                    server: self.name.to_string(),
                    what: pinned.role.name(),
                    path: pinned.path.clone(),
                });
            }
        }
        Ok(())
    }

    /// Returns what the approval is bound to beside the command and the program.
    pub(super) fn binding(&self) -> ServerBinding {
        let scripts = self.pinned.iter().filter(|pinned| pinned.role == Role::Script);
        let mut notes = self.notes.clone();
        notes.push(format!(
            "a yes holds for every start of this server, until `ringfence mcp remove {}`",
            self.name
        ));
        ServerBinding {
            name: self.name.clone(),
            files: scripts.map(|pinned| (pinned.path.clone(), pinned.digest)).collect(),
            notes,
        }
    }
}

const LOADED: &str = "the script is pinned; the modules and packages that it loads are not";

/// An interpreter and the argument that it gets before the script.
type Found = (PathBuf, Option<OsString>);

/// Returns the interpreter of a script when its first line names it by a link: what belongs to it, such
/// as a virtual environment, is found by that name.
fn by_link(opened: &Program) -> Option<Found> {
    let ((real, _), named) = (opened.interpreter()?, opened.interpreter_named()?);
    let argument = opened.interpreter_argument().map(OsStr::to_owned);
    (real != named).then(|| (named.to_owned(), argument))
}

/// Returns the program that `env` would find in the sandbox, when that is how a script begins.
fn by_env(opened: &Program) -> Option<Found> {
    let interpreter = opened.interpreter_named()?;
    let name = opened.interpreter_argument()?.to_str()?;
    let plain = !name.is_empty() && !name.starts_with('-') && !name.contains([' ', '\t', '/', '=']);
    if interpreter.file_name()? != "env" || !plain {
        return None;
    }
    let found =
        SYSTEM_PATH.iter().map(|place| Path::new(place).join(name)).find(|path| path.is_file());
    found.map(|path| (path, None))
}
