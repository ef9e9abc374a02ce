//! `exec undo`: takes the last commit back.

use crate::args::Global;
use crate::error::CliError;
use crate::print::Printer;

#[cfg(target_os = "linux")]
pub(super) fn undo(yes: bool, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    use ringfence::sandbox::staging::Effect;
    let undo = crate::places::host(global)?.build()?.undo_exec()?;
    let paths = undo.paths();
    for (path, effect) in &paths {
        let what = match effect {
            Effect::Added => "is removed again",
            Effect::Changed => "is changed back",
            Effect::Deleted => "comes back",
        };
        printer.note(&format!("{path} {what}"));
    }
    if !yes {
        let Some(mut tty) = super::tty() else {
            return Err(CliError::Usage(
                "there is no terminal to ask at; `--yes` takes the commit back without a question"
                    .to_owned(),
            ));
        };
        let answer = super::commit::question(&mut tty, "Take the commit back? [y]es  [n]o\n")?;
        if !matches!(answer.as_deref(), Some("y" | "yes")) {
            printer.note("ringfence: nothing was changed");
            return Ok(3);
        }
    }
    undo.apply()?;
    if printer.is_json() {
        let paths: Vec<_> = paths.iter().map(|(path, _)| path.to_string()).collect();
        printer.value(&serde_json::json!({ "ok": true, "undone": paths }));
    } else {
        printer.line(&format!("{} paths are as they were", paths.len()));
    }
    Ok(0)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn undo(_: bool, _: &Global, _: &Printer) -> Result<u8, CliError> {
    Err(CliError::Usage("staged writes, and so `undo`, are offered on Linux only".to_owned()))
}
