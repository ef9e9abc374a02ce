//! `audit`: reads, checks, signs and exports the log.

mod kept;

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use ringfence_audit::{
    AuditError, AuditLog, Broken, Checkpoint, Decision, Filter, Follower, Format, LogFiles,
    PublicKey, Record, Report, Summary, Timestamp, Unended, Verifier, Writer,
};
use ringfence_capability::{Diagnostic as _, Digest};
use serde_json::{Value, json};

use crate::args::{AuditCommand, AuditShow, ExportFormat, Global};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, described, visible};

/// The file the newest records are in.
const LOG: &str = "audit.jsonl";
/// The most a public key in PEM form holds.
const KEY_BYTES: u64 = 4096;
/// The most runs without an end that are named, newest first.
const LISTED: usize = 8;
/// How long following waits before it looks again: soon for a person, seldom for the machine.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);

/// `ringfence audit`.
pub(crate) fn audit(
    command: AuditCommand,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let place = Place { path: places::state(global)?, printer };
    match command {
        AuditCommand::Show(show) => place.show(show),
        AuditCommand::Verify { expect_head, key } => place.verify(expect_head.as_deref(), &key),
        AuditCommand::Export { format, output } => place.export(format, output.as_deref()),
        AuditCommand::Checkpoint => place.checkpoint(),
        AuditCommand::Key => place.key(),
        AuditCommand::Prune { before } => place.prune(&before),
    }
}

fn refused(error: AuditError) -> CliError {
    CliError::Room(Box::new(error))
}

/// Ends a command whose output stopped: a reader that went away has seen what it wanted.
fn unread(error: io::Error) -> Result<u8, CliError> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(0) } else { Err(CliError::Output(error)) }
}

fn broken(broken: Broken) -> CliError {
    CliError::Room(Box::new(broken))
}

/// The state directory, in which the log is.
struct Place<'p> {
    path: PathBuf,
    printer: &'p Printer,
}

