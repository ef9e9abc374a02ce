//! Sets up a host.

use std::path::PathBuf;
use std::sync::Arc;

use ringfence_capability::Limits;
use ringfence_engine::{Allocation, AotCache, EngineOptions};
use ringfence_policy::Layer;
use ringfence_trust::TrustStore;

use crate::host::Engines;
use crate::places::{Own, Places};
use crate::record::{Log, LooksOnly, NoLog};
use crate::{Host, RunError};

/// The most compiled code kept on disk unless told otherwise.
const CACHE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Sets up a [`Host`]. Without `state` nothing is logged, without `cache` compiled code is not kept.
#[derive(Default)]
pub struct HostBuilder {
    workspace: Option<PathBuf>,
    state: Option<PathBuf>,
    cache: Option<PathBuf>,
    cache_bytes: Option<u64>,
    kept: Vec<PathBuf>,
    hidden: Vec<PathBuf>,
    layers: Vec<Layer>,
    trust: TrustStore,
    limits: Limits,
    allocation: Allocation,
    concurrency: Option<u32>,
    looks_only: bool,
}

impl HostBuilder {
    /// Sets the directory plugins mean by "the workspace". The default is the current one.
    #[must_use]
    pub fn workspace(mut self, path: impl Into<PathBuf>) -> Self {
        self.workspace = Some(path.into());
        self
    }

    /// Sets where the audit log and the key-value store live; made when missing.
    #[must_use]
    pub fn state(mut self, path: impl Into<PathBuf>) -> Self {
        self.state = Some(path.into());
        self
    }

    /// Sets where compiled code is kept; made when missing.
    #[must_use]
    pub fn cache(mut self, path: impl Into<PathBuf>) -> Self {
        self.cache = Some(path.into());
        self
    }

    /// Sets the most bytes of compiled code to keep.
    #[must_use]
    pub fn cache_bytes(mut self, most: u64) -> Self {
        self.cache_bytes = Some(most);
        self
    }

    /// Adds a directory that no plugin may be granted for writing, because the host or another run
    /// of it trusts what lies there, such as policies.
    #[must_use]
    pub fn keeps(mut self, path: impl Into<PathBuf>) -> Self {
        self.kept.push(path.into());
        self
    }

    /// Adds a directory that no plugin may be granted at all: the state or the cache of other runs.
    #[must_use]
    pub fn hides(mut self, path: impl Into<PathBuf>) -> Self {
        self.hidden.push(path.into());
        self
    }

    /// Adds a policy layer (host, user or workspace) that every run of this host is under.
    #[must_use]
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Sets the keys that may sign bundles, and how far each is trusted. Without it nobody is: a signed
    /// bundle is refused.
    #[must_use]
    pub fn trust(mut self, store: TrustStore) -> Self {
        self.trust = store;
        self
    }

    /// Sets the limits a plugin gets at most when the operator of a run does not say otherwise.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how instances get memory; `Pooled` when many calls are served.
    #[must_use]
    pub fn allocation(mut self, allocation: Allocation) -> Self {
        self.allocation = allocation;
        self
    }

    /// Sets how many runs a pool has room for; 64 unless told. Each reserves 8 GiB of addresses, and
    /// no memory.
    #[must_use]
    pub fn concurrency(mut self, runs: u32) -> Self {
        self.concurrency = Some(runs);
        self
    }

    /// Sets up a host that only looks: it plans and checks as the same host without this would, but
    /// makes no directory, opens no log and refuses to prepare anything.
    #[must_use]
    pub fn looks_only(mut self) -> Self {
        self.looks_only = true;
        self
    }

    /// Returns the host.
    ///
    /// # Errors
    /// When a directory cannot be opened or made, or is not private where it must be.
    pub fn build(self) -> Result<Host, RunError> {
        let workspace = self.workspace.unwrap_or_else(|| PathBuf::from("."));
        let own = Own {
            state: self.state.as_deref(),
            cache: self.cache.as_deref(),
            kept: &self.kept,
            hidden: &self.hidden,
            make: !self.looks_only,
        };
        let (places, dirs) = Places::open(&workspace, &own)?;
        let most = self.cache_bytes.unwrap_or(CACHE_BYTES);
        let cache = match (dirs.cache, &self.cache) {
            (Some(dir), Some(path)) => Some(Arc::new(AotCache::open(dir, path, most)?)),
            _ => None,
        };
        let options = EngineOptions {
            allocation: self.allocation,
            concurrency: self.concurrency,
            limits: self.limits,
            cache: cache.clone(),
        };
        let log: Arc<dyn Log> = match dirs.state {
            _ if self.looks_only => Arc::new(LooksOnly),
            None => Arc::new(NoLog),
            Some(dir) => crate::record::open(&dir)?,
        };
        Ok(Host {
            engines: Arc::new(Engines::new(options)),
            cache,
            places: Arc::new(places),
            layers: self.layers,
            limits: self.limits,
            log,
            trust: Arc::new(self.trust),
        })
    }
}
