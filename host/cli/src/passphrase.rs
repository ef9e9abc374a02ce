//! Passphrases: from a file, or typed on the terminal without being shown.

use std::path::Path;

use ringfence::trust::Passphrase;

use crate::error::CliError;
use crate::places;

/// The longest passphrase.
const MOST_BYTES: usize = 1024;

/// Returns the passphrase in a file, without the end of its line.
pub(crate) fn from_file(path: &Path) -> Result<Passphrase, CliError> {
    let shown = path.display();
    let bytes = places::read(path, "passphrase file", MOST_BYTES as u64)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::Usage(format!("the passphrase file `{shown}` is not text")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains('\n') {
        return Err(CliError::Usage(format!(
            "the passphrase file `{shown}` has not one line that is not empty"
        )));
    }
    Ok(Passphrase::new(line.to_owned()))
}

/// Returns the passphrase of a key that there is.
pub(crate) fn existing(key: &str, file: Option<&Path>) -> Result<Passphrase, CliError> {
    match file {
        Some(path) => from_file(path),
        None => typed(&format!("Passphrase of the key `{key}`: ")),
    }
}

/// Returns the passphrase for a new key, typed twice.
pub(crate) fn new(key: &str, file: Option<&Path>) -> Result<Passphrase, CliError> {
    if let Some(path) = file {
        return from_file(path);
    }
    let first = typed(&format!("Passphrase for the new key `{key}`: "))?;
    if first.is_empty() {
        let text = "an empty passphrase protects nothing; if that is meant, `--no-passphrase`";
        return Err(CliError::Usage(text.to_owned()));
    }
    if typed("The same again: ")? == first {
        return Ok(first);
    }
    Err(CliError::Usage("the two passphrases are not the same; nothing was written".to_owned()))
}

#[cfg(not(unix))]
fn typed(_: &str) -> Result<Passphrase, CliError> {
    Err(no_terminal())
}

fn no_terminal() -> CliError {
    CliError::Usage(
        "there is no terminal to type a passphrase on; name a file with it: `--passphrase-file \
         FILE`"
            .to_owned(),
    )
}

#[cfg(unix)]
use terminal::typed;

#[cfg(unix)]
mod terminal {
    //! The terminal itself.

    use std::fs::File;
    use std::io::Write as _;

    use ringfence::trust::Passphrase;
    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    use super::no_terminal;
    use crate::error::CliError;

    /// The byte of Ctrl-C. While nothing is shown it arrives as such, so that the terminal is never
    /// left silent.
    const CTRL_C: u8 = 3;

    /// Shows again what is typed, whatever happens.
    struct Silent<'t> {
        terminal: &'t File,
        before: Termios,
    }

    impl Drop for Silent<'_> {
        fn drop(&mut self) {
            let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
        }
    }

    pub(super) fn typed(question: &str) -> Result<Passphrase, CliError> {
        let terminal = File::options().read(true).write(true).open("/dev/tty");
        let mut terminal = terminal.map_err(|_| no_terminal())?;
        let before = tcgetattr(&terminal).map_err(|_| no_terminal())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        quiet.local_modes.insert(LocalModes::ICANON);
        let fail =
            |source| CliError::File { what: "terminal", path: "/dev/tty".to_owned(), source };
        terminal.write_all(question.as_bytes()).map_err(fail)?;
        let line = {
            let silent = Silent { terminal: &terminal, before };
            tcsetattr(silent.terminal, OptionalActions::Flush, &quiet)
                .map_err(|errno| fail(errno.into()))?;
            line(silent.terminal).map_err(fail)?
        };
        terminal.write_all(b"\n").map_err(fail)?;
        line.ok_or_else(|| CliError::Usage("no passphrase was typed".to_owned()))
    }

    /// Reads one line, byte by byte, so that nothing of it stays in a buffer.
    fn line(terminal: &File) -> std::io::Result<Option<Passphrase>> {
        let mut typed = Vec::with_capacity(super::MOST_BYTES);
        let mut byte = [0];
        loop {
            match rustix::io::read(terminal, &mut byte) {
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) => return Ok(None),
                Ok(_) if byte[0] == CTRL_C => return Ok(None),
                Ok(_) if byte[0] == b'\n' => break,
                Ok(_) if typed.len() == typed.capacity() => return Ok(None),
                Ok(_) => typed.push(byte[0]),
            }
        }
        Ok(String::from_utf8(typed).ok().map(Passphrase::new))
    }
}
