//! The steps of the set-up, as the child reports the one that failed.

use super::sys::Errno;
use crate::{Feature, SandboxError};
use std::io;
use std::path::PathBuf;

/// Declares the steps once: name, text, and the feature a failure means, if it means one.
macro_rules! steps {
    ($($step:ident, $text:literal, $feature:expr;)*) => {
        /// One step of the set-up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Step { $($step,)* }

        impl Step {
            const ALL: &[Self] = &[$(Self::$step),*];

            fn text(self) -> &'static str {
                match self { $(Self::$step => $text,)* }
            }

            fn feature(self) -> Option<Feature> {
                match self { $(Self::$step => $feature,)* }
            }
        }
    };
}

steps! {
    Clone, "new namespaces", Some(Feature::Namespaces);
    Descriptors, "close inherited descriptors", Some(Feature::CloseRange);
    IdentityMap, "map user and group", Some(Feature::IdentityMap);
    Own, "new mount, uts and cgroup namespaces", Some(Feature::Namespaces);
    Beside, "new network and ipc namespaces", Some(Feature::Namespaces);
    Helper, "make namespaces beside the root", Some(Feature::Namespaces);
    Enter, "enter a namespace", Some(Feature::Namespaces);
    Loopback, "raise the loopback interface", Some(Feature::Loopback);
    Listener, "listen for the proxy", Some(Feature::Loopback);
    Source, "open a granted path", None;
    Identity, "compare the program", None;
    Tree, "copy a mount", Some(Feature::MountApi);
    Attributes, "restrict a mount", Some(Feature::MountApi);
    Overlay, "mount the stage", Some(Feature::Overlay);
    Proc, "mount /proc", Some(Feature::Proc);
    Root, "mount the root", Some(Feature::Tmpfs);
    Layout, "lay out the root", Some(Feature::Tmpfs);
    Scratch, "mount the scratch space", Some(Feature::Tmpfs);
    Target, "open a mount point", None;
    Attach, "attach a mount", Some(Feature::MountApi);
    Pivot, "swap the root", Some(Feature::PivotRoot);
    Detach, "drop the old root", Some(Feature::PivotRoot);
    ReadOnlyRoot, "make the root read-only", Some(Feature::MountApi);
    HostName, "name the host", Some(Feature::Namespaces);
    Ruleset, "make the Landlock ruleset", Some(Feature::LandlockFiles);
    Rule, "add a Landlock rule", Some(Feature::LandlockFiles);
    Program, "open the program", None;
    WorkingDirectory, "enter the working directory", None;
    Limits, "set the limits", Some(Feature::Limits);
    Capabilities, "drop the capabilities", Some(Feature::Capabilities);
    NoNewPrivileges, "set no_new_privs", Some(Feature::NoNewPrivileges);
    Landlock, "apply the Landlock ruleset", Some(Feature::LandlockFiles);
    Seccomp, "apply the system call filter", Some(Feature::Seccomp);
    Session, "make a session", None;
    Script, "receive what to set up", None;
    Init, "start the first process", None;
    Execute, "execute the program", None;
}

/// A step that failed, and at which of several paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) step: Step,
    pub(super) index: u32,
    pub(super) errno: Errno,
}

impl Step {
    /// Returns the failure of this step.
    pub(super) fn failed(self, errno: Errno) -> Failed {
        Failed { step: self, index: 0, errno }
    }

    /// Returns the failure of this step at one of several paths.
    pub(super) fn failed_at(self, index: usize, errno: Errno) -> Failed {
        Failed { step: self, index: u32::try_from(index).unwrap_or(u32::MAX), errno }
    }

    pub(super) fn number(self) -> u32 {
        self as u32
    }

    pub(super) fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

impl Failed {
    /// Returns the error a person reads. `paths` are the sources of the mounts in their order.
    pub(super) fn into_error(self, paths: &[PathBuf], program: PathBuf) -> SandboxError {
        let source = io::Error::from_raw_os_error(self.errno.0);
        let at = || paths.get(self.index as usize).cloned().unwrap_or_default();
        match self.step {
            // Not at a granted path: at one that every sandbox has.
            step @ (Step::Source | Step::Target) if self.index == u32::MAX => {
                SandboxError::Setup { step: step.text(), source }
            }
            Step::Source | Step::Target => SandboxError::Unreachable { path: at(), source },
            Step::Identity => SandboxError::ProgramChanged { path: at() },
            Step::Program if self.errno.0 == libc::ESTALE => {
                SandboxError::ProgramChanged { path: program }
            }
            Step::Program | Step::Execute => SandboxError::Program { path: program, source },
            step => match step.feature() {
                Some(feature) => {
                    SandboxError::MissingFeature { feature, step: step.text(), source }
                }
                None => SandboxError::Setup { step: step.text(), source },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_way_to_the_host() {
        for step in Step::ALL {
            assert_eq!(Step::from_number(step.number()), Some(*step));
        }
        assert_eq!(Step::from_number(u32::MAX), None);
    }
}
