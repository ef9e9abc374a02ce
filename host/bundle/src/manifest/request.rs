//! `[[request]]`: splits what is asked for into single capabilities.

use super::SecretUse;
use super::document::{Table, Value, list, shorten};
use super::plugin::line;
use crate::nearest::nearest;
use crate::{BundleError, ManifestProblem};
use ringfence_capability::{
    ArgvPattern, Capability, Fidelity, HostPattern, Kind, Limit, MethodClass, Name, ParseError,
    PathScope, Port, Request,
};

/// The longest reason: what a prompt shows in two lines.
pub const MAX_REASON_CHARS: usize = 200;
/// The longest path: a prompt shows all of it.
const MAX_PATH_CHARS: usize = 1_024;
/// The most single capabilities a manifest can ask for; a person must be able to look through them.
pub const MAX_REQUESTS: usize = 500;
/// The size of a key-value namespace that does not state one.
pub const DEFAULT_KV_BYTES: u64 = 16 * 1024 * 1024;
/// The most that a manifest can ask for in key-value namespaces: in one, and in all together.
pub const MAX_KV_BYTES: u64 = 64 * 1024 * 1024;

/// What `capability` can be, and the keys each has besides `capability`, `reason` and `optional`.
const CAPABILITIES: &[(&str, &[&str])] = &[
    ("fs.read", &["path", "guest"]),
    ("fs.write", &["path", "guest"]),
    ("http", &["hosts", "methods"]),
    ("socket", &["addresses"]),
    ("env", &["names"]),
    ("config", &["names"]),
    ("secret", &["name", "hosts", "header", "format"]),
    ("kv", &["namespace", "size"]),
    ("clock", &["source"]),
    ("random", &["source"]),
    ("model", &["names"]),
    ("tool", &["names"]),
    ("agent", &["names"]),
    ("mcp", &["names"]),
    ("exec", &["argv"]),
];

/// One capability and the byte offset it is written at.
type Atom = (Capability, usize);

/// Reads every `[[request]]`; `plugin` is the name of the plugin.
pub(super) fn requests(
    top: &Table<'_, '_>,
    plugin: &str,
) -> Result<(Vec<Request>, Vec<SecretUse>), BundleError> {
    let (mut requests, mut secrets) = (Vec::new(), Vec::new());
    let Some(section) = top.value("request") else { return Ok((requests, secrets)) };
    for value in section.list("a list of tables, each begun by `[[request]]`")? {
        let (capability, table) = request_table(&value)?;
        let reason = reason(&table.required("reason", "reason = \"what it is for\"")?)?;
        let optional = table.flag("optional")?;
        let atoms = match capability {
            "secret" => {
                let (secret, atoms) = secret(&table)?;
                secrets.push(secret);
                atoms
            }
            _ => atoms(capability, &table, plugin, value.start())?,
        };
        for (capability, start) in atoms {
            check_new(&requests, &capability, &value)?;
            check_kv_total(&requests, &capability, &value)?;
            let request = Request::required(capability, reason, table.document.origin(start));
            requests.push(if optional { request.optional() } else { request });
        }
    }
    Ok((requests, secrets))
}

/// Returns the name of the capability and the table, whose keys are those the capability has.
fn request_table<'d, 'v>(
    value: &Value<'d, 'v>,
) -> Result<(&'static str, Table<'d, 'v>), BundleError> {
    let table = value.table()?;
    let all: Vec<&str> = table.keys().map(|key| key.get_ref().as_ref()).collect();
    let any = Table::new(value.document, "`[[request]]`", value.start(), table, &all)?;
    let named = any.required("capability", "capability = \"fs.read\"")?;
    let text = named.text()?;
    let Some((name, own)) = CAPABILITIES.iter().find(|(name, _)| *name == text) else {
        let all: Vec<&str> = CAPABILITIES.iter().map(|(name, _)| *name).collect();
        let nearest = match text {
            "http.read" | "http.write" => Some("http"),
            "fs" => Some("fs.read"),
            _ => nearest(text, all.iter().copied()),
        };
        return Err(named.problem(ManifestProblem::UnknownCapability {
            name: shorten(text),
            nearest: nearest.map(str::to_owned),
            known: list(&all),
        }));
    };
    let mut known = vec!["capability", "reason", "optional"];
    known.extend_from_slice(own);
    let section = format!("`[[request]]` for `{name}`");
    Ok((*name, Table::new(value.document, &section, value.start(), table, &known)?))
}

