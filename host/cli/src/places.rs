//! Where the user's state, cache and policies are, after the XDG base directory specification.

use std::path::{Path, PathBuf};

use ringfence::trust::{LayerKind as TrustKind, MAX_TRUST_BYTES, TrustLayer, TrustStore};
use ringfence::{Host, HostBuilder};
use ringfence_policy::{Layer, LayerKind};

use crate::args::Global;
use crate::error::CliError;

/// The most a policy file may hold.
const POLICY_BYTES: u64 = 1024 * 1024;

/// Returns the directory the audit log and the key-value data are in.
pub(crate) fn state(global: &Global) -> Result<PathBuf, CliError> {
    match &global.state_dir {
        Some(path) => Ok(path.clone()),
        None => user_dir("XDG_STATE_HOME", ".local/state", "--state-dir"),
    }
}

/// Returns the directory installed plugins are kept in.
pub(crate) fn data(global: &Global) -> Result<PathBuf, CliError> {
    match &global.data_dir {
        Some(path) => Ok(path.clone()),
        None => user_dir("XDG_DATA_HOME", ".local/share", "--data-dir"),
    }
}

/// Returns the directory compiled code is kept in, or nothing when it is not.
pub(crate) fn cache(global: &Global) -> Result<Option<PathBuf>, CliError> {
    match &global.cache_dir {
        _ if global.no_cache => Ok(None),
        Some(path) => Ok(Some(path.clone())),
        None => user_dir("XDG_CACHE_HOME", ".cache", "--cache-dir").map(Some),
    }
}

fn user_dir(variable: &str, below_home: &str, flag: &str) -> Result<PathBuf, CliError> {
    user_base(variable, below_home).ok_or_else(|| {
        CliError::Usage(format!(
            "neither `{variable}` nor `HOME` is set; name a directory with `{flag}`"
        ))
    })
}

/// Returns the directory for `ringfence` below what `variable` or `HOME` says.
fn user_base(variable: &str, below_home: &str) -> Option<PathBuf> {
    let base = absolute(variable).or_else(|| home().map(|home| home.join(below_home)));
    base.map(|base| base.join("ringfence"))
}

/// Returns the person's own directory, where it is known.
pub(crate) fn home() -> Option<PathBuf> {
    absolute("HOME")
}

/// Returns the directory that a variable names.
pub(crate) fn absolute(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    path.filter(|path| path.is_absolute())
}

/// Returns the policy files that exist: the machine's, the user's, the workspace's. Where the user's
/// would be must be known: a missing variable cannot lift what that file forbids.
pub(crate) fn policies(global: &Global) -> Result<Vec<Layer>, CliError> {
    let user = user_base("XDG_CONFIG_HOME", ".config").ok_or(CliError::NoHome)?;
    let places = [
        (LayerKind::Host, PathBuf::from("/etc/ringfence/policy.toml")),
        (LayerKind::User, user.join("policy.toml")),
        (LayerKind::Workspace, global.workspace.join(".ringfence/policy.toml")),
    ];
    let mut layers = Vec::new();
    for (kind, path) in places {
        if there(kind, &path, "policy")? {
            layers.push(policy(kind, &path)?);
        }
    }
    Ok(layers)
}

/// Tells whether the file of a layer is there and has to be read.
fn there(kind: LayerKind, path: &Path, what: &str) -> Result<bool, CliError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        // A file, or a link to one, where the directory of the layer should be.
        Err(error)
            if error.kind() == std::io::ErrorKind::NotADirectory
                && kind != LayerKind::Workspace =>
        {
            Ok(false)
        }
        // Whoever wrote the workspace chose what this is: a pipe would wait for ever when opened, a
        // link would have any file read.
        Ok(found) if kind == LayerKind::Workspace && !found.is_file() => {
            let path = path.display();
            Err(CliError::Usage(format!("the {what} `{path}` is not a plain file")))
        }
        // Anything else, a file that may not be read included, ends the command: fail closed.
        _ => Ok(true),
    }
}

