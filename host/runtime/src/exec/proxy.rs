//! The proxy of one program, on a thread and a runtime of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use ringfence_capability::Limits;
use ringfence_engine::Meter;
use ringfence_interfaces::http::{AddressRules, HttpConfig, HttpRules};
use ringfence_interfaces::proxy::{Proxy, ProxyLimits, ProxySummary};
use tokio::sync::oneshot;

use super::ExecError;
use super::record::ExecLog;

/// What it lets through.
pub(super) struct Rules {
    pub(super) hosts: HttpRules,
    pub(super) addresses: AddressRules,
    pub(super) limits: Limits,
    /// How long open requests may go on once it is stopped.
    pub(super) grace: Duration,
}

/// How long the last requests of a program that ended may take.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A proxy that serves until it is told to stop. Dropping it stops it too.
pub(super) struct Serving {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Result<ProxySummary, ExecError>>,
}

impl Serving {
    /// Starts to serve what connects to `listener`, under `rules`.
    pub(super) fn start(
        listener: TcpListener,
        rules: Rules,
        log: &ExecLog,
    ) -> Result<Self, ExecError> {
        let (stop, stopped) = oneshot::channel();
        let config = HttpConfig {
            addresses: rules.addresses,
            ..HttpConfig::new(rules.hosts, Meter::new(rules.limits), Arc::new(log.clone()))
        };
        let limits = ProxyLimits {
            records: rules.limits.audit_records,
            grace: rules.grace,
            ..ProxyLimits::default()
        };
        let host = |what| move |source| ExecError::Host { what, source };
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().map_err(host("proxy"))?;
        let serve = move || {
            let summary = runtime.block_on(async {
                let proxy = Proxy::serve(listener, config, limits)?;
                // Whoever would have stopped it may be gone: that stops it as well.
                let _ = stopped.await;
                Ok(proxy.shut_down().await)
            });
            runtime.shutdown_background();
            summary
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned()).spawn(serve);
        Ok(Self { stop, thread: thread.map_err(host("proxy"))? })
    }

    /// Stops it and returns what it did.
    pub(super) fn stop(self) -> Result<ProxySummary, ExecError> {
        drop(self.stop);
        let gone = || ExecError::Host {
            what: "proxy",
            source: std::io::Error::other("it ended before its time"),
        };
        self.thread.join().unwrap_or_else(|_| Err(gone()))
    }
}