impl Place<'_> {
    /// Opens the directory; nothing when it is not there yet.
    fn dir(&self) -> Result<Option<Dir>, CliError> {
        match Dir::open_ambient_dir(&self.path, ambient_authority()) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => {
                let path = self.path.display().to_string();
                Err(CliError::File { what: "state directory", path, source })
            }
        }
    }

    /// Returns the files of the log; nothing when there is no record.
    fn files(&self) -> Result<Option<(Dir, LogFiles)>, CliError> {
        let Some(dir) = self.dir()? else { return Ok(None) };
        let files = LogFiles::find(&dir, LOG).map_err(refused)?;
        Ok((!files.is_empty()).then_some((dir, files)))
    }

    /// Opens the log for writing; nothing when there is no record.
    fn log(&self) -> Result<Option<AuditLog>, CliError> {
        let Some((dir, _)) = self.files()? else { return Ok(None) };
        AuditLog::open(&dir, LOG, Timestamp::now).map(Some).map_err(refused)
    }

    /// Says that there is nothing, to programs as `value`.
    fn nothing(&self, value: &Value) -> u8 {
        if self.printer.is_json() {
            self.printer.value(value);
        } else {
            let path = self.path.join(LOG);
            self.printer.note(&format!("nothing is logged yet in `{}`", path.display()));
        }
        0
    }

    fn show(&self, show: AuditShow) -> Result<u8, CliError> {
        let AuditShow { run, plugin, operation, refused: only_refused, last, follow } = show;
        let decision = only_refused.then_some(Decision::Forbid);
        let filter = Filter { run, plugin, decision, operation };
        let mut newest = None;
        let mut kept = VecDeque::new();
        match self.files()? {
            None if !follow => return Ok(self.nothing(&json!({ "ok": true, "records": [] }))),
            None => {}
            Some((_, files)) => {
                for record in files.into_records() {
                    let record = record.map_err(broken)?;
                    if filter.matches(&record) && last > 0 {
                        if kept.len() == last {
                            kept.pop_front();
                        }
                        kept.push_back(record.clone());
                    }
                    newest = Some(record);
                }
            }
        }
        if self.printer.is_json() && !follow {
            self.printer.value(&json!({ "ok": true, "records": kept }));
            return Ok(0);
        }
        for record in &kept {
            if let Err(error) = self.shown(record) {
                return unread(error);
            }
        }
        if follow { self.follow(&filter, newest.as_ref()) } else { Ok(0) }
    }

    /// Prints records as they are written. Ends when nobody reads them any more, or with the process.
    fn follow(&self, filter: &Filter, newest: Option<&Record>) -> Result<u8, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|source| {
            let path = self.path.display().to_string();
            CliError::File { what: "audit log", path, source }
        })?;
        let mut follower = None;
        loop {
            if follower.is_none()
                && let Some(dir) = self.dir()?
            {
                follower = Some(Follower::new(&dir, LOG, newest).map_err(refused)?);
            }
            let records = match &mut follower {
                Some(follower) => follower.poll().map_err(refused)?.map_err(broken)?,
                None => Vec::new(),
            };
            let idle = records.is_empty();
            for record in records.iter().filter(|record| filter.matches(record)) {
                if let Err(error) = self.shown(record) {
                    return unread(error);
                }
            }
            if idle {
                runtime.block_on(async { tokio::time::sleep(FOLLOW_EVERY).await });
            }
        }
    }

    /// Prints one record on a line of its own. Unlike what is printed once, it matters here that
    /// nobody reads it.
    fn shown(&self, record: &Record) -> io::Result<()> {
        if self.printer.is_json() {
            let json = serde_json::to_string(record)?;
            writeln!(anstream::stdout().lock(), "{}", crate::print::inert(&json))
        } else {
            writeln!(anstream::stdout().lock(), "{}", visible(&line(record)))
        }
    }

    fn verify(&self, head: Option<&str>, keys: &[PathBuf]) -> Result<u8, CliError> {
        let head = head.map(str::parse::<Digest>).transpose();
        let head = head.map_err(|error| CliError::Usage(format!("`--expect-head`: {error}")))?;
        let Some(dir) = self.dir()? else {
            return match head {
                None => Ok(self.nothing(&summarised(&Summary::default()))),
                Some(_) => Err(CliError::Usage(format!(
                    "there is no log in `{}`, so it has no record with that hash",
                    self.path.display()
                ))),
            };
        };
        let mut verifier = Verifier::new(&dir, LOG);
        for path in keys {
            verifier = verifier.trusting(public_key(path)?);
        }
        if let Some(head) = head {
            verifier = verifier.expecting(head);
        }
        let (mut told, mut unended) = (kept::Told::default(), Unended::default());
        let see = |record: &Record| {
            told.see(record);
            unended.see(record);
        };
        let report = verifier.run_seeing(see).map_err(refused)?;
        if !report.faults.is_empty() {
            return self.unsound(report);
        }
        let behind = told.behind(&self.path)?;
        self.sound(&report.summary, &unended, &behind);
        let first = behind.into_iter().next();
        match first {
            None => Ok(0),
            Some(first) if self.printer.is_json() => Ok(first.class().exit_code()),
            Some(first) => Err(CliError::Room(Box::new(first))),
        }
    }

    /// Says what a log without a fault holds, and what else there is to know.
    fn sound(&self, summary: &Summary, unended: &Unended, behind: &[kept::Behind]) {
        if self.printer.is_json() {
            let mut value = summarised(summary);
            value["unended"] = json!(unended.runs().iter().map(|(run, _)| run).collect::<Vec<_>>());
            if let Some(first) = behind.first() {
                value["ok"] = json!(false);
                value["error"] = described(first);
                value["behind"] = json!(behind.iter().map(|one| &one.lease).collect::<Vec<_>>());
            }
            return self.printer.value(&value);
        }
        if summary.last_seq == 0 {
            self.nothing(&Value::Null);
            return;
        }
        let Summary { records, files, checkpoints, pruned, .. } = summary;
        let head = summary.head.map(|head| head.to_string()).unwrap_or_default();
        let files = if *files == 1 { String::new() } else { format!(" in {files} files") };
        self.printer.line(&format!("{records} records{files}, unbroken; head {head}"));
        if let Some(seq) = summary.signed_through {
            let after = summary.last_seq.saturating_sub(seq).saturating_sub(1);
            self.printer.line(&format!(
                "{checkpoints} signed checkpoints, numbered with the records; the last covers up to number {seq}, {after} came after it"
            ));
        }
        if *pruned > 0 {
            self.printer.line(&format!("the first {pruned} records were pruned"));
        }
        if *checkpoints > 0 && summary.kept == 0 {
            self.printer.note(
                "there are no copies of the checkpoints: a cut at the end would only show with `--expect-head`",
            );
        }
        self.without_end(unended);
        for one in behind {
            self.printer.note(&one.to_string());
        }
    }

    /// Says which runs have no end.
    fn without_end(&self, unended: &Unended) {
        let runs = unended.runs();
        if runs.is_empty() {
            return;
        }
        let more = runs.len().saturating_sub(LISTED) as u64 + unended.unlisted();
        let listed: Vec<_> = runs.iter().rev().take(LISTED).map(|(run, _)| *run).collect();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        self.printer.note(&format!(
            "runs without an end, which still run or were killed: {}{more}",
            listed.join(", ")
        ));
    }

    /// Says each place that is wrong; the first one is the error.
    fn unsound(&self, report: Report) -> Result<u8, CliError> {
        let Report { summary, faults, unlisted, .. } = report;
        if self.printer.is_json() {
            let listed: Vec<_> = faults.iter().map(fault).collect();
            let mut value = summarised(&summary);
            value["ok"] = json!(false);
            value["faults"] = json!(listed);
            value["unlisted"] = json!(unlisted);
            let code = faults.first().map_or(0, |first| {
                value["error"] = described(first);
                first.class().exit_code()
            });
            self.printer.value(&value);
            return Ok(code);
        }
        let count = faults.len() as u64 + unlisted;
        if count > 1 {
            self.printer.note(&format!("{count} places are wrong:"));
            for fault in &faults {
                self.printer.note(&visible(&format!("  {}", told(fault))));
            }
            if unlisted > 0 {
                self.printer.note(&format!("  and {unlisted} more"));
            }
        }
        faults.into_iter().next().map_or(Ok(0), |first| Err(broken(first)))
    }

    fn export(&self, format: ExportFormat, output: Option<&Path>) -> Result<u8, CliError> {
        let format = match format {
            ExportFormat::Json => Format::Json,
            ExportFormat::Csv => Format::Csv,
            ExportFormat::Ocsf => Format::Ocsf,
        };
        let files = self.files()?.map(|(_, files)| files);
        let Some(path) = output else {
            let out = BufWriter::new(io::stdout().lock());
            return exported(files, format, out)?.map_or_else(unread, |()| Ok(0));
        };
        let fail = |source| CliError::File {
            what: "file to export to",
            path: path.display().to_string(),
            source,
        };
        let file = create_new(path).map_err(fail)?;
        let done = match exported(files, format, BufWriter::new(&file)) {
            Ok(written) => written.and_then(|()| file.sync_all()).map_err(fail),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            // Half an export looks like a whole one.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        if self.printer.is_json() {
            self.printer.value(&json!({ "ok": true, "file": path.display().to_string() }));
        }
        Ok(0)
    }

    fn checkpoint(&self) -> Result<u8, CliError> {
        let done = self.log()?.map(|log| log.checkpoint().map_err(refused)).transpose()?;
        let Some(checkpoint) = done.flatten() else {
            return Ok(self.nothing(&json!({ "ok": true, "checkpoint": null })));
        };
        if self.printer.is_json() {
            self.printer.value(&json!({ "ok": true, "checkpoint": checkpoint }));
        } else {
            let Checkpoint { seq, head, key, .. } = checkpoint;
            self.printer.line(&format!("signed through record {seq}; head {head}; key {key}"));
        }
        Ok(0)
    }

    fn key(&self) -> Result<u8, CliError> {
        let dir = self.dir()?;
        let key = dir.map(|dir| PublicKey::of_log(&dir, LOG).map_err(refused)).transpose()?;
        let Some(key) = key.flatten() else {
            if self.printer.is_json() {
                self.printer.value(&json!({ "ok": true, "id": null, "public_key": null }));
            } else {
                self.printer.note(
                    "there is no key yet: the first checkpoint makes one, also `ringfence audit checkpoint`",
                );
            }
            return Ok(0);
        };
        let (id, pem) = (key.id(), key.to_pem());
        if self.printer.is_json() {
            self.printer.value(&json!({ "ok": true, "id": id, "public_key": pem }));
        } else {
            self.printer.note(&format!("key {id}"));
            self.printer.line(pem.trim_end());
        }
        Ok(0)
    }

    fn prune(&self, before: &str) -> Result<u8, CliError> {
        let day = format!("{before}T00:00:00Z");
        let until = before.parse::<Timestamp>().or_else(|_| day.parse::<Timestamp>());
        let until = until.map_err(|_| {
            let what =
                "is neither a date such as `2026-01-31` nor a time such as `2026-01-31T12:00:00Z`";
            CliError::Usage(format!("`--before`: `{before}` {what}"))
        })?;
        let nothing = json!({ "ok": true, "pruned": null });
        let (Some(dir), Some(log)) = (self.dir()?, self.log()?) else {
            return Ok(self.nothing(&nothing));
        };
        // What is removed cannot be looked into any more.
        let report = Verifier::new(&dir, LOG).run().map_err(refused)?;
        if !report.faults.is_empty() {
            return self.unsound(report);
        }
        let pruned = log.prune(until).map_err(refused)?;
        match pruned {
            _ if self.printer.is_json() => {
                self.printer.value(&json!({ "ok": true, "pruned": pruned }));
            }
            Some(pruned) => self.printer.line(&format!(
                "{} files removed, with the records up to {}",
                pruned.files, pruned.through
            )),
            None => self.printer.note("no full file is that old"),
        }
        Ok(0)
    }
}

