//! The arguments of `pack`, `sign`, `verify`, `keys` and `trust`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

pub(super) const PACK_EXAMPLES: &str = "\
Packed are `plugin.toml`, the component it names, README*, LICENSE*, LICENCE*, COPYING*, NOTICE*,
CHANGELOG*, `wit/`, `licenses/`, `sbom.cdx.json` and `provenance.dsse.json`; more with `--include`.
The same files give the same bytes on every machine.

Examples:
  ringfence pack plugins/tools/text-search                writes text-search-0.1.0.rfz
  ringfence pack . -o dist/my-tool.rfz --sign release     signed with the key `release`
  ringfence pack . --sign ci --passphrase-file /dev/fd/3  without a terminal
  ringfence pack . --include templates --sbom out/bom.json";

pub(super) const SIGN_EXAMPLES: &str = "\
Examples:
  ringfence sign my-tool-0.1.0.rfz --key release
  ringfence sign my-tool-0.1.0.rfz --key reviewer         a second signer beside the first

The same by hand, with the program of minisign:
  tar xf my-tool-0.1.0.rfz SHA256SUMS
  minisign -Sm SHA256SUMS -s release.key -t \"plugin:my-tool@0.1.0 time:$(date +%s)\"";

pub(super) const VERIFY_EXAMPLES: &str = "\
Ends with 0 only when a trusted key signed it and every file is the listed one; with 3 otherwise.

Examples:
  ringfence verify my-tool-0.1.0.rfz
  ringfence verify my-tool-0.1.0.rfz --public-key publisher.pub

The same by hand, without ringfence:
  tar xf my-tool-0.1.0.rfz && minisign -Vm SHA256SUMS -p publisher.pub && sha256sum -c SHA256SUMS";

pub(super) const KEYS_EXAMPLES: &str = "\
Secret keys are files in the form of minisign, in `keys` below your configuration directory.

Examples:
  ringfence keys new release                       asks for a passphrase twice
  ringfence keys new ci --passphrase-file pw.txt   without a terminal
  ringfence keys export release -o release.pub     what others need to check your signatures
  ringfence keys rotate release                    a new key, and a statement that it comes after
  ringfence keys revoke release --reason 'the laptop was stolen'";

pub(super) const TRUST_EXAMPLES: &str = "\
Examples:
  ringfence trust add publisher.pub --name Publisher
  ringfence trust add RWQf6LRC… --name CI --max-profile read-only --plugin 'ci-*'
  ringfence trust add publisher.pub --name Publisher --not-after 2027-12-31
  ringfence trust pin my-tool-0.1.0.rfz            asks about the key that signed it
  ringfence trust rotate release-rotation.txt      the publisher has a new key
  ringfence trust revoke E7620F1842B4E81F --reason 'stolen'
  ringfence trust revoke sha256:… --reason 'has a hole'";

/// Pack a plugin directory into one file (.rfz), signed or not
#[derive(Debug, ClapArgs)]
pub(crate) struct Pack {
    /// Directory with a plugin.toml
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The file to write [default: NAME-VERSION.rfz]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// A file or directory to pack too, relative to DIR
    #[arg(long, value_name = "PATH")]
    pub(crate) include: Vec<String>,
    /// The list of what the plugin was built of (`CycloneDX`, JSON), packed as sbom.cdx.json
    #[arg(long, value_name = "FILE")]
    pub(crate) sbom: Option<PathBuf>,
    /// Sign it with this key
    #[arg(long, value_name = "KEY")]
    pub(crate) sign: Option<String>,
    /// Read the passphrase of the key from a file
    #[arg(long, value_name = "FILE", requires = "sign")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Sign a bundle
#[derive(Debug, ClapArgs)]
pub(crate) struct Sign {
    /// The bundle: a .rfz, or a directory with a SHA256SUMS
    pub(crate) bundle: PathBuf,
    /// The key, by its name in `ringfence keys list`
    #[arg(long, value_name = "KEY")]
    pub(crate) key: String,
    /// Read the passphrase of the key from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

/// Check who signed a bundle and that every file is the listed one
#[derive(Debug, ClapArgs)]
pub(crate) struct Verify {
    /// The bundle: a .rfz, or a directory with a SHA256SUMS
    pub(crate) bundle: PathBuf,
    /// Believe this public key, and no other: a file, or the line of the key
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
}

/// Make and keep the keys you sign with
#[derive(Debug, ClapArgs)]
pub(crate) struct Keys {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum KeysCommand {
    /// Make a key
    New {
        /// What you call it
        name: String,
        #[command(flatten)]
        protect: Protect,
    },
    /// Show your keys
    List,
    /// Print the public half
    Export {
        /// The key
        name: String,
        /// The file to write, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make a key that comes after this one, and a statement for those who trust it
    Rotate {
        /// The key
        name: String,
        /// The statement [default: NAME-rotation.txt]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Read the passphrase of the key before from a file
        #[arg(long, value_name = "FILE")]
        old_passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        protect: Protect,
    },
    /// Take a key back: write a statement for those who trust it, and sign nothing with it any more
    Revoke {
        /// The key
        name: String,
        /// Why, in a few words
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The statement [default: NAME-revocation.txt]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Read the passphrase of the key from a file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

// How the file of a new key is protected. A sentence for the help would replace that of the command.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct Protect {
    /// Read the passphrase for the new key from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Do not encrypt the new key: whoever can read the file can sign
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) no_passphrase: bool,
}

/// Say whose signatures count, and how far
#[derive(Debug, ClapArgs)]
pub(crate) struct Trust {
    #[command(subcommand)]
    pub(crate) command: TrustCommand,
}

/// What to do with trust.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum TrustCommand {
    /// Trust a key
    Add {
        /// The public key: a file, or the line of the key
        key: String,
        /// What you call whoever holds it
        #[arg(long, value_name = "NAME")]
        name: String,
        #[command(flatten)]
        limits: TrustLimits,
    },
    /// Show the keys that are trusted, and what was revoked
    List,
    /// Trust a key no longer; bundles signed with it are then refused
    Remove {
        /// The key, by its id or its name
        key: String,
    },
    /// Look at the key that signed a bundle, and trust it when you say so
    Pin {
        /// The bundle
        bundle: PathBuf,
        /// What you call whoever holds it [default: the name of the plugin]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// The key you expect, instead of a question on the terminal
        #[arg(long, value_name = "KEY")]
        expect: Option<String>,
        #[command(flatten)]
        limits: TrustLimits,
    },
    /// Trust the key that comes after one you trust, by its holder's statement
    Rotate {
        /// The statement
        statement: PathBuf,
    },
    /// Take back a key, a bundle or a component, whoever signed it
    Revoke {
        /// A key by its id or name, a digest, or the file of a statement
        what: String,
        /// Why, in a few words
        #[arg(long, value_name = "TEXT", default_value = "revoked here")]
        reason: String,
    },
}

// How far a key is trusted. A sentence for the help would replace that of the command.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct TrustLimits {
    /// The most a plugin signed with it can get [default: workspace-write]
    #[arg(long, value_name = "PROFILE")]
    pub(crate) max_profile: Option<String>,
    /// Which plugins it may sign: a name, or a beginning with `*` [default: every one; of `pin`, this
    /// one]
    #[arg(long, value_name = "PATTERN")]
    pub(crate) plugin: Vec<String>,
    /// From which day on
    #[arg(long, value_name = "DATE")]
    pub(crate) not_before: Option<String>,
    /// Until which day, that day included
    #[arg(long, value_name = "DATE")]
    pub(crate) not_after: Option<String>,
}