fn atoms(
    capability: &str,
    table: &Table<'_, '_>,
    plugin: &str,
    start: usize,
) -> Result<Vec<Atom>, BundleError> {
    let named = |make: fn(Name) -> Capability| names(table, make);
    match capability {
        "fs.read" => Ok(vec![directory(table, Capability::FsRead, start)?]),
        "fs.write" => Ok(vec![directory(table, Capability::FsWrite, start)?]),
        "http" => http(table),
        "socket" => socket(table),
        "kv" => Ok(vec![(key_value(table, plugin)?, start)]),
        "clock" => Ok(vec![(Capability::Clock(fidelity(table)?), start)]),
        "random" => Ok(vec![(Capability::Random(fidelity(table)?), start)]),
        "env" => named(Capability::Env),
        "config" => named(Capability::Config),
        "model" => named(Capability::Model),
        "tool" => named(Capability::Tool),
        "agent" => named(Capability::Agent),
        "mcp" => outside(table),
        _ => exec(table),
    }
}

fn reason<'v>(value: &Value<'_, 'v>) -> Result<&'v str, BundleError> {
    let text = line(value, MAX_REASON_CHARS)?;
    if text.trim().is_empty() {
        return Err(value.refuse("reason", "it says to the operator what the capability is for"));
    }
    Ok(text)
}

fn directory(
    table: &Table<'_, '_>,
    make: fn(PathScope) -> Capability,
    start: usize,
) -> Result<Atom, BundleError> {
    let path_value = table.value("path");
    let path = path_value.as_ref().map_or(Ok("."), |value| line(value, MAX_PATH_CHARS))?;
    let guest_value = table.value("guest");
    let guest = match &guest_value {
        Some(value) => line(value, MAX_PATH_CHARS)?.to_owned(),
        None if path.starts_with('/') => path.to_owned(),
        // Normalised by the scope, so `.` becomes `/`.
        None => format!("/{path}"),
    };
    let scope = if path.starts_with('/') {
        PathScope::elsewhere(path, &guest)
    } else {
        PathScope::workspace(path, &guest)
    };
    let scope = scope.map_err(|source| {
        let at = if source.what == "guest path" { &guest_value } else { &path_value };
        at.as_ref().or(path_value.as_ref()).map_or_else(
            || {
                let key = "path".to_owned();
                let problem = ManifestProblem::Value { key, source: source.clone() };
                table.document.error(start, problem)
            },
            |value| value.wrong(source.clone()),
        )
    })?;
    Ok((make(scope), path_value.map_or(start, |value| value.start())))
}

fn http(table: &Table<'_, '_>) -> Result<Vec<Atom>, BundleError> {
    let methods = table.value("methods").map(|value| value.parse()).transpose()?;
    let methods = methods.unwrap_or(MethodClass::Read);
    let hosts = table.required("hosts", "hosts = [\"example.com\"]")?;
    let atom = |value: Value<'_, '_>| {
        let (host, port) =
            HostPattern::with_port(value.text()?).map_err(|source| value.wrong(source))?;
        let port = port.map_or(Port::Default, Port::Number);
        Ok((Capability::Http { host, port, methods }, value.start()))
    };
    hosts.list("a list such as [\"example.com\"]")?.into_iter().map(atom).collect()
}

fn socket(table: &Table<'_, '_>) -> Result<Vec<Atom>, BundleError> {
    let addresses = table.required("addresses", "addresses = [\"192.0.2.1:5432\"]")?;
    let atom = |value: Value<'_, '_>| {
        let (host, port) =
            HostPattern::with_port(value.text()?).map_err(|source| value.wrong(source))?;
        let Some(port) = port else {
            return Err(value.refuse("socket address", "it ends in a port, such as `:5432`"));
        };
        Ok((Capability::Socket { host, port }, value.start()))
    };
    addresses.list("a list such as [\"192.0.2.1:5432\"]")?.into_iter().map(atom).collect()
}