/// Writes all records; the inner result is about what is written to.
fn exported(
    files: Option<LogFiles>,
    format: Format,
    out: impl Write,
) -> Result<io::Result<()>, CliError> {
    let mut writer = match Writer::new(format, out) {
        Ok(writer) => writer,
        Err(error) => return Ok(Err(error)),
    };
    for record in files.into_iter().flat_map(LogFiles::into_records) {
        if let Err(error) = writer.write(&record.map_err(broken)?) {
            return Ok(Err(error));
        }
    }
    Ok(writer.finish().map(drop))
}

/// Makes a file for its owner alone; one that is there is not touched.
fn create_new(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn public_key(path: &Path) -> Result<PublicKey, CliError> {
    let bytes = places::read(path, "public key", KEY_BYTES)?;
    PublicKey::from_pem(&String::from_utf8_lossy(&bytes))
        .map_err(|error| CliError::Usage(format!("`{}`: {error}", path.display())))
}

fn summarised(summary: &Summary) -> Value {
    json!({
        "ok": true,
        "records": summary.records,
        "recovered": summary.recovered,
        "head": summary.head,
        "last_seq": summary.last_seq,
        "files": summary.files,
        "checkpoints": summary.checkpoints,
        "signed_through": summary.signed_through,
        "kept_checkpoints": summary.kept,
        "pruned": summary.pruned,
    })
}

fn fault(broken: &Broken) -> Value {
    json!({
        "file": broken.file,
        "line": broken.line,
        "seq": broken.seq,
        "code": broken.code(),
        "what": broken.what.to_string(),
    })
}

fn told(broken: &Broken) -> String {
    let file = broken.file.as_deref().unwrap_or(LOG);
    let line = if broken.line > 0 { format!(":{}", broken.line) } else { String::new() };
    let seq = broken.seq.map(|seq| format!(" record {seq}:")).unwrap_or_default();
    format!("{file}{line}:{seq} {}", broken.what)
}

fn line(record: &Record) -> String {
    let entry = &record.entry;
    let decision = match entry.decision {
        Some(Decision::Allow) => "allow ",
        Some(Decision::Prompt) => "ask   ",
        Some(Decision::Forbid) => "forbid",
        None => "      ",
    };
    let target = entry.target.as_ref().map(ToString::to_string).unwrap_or_default();
    let plugin = entry.plugin.as_ref().map_or("", |plugin| plugin.name.as_str());
    let reason = entry.reason.as_deref().unwrap_or_default();
    let approval = entry.approval.as_ref().map(|approval| format!("  {}", approval.how.name()));
    let outcome = entry.outcome.as_ref().and_then(|outcome| serde_json::to_string(outcome).ok());
    let outcome = outcome.map(|outcome| format!("  {outcome}"));
    format!(
        "{:>6} {} {decision} {plugin:<16} {:<14} {target}  {reason}{}{}",
        record.seq,
        record.time,
        entry.operation,
        approval.unwrap_or_default(),
        outcome.unwrap_or_default()
    )
}
