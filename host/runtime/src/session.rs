//! Several calls to one instance, so that resources one call returns can be used by the next.

use ringfence_engine::EngineError;
use ringfence_engine::value::{self, Handles};
use serde_json::Value;
use wasmtime::component::{Instance, Val};

use crate::prepared::{Prepared, Running};
use crate::{CallDone, RunError, Stdio, Usage, exports};

/// One live instance. All its calls together are under one set of limits; after a trap or a limit
/// every further call fails.
pub struct Session<'p> {
    prepared: &'p Prepared,
    running: Running,
    instance: Instance,
    handles: Handles,
}

impl Prepared {
    /// Starts an instance that several calls share.
    ///
    /// # Errors
    /// When the instance cannot be made, or its start cannot be recorded.
    ///
    /// # Cancellation
    /// Dropping the future leaves nothing of the guest.
    pub async fn session(&self, stdio: Stdio) -> Result<Session<'_>, RunError> {
        let mut running = self.start("session", stdio, &[])?;
        let Running { store, bounds, meter, .. } = &mut running;
        let instance = bounds.hold(self.pre.instantiate_async(&mut *store)).await;
        let instance = instance.map_err(|error| EngineError::from_run(error, meter))?;
        Ok(Session { prepared: self, running, instance, handles: Handles::default() })
    }
}

impl Session<'_> {
    /// Calls one function; see [`Prepared::call`].
    ///
    /// # Errors
    /// As [`Prepared::call`].
    ///
    /// # Cancellation
    /// Dropping the future leaves the instance unusable: further calls fail.
    pub async fn call(&mut self, function: &str, input: &Value) -> Result<CallDone, RunError> {
        let export = exports::find(&self.prepared.exports, function, &self.prepared.display)?;
        let params = value::params_from_json(&export.ty, input, &mut self.handles)?;
        let Running { store, bounds, meter, log } = &mut self.running;
        let instance = self.instance;
        let done = bounds.hold(async {
            let Some(func) = instance.get_func(&mut *store, export.index) else {
                return Err(wasmtime::Error::msg("the export is not a function"));
            };
            let mut results = vec![Val::Bool(false); export.ty.results().len()];
            func.call_async(&mut *store, &params, &mut results).await?;
            Ok(results)
        });
        let done = done.await.map_err(|error| EngineError::from_run(error, meter));
        let usage = Usage::of(meter);
        let results = log.ended(done, usage)?;
        let result = value::result_to_json(&export.ty, &results, &mut self.handles)?;
        crate::run::fits(&result, meter)?;
        Ok(CallDone { result, usage })
    }
}
