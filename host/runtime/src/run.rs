//! One run of a plugin: a function called, or a command run to its end.

use ringfence_capability::Limit;
use ringfence_engine::value::{self, CallResult, Handles};
use ringfence_engine::{EngineError, Meter};
use serde_json::Value;
use wasmtime::component::Val;
use wasmtime_wasi::I32Exit;

use ringfence_bundle::inspect::PluginKind;

use crate::exports;
use crate::prepared::{Prepared, Running};
use crate::{RunError, Stdio};

/// What a call gave back.
#[derive(Debug)]
#[non_exhaustive]
pub struct CallDone {
    /// The value, or the plugin's own error.
    pub result: CallResult,
    /// What the call used.
    pub usage: Usage,
}

/// How a command ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct CommandDone {
    /// Its exit code.
    pub exit_code: i32,
    /// What the run used.
    pub usage: Usage,
}

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Processor time in milliseconds.
    pub cpu_ms: u64,
    /// Linear memory in bytes.
    pub memory_bytes: u64,
    /// Calls into the host.
    pub host_calls: u64,
}

impl Usage {
    pub(crate) fn of(meter: &Meter) -> Self {
        Self {
            cpu_ms: meter.used(Limit::CpuTime),
            memory_bytes: meter.used(Limit::Memory),
            host_calls: meter.used(Limit::HostCalls),
        }
    }
}

impl Prepared {
    /// Calls one function with JSON and returns its result as JSON.
    ///
    /// `function` is a full name, `interface.f`, or `f` when only one function is called so.
    ///
    /// # Errors
    /// When there is no such function, the input does not fit it, the guest traps or reaches a
    /// limit, or the run cannot be recorded. An error the function returns is no [`RunError`]: it is
    /// [`CallResult::Err`].
    ///
    /// # Cancellation
    /// Dropping the future ends the run: nothing of the guest is left.
    pub async fn call(
        &self,
        function: &str,
        input: &Value,
        stdio: Stdio,
    ) -> Result<CallDone, RunError> {
        let export = exports::find(&self.exports, function, &self.display)?;
        let mut handles = Handles::default();
        // Read before anything starts: input that does not fit costs the guest nothing.
        let params = value::params_from_json(&export.ty, input, &mut handles)?;
        let mut running = self.start(&export.name, stdio, &[])?;
        let Running { store, bounds, meter, .. } = &mut running;
        let done = bounds.hold(async {
            let instance = self.pre.instantiate_async(&mut *store).await?;
            let Some(func) = instance.get_func(&mut *store, export.index) else {
                return Err(wasmtime::Error::msg("the export is not a function"));
            };
            handles = self.named(&instance, store);
            let mut results = vec![Val::Bool(false); export.ty.results().len()];
            func.call_async(&mut *store, &params, &mut results).await?;
            Ok(results)
        });
        let done = done.await.map_err(|error| EngineError::from_run(error, meter));
        let usage = Usage::of(meter);
        let results = running.log.ended(done, usage)?;
        let result = value::result_to_json(&export.ty, &results, &mut handles)?;
        fits(&result, &running.meter)?;
        Ok(CallDone { result, usage })
    }

    /// Runs a `wasi:cli/run` command with these arguments (the program's name is added).
    ///
    /// # Errors
    /// When the plugin is no command, traps or reaches a limit, or the run cannot be recorded.
    ///
    /// # Cancellation
    /// Dropping the future ends the run: nothing of the guest is left.
    pub async fn run(&self, args: &[String], stdio: Stdio) -> Result<CommandDone, RunError> {
        self.need(PluginKind::Command)?;
        let run = exports::find(&self.exports, "run.run", &self.display)?;
        let mut all = vec![self.identity.name().to_owned()];
        all.extend(args.iter().cloned());
        let mut running = self.start(&run.name, stdio, &all)?;
        let Running { store, bounds, meter, .. } = &mut running;
        let done = bounds.hold(async {
            let instance = self.pre.instantiate_async(&mut *store).await?;
            let func = instance.get_typed_func::<(), (Result<(), ()>,)>(&mut *store, run.index)?;
            Ok(i32::from(func.call_async(&mut *store, ()).await?.0.is_err()))
        });
        let done = match done.await {
            // `exit` ends a guest by an error that carries the code.
            Err(error) if meter.reached().is_none() && error.is::<I32Exit>() => {
                Ok(error.downcast_ref::<I32Exit>().map_or(1, |exit| exit.0))
            }
            other => other.map_err(|error| EngineError::from_run(error, meter)),
        };
        let usage = Usage::of(meter);
        let exit_code = running.log.ended(done, usage)?;
        Ok(CommandDone { exit_code, usage })
    }

    /// Checks that the plugin is of this kind.
    pub(crate) fn need(&self, wanted: PluginKind) -> Result<(), RunError> {
        if self.kind == wanted {
            return Ok(());
        }
        let instead = match self.kind {
            PluginKind::Command => format!("ringfence run {}", self.display),
            PluginKind::HttpHandler => format!("ringfence serve {}", self.display),
            PluginKind::Tools | PluginKind::Agent | PluginKind::Step => {
                format!("ringfence call {} FUNCTION", self.display)
            }
        };
        let (is, wanted) = (self.kind.name(), wanted.name());
        Err(RunError::WrongKind { plugin: self.display.clone(), is, wanted, instead })
    }
}

/// Checks that a result is not larger than the output limit.
pub(crate) fn fits(result: &CallResult, meter: &Meter) -> Result<(), RunError> {
    struct Count(u64);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (CallResult::Ok(value) | CallResult::Err(value)) = result;
    let mut count = Count(0);
    let counted = serde_json::to_writer(&mut count, value);
    if counted.is_err() || count.0 > meter.limits().output_bytes {
        return Err(meter.reach(Limit::Output).into());
    }
    Ok(())
}
