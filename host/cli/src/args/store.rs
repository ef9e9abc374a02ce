//! The arguments of what installs, compares and keeps plugins.

use std::path::PathBuf;

use clap::Args as ClapArgs;

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  ringfence diff word-count-1.0.rfz word-count-1.1.rfz
  ringfence diff word-count ./word-count                installed against the working directory
  ringfence diff --exit-code old new                    1 when an update would stop and ask";

pub(super) const INSTALL_EXAMPLES: &str = "\
Examples:
  ringfence install word-count-1.0.rfz              shows who made it and what it asks for, then asks
  ringfence install ./word-count --allow-unsigned   packs a directory; capped at `read-only`
  ringfence install word-count.rfz --accept sha256:…   without a terminal: exactly this bundle
  ringfence install word-count.rfz --lock           and writes it into ringfence.lock
  ringfence install --locked                        everything ringfence.lock names, and nothing else";

pub(super) const UPDATE_EXAMPLES: &str = "\
Examples:
  ringfence update                    every plugin, from where it was installed from
  ringfence update word-count         one of them
  ringfence update --check            what would change; changes nothing

What asks for nothing more is updated without a question. Anything else stops, shows what differs and
asks; without a terminal it is refused, with the command that accepts exactly that bundle.";

pub(super) const REMOVE_EXAMPLES: &str = "\
Examples:
  ringfence remove word-count           every version, and the name is free again
  ringfence remove word-count@1.0.0     one version
  ringfence remove --unused             versions that another one took the place of";

pub(super) const LOCK_EXAMPLES: &str = "\
Examples:
  ringfence lock word-count     from now on only this bundle runs here as `word-count`
  ringfence lock                renews what ringfence.lock names
  ringfence lock --check        3 when what is installed is something else";

/// Show what one plugin asks for that another does not
#[derive(Debug, ClapArgs)]
pub(crate) struct Diff {
    /// A plugin: its path, or the name of an installed one
    pub(crate) old: PathBuf,
    /// The plugin to compare it with
    pub(crate) new: PathBuf,
    /// End with 1 when the second asks for more, has another signer or is older
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// How a person agrees without being asked.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct Consent {
    /// Agree without being asked, whatever it asks for
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Agree to exactly the bundle with this digest
    #[arg(long, value_name = "DIGEST", conflicts_with = "yes")]
    pub(crate) accept: Option<String>,
    /// Let a bundle in that nobody signed; it runs under at most `read-only`
    #[arg(long)]
    pub(crate) allow_unsigned: bool,
    /// Let an older version take the place of a newer one
    #[arg(long)]
    pub(crate) allow_downgrade: bool,
}

/// Install a plugin, so that it has a name
#[derive(Debug, ClapArgs)]
pub(crate) struct Install {
    /// A bundle (`.rfz`), a plugin directory, or `oci:REFERENCE`; with `--locked` it can be left out
    #[arg(required_unless_present = "locked")]
    pub(crate) source: Option<String>,
    /// The profile under which what it asks for is shown
    #[arg(short, long, default_value = "offline", value_name = "PROFILE")]
    pub(crate) profile: String,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// Write it into the workspace's ringfence.lock too
    #[arg(long, conflicts_with = "locked")]
    pub(crate) lock: bool,
    /// Install only what the workspace's ringfence.lock names
    #[arg(long)]
    pub(crate) locked: bool,
}

/// Update installed plugins from where they came from
#[derive(Debug, ClapArgs)]
pub(crate) struct Update {
    /// The names; all when left out
    pub(crate) names: Vec<String>,
    /// The profile under which what it asks for is shown
    #[arg(short, long, default_value = "offline", value_name = "PROFILE")]
    pub(crate) profile: String,
    #[command(flatten)]
    pub(crate) consent: Consent,
    /// Only say what would change
    #[arg(long)]
    pub(crate) check: bool,
}

/// List what is installed
#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    /// Only versions that another one took the place of, and what was left behind
    #[arg(long)]
    pub(crate) unused: bool,
    /// Read every bundle and check its signature anew
    #[arg(long, conflicts_with = "unused")]
    pub(crate) check: bool,
}

/// Remove installed plugins
#[derive(Debug, ClapArgs)]
pub(crate) struct Remove {
    /// The names, each for all its versions, or `NAME@VERSION`
    #[arg(required_unless_present = "unused")]
    pub(crate) names: Vec<String>,
    /// Remove versions that another one took the place of, and what was left behind
    #[arg(long, conflicts_with = "names")]
    pub(crate) unused: bool,
}

/// Bind the workspace to exactly the bundles that are installed
#[derive(Debug, ClapArgs)]
pub(crate) struct Lock {
    /// The names to add; those the lockfile has are renewed when left out
    pub(crate) names: Vec<String>,
    /// Only say whether what is installed is what is locked
    #[arg(long)]
    pub(crate) check: bool,
}
