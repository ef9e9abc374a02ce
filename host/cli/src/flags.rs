//! Turns flags into requests, answers and values. A flag a person typed is also that person's yes to
//! exactly what it names; it never lifts what policy forbids.

use std::collections::BTreeMap;
use std::env::VarError;
use std::net::IpAddr;
use std::path::Path;

use ringfence::{Limit, Profile, RunOptions, Secret};
use ringfence_capability::{
    Capability, Digest, Grant, HostPattern, MethodClass, Name, Origin, PathScope, Port, Request,
};
use ringfence_policy::{Answers, Layer, LayerKind};

use crate::args::{Global, Grants};
use crate::error::CliError;
use crate::places;

/// What a namespace given by a flag may hold.
const KV_BYTES: u64 = 16 * 1024 * 1024;
/// The most a secret file may hold.
const SECRET_BYTES: u64 = 64 * 1024;

/// Returns the options these flags describe.
pub(crate) fn options(grants: &Grants, global: &Global) -> Result<RunOptions, CliError> {
    let mut options = RunOptions { profile: grants.profile.parse()?, ..RunOptions::default() };
    options.approved =
        Answers::from_flags(grants.approve.iter().map(String::as_str))?.iter().cloned().collect();
    if !grants.deny.is_empty() {
        options.layers.push(Layer::denying(grants.deny.iter().map(String::as_str))?);
    }
    for path in &grants.policy {
        options.layers.push(places::policy(LayerKind::Flags, path)?);
    }
    options.models = crate::models::of_run()?;
    options.trust = trust(grants, options.profile)?;
    options.addresses =
        grants.allow_address.iter().map(|text| range(text)).collect::<Result<_, _>>()?;
    for text in &grants.limit {
        options.limits.push(limit(text)?);
    }
    options.env = named_values(&grants.env, "--env")?;
    options.config = named_values(&grants.config, "--config")?;
    for text in &grants.secret {
        let (name, secret) = secret(text)?;
        options.secrets.insert(name, secret);
    }
    for (flag, capability) in capabilities(grants, global)? {
        let origin = Origin::Flag(flag);
        options.approved.push(Grant::new(capability.clone(), origin.clone()));
        options.requests.push(Request::required(
            capability,
            "asked for on the command line",
            origin,
        ));
    }
    Ok(options)
}

fn trust(grants: &Grants, profile: Profile) -> Result<Option<(Digest, Profile)>, CliError> {
    match trusted(grants)?[..] {
        [] => Ok(None),
        [digest] => Ok(Some((digest, profile))),
        [..] => {
            let text = "`--trust-digest` is given more than once; only `research` runs plugins that differ";
            Err(CliError::Usage(text.to_owned()))
        }
    }
}

/// Returns the digests that somebody vouches for.
pub(crate) fn trusted(grants: &Grants) -> Result<Vec<Digest>, CliError> {
    let read = |text: &String| {
        let digest = text.parse::<Digest>();
        digest.map_err(|error| CliError::Usage(format!("`--trust-digest {text}`: {error}")))
    };
    grants.trust_digest.iter().map(read).collect()
}

/// Returns every capability the flags ask for, each with the flag as it was written.
fn capabilities(grants: &Grants, global: &Global) -> Result<Vec<(String, Capability)>, CliError> {
    let mut found = Vec::new();
    let mut add =
        |flag: &str, text: &str, capability| found.push((format!("{flag} {text}"), capability));
    for text in &grants.dir {
        add("--dir", text, directory(text, &global.workspace)?);
    }
    for text in &grants.env {
        let name = text.split_once('=').map_or(text.as_str(), |(name, _)| name);
        add("--env", name, Capability::Env(name.parse()?));
    }
    for text in &grants.config {
        let name = text.split_once('=').map_or(text.as_str(), |(name, _)| name);
        add("--config", name, Capability::Config(name.parse()?));
    }
    for text in &grants.http {
        add("--http", text, http(text, MethodClass::Read)?);
    }
    for text in &grants.http_write {
        add("--http-write", text, http(text, MethodClass::Write)?);
    }
    for text in &grants.kv {
        add("--kv", text, Capability::Kv { namespace: text.parse()?, size_bytes: KV_BYTES });
    }
    if let Some(text) = &grants.clock {
        add("--clock", text, Capability::Clock(text.parse()?));
    }
    if let Some(text) = &grants.random {
        add("--random", text, Capability::Random(text.parse()?));
    }
    for text in &grants.mcp {
        add("--mcp", text, Capability::Mcp(text.parse()?));
    }
    for text in &grants.socket {
        let (host, port) = host_and_port(text)?;
        let Some(port) = port else {
            return Err(CliError::Usage(format!(
                "`--socket {text}` needs a port, such as `{text}:5432`"
            )));
        };
        if host.to_string().parse::<IpAddr>().is_err() {
            return Err(CliError::Usage(format!(
                "`--socket {text}` names a host; a socket is granted to an address, such as `192.0.2.7:{port}`"
            )));
        }
        add("--socket", text, Capability::Socket { host, port });
    }
    Ok(found)
}

