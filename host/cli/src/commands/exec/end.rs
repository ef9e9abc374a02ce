//! While the program runs and after it: signals are passed on, changes are shown and decided.

use std::sync::{Arc, Mutex, PoisonError};

use ringfence::sandbox::{Exit, Killer};
use ringfence::{ExecIo, Executed};
use serde_json::{Value, json};

use super::{commit, made};
use crate::args::Exec;
use crate::error::CliError;
use crate::print::Printer;

/// How often a signal is passed on before everything is killed.
const PATIENCE: u32 = 2;

/// What a signal to this process means at the moment.
#[derive(Default)]
enum Phase {
    /// The usual: it ends the process.
    #[default]
    Idle,
    /// It waits until the program is there to get it.
    Starting { waiting: Vec<i32> },
    /// It is passed on to the program; the third one kills it.
    Running { killer: Box<dyn Killer>, seen: u32 },
    /// It waits: something is being written that must not stop half way.
    Writing,
}

/// What signals to this process do. Shared with the thread that gets them.
#[derive(Clone, Default)]
pub(in crate::commands) struct Signals(Arc<Mutex<Phase>>);

impl Signals {
    /// Returns `io`, whose program gets the signals from its start on.
    pub(super) fn forwarded(&self, io: ExecIo) -> ExecIo {
        let (before, after) = (self.clone(), self.clone());
        let starting = move || {
            before.set(Phase::Starting { waiting: Vec::new() });
            listen(before);
        };
        io.announcing(Box::new(starting)).telling(Box::new(move |killer| after.started(killer)))
    }

    fn started(&self, killer: Box<dyn Killer>) {
        let before = self.set(Phase::Running { killer, seen: 0 });
        if let Phase::Starting { waiting } = before {
            for number in waiting {
                self.got(number);
            }
        }
    }

    /// Says that the program has ended.
    fn idle(&self) {
        self.set(Phase::Idle);
    }

    /// Runs `work`, which no signal ends.
    pub(super) fn hold<T>(&self, work: impl FnOnce() -> T) -> T {
        self.set(Phase::Writing);
        let done = work();
        self.idle();
        done
    }

    fn set(&self, phase: Phase) -> Phase {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, phase)
    }

    fn got(&self, number: i32) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *phase {
            // Nothing was committed; what is staged is removed by the next run.
            Phase::Idle => std::process::exit(128 + number),
            Phase::Starting { waiting } => waiting.push(number),
            Phase::Running { killer, seen } => {
                *seen += 1;
                if *seen > PATIENCE { killer.kill() } else { killer.signal(number) }
            }
            Phase::Writing => {}
        }
    }
}

/// Gets signals on a thread of its own, from now on.
#[cfg(unix)]
fn listen(signals: Signals) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return;
    };
    // Set up here, so that none is missed between now and the start of the thread.
    let set_up = runtime.block_on(async {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        kinds.map(|kind| signal(kind).ok().map(|stream| (kind.as_raw_value(), stream)))
    });
    let work = move || {
        runtime.block_on(async {
            let [mut a, mut b, mut c, mut d] = set_up;
            loop {
                let number = tokio::select! {
                    Some(number) = next(&mut a) => number,
                    Some(number) = next(&mut b) => number,
                    Some(number) = next(&mut c) => number,
                    Some(number) = next(&mut d) => number,
                    else => return,
                };
                signals.got(number);
            }
        });
    };
    // Without the thread a signal ends this process, and with it the sandbox.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(work);
}

#[cfg(unix)]
async fn next(signal: &mut Option<(i32, tokio::signal::unix::Signal)>) -> Option<i32> {
    let (number, stream) = signal.as_mut()?;
    stream.recv().await.map(|()| *number)
}

/// Elsewhere Ctrl-C reaches the program by itself.
#[cfg(not(unix))]
fn listen(_: Signals) {}

/// Shows how it ended, decides about what it wrote, and returns the exit code.
pub(super) fn ended(
    executed: Executed,
    args: &Exec,
    signals: &Signals,
    printer: &Printer,
) -> Result<u8, CliError> {
    signals.idle();
    let (exit, network) = (executed.exit, executed.network);
    if exit == Exit::TimedOut {
        printer.note("ringfence: its time was over, so it was killed");
    }
    let (run, duration) = (executed.run, executed.duration);
    let protected = match executed.made {
        Some(made) => made::decide(made, args.made_protected, signals, printer)?,
        None => made::Decided::default(),
    };
    let code = protected.code(exit.shell_code());
    let changes = match executed.staged {
        Some(staged) => commit::decide(staged, args.commit, signals, printer)?,
        None => Value::Null,
    };
    if printer.is_json() {
        let network = network.map(|sum| json!({ "allowed": sum.allowed, "refused": sum.refused }));
        // Standard output is the program's.
        printer.note(
            &json!({
                "run": run,
                "exit-code": code,
                "duration-ms": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
                "network": network,
                "changes": changes,
                "made-protected": protected.json,
            })
            .to_string(),
        );
    } else if let Some(sum) = network.filter(|sum| sum.refused > 0) {
        let refused = sum.refused;
        printer.note(&format!(
            "ringfence: {refused} network requests were refused; `ringfence audit show --run {run}` shows them"
        ));
    }
    Ok(code)
}
