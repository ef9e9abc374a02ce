//! A plugin as a host opened it: with what is known about who made it.

use std::borrow::Cow;
use std::ops::Deref;
use std::path::Path;

use ringfence_audit::{Decision, Entry, Plugin as LoggedPlugin, Target};
use ringfence_bundle::archive::{ArchiveError, Sealed};
use ringfence_bundle::{BundleError, Encoding, Opened, adapt};
use ringfence_capability::{Class, Diagnostic as _, Origin, Profile};
use ringfence_trust::{Checked, Signed, Signer, Timestamp, TrustError, TrustStore, danger};

use crate::record::Log;
use crate::{RunError, places};

/// The most a plugin gets that nobody vouched for.
pub(crate) const UNSIGNED: Profile = Profile::ReadOnly;

/// A plugin ready to be decided about. What it is can be read, and not changed: the bytes that were
/// verified are the ones that run.
///
/// ```compile_fail
/// # fn f(mut plugin: ringfence::Plugin, other: Vec<u8>) {
/// plugin.component = other;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Plugin(Checked);

impl Plugin {
    pub(crate) fn new(checked: Checked) -> Self {
        Self(checked)
    }

    /// Returns who signed it, when a trusted key did.
    pub fn signer(&self) -> Option<&Signer> {
        self.0.signer()
    }

    /// Returns the most it gets by what is known about who made it.
    pub fn cap(&self) -> Profile {
        match &self.0 {
            Checked::Verified(verified) => verified.max_profile(),
            Checked::Unsigned(_) => UNSIGNED,
        }
    }

    /// Returns the code as a component; a module of WASI 0.1 is made into one.
    pub(crate) fn as_component(&self) -> Result<Cow<'_, [u8]>, RunError> {
        Ok(match self.encoding {
            Encoding::Component => Cow::Borrowed(&self.component),
            Encoding::CoreModule => Cow::Owned(adapt::adapt(&self.component, &self.display)?),
        })
    }

    /// Returns who signed it as records and requests for approval name that.
    pub(crate) fn signed_by(&self) -> Option<String> {
        self.signer().map(|signer| format!("{} ({})", signer.name, signer.key))
    }
}

/// What was checked is ready: only [`ringfence_trust::verify`] and [`ringfence_trust::plain`] make one.
impl From<Checked> for Plugin {
    fn from(checked: Checked) -> Self {
        Self(checked)
    }
}

impl Deref for Plugin {
    type Target = ringfence_bundle::Plugin;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// A plugin to look at. Nothing was decided about it and nothing of it may run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspected {
    /// The plugin.
    pub plugin: ringfence_bundle::Plugin,
    /// What each of its signatures is worth.
    pub signatures: Vec<Signed>,
    /// The most it would get by what is known about who made it; nothing when it would be refused.
    pub cap: Option<Profile>,
}

/// Opens the plugin at `path` and checks who signed it. A refusal is recorded.
pub(crate) fn open(path: &Path, trust: &TrustStore, log: &dyn Log) -> Result<Plugin, RunError> {
    let opened = opened(path);
    if let Err(error) = &opened
        && error.class() == Class::Refused
    {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        let entry = Entry::new("plugin.refused").at(Target::name(&name)).decided(
            Decision::Forbid,
            "bundle",
            &Origin::BuiltIn,
            error.code(),
        );
        log.append(&[entry])?;
    }
    match opened? {
        Opened::Plain(plugin) => Ok(Plugin(ringfence_trust::plain(plugin, trust)?)),
        Opened::Sealed(sealed) => {
            let (digest, display) = (sealed.digest(), sealed.display().to_owned());
            let checked = ringfence_trust::verify(sealed, trust, Timestamp::now());
            if let Err(error) = &checked {
                // Its manifest was not read, so its name is not known.
                let plugin = LoggedPlugin::new("unverified bundle", digest, None);
                let entry = Entry::new("plugin.refused")
                    .by_plugin(plugin)
                    .at(Target::name(file_name(&display)))
                    .decided(Decision::Forbid, "trust", &Origin::BuiltIn, error.code());
                log.append(&[entry])?;
            }
            Ok(Plugin(checked?))
        }
    }
}

/// Opens the plugin at `path` to look at it, signed with a known key or not.
pub(crate) fn inspect(path: &Path, trust: &TrustStore) -> Result<Inspected, RunError> {
    let sealed = match opened(path)? {
        Opened::Plain(plugin) => {
            let plugin = Plugin(ringfence_trust::plain(plugin, trust)?);
            let cap = Some(plugin.cap());
            return Ok(Inspected { plugin: (*plugin).clone(), signatures: Vec::new(), cap });
        }
        Opened::Sealed(sealed) => sealed,
    };
    let now = Timestamp::now();
    let signatures = ringfence_trust::examine(&sealed, trust, now);
    let (plugin, cap) = looked(sealed, trust, now)?;
    Ok(Inspected { plugin, signatures, cap })
}

fn looked(
    sealed: Sealed,
    trust: &TrustStore,
    now: Timestamp,
) -> Result<(ringfence_bundle::Plugin, Option<Profile>), RunError> {
    match ringfence_trust::verify(sealed.clone(), trust, now) {
        Ok(checked) => {
            let plugin = Plugin(checked);
            let cap = Some(plugin.cap());
            Ok(((*plugin).clone(), cap))
        }
        // Whoever asks which key it is wants to see what it asks for.
        Err(TrustError::UnknownKey { .. }) => Ok((danger::unverified(sealed)?, None)),
        Err(error) => Err(error.into()),
    }
}

fn opened(path: &Path) -> Result<Opened, RunError> {
    let (dir, name) = places::plugin_dir(path)?;
    let opened = ringfence_bundle::open_any(&dir, &name, &path.display().to_string());
    opened.map_err(RunError::from)
}

fn file_name(display: &str) -> &str {
    display.trim_end_matches('/').rsplit('/').next().unwrap_or(display)
}

impl From<ArchiveError> for RunError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::File(error) => Self::Bundle(error),
            other => Self::Archive(Box::new(other)),
        }
    }
}

impl From<TrustError> for RunError {
    fn from(error: TrustError) -> Self {
        match error {
            TrustError::Bundle(error) => Self::Bundle(error),
            other => Self::Trust(Box::new(other)),
        }
    }
}

impl From<BundleError> for RunError {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}