/// Reads `HOST::GUEST[:ro]`.
fn directory(text: &str, workspace: &Path) -> Result<Capability, CliError> {
    let usage = || {
        CliError::Usage(format!(
            "`--dir {text}` is not HOST::GUEST or HOST::GUEST:ro, such as `./data::/data:ro`"
        ))
    };
    let (host, guest) = text.split_once("::").ok_or_else(usage)?;
    let (guest, writable) = match guest.strip_suffix(":ro") {
        Some(guest) => (guest, false),
        None => (guest, true),
    };
    if host.is_empty() || guest.is_empty() {
        return Err(usage());
    }
    let real = |path: &Path, what| {
        let fail = |source| CliError::File { what, path: path.display().to_string(), source };
        std::fs::canonicalize(path).map_err(fail)
    };
    let (path, workspace) = (real(Path::new(host), "directory")?, real(workspace, "workspace")?);
    let scope = scope(&path, &workspace, guest)?.ok_or_else(usage)?;
    Ok(if writable { Capability::FsWrite(scope) } else { Capability::FsRead(scope) })
}

/// Returns the scope of a real path, in the workspace where it lies there; nothing when its name is not
/// UTF-8.
pub(crate) fn scope(
    path: &Path,
    workspace: &Path,
    guest: &str,
) -> Result<Option<PathScope>, CliError> {
    let inside = path.strip_prefix(workspace).ok();
    let Some(text) = inside.unwrap_or(path).to_str() else { return Ok(None) };
    Ok(Some(match inside {
        Some(_) if text.is_empty() => PathScope::workspace(".", guest)?,
        Some(_) => PathScope::workspace(text, guest)?,
        None => PathScope::elsewhere(text, guest)?,
    }))
}

fn http(text: &str, methods: MethodClass) -> Result<Capability, CliError> {
    let (host, port) = host_and_port(text)?;
    Ok(Capability::Http { host, port: port.map_or(Port::Default, Port::Number), methods })
}

/// Reads `HOST[:PORT]`; an IPv6 address with a port stands in brackets.
fn host_and_port(text: &str) -> Result<(HostPattern, Option<u16>), CliError> {
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split('/').next().unwrap_or(rest);
        return Err(CliError::Usage(format!(
            "`{text}` is a URL; write a host alone, such as `{host}`"
        )));
    }
    Ok(HostPattern::with_port(text)?)
}

fn limit(text: &str) -> Result<(Limit, u64), CliError> {
    let usage =
        || CliError::Usage(format!("`--limit {text}` is not NAME=VALUE, such as `memory=512MiB`"));
    let (name, value) = text.split_once('=').ok_or_else(usage)?;
    let limit = name.parse::<Limit>().map_err(|error| {
        let known: Vec<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        CliError::Usage(format!("{error}; the limits are {}", known.join(", ")))
    })?;
    Ok((limit, limit.parse(value)?))
}

/// Reads `NAME=VALUE`; a name alone takes its value from this process's environment.
fn named_values(texts: &[String], flag: &str) -> Result<BTreeMap<String, String>, CliError> {
    let mut values = BTreeMap::new();
    for text in texts {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            None if flag == "--env" => {
                let instead = format!("give it a value with `--env {text}=VALUE`");
                (text.as_str(), environment(text, &instead)?)
            }
            None => {
                return Err(CliError::Usage(format!(
                    "`{flag} {text}` needs a value: `{text}=VALUE`"
                )));
            }
        };
        name.parse::<Name>()?;
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// Returns a variable of this process; `instead` says what else can be written.
fn environment(name: &str, instead: &str) -> Result<String, CliError> {
    std::env::var(name).map_err(|error| {
        let why = match error {
            VarError::NotPresent => "is not set in this environment",
            VarError::NotUnicode(_) => "has a value in this environment that is not UTF-8",
        };
        CliError::Usage(format!("`{name}` {why}; {instead}"))
    })
}

/// Checks that `text` is an address or a range of them.
fn range(text: &str) -> Result<String, CliError> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, bits)| (a, Some(bits)));
    let most = address.parse::<IpAddr>().map(|address| if address.is_ipv4() { 32 } else { 128 });
    let fits = |most: u8| bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= most));
    if most.is_ok_and(fits) {
        return Ok(text.to_owned());
    }
    Err(CliError::Usage(format!(
        "`--allow-address {text}` is not an address range, such as `127.0.0.0/8`"
    )))
}

/// Reads `NAME=env:VARIABLE` or `NAME=file:PATH`. The value itself is never an argument, because
/// every process can read another's arguments.
fn secret(text: &str) -> Result<(String, Secret), CliError> {
    let (name, source) = text.split_once('=').unwrap_or((text, ""));
    name.parse::<Name>()?;
    let value = match source.split_once(':') {
        Some(("env", variable)) => {
            let instead =
                format!("set it, or take the secret from a file: `--secret {name}=file:PATH`");
            environment(variable, &instead)?
        }
        Some(("file", path)) => {
            let bytes = places::read(Path::new(path), "secret file", SECRET_BYTES)?;
            let text = String::from_utf8(bytes)
                .map_err(|_| CliError::Usage(format!("the secret file `{path}` is not text")))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        _ => {
            return Err(CliError::Usage(format!(
                "`--secret {name}=…` takes `env:VARIABLE` or `file:PATH`; a value on the command line could be read by others"
            )));
        }
    };
    Ok((name.to_owned(), Secret::new(value)))
}
