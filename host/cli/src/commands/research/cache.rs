//! `research cache`: what runs keep for the next one.

use std::path::PathBuf;

use ringfence::research::{Cache, MAX_CACHE_BYTES};
use serde_json::json;

use crate::args::{Global, ResearchCache, ResearchCacheCommand};
use crate::error::CliError;
use crate::places;
use crate::print::Printer;

/// Opens the cache of this user; nothing with `--no-cache`. One that cannot be used is told and passed
/// over: a run does not need it.
pub(super) fn open(global: &Global, printer: &Printer) -> Result<Option<Cache>, CliError> {
    let Some(dir) = dir(global)? else { return Ok(None) };
    let opened = Cache::open(&dir, now, MAX_CACHE_BYTES);
    if let Err(error) = &opened {
        use ringfence_capability::Diagnostic as _;
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        printer.note(&format!("without a cache: {error}{hint}"));
    }
    Ok(opened.ok())
}

/// `ringfence research cache`.
pub(super) fn cache(
    args: &ResearchCache,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let none = || CliError::Usage("with `--no-cache` there is no cache to look at".to_owned());
    let dir = dir(global)?.ok_or_else(none)?;
    match args.command {
        ResearchCacheCommand::Stats => {
            let cache = Cache::open(&dir, now, MAX_CACHE_BYTES).map_err(room)?;
            let held = cache.held().map_err(room)?;
            let bytes: u64 = held.iter().map(|held| held.bytes).sum();
            if printer.is_json() {
                let kinds = held.iter().map(|held| {
                    let is = json!({ "entries": held.entries, "bytes": held.bytes });
                    (held.kind.name().to_owned(), is)
                });
                printer.value(&json!({
                    "path": dir,
                    "bytes": bytes,
                    "most-bytes": cache.most_bytes(),
                    "kinds": kinds.collect::<serde_json::Map<_, _>>(),
                }));
                return Ok(0);
            }
            printer.line(&format!(
                "{}: {} of at most {}",
                crate::print::visible(&dir.display().to_string()),
                size(bytes),
                size(cache.most_bytes())
            ));
            for held in held {
                let (kind, entries) = (held.kind.name(), held.entries);
                printer.line(&format!("  {kind:8} {entries:>6} entries  {:>10}", size(held.bytes)));
            }
        }
        ResearchCacheCommand::Clear => {
            Cache::remove(&dir).map_err(room)?;
            if printer.is_json() {
                printer.value(&json!({ "ok": true }));
            } else {
                printer.note("the research cache is empty");
            }
        }
    }
    Ok(0)
}

fn dir(global: &Global) -> Result<Option<PathBuf>, CliError> {
    Ok(places::cache(global)?.map(|cache| cache.join("research")))
}

fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0)
}

fn size(bytes: u64) -> String {
    if bytes < 1 << 20 { format!("{} KiB", bytes >> 10) } else { format!("{} MiB", bytes >> 20) }
}

fn room(error: ringfence::research::CacheError) -> CliError {
    CliError::Room(Box::new(error))
}
