//! Which function links which interface. The only place that names wasmtime's `add_to_linker`s.

use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings as p2;
use wasmtime_wasi::p3::bindings as p3;
use wasmtime_wasi::random::{WasiRandom, WasiRandomView as _};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use crate::fs::{GuardedFilesystem, GuardedFsView as _};
use crate::{HostState, agent, exec, host, http, kv, mcp};

/// Adds one interface to a linker.
pub(crate) type Add = fn(&mut Linker<HostState>) -> wasmtime::Result<()>;

type Row = (&'static str, u8, Add);

struct HasTable;

impl HasData for HasTable {
    type Data<'a> = &'a mut ResourceTable;
}

/// Declares the rows of interfaces that wasmtime's own crates serve.
macro_rules! rows {
    ($($name:literal $wasi:literal => $($path:ident)::+, $has:ty, $view:expr;)*) => {
        &[$(($name, $wasi, |linker| $($path)::+::add_to_linker::<HostState, $has>(linker, $view))),*]
    };
}

/// Interfaces without arguments of their own; name, WASI generation (2 or 3, 0 for others), linker.
const PLAIN: &[Row] = rows! {
    "wasi:io/error" 2 => wasmtime_wasi_io::bindings::wasi::io::error, HasTable, |s| &mut s.table;
    "wasi:io/poll" 2 => wasmtime_wasi_io::bindings::wasi::io::poll, HasTable, |s| &mut s.table;
    "wasi:io/streams" 2 => wasmtime_wasi_io::bindings::wasi::io::streams, HasTable, |s| &mut s.table;
    "wasi:cli/environment" 2 => p2::cli::environment, WasiCli, HostState::cli;
    "wasi:cli/stdin" 2 => p2::cli::stdin, WasiCli, HostState::cli;
    "wasi:cli/stdout" 2 => p2::cli::stdout, WasiCli, HostState::cli;
    "wasi:cli/stderr" 2 => p2::cli::stderr, WasiCli, HostState::cli;
    "wasi:cli/terminal-input" 2 => p2::cli::terminal_input, WasiCli, HostState::cli;
    "wasi:cli/terminal-output" 2 => p2::cli::terminal_output, WasiCli, HostState::cli;
    "wasi:cli/terminal-stdin" 2 => p2::cli::terminal_stdin, WasiCli, HostState::cli;
    "wasi:cli/terminal-stdout" 2 => p2::cli::terminal_stdout, WasiCli, HostState::cli;
    "wasi:cli/terminal-stderr" 2 => p2::cli::terminal_stderr, WasiCli, HostState::cli;
    "wasi:clocks/wall-clock" 2 => p2::clocks::wall_clock, WasiClocks, HostState::clocks;
    "wasi:clocks/monotonic-clock" 2 => p2::clocks::monotonic_clock, WasiClocks, HostState::clocks;
    "wasi:random/random" 2 => p2::random::random, WasiRandom, HostState::random;
    "wasi:random/insecure" 2 => p2::random::insecure, WasiRandom, HostState::random;
    "wasi:random/insecure-seed" 2 => p2::random::insecure_seed, WasiRandom, HostState::random;
    "wasi:sockets/tcp" 2 => p2::sockets::tcp, WasiSockets, HostState::sockets;
    "wasi:sockets/tcp-create-socket" 2 => p2::sockets::tcp_create_socket, WasiSockets, HostState::sockets;
    "wasi:sockets/udp" 2 => p2::sockets::udp, WasiSockets, HostState::sockets;
    "wasi:sockets/udp-create-socket" 2 => p2::sockets::udp_create_socket, WasiSockets, HostState::sockets;
    "wasi:sockets/instance-network" 2 => p2::sockets::instance_network, WasiSockets, HostState::sockets;
    "wasi:sockets/ip-name-lookup" 2 => p2::sockets::ip_name_lookup, WasiSockets, HostState::sockets;
    "wasi:http/outgoing-handler" 2 => wasmtime_wasi_http::p2::bindings::http::outgoing_handler, WasiHttp, HostState::http;
    "wasi:cli/exit" 2 => p2::cli::exit, WasiCli, HostState::cli;
    "wasi:cli/exit" 3 => p3::cli::exit, WasiCli, HostState::cli;
    "wasi:cli/environment" 3 => p3::cli::environment, WasiCli, HostState::cli;
    "wasi:cli/stdin" 3 => p3::cli::stdin, WasiCli, HostState::cli;
    "wasi:cli/stdout" 3 => p3::cli::stdout, WasiCli, HostState::cli;
    "wasi:cli/stderr" 3 => p3::cli::stderr, WasiCli, HostState::cli;
    "wasi:cli/terminal-input" 3 => p3::cli::terminal_input, WasiCli, HostState::cli;
    "wasi:cli/terminal-output" 3 => p3::cli::terminal_output, WasiCli, HostState::cli;
    "wasi:cli/terminal-stdin" 3 => p3::cli::terminal_stdin, WasiCli, HostState::cli;
    "wasi:cli/terminal-stdout" 3 => p3::cli::terminal_stdout, WasiCli, HostState::cli;
    "wasi:cli/terminal-stderr" 3 => p3::cli::terminal_stderr, WasiCli, HostState::cli;
    "wasi:clocks/types" 3 => p3::clocks::types, WasiClocks, HostState::clocks;
    "wasi:clocks/system-clock" 3 => p3::clocks::system_clock, WasiClocks, HostState::clocks;
    "wasi:clocks/monotonic-clock" 3 => p3::clocks::monotonic_clock, WasiClocks, HostState::clocks;
    "wasi:random/random" 3 => p3::random::random, WasiRandom, HostState::random;
    "wasi:random/insecure" 3 => p3::random::insecure, WasiRandom, HostState::random;
    "wasi:random/insecure-seed" 3 => p3::random::insecure_seed, WasiRandom, HostState::random;
    "wasi:sockets/types" 3 => p3::sockets::types, WasiSockets, HostState::sockets;
    "wasi:sockets/ip-name-lookup" 3 => p3::sockets::ip_name_lookup, WasiSockets, HostState::sockets;
    "wasi:filesystem/types" 2 => p2::filesystem::types, GuardedFilesystem, HostState::guarded_fs;
    "wasi:filesystem/preopens" 2 => p2::filesystem::preopens, GuardedFilesystem, HostState::guarded_fs;
    "wasi:filesystem/types" 3 => p3::filesystem::types, GuardedFilesystem, HostState::guarded_fs;
    "wasi:filesystem/preopens" 3 => p3::filesystem::preopens, GuardedFilesystem, HostState::guarded_fs;
    "wasi:http/client" 3 => wasmtime_wasi_http::p3::bindings::http::client, WasiHttp, HostState::http;
};

/// Interfaces that need more than a name and a view.
const SPECIAL: &[Row] = &[
    ("wasi:sockets/network", 2, |l| {
        let options = p2::sockets::network::LinkOptions::default();
        p2::sockets::network::add_to_linker::<_, WasiSockets>(l, &options, HostState::sockets)
    }),
    ("wasi:http/types", 2, http::texts::link_p2),
    ("wasi:http/types", 3, http::texts::link_p3),
    ("wasi:keyvalue/store", 0, kv::link_store),
    ("wasi:keyvalue/atomics", 0, kv::link_atomics),
    ("wasi:keyvalue/batch", 0, kv::link_batch),
    ("wasi:config/store", 0, |l| {
        wasmtime_wasi_config::add_to_linker(l, |s: &mut HostState| (&s.config).into())
    }),
    ("ringfence:host/log", 0, host::link_log),
    ("ringfence:host/progress", 0, host::link_progress),
    ("ringfence:host/limits", 0, host::link_limits),
    ("ringfence:host/exec", 0, exec::link),
    ("ringfence:host/mcp", 0, mcp::link),
];

/// Returns what links `interface` (without its version) of WASI generation `wasi`.
pub(crate) fn find(interface: &str, wasi: u8) -> Option<Add> {
    let rows = PLAIN.iter().chain(SPECIAL).chain(&agent::LINKS);
    let fits = |row: &&Row| row.0 == interface && (row.1 == wasi || row.1 == 0);
    rows.into_iter().find(fits).map(|row| row.2)
}

/// Returns the name and WASI generation of everything that can be linked.
pub(crate) fn names() -> impl Iterator<Item = (&'static str, u8)> {
    PLAIN.iter().chain(SPECIAL).chain(&agent::LINKS).map(|row| (row.0, row.1))
}
