//! The run itself: approved, checked again, recorded, started, waited for, recorded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ringfence_approval::Approver;
use ringfence_interfaces::http::HttpRules;
use ringfence_interfaces::proxy::ProxySummary;
use ringfence_sandbox::{Command, Exit, MadeProtected, Network, SandboxError};

use super::proxy::{GRACE, Rules, Serving};
use super::record::{About, ExecLog};
use super::{ExecError, ExecIo, ExecPlan, Executed, Hold, approve, made, record};
use crate::record::run_id;
use crate::{Host, RunError, attacked};

#[cfg(target_os = "linux")]
use super::staged::Staging;
#[cfg(not(target_os = "linux"))]
use super::unstaged::Staging;

impl Host {
    /// Asks `approver` about `plan`, runs the program and waits for its end.
    ///
    /// What it wrote is in [`Executed::staged`] and not in the workspace, unless writes are direct.
    ///
    /// # Errors
    /// When nobody approves it, the program is no longer the approved one, the decision cannot be
    /// recorded, or the sandbox cannot be built: in each case nothing ran. Also when the end cannot
    /// be recorded; what the program wrote is then thrown away.
    pub fn exec(
        &self,
        plan: ExecPlan,
        approver: &dyn Approver,
        io: ExecIo,
    ) -> Result<Executed, RunError> {
        let state = self.exec_state()?;
        attacked::check(&state, plan.options.profile)?;
        let id = plan.options.run.clone().map_or_else(run_id, Ok)?;
        let log = ExecLog::new(About::of(&plan.options), Arc::clone(&self.log), &id);
        let (proof, mut entries) = approve::ask(&plan, &state, approver, &log)?;
        let request = proof.digest();
        let ready = plan
            .program
            .verify()
            .map_err(ExecError::from)
            .and_then(|()| {
                let now = jiff::Timestamp::now();
                Ok(proof.redeem_exec(&plan.program.digest(), now).map(drop)?)
            })
            .and_then(|()| Staging::prepare(&plan, &state, &log, &mut entries));
        let staging = match ready {
            Ok(staging) => staging,
            Err(error) => {
                let error = RunError::from(error);
                log.append_synced(&entries)?;
                log.failed(record::target(&plan), &error.to_string())?;
                return Err(error);
            }
        };
        entries.push(log.starts(&plan, request));
        log.append_synced(&entries)?;
        tracing::debug!(run = log.run(), program = plan.name(), "a native program starts");
        run(plan, staging, io, &log)
    }

    pub(crate) fn exec_state(&self) -> Result<PathBuf, RunError> {
        Ok(self.places.state().ok_or(ExecError::NoState)?.to_owned())
    }
}

/// Starts the program and waits. Everything from here on is what was approved.
fn run(plan: ExecPlan, staging: Staging, io: ExecIo, log: &ExecLog) -> Result<Executed, RunError> {
    let (began, target, rule) = (Instant::now(), record::target(&plan), plan.options.made);
    let done = started(plan, &staging, io, log);
    let duration = began.elapsed();
    let (ended, found) = match done {
        Ok((ended, found)) => (ended, Some(found)),
        Err(error) => (Err(error), None),
    };
    // First of all: the host may act on these names at any moment.
    let made = found.map(|found| made::settle(found, rule, log)).transpose();
    let (exit, network) = match ended {
        Ok(done) => done,
        Err(error) => {
            let error = RunError::from(error);
            log.failed(target, &error.to_string())?;
            return Err(error);
        }
    };
    log.ended(target, exit, duration, network.as_ref())?;
    tracing::debug!(run = log.run(), ?exit, ?duration, "a native program ended");
    let staged = staging.ended(log)?;
    let made = made?.flatten();
    Ok(Executed { exit, run: log.run().to_owned(), duration, network, staged, made })
}

/// How it ended, and what it made under protected names.
type Ended = (Result<(Exit, Option<ProxySummary>), ExecError>, Result<MadeProtected, SandboxError>);

fn started(
    plan: ExecPlan,
    staging: &Staging,
    io: ExecIo,
    log: &ExecLog,
) -> Result<Ended, ExecError> {
    let ExecPlan { program, argv, environment, sandbox, executor, options, .. } = plan;
    let command = Command {
        program,
        argv,
        environment: environment.into_iter().map(|(name, value)| (name.into(), value)).collect(),
        stdio: io.stdio,
        stage: staging.dirs(),
        deadline: options.deadline,
    };
    if let Some(starting) = io.starting {
        starting();
    }
    let mut running = executor.spawn(&sandbox, command)?;
    // Without a listener the program has no network.
    let listener = running.take_listener().filter(|_| sandbox.network() == Network::Proxy);
    let mut listener = listener;
    let total = Arc::new(Mutex::new(ProxySummary::default()));
    let held = io.held.is_some();
    if let Some(holding) = io.held {
        holding(Hold {
            killer: running.killer()?,
            listener: listener.take(),
            granted: plan.verdicts.granted.clone(),
            addresses: plan.addresses.clone(),
            limits: options.network,
            log: log.clone(),
            upper: staging.dirs().map(|dirs| dirs.upper),
            total: Arc::clone(&total),
        });
    }
    let rules = || Rules {
        hosts: HttpRules::from_grants(&plan.verdicts.granted),
        addresses: plan.addresses,
        limits: options.network,
        grace: GRACE,
    };
    let serving = listener.map(|listener| Serving::start(listener, rules(), log)).transpose()?;
    if let Some(started) = io.started {
        started(running.killer()?);
    }
    let exit = running.wait();
    let made = running.made_protected();
    let network = serving.map(Serving::stop).transpose();
    let network = network.map(|network| {
        let held = held.then(|| *total.lock().unwrap_or_else(PoisonError::into_inner));
        network.or(held)
    });
    let ended = match (exit, network) {
        (Ok(exit), Ok(network)) => Ok((exit, network)),
        (Err(error), _) => Err(error.into()),
        (_, Err(error)) => Err(error),
    };
    Ok((ended, made))
}
