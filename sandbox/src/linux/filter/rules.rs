//! The list of refused system calls, each group with its reason.

use super::Verdict;
use crate::{Network, SandboxPlan};
use libc::c_long;
use ringfence_capability::Profile;

/// The newest call the list was written against (`file_setattr`, Linux 6.17); later ones do not
/// exist in the sandbox.
pub(super) const NEWEST: u32 = 469;

/// The parts of the filter that depend on the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::linux) struct Surface {
    /// Whether internet sockets exist, which can only reach the proxy.
    internet: bool,
    /// Whether System V and POSIX message objects exist (of the sandbox's own namespace).
    ipc: bool,
}

impl Surface {
    /// Returns what a plan without anything needs.
    pub(in crate::linux) const fn least() -> Self {
        Self { internet: false, ipc: false }
    }

    /// The most.
    #[cfg(test)]
    pub(super) const OPEN: Self = Self { internet: true, ipc: true };

    /// Returns what `plan` needs.
    pub(in crate::linux) fn of(plan: &SandboxPlan) -> Self {
        Self { internet: plan.network() == Network::Proxy, ipc: plan.profile() == Profile::Trusted }
    }
}

const EPERM: Verdict = Verdict::Fails(libc::EPERM);
const ENOSYS: Verdict = Verdict::Fails(libc::ENOSYS);

/// The set-user-id and set-group-id bits of a mode: such a file would outlive the sandbox.
const SET_ID: u32 = 0o6000;
/// The flags of `clone` that make namespaces.
const NAMESPACES: u32 = 0x7e02_0000;

/// Other processes' memory and descriptors, the keys of the host, and parts of the kernel that
/// ordinary programs never need and that were its weak places.
const REFUSED: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_memfd_secret,
    libc::SYS_lookup_dcookie,
    libc::SYS_vhangup,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_nfsservctl,
    // Namespaces and mounts, with which a process would build itself another view.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    STATMOUNT,
    LISTMOUNT,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // Files by handle, past every path.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
];

/// What run-time libraries try first and can do without. `clone3` and `openat2` keep their flags
/// in memory, where no filter sees them; `io_uring` makes calls past the filter.
const UNKNOWN: &[c_long] = &[
    libc::SYS_clone3,
    libc::SYS_openat2,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
];

/// Objects of the ipc namespace.
const IPC: &[c_long] = &[
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmdt,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_mq_timedsend,
    libc::SYS_mq_timedreceive,
    libc::SYS_mq_notify,
    libc::SYS_mq_getsetattr,
];

const STATMOUNT: c_long = 457;
const LISTMOUNT: c_long = 458;
const OPEN_TREE_ATTR: c_long = 467;

/// Terminal requests that type for the person, talk to the console, or change the line discipline.
const TERMINAL: &[u32] = &[0x5412, 0x541c, 0x541d, 0x5423];
const INTERNET: &[u32] = &[2, 10];
/// Standard execution domain, and the question for it.
const PERSONALITIES: &[u32] = &[0, 0xffff_ffff];

/// Returns every rule, the ones on often-made calls first.
pub(super) fn rules(surface: Surface) -> Vec<(u32, Verdict)> {
    let creating = |flags, mode| Verdict::FailsCreating { flags, mode, bits: SET_ID };
    let mode = |argument| Verdict::FailsWithBits { argument, bits: SET_ID };
    let internet = if surface.internet { INTERNET } else { &[] };
    let mut rules = vec![
        (libc::SYS_openat, creating(2, 3)),
        (libc::SYS_ioctl, Verdict::FailsWith { argument: 1, values: TERMINAL }),
        (libc::SYS_clone, Verdict::FailsWithBits { argument: 0, bits: NAMESPACES }),
        (libc::SYS_socket, Verdict::FailsUnless { argument: 0, values: internet }),
        (libc::SYS_socketpair, Verdict::FailsUnlessPair),
        (libc::SYS_fchmod, mode(1)),
        (libc::SYS_fchmodat, mode(2)),
        (libc::SYS_fchmodat2, mode(2)),
        (libc::SYS_mknodat, mode(2)),
        (libc::SYS_memfd_create, Verdict::FailsWithoutBits { argument: 1, bits: 0x8 }),
        // `SECCOMP_FILTER_FLAG_NEW_LISTENER`: a filter that answers calls in the kernel's place.
        (libc::SYS_seccomp, Verdict::FailsWithBits { argument: 1, bits: 0x8 }),
        (libc::SYS_personality, Verdict::FailsUnless { argument: 0, values: PERSONALITIES }),
    ];
    rules.extend(old_calls(mode, creating(1, 2)));
    rules.extend(UNKNOWN.iter().map(|&number| (number, ENOSYS)));
    rules.extend(REFUSED.iter().map(|&number| (number, EPERM)));
    if !surface.ipc {
        rules.extend(IPC.iter().map(|&number| (number, EPERM)));
    }
    let numbered = |(number, verdict)| u32::try_from(number).ok().map(|number| (number, verdict));
    rules.into_iter().filter_map(numbered).collect()
}

/// Returns the rules for calls that only older architectures have.
#[cfg(target_arch = "x86_64")]
fn old_calls(mode: impl Fn(u32) -> Verdict, creating: Verdict) -> Vec<(c_long, Verdict)> {
    let mut rules = vec![
        (libc::SYS_open, creating),
        (libc::SYS_creat, mode(1)),
        (libc::SYS_chmod, mode(1)),
        (libc::SYS_mknod, mode(1)),
    ];
    let refused = [
        libc::SYS_modify_ldt,
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_uselib,
        libc::SYS_ustat,
        libc::SYS_sysfs,
        libc::SYS__sysctl,
    ];
    rules.extend(refused.map(|number| (number, EPERM)));
    rules
}

/// Returns the rules for calls that only older architectures have.
#[cfg(not(target_arch = "x86_64"))]
fn old_calls(_mode: impl Fn(u32) -> Verdict, _creating: Verdict) -> Vec<(c_long, Verdict)> {
    Vec::new()
}
