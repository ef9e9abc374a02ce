//! What the Job Object of a run limits, as numbers.
//!
//! Plain computation, tested on every system; the names are those of `winnt.h`.

use crate::plan::ProcessLimits;

/// `JOB_OBJECT_LIMIT_PROCESS_TIME`
const PROCESS_TIME: u32 = 0x2;
/// `JOB_OBJECT_LIMIT_ACTIVE_PROCESS`
const ACTIVE_PROCESS: u32 = 0x8;
/// `JOB_OBJECT_LIMIT_PROCESS_MEMORY`
const PROCESS_MEMORY: u32 = 0x100;
/// `JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION`: no dialogue that waits for a person.
const DIE_ON_UNHANDLED_EXCEPTION: u32 = 0x400;
/// `JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE`: also when the host is killed, which closes its handles.
const KILL_ON_JOB_CLOSE: u32 = 0x2000;

/// Handles, clipboard both ways, system parameters, display, global atoms, desktop, log-off.
const EVERY_UI_RESTRICTION: u32 = 0xff;

/// Processor time is counted in units of 100 ns.
const TICKS_PER_SECOND: u64 = 10_000_000;

/// The limits of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobLimits {
    /// Which limits hold. Neither breakaway flag is ever among them.
    pub(super) flags: u32,
    /// Processes at the same time.
    pub(super) processes: u32,
    /// Committed memory of each process.
    pub(super) memory_bytes: usize,
    /// Processor time of each process, in units of 100 ns.
    pub(super) cpu_ticks: i64,
    /// What the processes cannot do to the desktop.
    pub(super) ui: u32,
}

/// Returns the limits of a plan; a number Windows cannot hold becomes the largest it can.
pub(super) fn job_limits(limits: &ProcessLimits) -> JobLimits {
    let ticks = limits.cpu_seconds.saturating_mul(TICKS_PER_SECOND);
    JobLimits {
        flags: PROCESS_TIME
            | ACTIVE_PROCESS
            | PROCESS_MEMORY
            | DIE_ON_UNHANDLED_EXCEPTION
            | KILL_ON_JOB_CLOSE,
        processes: u32::try_from(limits.processes).unwrap_or(u32::MAX),
        memory_bytes: usize::try_from(limits.memory_bytes).unwrap_or(usize::MAX),
        cpu_ticks: i64::try_from(ticks).unwrap_or(i64::MAX),
        ui: EVERY_UI_RESTRICTION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_plan_become_those_of_the_job() {
        let limits = ProcessLimits {
            cpu_seconds: 3,
            memory_bytes: 1 << 30,
            processes: 7,
            ..ProcessLimits::default()
        };
        let expected = JobLimits {
            flags: 0x250a,
            processes: 7,
            memory_bytes: 1 << 30,
            cpu_ticks: 30_000_000,
            ui: 0xff,
        };
        assert_eq!(job_limits(&limits), expected);
    }

    #[test]
    fn a_number_too_large_becomes_the_largest_and_never_wraps_to_a_small_one() {
        let limits = ProcessLimits {
            cpu_seconds: u64::MAX,
            memory_bytes: u64::MAX,
            processes: u64::MAX,
            ..ProcessLimits::default()
        };
        let found = job_limits(&limits);
        assert_eq!((found.processes, found.cpu_ticks), (u32::MAX, i64::MAX));
        assert_eq!(found.memory_bytes, usize::MAX);
    }

    #[test]
    fn the_job_ends_with_the_host_and_lets_nobody_break_away() {
        const BREAKAWAY_OK: u32 = 0x800;
        const SILENT_BREAKAWAY_OK: u32 = 0x1000;
        let flags = job_limits(&ProcessLimits::default()).flags;
        assert_eq!(flags & (BREAKAWAY_OK | SILENT_BREAKAWAY_OK), 0);
        assert_ne!(flags & KILL_ON_JOB_CLOSE, 0);
    }
}
