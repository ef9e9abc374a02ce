//! The engine: compiles or maps components, and bounds each run.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringfence_capability::{Digest, Limit, Limits};
use wasmtime::component::Component;
use wasmtime::{CallHook, Store, UpdateDeadline};

use crate::cache::AotCache;
use crate::config::{POOL_SLOTS, engine_config};
use crate::cpu::{Counted, CpuClock};
use crate::{Allocation, EngineError, Limiter, Meter};

/// How often a running guest is looked at. Time limits are kept to about this.
const TICK: Duration = Duration::from_millis(5);

/// What an engine is made with.
#[derive(Debug, Clone, Default)]
#[expect(clippy::exhaustive_structs, reason = "callers use `..Default::default()`")]
pub struct EngineOptions {
    /// How instances get memory.
    pub allocation: Allocation,
    /// How many runs can be alive at once when pooled; 64 unless said otherwise.
    pub concurrency: Option<u32>,
    /// The bounds every run of this engine keeps at most; the stack is the engine's own.
    pub limits: Limits,
    /// Where compiled code is kept; nothing means compiling each time.
    pub cache: Option<Arc<AotCache>>,
}

/// Compiles, maps and bounds components. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
    cache: Option<Arc<AotCache>>,
    slots: Option<u32>,
    ticker: Arc<Ticker>,
}

/// A component ready to be linked, and where its code came from.
#[derive(Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The component.
    pub component: Component,
    /// Where its machine code came from.
    pub source: Source,
}

/// Where machine code came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "it was mapped or it was compiled")]
pub enum Source {
    /// Mapped from the cache.
    Cached,
    /// Compiled in this time.
    Compiled(Duration),
}

impl Engine {
    /// Returns a new engine.
    ///
    /// # Errors
    /// [`EngineError::Start`] when wasmtime does not support this machine.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let stack = usize::try_from(options.limits.stack_bytes).unwrap_or(usize::MAX);
        let slots = options.concurrency.unwrap_or(POOL_SLOTS).max(1);
        let config = engine_config(stack, options.allocation, slots);
        let inner =
            wasmtime::Engine::new(&config).map_err(|source| EngineError::Start { source })?;
        let ticker = Arc::new(Ticker::new(inner.clone()));
        let slots = (options.allocation == Allocation::Pooled).then_some(slots);
        Ok(Self { inner, cache: options.cache, slots, ticker })
    }

    /// Checks that this many runs can be alive at once.
    ///
    /// # Errors
    /// [`EngineError::PoolSize`] when the engine has a pool for fewer.
    pub fn holds(&self, runs: u32) -> Result<(), EngineError> {
        match self.slots {
            Some(slots) if runs > slots => Err(EngineError::PoolSize { runs, slots }),
            _ => Ok(()),
        }
    }

    /// Returns the wasmtime engine.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }

    /// Tells whether the machine code of the component with this digest can be mapped right away.
    pub fn is_cached(&self, digest: &Digest) -> bool {
        self.cache.as_ref().is_some_and(|cache| cache.contains(&self.inner, digest))
    }

    /// Returns the component with this digest mapped from the cache, if it is there.
    pub fn map(&self, digest: &Digest) -> Option<Loaded> {
        let component = self.cache.as_ref()?.map(&self.inner, digest)?;
        Some(Loaded { component, source: Source::Cached })
    }

    /// Compiles a component and keeps its code under `digest`; `plugin` is for messages.
    ///
    /// # Errors
    /// [`EngineError::Compile`] when the bytes are no component. A cache that cannot be written is
    /// no error: the component is compiled again next time.
    pub fn compile(
        &self,
        bytes: &[u8],
        digest: &Digest,
        plugin: &str,
    ) -> Result<Loaded, EngineError> {
        let _span = tracing::info_span!("compile", plugin).entered();
        let fail = |source| EngineError::Compile { plugin: plugin.to_owned(), source };
        let start = Instant::now();
        let component = Component::from_binary(&self.inner, bytes).map_err(fail)?;
        let took = start.elapsed();
        if let Some(cache) = &self.cache {
            match component.serialize() {
                Ok(code) => cache.store(&self.inner, digest, &code),
                Err(error) => tracing::warn!(%error, "compiled code cannot be serialised"),
            }
        }
        Ok(Loaded { component, source: Source::Compiled(took) })
    }

    /// Maps the component from the cache, or compiles it. `digest` must be that of `bytes`.
    ///
    /// # Errors
    /// As [`Engine::compile`].
    pub fn load(&self, bytes: &[u8], digest: &Digest, plugin: &str) -> Result<Loaded, EngineError> {
        match self.map(digest) {
            Some(loaded) => Ok(loaded),
            None => self.compile(bytes, digest, plugin),
        }
    }

    /// Puts every bound of `meter` on `store`: memory and tables, time, host calls and their data.
    pub fn bound<T: Send + 'static>(
        &self,
        store: &mut Store<T>,
        meter: &Arc<Meter>,
        limiter: impl Fn(&mut T) -> &mut Limiter + Send + Sync + 'static,
    ) -> Bounds {
        let clock = Arc::new(CpuClock::default());
        let deadline = Instant::now() + meter.limits().wall_time();
        store.limiter(move |state| limiter(state));
        let size = usize::try_from(meter.limits().host_call_bytes).unwrap_or(usize::MAX);
        store.set_hostcall_fuel(size);
        // Handles of the component's own resources, streams, futures and tasks live in tables of the
        // host too, which wasmtime keeps beside those of host resources.
        let handles = usize::try_from(meter.limits().resources).unwrap_or(usize::MAX);
        store.set_max_component_handles(handles);
        if let Some(table) = store.concurrent_resource_table() {
            table.set_max_capacity(handles);
        }
        let calls = Arc::clone(meter);
        store.call_hook(move |_, hook| match hook {
            CallHook::CallingHost => Ok(calls.charge(Limit::HostCalls, 1)?),
            _ => Ok(()),
        });
        let (watched, seen) = (Arc::clone(meter), Arc::clone(&clock));
        store.epoch_deadline_callback(move |_| {
            seen.check(&watched)?;
            if Instant::now() >= deadline + watched.waited_for_person() {
                return Err(watched.reach(Limit::WallTime).into());
            }
            // Yielding lets timers and a cancellation be seen between two ticks.
            Ok(UpdateDeadline::Yield(1))
        });
        store.set_epoch_deadline(1);
        Bounds { clock, deadline, meter: Arc::clone(meter), ticker: Arc::clone(&self.ticker) }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.cache).finish_non_exhaustive()
    }
}

