//! Everything that can end a run early, each kind told by the room it comes from.

use ringfence_bundle::BundleError;
use ringfence_bundle::archive::ArchiveError;
use ringfence_capability::{Class, Diagnostic};
use ringfence_engine::EngineError;
use ringfence_engine::value::ValueError;
use ringfence_interfaces::LinkError;
use ringfence_policy::PolicyError;
use ringfence_trust::TrustError;

/// Why a plugin was not run, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The plugin cannot be opened.
    #[error(transparent)]
    Bundle(BundleError),
    /// The bundle is refused: it is not what it should be.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// Who made the bundle is not trusted, or a signature does not hold.
    #[error(transparent)]
    Trust(Box<TrustError>),
    /// Policy refused a required request, or cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The component cannot be linked.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A granted directory cannot be given to the plugin.
    #[error(transparent)]
    Directory(#[from] ringfence_interfaces::fs::FsRootError),
    /// The engine, a limit or a trap.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The input does not fit the function.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// A native program was not run, or did not end well.
    #[error(transparent)]
    Exec(#[from] crate::ExecError),
    /// An outside server was not started, or a tool of it not called.
    #[error(transparent)]
    Outside(Box<crate::OutsideError>),
    /// A place the host needs cannot be used.
    #[error("the {what} `{path}` cannot be used")]
    Place {
        /// What it is for, such as `workspace`.
        what: &'static str,
        /// The path.
        path: String,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A granted directory holds what no plugin may change, or see.
    #[error("`{path}` cannot be granted for {access}: ringfence keeps its {what} in it")]
    HoldsState {
        /// The directory.
        path: String,
        /// What lies in it.
        what: &'static str,
        /// What it was to be granted for.
        access: &'static str,
    },
    /// A granted path leads through a link.
    #[error("`{path}` is a link, and a grant is for the place itself")]
    Linked {
        /// The path that was asked for.
        path: String,
        /// Where it leads.
        real: String,
    },
    /// The function is not there.
    #[error("`{plugin}` has no function `{function}`")]
    NoFunction {
        /// The plugin.
        plugin: String,
        /// What was asked for.
        function: String,
        /// What there is, by its short names.
        known: Vec<String>,
    },
    /// The plugin is of another kind than the command needs.
    #[error("`{plugin}` is of kind `{is}`, not `{wanted}`")]
    WrongKind {
        /// The plugin.
        plugin: String,
        /// What it is.
        is: &'static str,
        /// What was needed.
        wanted: &'static str,
        /// The command that fits.
        instead: String,
    },
    /// What a plugin says about its resources is not what it may say.
    #[error("`{plugin}` says about its resources what it may not: `{what}`")]
    Resources {
        /// The plugin.
        plugin: String,
        /// The address, or the function.
        what: String,
    },
    /// A grant names a secret or a value that nobody supplied.
    #[error("{what} `{name}` was granted, but it has no value")]
    NoValue {
        /// What it is: an environment variable, a configuration value or a secret.
        what: &'static str,
        /// Its name.
        name: String,
        /// The flag that supplies it.
        flag: String,
    },
    /// A model was granted that cannot be asked.
    #[error("the model `{name}` was granted, but it cannot be asked: {why}")]
    NoModel {
        /// Its logical name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Something the plugin asked for is not offered by this version, or not in that form.
    #[error("`{capability}` is not offered by this version of ringfence: {why}")]
    NotOffered {
        /// The capability.
        capability: String,
        /// What is missing.
        why: &'static str,
    },
    /// A flag or a part of the manifest is about nothing this plugin has.
    #[error("`{what}` would change nothing: {why}")]
    Unused {
        /// The flag or the part.
        what: String,
        /// Why it would not.
        why: String,
    },
    /// A plugin needs what whoever calls it does not hold.
    #[error("`{plugin}` needs `{capability}`, which whoever calls it does not hold")]
    NotWithin {
        /// The plugin.
        plugin: String,
        /// What it needs.
        capability: String,
    },
    /// There is no such agent in the run.
    #[error("there is no agent `{agent}` in this run")]
    NoAgent {
        /// What was asked for.
        agent: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A plan of agents makes no sense.
    #[error(transparent)]
    Supervisor(#[from] ringfence_supervisor::SupervisorError),
    /// The trust that was given is for another plugin.
    #[error("the plugin is not the one that was trusted")]
    NotTrusted {
        /// The digest it has.
        digest: String,
    },
    /// The log cannot be written, so nothing may happen.
    #[error("the audit log cannot be written, so nothing was run")]
    NotRecorded {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The result is larger than the limit on output.
    #[error(transparent)]
    Output(#[from] ringfence_engine::LimitExceeded),
}

impl From<crate::OutsideError> for RunError {
    fn from(error: crate::OutsideError) -> Self {
        Self::Outside(Box::new(error))
    }
}

impl RunError {
    /// Returns the error of the room this one came from, if it came from one.
    fn inner(&self) -> Option<&dyn Diagnostic> {
        match self {
            Self::Bundle(error) => Some(error),
            Self::Archive(error) => Some(&**error),
            Self::Trust(error) => Some(&**error),
            Self::Policy(error) => Some(error),
            Self::Link(error) => Some(error),
            Self::Directory(error) => Some(error),
            Self::Engine(error) => Some(error),
            Self::Value(error) => Some(error),
            Self::Output(error) => Some(error),
            Self::Exec(error) => Some(error),
            Self::Outside(error) => Some(&**error),
            Self::Supervisor(error) => Some(error),
            _ => None,
        }
    }
}

impl Diagnostic for RunError {
    fn code(&self) -> &'static str {
        match self {
            Self::Place { .. } => "runtime::place",
            Self::HoldsState { .. } => "runtime::holds-state",
            Self::Linked { .. } => "runtime::linked-path",
            Self::NoFunction { .. } => "runtime::no-function",
            Self::WrongKind { .. } => "runtime::wrong-kind",
            Self::Resources { .. } => "runtime::resources",
            Self::NoValue { .. } => "runtime::no-value",
            Self::NoModel { .. } => "runtime::no-model",
            Self::NotOffered { .. } => "runtime::not-offered",
            Self::Unused { .. } => "runtime::unused",
            Self::NotWithin { .. } => "runtime::not-within",
            Self::NoAgent { .. } => "runtime::no-agent",
            Self::NotTrusted { .. } => "runtime::not-trusted",
            Self::NotRecorded { .. } => "runtime::not-recorded",
            _ => self.inner().map_or("runtime::internal", Diagnostic::code),
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Place { .. }
            | Self::Linked { .. }
            | Self::NoFunction { .. }
            | Self::NoAgent { .. }
            | Self::WrongKind { .. }
            | Self::Resources { .. }
            | Self::NoValue { .. }
            | Self::NoModel { .. }
            | Self::Unused { .. }
            | Self::NotOffered { .. } => Class::BadInput,
            Self::HoldsState { .. } | Self::NotTrusted { .. } | Self::NotWithin { .. } => {
                Class::Refused
            }
            Self::NotRecorded { .. } => Class::Internal,
            _ => self.inner().map_or(Class::Internal, Diagnostic::class),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Place { what, path, source } => Some(place_hint(what, path, source)),
            Self::HoldsState { .. } => {
                Some("run from a project directory, or name one with `--workspace DIR`".to_owned())
            }
            Self::Linked { real, .. } => Some(format!("ask for `{real}` itself")),
            Self::NoFunction { known, .. } if known.is_empty() => {
                Some("it exports no function; `ringfence inspect` shows what it is".to_owned())
            }
            Self::NoFunction { known, function, .. }
                if ringfence_bundle::nearest(function, known.iter().map(String::as_str))
                    .is_some() =>
            {
                let nearest = ringfence_bundle::nearest(function, known.iter().map(String::as_str));
                nearest.map(|name| format!("did you mean `{name}`?"))
            }
            Self::NoFunction { known, .. } => Some(format!("it has `{}`", known.join("`, `"))),
            Self::NotWithin { capability, .. } => Some(format!(
                "whoever calls it has to ask for `{capability}` as well, in its own plugin.toml"
            )),
            Self::NoAgent { known, .. } => Some(format!("there is `{}`", known.join("`, `"))),
            Self::WrongKind { instead, .. } => Some(format!("use `{instead}`")),
            Self::Resources { plugin, .. } => Some(format!(
                "build it against `ringfence:mcp@0.1.0`, and call each resource `{plugin}://…`"
            )),
            Self::NoValue { flag, .. } => Some(format!("supply it with `{flag}`")),
            Self::NoModel { name, .. } => Some(format!(
                "configure it in `models.toml` of your configuration directory, as `[model.{name}]` \
                 with `base-url` and `model`; `ringfence models list` shows what there is"
            )),
            Self::NotOffered { .. } => {
                Some("remove the request, or make it `optional = true`".to_owned())
            }
            Self::Unused { .. } => Some(
                "check how it is written: `ringfence inspect` shows what the plugin has and asks \
                 for; else leave it out"
                    .to_owned(),
            ),
            Self::NotTrusted { digest } => Some(format!(
                "look at it with `ringfence inspect`; if it is what you want, trust `{digest}`"
            )),
            Self::NotRecorded { source } => Some(
                source
                    .downcast_ref::<ringfence_audit::AuditError>()
                    .and_then(Diagnostic::hint)
                    .unwrap_or_else(|| {
                        "check the disk and the rights of the state directory".to_owned()
                    }),
            ),
            _ => self.inner().and_then(Diagnostic::hint),
        }
    }
}

/// Returns how a place the host needs is put right. Only the cache can be done without.
fn place_hint(what: &str, path: &str, source: &std::io::Error) -> String {
    let cache = what.starts_with("cache");
    let without = if cache { ", or do without it: `--no-cache`" } else { "" };
    // Found, opened, and not kept to this user: no error of the operating system.
    if source.kind() == std::io::ErrorKind::Other && (cache || what == "state") {
        return format!(
            "if it is yours, keep others from writing to it: `chmod go-w '{path}'`; else name \
             another with `{}`{without}",
            if cache { "--cache-dir DIR" } else { "--state-dir DIR" }
        );
    }
    format!("check that the {what} exists and is a directory of yours{without}")
}