/// Returns the trust stores that exist: the machine's, the user's, the workspace's.
pub(crate) fn trust_layers(global: &Global) -> Result<Vec<TrustLayer>, CliError> {
    let places = [
        (LayerKind::Host, TrustKind::Host, PathBuf::from("/etc/ringfence/trust.toml")),
        (LayerKind::User, TrustKind::User, user_trust()?),
        (
            LayerKind::Workspace,
            TrustKind::Workspace,
            global.workspace.join(".ringfence/trust.toml"),
        ),
    ];
    let mut layers = Vec::new();
    for (kind, trust, path) in places {
        if there(kind, &path, "trust store")? {
            let display = path.display().to_string();
            let text = String::from_utf8(read(&path, "trust store", MAX_TRUST_BYTES)?);
            let text = text.map_err(|_| {
                CliError::Usage(format!("the trust store `{display}` is not UTF-8 text"))
            })?;
            layers.push(TrustLayer::parse(trust, &display, &text)?);
        }
    }
    Ok(layers)
}

/// Returns what all trust stores say together.
pub(crate) fn trust(global: &Global) -> Result<TrustStore, CliError> {
    Ok(TrustStore::new(trust_layers(global)?)?)
}

/// Returns the user's own trust store.
pub(crate) fn user_trust() -> Result<PathBuf, CliError> {
    Ok(user_base("XDG_CONFIG_HOME", ".config").ok_or(CliError::NoHome)?.join("trust.toml"))
}

/// Returns the directory the user's secret keys are in.
pub(crate) fn keys() -> Result<PathBuf, CliError> {
    Ok(user_base("XDG_CONFIG_HOME", ".config").ok_or(CliError::NoHome)?.join("keys"))
}

/// Returns the user's own list of models, where that would be.
pub(crate) fn user_models() -> Option<PathBuf> {
    user_base("XDG_CONFIG_HOME", ".config").map(|base| base.join("models.toml"))
}

/// Reads one policy file.
pub(crate) fn policy(kind: LayerKind, path: &Path) -> Result<Layer, CliError> {
    let display = path.display().to_string();
    let text = read(path, "policy", POLICY_BYTES)?;
    let text = String::from_utf8(text)
        .map_err(|_| CliError::Usage(format!("the policy `{display}` is not UTF-8 text")))?;
    Ok(Layer::parse(kind, &display, &text)?)
}

/// Reads a file of at most `most` bytes.
pub(crate) fn read(path: &Path, what: &'static str, most: u64) -> Result<Vec<u8>, CliError> {
    use std::io::Read as _;
    let display = path.display().to_string();
    let fail = |source| CliError::File { what, path: display.clone(), source };
    // Opening a pipe would wait until somebody writes to it.
    let kind = std::fs::metadata(path).map_err(fail)?;
    if matches!(what, "policy" | "trust store" | "models file") && !kind.is_file() {
        return Err(CliError::Usage(format!("the {what} `{display}` is not a plain file")));
    }
    let file = std::fs::File::open(path).map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > most {
        return Err(CliError::Usage(format!("the {what} `{display}` is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Returns a builder for the host these arguments describe.
pub(crate) fn host(global: &Global) -> Result<HostBuilder, CliError> {
    let mut builder = Host::builder().workspace(&global.workspace);
    for layer in policies(global)? {
        builder = builder.layer(layer);
    }
    builder = builder.trust(trust(global)?);
    // What other runs of this user keep, whichever directories this one uses.
    let others = [
        ("XDG_STATE_HOME", ".local/state"),
        ("XDG_CACHE_HOME", ".cache"),
        ("XDG_DATA_HOME", ".local/share"),
    ];
    for path in others.into_iter().filter_map(|(variable, home)| user_base(variable, home)) {
        builder = builder.hides(path);
    }
    if let Some(path) = &global.data_dir {
        builder = builder.hides(path);
    }
    if let Some(path) = user_base("XDG_CONFIG_HOME", ".config") {
        builder = builder.hides(path.join("keys")).keeps(path);
    }
    builder = builder.state(state(global)?);
    Ok(match cache(global)? {
        Some(cache) => builder.cache(cache),
        None => builder,
    })
}

/// Writes one record into the audit log, on the disk when this returns.
pub(crate) fn record(global: &Global, entry: ringfence_audit::Entry) -> Result<(), CliError> {
    use ringfence_audit::{AuditLog, Durability, Timestamp};
    let state = state(global)?;
    crate::files::private_dir(&state, "state directory")?;
    let dir = cap_std::fs::Dir::open_ambient_dir(&state, cap_std::ambient_authority());
    let dir = dir.map_err(|source| CliError::File {
        what: "state directory",
        path: state.display().to_string(),
        source,
    })?;
    let log = AuditLog::open(&dir, "audit.jsonl", Timestamp::now)?;
    log.append_all(&[entry], Durability::Synced)?;
    Ok(())
}
