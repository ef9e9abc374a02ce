//! The run itself: approved, checked again, recorded, started, waited for, recorded.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use ringfence_approval::{Approver, How};
use ringfence_audit::Target;
use ringfence_capability::{GrantSet, Limits};
use ringfence_interfaces::http::{AddressRules, HttpRules};
use ringfence_interfaces::proxy::ProxySummary;
use ringfence_sandbox::{
    Command, Exit, MadeProtected, Network, SandboxError, SandboxExecutor, SandboxPlan, Starting,
    Stdio,
};

use super::proxy::{GRACE, Rules, Serving};
use super::record::{About, ExecLog};
use super::{
    ExecError, ExecIo, ExecPlan, Executed, Hold, Holding, MadeRule, Started, approve, made, record,
};
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
        let target = record::target(&plan);
        let (proof, mut entries) = approve::ask(&plan, &state, approver, (&log, &target))?;
        let request = proof.digest();
        // While a person thought about it, much time went by.
        let asked = proof.how() == How::Asked;
        let verified = if asked { plan.program.verify() } else { Ok(()) };
        let ready = verified.and_then(|()| plan.program.again()).map_err(ExecError::from).and_then(
            |program| {
                let now = jiff::Timestamp::now();
                let _ = proof.redeem_exec(&plan.program.digest(), now)?;
                Ok((program, Staging::prepare(&plan, &state, &log, &mut entries)?))
            },
        );
        let start = log.starts(&target, request);
        let Parts { command, sandbox, executor, rest } = Parts::of(plan, io.stdio);
        // What takes long is begun before the log has it; the program starts after that.
        let ready = ready.and_then(|(program, staging)| {
            let command = Command { stage: staging.dirs(), ..command };
            Ok((executor.set_up(&sandbox, command)?, program, staging))
        });
        let (starting, program, staging) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                let error = RunError::from(error);
                log.append_synced(&entries)?;
                log.failed(target, &error.to_string())?;
                return Err(error);
            }
        };
        entries.push(start);
        log.append_synced(&entries)?;
        // The last thing before it starts: whoever could write the program had time until here.
        if let Err(error) = program.verify() {
            let error = RunError::from(ExecError::from(error));
            log.failed(target, &error.to_string())?;
            return Err(error);
        }
        tracing::debug!(run = log.run(), "a native program starts");
        let io = Watching { starting: io.starting, started: io.started, held: io.held };
        run(starting, rest, staging, io, &log, target)
    }

    pub(crate) fn exec_state(&self) -> Result<PathBuf, RunError> {
        Ok(self.places.state().ok_or(ExecError::NoState)?.to_owned())
    }
}

/// What a plan falls into when everything is decided.
struct Parts {
    command: Command,
    sandbox: SandboxPlan,
    executor: Arc<dyn SandboxExecutor>,
    rest: Rest,
}

/// What is needed while the program runs.
struct Rest {
    network: Network,
    granted: GrantSet,
    addresses: AddressRules,
    limits: Limits,
    made: MadeRule,
}

impl Parts {
    fn of(plan: ExecPlan, stdio: [Stdio; 3]) -> Self {
        let ExecPlan {
            program,
            argv,
            environment,
            sandbox,
            executor,
            options,
            verdicts,
            addresses,
            ..
        } = plan;
        let command = Command {
            program,
            argv,
            environment: environment
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
            stdio,
            stage: None,
            deadline: options.deadline,
        };
        let rest = Rest {
            network: sandbox.network(),
            granted: verdicts.granted,
            addresses,
            limits: options.network,
            made: options.made,
        };
        Self { command, sandbox, executor, rest }
    }
}

/// Who is told about the program.
struct Watching {
    starting: Option<Box<dyn FnOnce() + Send>>,
    started: Option<Started>,
    held: Option<Holding>,
}

/// Starts the program and waits. Everything from here on is what was approved.
fn run(
    starting: Starting<'_>,
    rest: Rest,
    staging: Staging,
    io: Watching,
    log: &ExecLog,
    target: Target,
) -> Result<Executed, RunError> {
    let (began, rule) = (Instant::now(), rest.made);
    let done = started(starting, rest, &staging, io, log);
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
    starting: Starting<'_>,
    rest: Rest,
    staging: &Staging,
    io: Watching,
    log: &ExecLog,
) -> Result<Ended, ExecError> {
    if let Some(told) = io.starting {
        told();
    }
    let mut running = starting()?;
    // Without a listener the program has no network.
    let mut listener = running.take_listener().filter(|_| rest.network == Network::Proxy);
    let total = Arc::new(Mutex::new(ProxySummary::default()));
    let held = io.held.is_some();
    if let Some(holding) = io.held {
        holding(Hold {
            killer: running.killer()?,
            listener: listener.take(),
            granted: rest.granted.clone(),
            addresses: rest.addresses.clone(),
            limits: rest.limits,
            log: log.clone(),
            upper: staging.dirs().map(|dirs| dirs.upper),
            total: Arc::clone(&total),
        });
    }
    let rules = || Rules {
        hosts: HttpRules::from_grants(&rest.granted),
        addresses: rest.addresses,
        limits: rest.limits,
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
