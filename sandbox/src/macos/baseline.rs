//! What every program on macOS may use: the parts of the system it cannot start without.
//!
//! Each entry is data with its reason, so that a reader can judge it; what is not named does not
//! exist for the program. Not verified on this system: that the list is long enough for every
//! program of the supported releases of macOS.

/// Directories beyond the plan's own baseline that every program needs before its first line runs.
pub(super) const LOADER_TREES: [&str; 4] = [
    // Since macOS 13 the shared cache of libraries is mounted here, under both names.
    "/System/Cryptexes",
    "/System/Volumes/Preboot/Cryptexes",
    "/private/var/db/dyld",
    "/private/var/select",
];

/// Files read by libc or by TLS libraries. Never `master.passwd`, `sudoers`, `ssh` or a keychain.
pub(super) const SYSTEM_FILES: [&str; 9] = [
    // `dyld` opens the root directory itself since macOS 13.
    "/",
    "/private/etc/group",
    "/private/etc/hosts",
    "/private/etc/localtime",
    "/private/etc/passwd",
    "/private/etc/shells",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
];

/// Symbolic links and directories above the rest, which `realpath` looks at but does not list.
pub(super) const SYSTEM_PASSAGES: [&str; 10] = [
    "/dev",
    "/etc",
    "/home",
    "/private",
    "/private/etc",
    "/private/var",
    "/private/var/db",
    "/tmp",
    "/usr",
    "/var",
];

/// Mach services a program may talk to, each with its reason.
///
/// Left out on purpose, though programs ask for them: `com.apple.trustd` and `com.apple.nsurlsessiond`
/// open connections for their client, past the proxy; `com.apple.pasteboard.1` is the clipboard;
/// `com.apple.SecurityServer` the keychain; `com.apple.coreservices.launchservicesd` starts
/// programs outside the sandbox; `com.apple.bsd.dirhelper` makes directories outside it;
/// `com.apple.mDNSResponder` resolves names, which can carry data out.
pub(super) const MACH_SERVICES: [(&str, &str); 2] = [
    ("com.apple.system.opendirectoryd.libinfo", "`getpwuid`: the name and home of the user"),
    ("com.apple.system.opendirectoryd.membership", "`getgrouplist`: the groups of the user"),
];

/// Values of the kernel that may be read: the machine and the release, nothing about other
/// processes.
pub(super) const SYSCTLS: [&str; 34] = [
    "hw.activecpu",
    "hw.byteorder",
    "hw.cacheconfig",
    "hw.cachelinesize",
    "hw.cpufamily",
    "hw.cpufrequency",
    "hw.cpusubtype",
    "hw.cputype",
    "hw.l1dcachesize",
    "hw.l1icachesize",
    "hw.l2cachesize",
    "hw.l3cachesize",
    "hw.logicalcpu",
    "hw.logicalcpu_max",
    "hw.machine",
    "hw.memsize",
    "hw.ncpu",
    "hw.nperflevels",
    "hw.packages",
    "hw.pagesize",
    "hw.pagesize_compat",
    "hw.physicalcpu",
    "hw.physicalcpu_max",
    "kern.argmax",
    // `uname` fails as a whole without the host's name.
    "kern.hostname",
    "kern.maxfilesperproc",
    "kern.osproductversion",
    "kern.osrelease",
    "kern.ostype",
    "kern.osversion",
    "kern.usrstack64",
    "kern.version",
    "sysctl.proc_translated",
    "vm.loadavg",
];

/// Beginnings of names of such values.
pub(super) const SYSCTL_PREFIXES: [&str; 2] = ["hw.optional.", "hw.perflevel"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_named_could_end_a_string_of_the_profile() {
        let services = MACH_SERVICES.iter().map(|(name, _)| name);
        let all = LOADER_TREES.iter().chain(&SYSTEM_FILES).chain(&SYSTEM_PASSAGES).chain(services);
        for text in all.chain(&SYSCTLS).chain(&SYSCTL_PREFIXES) {
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric() || "/._".contains(c)), "{text}");
        }
    }

    #[test]
    fn no_service_reaches_the_network_the_clipboard_the_keychain_or_the_launcher() {
        let risky = ["trustd", "nsurl", "pasteboard", "Security", "launch", "mDNS", "dirhelper"];
        for (service, reason) in MACH_SERVICES {
            assert!(!risky.iter().any(|word| service.contains(word)), "{service}");
            assert!(!reason.is_empty(), "{service}");
        }
    }

    #[test]
    fn no_secret_of_the_system_is_in_the_baseline() {
        let secrets =
            ["/private/etc/master.passwd", "/private/etc/sudoers", "/Library/Keychains/x"];
        for secret in secrets.into_iter().chain(["/private/etc/ssh/x", "/private/var/root/x"]) {
            let below = |tree: &&str| std::path::Path::new(secret).starts_with(tree);
            assert!(!LOADER_TREES.iter().any(below), "{secret}");
            assert!(!SYSTEM_FILES.contains(&secret), "{secret}");
        }
    }
}
