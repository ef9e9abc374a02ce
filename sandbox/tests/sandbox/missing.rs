//! A missing mechanism is named and nothing starts.

use crate::setup::Case;
use ringfence_sandbox::{Feature, SandboxError};
use std::os::unix::process::CommandExt;

/// The environment variable that names the call this process has lost.
const LOST: &str = "RINGFENCE_TEST_LOST";

/// Makes one system call answer `EPERM` in the calling process, for good.
fn lose(number: i64) -> std::io::Result<()> {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let number = u32::try_from(number).map_err(std::io::Error::other)?;
    let filter = [
        step(0x20, 0, 0, 0),
        step(0x15, 0, 1, number),
        step(0x06, 0, 0, 0x0005_0001),
        step(0x06, 0, 0, 0x7fff_0000),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_ptr().cast_mut() };
    // SAFETY: the filter lives through the calls, which only read it.
    let lost = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_seccomp, 1, 0, &raw const program) == 0
    };
    if lost { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[test]
fn each_missing_mechanism_is_named_and_nothing_starts() {
    let losses = [
        ("landlock", libc::SYS_landlock_create_ruleset, Feature::LandlockFiles),
        ("restrict", libc::SYS_landlock_restrict_self, Feature::LandlockFiles),
        ("rule", libc::SYS_landlock_add_rule, Feature::LandlockFiles),
        ("tree", libc::SYS_open_tree, Feature::MountApi),
        ("attributes", libc::SYS_mount_setattr, Feature::MountApi),
        ("attach", libc::SYS_move_mount, Feature::Tmpfs),
        ("pivot", libc::SYS_pivot_root, Feature::PivotRoot),
        ("capabilities", libc::SYS_capset, Feature::Capabilities),
        ("descriptors", libc::SYS_close_range, Feature::CloseRange),
        ("memory", libc::SYS_fsmount, Feature::Proc),
    ];
    if let Ok(name) = std::env::var(LOST) {
        let (_, _, feature) = losses.into_iter().find(|(one, _, _)| *one == name).unwrap();
        let case = Case::new();
        let mark = case.workspace().join("ran");
        let refused = case.start("/usr/bin/touch", &["touch", mark.to_str().unwrap()]).err();
        let Some(SandboxError::MissingFeature { feature: found, .. }) = refused else {
            panic!("{name}: {refused:?}");
        };
        assert_eq!((found, mark.exists()), (feature, false), "{name}");
        return;
    }
    for (name, number, _) in losses {
        let mut again = std::process::Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "missing::each_missing_mechanism_is_named_and_nothing_starts"]);
        again.env(LOST, name);
        // SAFETY: `lose` makes two system calls and allocates nothing on success.
        unsafe { again.pre_exec(move || lose(number)) };
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
