//! Takes the approval of an outside server back.

use ringfence_approval::{LeaseState, Place, Store};
use ringfence_capability::Name;

use crate::exec::ExecError;
use crate::{ExecPlan, Host, RunError};

impl Host {
    /// Takes back every answer that lets exactly this server start; returns how many there were.
    ///
    /// # Errors
    /// When what is kept cannot be read or written.
    pub fn revoke_server(&self, plan: &ExecPlan) -> Result<usize, RunError> {
        let subject = plan.request().map_err(RunError::from)?.subject();
        self.revoke(|request| request.subject() == subject)
    }

    /// As [`Host::revoke_server`], for every answer that was given to a server of this name.
    ///
    /// # Errors
    /// As [`Host::revoke_server`].
    pub fn revoke_servers_named(&self, name: &Name) -> Result<usize, RunError> {
        let name = name.to_string();
        self.revoke(|request| {
            let bound = request.parts().plan.get("mcp-server").and_then(|of| of.get("name"));
            bound.and_then(serde_json::Value::as_str) == Some(name.as_str())
        })
    }

    fn revoke(&self, is: impl Fn(&ringfence_approval::Request) -> bool) -> Result<usize, RunError> {
        let place = Place::open(&self.exec_state()?).map_err(ExecError::from)?;
        let store = Store::open(&place, Box::new(jiff::Timestamp::now)).map_err(ExecError::from)?;
        let mut ended = 0;
        for lease in store.list().map_err(ExecError::from)? {
            let holds = lease.state == LeaseState::Holds
                && lease.effect == ringfence_approval::Effect::Allow;
            if holds && is(&lease.request) {
                store.revoke(&lease.id).map_err(ExecError::from)?;
                ended += 1;
            }
        }
        Ok(ended)
    }
}
