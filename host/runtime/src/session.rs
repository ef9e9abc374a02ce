//! Several calls to one instance, so that resources one call returns can be used by the next.

use ringfence_capability::Limit;
use ringfence_engine::EngineError;
use ringfence_engine::value::{self, Handles};
use ringfence_interfaces::HostState;
use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, Val};

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
        let instance = match instance.map_err(|error| EngineError::from_run(error, meter)) {
            Ok(instance) => instance,
            Err(error) => running.log.ended(Err(error), Usage::of(&running.meter))?,
        };
        let handles = self.named(&instance, &mut running.store);
        Ok(Session { prepared: self, running, instance, handles })
    }

    /// Returns a table in which the resource types of this instance have the names schemas use.
    pub(crate) fn named(&self, instance: &Instance, store: &mut Store<HostState>) -> Handles {
        let mut handles = Handles::default();
        for (name, index) in &self.resources {
            if let Some(ty) = instance.get_resource(&mut *store, index) {
                handles.name_type(ty, name);
            }
        }
        handles
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
        let Running { store, bounds, meter, log } = &mut self.running;
        let func = self.instance.get_func(&mut *store, export.index);
        // The instance's own types: only they know its resources.
        let ty = func.map_or_else(|| export.ty.clone(), |func| func.ty(&*store));
        let params = value::params_from_json(&ty, input, &mut self.handles)?;
        log.calls(&export.name)?;
        let done = bounds.hold(async {
            let Some(func) = func else {
                return Err(wasmtime::Error::msg("the export is not a function"));
            };
            let mut results = vec![Val::Bool(false); ty.results().len()];
            func.call_async(&mut *store, &params, &mut results).await?;
            Ok(results)
        });
        let done = done.await.map_err(|error| EngineError::from_run(error, meter));
        let usage = Usage::of(meter);
        let results = log.call_ended(done, usage)?;
        let result = value::result_to_json(&ty, &results, &mut self.handles)?;
        crate::run::fits(&result, meter)?;
        Ok(CallDone { result, usage })
    }
}

impl Session<'_> {
    /// Calls `func(bytes: list<u8>)`. Bytes go in as they are, where [`Session::call`] would make a value of
    /// each.
    ///
    /// # Errors
    /// As [`Prepared::call`].
    ///
    /// # Cancellation
    /// As [`Session::call`].
    pub async fn give(&mut self, function: &str, bytes: &[u8]) -> Result<(), RunError> {
        self.typed::<(&[u8],), ()>(function, (bytes,)).await
    }

    /// Calls `func() -> option<list<u8>>`.
    ///
    /// # Errors
    /// As [`Prepared::call`].
    ///
    /// # Cancellation
    /// As [`Session::call`].
    pub async fn take(&mut self, function: &str) -> Result<Option<Vec<u8>>, RunError> {
        let (bytes,) = self.typed::<(), (Option<Vec<u8>>,)>(function, ()).await?;
        let most = self.running.meter.limits().output_bytes;
        if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > most) {
            return Err(self.running.meter.reach(Limit::Output).into());
        }
        Ok(bytes)
    }

    async fn typed<P, R>(&mut self, function: &str, params: P) -> Result<R, RunError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let export = exports::find(&self.prepared.exports, function, &self.prepared.display)?;
        let Running { store, bounds, meter, log } = &mut self.running;
        log.calls(&export.name)?;
        let done = bounds.hold(async {
            let func = self.instance.get_typed_func::<P, R>(&mut *store, export.index)?;
            func.call_async(&mut *store, params).await
        });
        let done = done.await.map_err(|error| EngineError::from_run(error, meter));
        log.call_ended(done, Usage::of(meter))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let usage = Usage::of(&self.running.meter);
        if let Err(error) = self.running.log.ended(Ok(()), usage) {
            tracing::error!(%error, "the end of a session could not be recorded");
        }
    }
}
