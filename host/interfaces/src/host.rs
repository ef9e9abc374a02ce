//! `ringfence:host`: messages, progress and limits. Carries no authority, so it is always linked.

use std::sync::Arc;

use ringfence_capability::{Limit, text};
use ringfence_engine::Meter;
use wasmtime::component::{HasData, Linker};

use crate::HostState;

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/v0.1/host",
        inline: "package ringfence:link; world imports {
            import ringfence:host/log@0.1.0;
            import ringfence:host/progress@0.1.0;
            import ringfence:host/limits@0.1.0;
        }",
        imports: { default: trappable },
    });
}

use bindings::ringfence::host as wit;

/// The most one message, note or field may hold; the rest is cut.
const TEXT_BYTES: usize = 8 * 1024;
/// What a text is charged beside its own bytes.
const LINE_BYTES: u64 = 32;
/// The most fields one message may carry; the rest are dropped.
const FIELDS: usize = 32;

/// How important a plugin says a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "the WIT enum is closed")]
pub enum Level {
    /// Detail for the plugin's author.
    Debug,
    /// Normal progress.
    Info,
    /// Something is odd.
    Warn,
    /// Something went wrong.
    Error,
}

/// Hears what a plugin says while it runs. The text has no control characters and is bounded.
pub trait Observer: Send + Sync + 'static {
    /// Hears one message.
    fn message(&self, level: Level, text: &str, fields: &[(String, String)]);

    /// Hears that `done` steps of `total` are finished, and what is being done.
    fn progress(&self, done: f64, total: Option<f64>, note: &str);
}

/// What serves `ringfence:host` for one run.
pub(crate) struct HostCtx {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) started: std::time::Instant,
}

impl HostCtx {
    /// Charges `text` to the log limit and returns it without control characters.
    fn text(&self, text: &str) -> wasmtime::Result<String> {
        // Empty texts are charged too: each becomes a line.
        self.meter.charge(Limit::Log, text.len() as u64 + LINE_BYTES)?;
        let end = text.floor_char_boundary(TEXT_BYTES);
        Ok(text::plain(&text[..end]))
    }
}

impl wit::log::Host for HostCtx {
    fn write(
        &mut self,
        level: wit::log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let level = match level {
            wit::log::Level::Debug => Level::Debug,
            wit::log::Level::Info => Level::Info,
            wit::log::Level::Warn => Level::Warn,
            wit::log::Level::Error => Level::Error,
        };
        let message = self.text(&message)?;
        let clean = |(name, value): (String, String)| Ok((self.text(&name)?, self.text(&value)?));
        let fields =
            fields.into_iter().take(FIELDS).map(clean).collect::<wasmtime::Result<Vec<_>>>()?;
        self.observer.message(level, &message, &fields);
        Ok(())
    }
}

impl wit::progress::Host for HostCtx {
    fn report(&mut self, done: f64, total: Option<f64>, note: String) -> wasmtime::Result<()> {
        let note = self.text(&note)?;
        self.observer.progress(done, total, &note);
        Ok(())
    }
}

impl wit::limits::Host for HostCtx {
    fn remaining(&mut self) -> wasmtime::Result<wit::limits::Budget> {
        let own = self.started.elapsed().saturating_sub(self.meter.waited_for_person());
        let wall = self.meter.limits().wall_time().saturating_sub(own);
        Ok(wit::limits::Budget {
            wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
            cpu_ms: self.meter.remaining(Limit::CpuTime),
            memory_bytes: self.meter.remaining(Limit::Memory),
            output_bytes: self.meter.remaining(Limit::Output),
            host_calls: self.meter.remaining(Limit::HostCalls),
        })
    }
}

struct HasHost;

impl HasData for HasHost {
    type Data<'a> = &'a mut HostCtx;
}

pub(crate) fn link_log(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wit::log::add_to_linker::<_, HasHost>(linker, |state| &mut state.host)
}

pub(crate) fn link_progress(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wit::progress::add_to_linker::<_, HasHost>(linker, |state| &mut state.host)
}

pub(crate) fn link_limits(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    wit::limits::add_to_linker::<_, HasHost>(linker, |state| &mut state.host)
}
