//! Everything one run holds in its store. A store never serves two trust levels.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use ringfence_capability::{Capability, Fidelity, GrantSet, Kind, Limit};
use ringfence_engine::{Limiter, Meter};
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_config::WasiConfigVariables;
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::agent::AgentCtx;
use crate::exec::{ExecCtx, Programs};
use crate::fs::{Blocking, FsGuard, FsRoots, GuardedFs, GuardedFsView, ProtectedNames};
use crate::host::HostCtx;
use crate::http::HttpHooks;
use crate::kv::{KvCtx, KvHost, KvView};
use crate::mcp::{OutsideCaller, OutsideTools};
use crate::model::ModelCtx;
use crate::{Effect, Effects, Observer, Output, source};

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
    /// Names that are not written even in a directory granted for writing.
    pub protected: ProtectedNames,
    /// What records effects.
    pub effects: Effects,
    /// Serves the `http` grants.
    pub http: HttpHooks,
    /// Serves the `kv` grants.
    pub kv: KvCtx,
    /// Runs native programs; without it every one is denied.
    pub programs: Option<Arc<dyn Programs>>,
    /// Calls tools of outside servers; without it every one is denied.
    pub outside: Option<Arc<dyn OutsideTools>>,
    /// Command-line arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment variables, those granted only.
    pub env: Vec<(String, String)>,
    /// Configuration values, those granted only.
    pub config: Vec<(String, String)>,
    /// What the guest reads from standard input.
    pub stdin: Stdin,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// Whether file calls may block the thread that polls the run; right for one run per thread.
    pub blocking: Blocking,
}

/// What a guest reads from standard input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "linking must handle every source")]
pub enum Stdin {
    /// Nothing: the end of a file.
    #[default]
    Closed,
    /// These bytes, then the end.
    Bytes(bytes::Bytes),
    /// What this process reads, as the guest asks for it. One run of a process can have it.
    Process,
}

impl From<Option<Vec<u8>>> for Stdin {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Closed, |bytes| Self::Bytes(bytes.into()))
    }
}

/// The data of one store.
pub struct HostState {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) config: WasiConfigVariables,
    pub(crate) host: HostCtx,
    pub(crate) exec: ExecCtx,
    pub(crate) outside: OutsideCaller,
    pub(crate) agent: AgentCtx,
    pub(crate) models: Option<ModelCtx>,
    fs: FsGuard,
    pub(crate) kv: KvCtx,
    http_ctx: WasiHttpCtx,
    http_hooks: HttpHooks,
    limiter: Limiter,
}

impl HostState {
    /// Returns the state of a new run.
    pub fn new(setup: Setup) -> Self {
        let mut table = ResourceTable::new();
        let resources = usize::try_from(setup.meter.limits().of(Limit::Resources));
        table.set_max_capacity(resources.unwrap_or(usize::MAX));
        let mut wasi = WasiCtx::builder();
        wasi.args(&setup.args).envs(&setup.env).stdout(setup.stdout).stderr(setup.stderr);
        match setup.stdin {
            Stdin::Closed => {}
            Stdin::Bytes(bytes) => {
                wasi.stdin(MemoryInputPipe::new(bytes));
            }
            Stdin::Process => {
                wasi.inherit_stdin();
            }
        }
        // Files are plain ones (the guard opens nothing else), so that a read returns by itself; a
        // thread started only to wait for it would cost a short run more than the read.
        wasi.allow_blocking_current_thread(setup.blocking == Blocking::Here);
        wasi.max_random_size(setup.meter.limits().host_call_bytes);
        sources(&mut wasi, &setup.grants);
        sockets(&mut wasi, &setup.grants, &setup.meter, &setup.effects);
        let outside = OutsideCaller::new(
            Arc::clone(&setup.grants),
            setup.outside,
            Arc::clone(&setup.effects),
            Arc::clone(&setup.meter),
        );
        let exec = ExecCtx::new(setup.grants, setup.programs, Arc::clone(&setup.effects));
        let fs = FsGuard::new(
            setup.fs,
            setup.protected,
            Arc::clone(&setup.meter),
            setup.effects,
            setup.blocking,
        );
        Self {
            table,
            wasi: wasi.build(),
            config: setup.config.into_iter().collect(),
            host: HostCtx {
                observer: setup.observer,
                meter: Arc::clone(&setup.meter),
                started: Instant::now(),
            },
            exec,
            outside,
            agent: AgentCtx::default(),
            models: None,
            fs,
            kv: setup.kv,
            http_ctx: http_ctx(),
            http_hooks: setup.http,
            limiter: Limiter::new(setup.meter),
        }
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

/// The most one list of HTTP headers may hold: times the `resources` limit, 128 MiB of the host.
const FIELDS_BYTES: usize = 32 * 1024;

fn http_ctx() -> WasiHttpCtx {
    let mut ctx = WasiHttpCtx::new();
    ctx.set_field_size_limit(FIELDS_BYTES);
    ctx
}

/// Sets the clocks and random numbers to what was granted.
fn sources(wasi: &mut WasiCtxBuilder, grants: &GrantSet) {
    let fixed = |kind| {
        let mut granted = grants.of_kind(kind);
        granted.any(|c| {
            matches!(
                c,
                Capability::Clock(Fidelity::Deterministic)
                    | Capability::Random(Fidelity::Deterministic)
            )
        })
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

/// Lets sockets reach exactly the granted addresses. Without a grant every use is denied.
fn sockets(wasi: &mut WasiCtxBuilder, grants: &GrantSet, meter: &Arc<Meter>, effects: &Effects) {
    let granted: Vec<SocketAddr> = grants
        .of_kind(Kind::Socket)
        .filter_map(|capability| match capability {
            Capability::Socket { host, port } => {
                let address = host.to_string().parse::<IpAddr>().ok()?;
                Some(SocketAddr::new(address, *port))
            }
            _ => None,
        })
        .collect();
    wasi.allow_tcp(!granted.is_empty()).allow_udp(!granted.is_empty());
    wasi.allow_ip_name_lookup(false);
    let (meter, effects) = (Arc::clone(meter), Arc::clone(effects));
    // Counted and recorded before anything is sent; what cannot be is not let through.
    let out = move |operation: &str, address: SocketAddr| {
        let (kind, target) = (Kind::Socket, address.to_string());
        if !granted.contains(&address) {
            let reason = "the address was not granted";
            // It is refused whether or not that could be recorded.
            let _ = effects.record(Effect::refused(kind, operation, target, reason));
            return false;
        }
        let counted = operation != "connect" || meter.charge(Limit::Connections, 1).is_ok();
        counted && effects.record(Effect::done(kind, operation, target)).is_ok()
    };
    wasi.socket_addr_check(move |address, using| {
        let allowed = match using {
            SocketAddrUse::TcpConnect => out("connect", address),
            SocketAddrUse::UdpSend => out("send", address),
            SocketAddrUse::UdpReceive => out("receive", address),
            // What the system does by itself before a connection out.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                address.ip().is_unspecified() && address.port() == 0
            }
            // Listening would let the outside in.
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => false,
        };
        Box::pin(async move { allowed })
    });
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl GuardedFsView for HostState {
    fn guarded_fs(&mut self) -> GuardedFs<'_> {
        GuardedFs { guard: &mut self.fs, ctx: self.wasi.filesystem(), table: &mut self.table }
    }
}

impl KvHost for HostState {
    fn kv(&mut self) -> KvView<'_> {
        KvView { ctx: &mut self.kv, table: &mut self.table }
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