fn names(table: &Table<'_, '_>, make: fn(Name) -> Capability) -> Result<Vec<Atom>, BundleError> {
    let names = table.required("names", "names = [\"SOME_NAME\"]")?;
    let atom = |value: Value<'_, '_>| Ok((make(value.parse()?), value.start()));
    names.list("a list such as [\"SOME_NAME\"]")?.into_iter().map(atom).collect()
}

/// Reads the tools of outside servers.
fn outside(table: &Table<'_, '_>) -> Result<Vec<Atom>, BundleError> {
    const TOOLS: &str = "a list such as [\"time/get_current_time\", \"files/*\"]";
    let names = table.required("names", "names = [\"SERVER/TOOL\"]")?;
    let atom = |value: Value<'_, '_>| Ok((Capability::Mcp(value.parse()?), value.start()));
    names.list(TOOLS)?.into_iter().map(atom).collect()
}

/// Reads the commands, each a list of the program and a pattern for its arguments.
fn exec(table: &Table<'_, '_>) -> Result<Vec<Atom>, BundleError> {
    const COMMAND: &str = "a command such as [\"cargo\", \"test\", \"**\"], not a line of a shell";
    let atom = |command: Value<'_, '_>| {
        let words = command.list(COMMAND)?;
        let texts = words.iter().map(Value::text).collect::<Result<Vec<_>, _>>()?;
        let pattern = ArgvPattern::parse(&texts).map_err(|source| {
            // The last word of the shortest beginning that is wrong is the one at fault.
            let wrong = (0..texts.len()).find(|end| ArgvPattern::parse(&texts[..=*end]).is_err());
            wrong.and_then(|at| words.get(at)).unwrap_or(&command).wrong(source)
        })?;
        Ok((Capability::Exec(pattern), command.start()))
    };
    let commands = table.required("argv", "argv = [[\"cargo\", \"test\", \"**\"]]")?;
    commands.list("a list of commands such as [[\"ls\"]]")?.into_iter().map(atom).collect()
}

fn key_value(table: &Table<'_, '_>, plugin: &str) -> Result<Capability, BundleError> {
    let size_bytes = table.value("size").map(|value| kv_size(&value)).transpose()?;
    let namespace = match table.value("namespace") {
        Some(value) => own_namespace(&value, plugin)?,
        None => plugin.parse::<Name>().map_err(|source| {
            let key = "namespace".to_owned();
            table.document.error(0, ManifestProblem::Value { key, source })
        })?,
    };
    Ok(Capability::Kv { namespace, size_bytes: size_bytes.unwrap_or(DEFAULT_KV_BYTES) })
}

fn kv_size(value: &Value<'_, '_>) -> Result<u64, BundleError> {
    let size = Limit::Memory.parse(value.text()?).map_err(|source| value.wrong(source))?;
    if size > MAX_KV_BYTES {
        return Err(value.refuse("size of a namespace", "it is at most 64MiB"));
    }
    Ok(size)
}

/// Reads a namespace, which cannot be the one of a plugin with another name.
fn own_namespace(value: &Value<'_, '_>, plugin: &str) -> Result<Name, BundleError> {
    let namespace: Name = value.parse()?;
    match namespace.as_str().strip_prefix(plugin) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Ok(namespace),
        _ => Err(value.refuse(
            "namespace",
            "a plugin's namespace is its name, or begins with it and `/`; sharing one takes `--kv` \
             on the command line",
        )),
    }
}

fn fidelity(table: &Table<'_, '_>) -> Result<Fidelity, BundleError> {
    table.value("source").map_or(Ok(Fidelity::Real), |value| value.parse())
}

