//! Everything one run holds in its store. A store never serves two trust levels.

use std::sync::Arc;
use std::time::Instant;

use ringfence_capability::{Capability, Fidelity, GrantSet, Kind, Limit};
use ringfence_engine::{Limiter, Meter};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::fs::{FsGuard, FsRoots};
use crate::host::HostCtx;
use crate::http::HttpHooks;
use crate::kv::KvCtx;
use crate::{Observer, Output, source};

/// What a run is made with. Everything in it was decided before.
pub struct Setup {
    /// What the plugin was given.
    pub grants: Arc<GrantSet>,
    /// Counts what the run uses.
    pub meter: Arc<Meter>,
    /// Hears what the plugin says.
    pub observer: Arc<dyn Observer>,
    /// The directories of the file grants, opened.
    pub fs: FsRoots,
    /// Serves the `http` grants.
    pub http: HttpHooks,
    /// Serves the `kv` grants.
    pub kv: KvCtx,
    /// Command-line arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment variables, those granted only.
    pub env: Vec<(String, String)>,
    /// Configuration values, those granted only.
    pub config: Vec<(String, String)>,
    /// What the guest reads from standard input; nothing means end of file.
    pub stdin: Option<bytes::Bytes>,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// Whether file calls may block the thread that polls the run; right for one run per thread.
    pub blocking: Blocking,
}

/// What file calls may do to the thread that polls the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call blocks or it does not")]
pub enum Blocking {
    /// They run right there: quicker, for one run per thread.
    Here,
    /// They run on another thread, so that other runs go on.
    Elsewhere,
}

/// The data of one store.
pub struct HostState {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) config: WasiConfigVariables,
    pub(crate) host: HostCtx,
    pub(crate) fs: FsGuard,
    pub(crate) kv: KvCtx,
    http_ctx: WasiHttpCtx,
    http_hooks: HttpHooks,
    limiter: Limiter,
}

impl HostState {
    /// Returns the state of a new run.
    ///
    /// # Errors
    /// When a granted directory can no longer be opened.
    pub fn new(setup: Setup) -> wasmtime::Result<Self> {
        let mut table = ResourceTable::new();
        let resources = usize::try_from(setup.meter.limits().of(Limit::Resources));
        table.set_max_capacity(resources.unwrap_or(usize::MAX));
        let mut wasi = WasiCtx::builder();
        wasi.allow_blocking_current_thread(setup.blocking == Blocking::Here);
        wasi.args(&setup.args).envs(&setup.env).stdout(setup.stdout).stderr(setup.stderr);
        if let Some(stdin) = setup.stdin {
            wasi.stdin(MemoryInputPipe::new(stdin));
        }
        wasi.max_random_size(setup.meter.limits().host_call_bytes);
        sources(&mut wasi, &setup.grants);
        let fs = setup.fs.preopen(&mut wasi)?;
        Ok(Self {
            table,
            wasi: wasi.build(),
            config: setup.config.into_iter().collect(),
            host: HostCtx {
                observer: setup.observer,
                meter: Arc::clone(&setup.meter),
                started: Instant::now(),
            },
            fs,
            kv: setup.kv,
            http_ctx: WasiHttpCtx::new(),
            http_hooks: setup.http,
            limiter: Limiter::new(setup.meter),
        })
    }

    /// Returns what holds the store to its memory limits.
    pub fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }

    /// Returns the table of resources handed to the guest.
    pub fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

/// Sets the clocks and random numbers to what was granted.
fn sources(wasi: &mut WasiCtxBuilder, grants: &GrantSet) {
    let fixed = |kind| {
        let mut granted = grants.of_kind(kind);
        granted.any(|c| matches!(c, Capability::Clock(Fidelity::Deterministic) | Capability::Random(Fidelity::Deterministic)))
    };
    if fixed(Kind::Clock) {
        wasi.wall_clock(source::SteppingClock::default());
        wasi.monotonic_clock(source::SteppingClock::default());
    }
    if fixed(Kind::Random) {
        wasi.secure_random(source::fixed_numbers()).insecure_random(source::fixed_numbers());
        wasi.insecure_random_seed(source::fixed_seed());
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            hooks: &mut self.http_hooks,
            table: &mut self.table,
            ctx: &mut self.http_ctx,
        }
    }
}
