//! What can go wrong between bytes and a run. A trap, a limit and a denial are different errors.

use ringfence_capability::{Class, Diagnostic, Limit};

use crate::LimitExceeded;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine cannot be set up on this machine.
    #[error("the WebAssembly engine cannot start on this machine")]
    Start {
        /// What wasmtime says.
        #[source]
        source: wasmtime::Error,
    },
    /// The bytes are no component this engine runs.
    #[error("`{plugin}` cannot be compiled")]
    Compile {
        /// The plugin, as the operator named it.
        plugin: String,
        /// What wasmtime says.
        #[source]
        source: wasmtime::Error,
    },
    /// The compiled-code cache cannot be used.
    #[error("the compiled-code cache at `{path}` cannot be used: {why}")]
    Cache {
        /// The directory.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More runs at once were asked for than the pool of the engine is for.
    #[error("the host is set up for {slots} runs at once, and {runs} are asked for")]
    PoolSize {
        /// How many were asked for.
        runs: u32,
        /// How many there can be.
        slots: u32,
    },
    /// The runs that are alive use up the pool of the engine.
    #[error("the runs that are alive use up the pool of instances: {why}")]
    PoolFull {
        /// What there is no more of.
        why: String,
    },
    /// The guest ended in a trap.
    #[error("the plugin crashed")]
    Trap {
        /// The trap and where in the guest it happened.
        #[source]
        source: wasmtime::Error,
    },
    /// A limit was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
}

impl EngineError {
    /// Returns the error for a run that ended with `error`: a limit when one is behind it, else a trap.
    pub fn from_run(error: wasmtime::Error, meter: &crate::Meter) -> Self {
        if let Some(limit) = error.downcast_ref::<LimitExceeded>() {
            return Self::Limit(*limit);
        }
        if let Some(full) = error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>() {
            return Self::PoolFull { why: full.to_string() };
        }
        if let Some(limit) = trap_limit(&error) {
            return Self::Limit(meter.reach(limit));
        }
        // A guest whose memory could not grow dies of what it does next: name the limit, not that.
        match meter.reached() {
            Some(limit) => Self::Limit(limit),
            None => Self::Trap { source: error },
        }
    }
}

/// Returns the limit behind wasmtime's own refusals, which carry no type of ours.
fn trap_limit(error: &wasmtime::Error) -> Option<Limit> {
    if let Some(wasmtime::Trap::StackOverflow) = error.downcast_ref::<wasmtime::Trap>() {
        return Some(Limit::Stack);
    }
    let text = format!("{error:#}");
    [
        ("resource limit exceeded: instance count", Limit::Instances),
        ("resource limit exceeded: memory count", Limit::Memories),
        ("resource limit exceeded: table count", Limit::Tables),
        ("memory minimum size", Limit::Memory),
        ("table minimum size", Limit::TableElements),
        ("too many live resources", Limit::Resources),
        ("resource table has no free keys", Limit::Resources),
        ("store handle limit exceeded", Limit::Resources),
        // How `wasi:random` refuses; its bound is this limit.
        ("requested len", Limit::HostCallBytes),
        ("fuel allocated for hostcalls has been exhausted", Limit::HostCallBytes),
    ]
    .into_iter()
    .find_map(|(says, limit)| text.contains(says).then_some(limit))
}

impl Diagnostic for EngineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Start { .. } => "engine::start",
            Self::Compile { .. } => "engine::compile",
            Self::Cache { .. } => "engine::cache",
            Self::PoolSize { .. } => "engine::pool-size",
            Self::PoolFull { .. } => "engine::pool-full",
            Self::Trap { .. } => "engine::trap",
            Self::Limit(limit) => limit.code(),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Start { .. } => Class::Internal,
            Self::Compile { .. } | Self::Cache { .. } | Self::PoolSize { .. } => Class::BadInput,
            Self::PoolFull { .. } => Class::LimitReached,
            Self::Trap { .. } => Class::PluginFailed,
            Self::Limit(limit) => limit.class(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Start { .. } => Some("`ringfence doctor` shows what is missing here".to_owned()),
            Self::Compile { .. } => Some(
                "ringfence runs WebAssembly components (WASI 0.2 and 0.3) and WASI 0.1 modules; \
                 64-bit memories and threads are off"
                    .to_owned(),
            ),
            Self::Cache { .. } => Some(
                "use a directory of your own that others cannot write, or `--no-cache`".to_owned(),
            ),
            Self::PoolSize { .. } => {
                Some("set the host up for more, or allow fewer runs at once".to_owned())
            }
            Self::PoolFull { .. } => {
                Some("allow fewer runs at once, or set the host up for more".to_owned())
            }
            Self::Trap { .. } => None,
            Self::Limit(limit) => limit.hint(),
        }
    }
}