fn secret(table: &Table<'_, '_>) -> Result<(SecretUse, Vec<Atom>), BundleError> {
    let name: Name = table.required("name", "name = \"API_KEY\"")?.parse()?;
    let hosts = table.required("hosts", "hosts = [\"api.example.com\"]")?;
    let (mut patterns, mut atoms) = (Vec::new(), Vec::new());
    for value in hosts.list("a list such as [\"api.example.com\"]")? {
        let host: HostPattern = value.parse()?;
        patterns.push(host.clone());
        atoms.push((Capability::Secret { name: name.clone(), host }, value.start()));
    }
    let header = match table.value("header") {
        Some(value) => header(&value)?,
        None => "authorization".to_owned(),
    };
    let format = match table.value("format") {
        Some(value) => secret_format(&value)?.to_owned(),
        None => "Bearer {}".to_owned(),
    };
    Ok((SecretUse { name, hosts: patterns, header, format }, atoms))
}

fn header(value: &Value<'_, '_>) -> Result<String, BundleError> {
    // Headers that frame or route the request: a secret there could change where it goes.
    const RESERVED: &[&str] = &[
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
    ];
    let text = value.text()?.to_ascii_lowercase();
    let good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if text.is_empty() || text.len() > 64 || !text.chars().all(good) {
        return Err(value.refuse("header name", "it is a name such as `authorization`"));
    }
    if RESERVED.contains(&text.as_str()) || text.starts_with("proxy-") {
        return Err(value.refuse("header for a secret", "it controls how a request travels"));
    }
    Ok(text)
}

fn secret_format<'v>(value: &Value<'_, 'v>) -> Result<&'v str, BundleError> {
    let text = value.text()?;
    let visible = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if text.len() > 128 || !visible || text.matches("{}").count() != 1 {
        let why = "it is ASCII text with one `{}` where the secret goes, such as `Bearer {}`";
        return Err(value.refuse("header format", why));
    }
    Ok(text)
}

/// Refuses a capability that was already asked for, and two directories at one guest path.
fn check_new(
    requests: &[Request],
    capability: &Capability,
    value: &Value<'_, '_>,
) -> Result<(), BundleError> {
    let repeated = |what: String, how: String| {
        let key = "request".to_owned();
        Err(value.problem(ManifestProblem::Repeated { key, what, how }))
    };
    if requests.len() >= MAX_REQUESTS {
        let problem =
            ManifestProblem::TooMany { what: "requested capabilities", limit: MAX_REQUESTS };
        return Err(value.problem(problem));
    }
    for earlier in requests {
        if earlier.capability == *capability {
            let how = format!("requested at {}", earlier.origin);
            return repeated(format!("`{capability}`"), how);
        }
        let (Some(mine), Some(theirs)) = (scope(capability), scope(&earlier.capability)) else {
            continue;
        };
        let same_place = (mine.place(), mine.path()) == (theirs.place(), theirs.path());
        if mine.guest() == theirs.guest() && !same_place {
            let how = format!("`{}` at {}", theirs.path(), earlier.origin);
            return repeated(format!("guest path `{}`", mine.guest()), how);
        }
    }
    Ok(())
}

/// Refuses a namespace with which all of the plugin's together are larger than one may be.
fn check_kv_total(
    requests: &[Request],
    capability: &Capability,
    value: &Value<'_, '_>,
) -> Result<(), BundleError> {
    let size = |capability: &Capability| match capability {
        Capability::Kv { size_bytes, .. } => *size_bytes,
        _ => 0,
    };
    let earlier = requests.iter().map(|request| size(&request.capability));
    let total = earlier.fold(size(capability), u64::saturating_add);
    if size(capability) == 0 || total <= MAX_KV_BYTES {
        return Ok(());
    }
    let why = "all namespaces of a plugin together are at most 64MiB";
    let source = ParseError::new("size of all namespaces", &Limit::Memory.format(total), why);
    Err(value.problem(ManifestProblem::Value { key: "size".to_owned(), source }))
}

fn scope(capability: &Capability) -> Option<&PathScope> {
    match capability {
        Capability::FsRead(scope) | Capability::FsWrite(scope) => Some(scope),
        _ => None,
    }
}

/// The kinds a manifest can ask for are all kinds there are.
const _: () = assert!(CAPABILITIES.len() == Kind::ALL.len() - 1, "http stands for two kinds");