/// The time bounds of one run; whatever the guest does happens inside [`Bounds::hold`].
pub struct Bounds {
    clock: Arc<CpuClock>,
    deadline: Instant,
    meter: Arc<Meter>,
    ticker: Arc<Ticker>,
}

impl Bounds {
    /// Runs `work` until it ends or its time is over, waiting in host calls included.
    ///
    /// # Errors
    /// The error of `work`, or the time limit that was reached.
    ///
    /// # Cancellation
    /// Dropping the future drops `work`; the store must then not be used again.
    pub async fn hold<R>(
        &self,
        work: impl Future<Output = wasmtime::Result<R>>,
    ) -> wasmtime::Result<R> {
        let _ticking = self.ticker.start();
        let mut counted = Counted { inner: Box::pin(work), clock: Arc::clone(&self.clock) };
        let result = loop {
            // The end moves on while a person is waited for; never so often that it costs anything.
            let end = self.end().max(Instant::now() + TICK);
            match tokio::time::timeout_at(end.into(), &mut counted).await {
                Ok(result) => break result,
                Err(_) if self.end() > Instant::now() => {}
                Err(_) => return Err(self.meter.reach(Limit::WallTime).into()),
            }
        };
        // A guest that ended by itself may still have used too much on the way.
        let cpu = self.clock.check(&self.meter);
        let result = result?;
        cpu?;
        // A stream may have told the guest only that it is closed; what is missing is still missing.
        if self.meter.was_reached(Limit::Output) {
            return Err(self.meter.reach(Limit::Output).into());
        }
        Ok(result)
    }

    /// Returns the time left until the wall-time limit.
    pub fn remaining(&self) -> Duration {
        self.end().saturating_duration_since(Instant::now())
    }

    fn end(&self) -> Instant {
        self.deadline + self.meter.waited_for_person()
    }
}

/// Advances the engine's epoch while guests run; its thread ends when none did for a while.
struct Ticker {
    shared: Arc<Shared>,
}

struct Shared {
    engine: wasmtime::Engine,
    running: AtomicUsize,
    /// Whether the thread is alive; guards its start and end.
    thread: Mutex<bool>,
}

/// How many ticks the thread outlives the last run: a second. It keeps ticking meanwhile, so that
/// the next run finds it at work and need not wake it, which would cost more than a short call.
const LINGER_TICKS: u32 = 200;

impl Ticker {
    fn new(engine: wasmtime::Engine) -> Self {
        let shared = Shared { engine, running: AtomicUsize::new(0), thread: Mutex::new(false) };
        Self { shared: Arc::new(shared) }
    }

    fn start(&self) -> Ticking {
        let shared = Arc::clone(&self.shared);
        shared.running.fetch_add(1, Ordering::SeqCst);
        let mut alive = shared.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !*alive {
            let thread = Arc::clone(&shared);
            let spawned = std::thread::Builder::new()
                .name("ringfence-epoch".to_owned())
                .spawn(move || thread.tick());
            *alive = spawned.is_ok();
            if let Err(error) = spawned {
                // Without ticks a loop would never end: stop every guest at its next check.
                tracing::error!(%error, "the epoch thread cannot start; guests are stopped at once");
                for _ in 0..u16::MAX {
                    shared.engine.increment_epoch();
                }
            }
        }
        drop(alive);
        Ticking { shared }
    }
}

impl Shared {
    fn tick(&self) {
        let mut idle = 0;
        loop {
            // Not a wait for anything: this thread is the clock itself.
            std::thread::park_timeout(TICK);
            if self.running.load(Ordering::SeqCst) > 0 {
                self.engine.increment_epoch();
                idle = 0;
                continue;
            }
            idle += 1;
            let mut alive = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            // A run counts itself before it asks whether the thread is alive: either it is seen
            // here, or it finds no thread and starts one.
            if idle >= LINGER_TICKS && self.running.load(Ordering::SeqCst) == 0 {
                *alive = false;
                return;
            }
        }
    }
}

/// Keeps the epoch advancing while it lives.
struct Ticking {
    shared: Arc<Shared>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}
