//! Links a component by grant: what was granted is linked, what was not is absent.
//!
//! For each interface the component imports there are four answers. It carries no authority: linked.
//! A grant covers it: linked. It was asked for as optional, or named as never used by the language
//! runtime, and not granted: linked to the same code, which finds no grant behind it and answers
//! with the interface's typed error. Otherwise loading ends, naming the import, the capability and
//! the line that would grant it.

use std::collections::BTreeSet;

use ringfence_bundle::imports::pattern_covers;
use ringfence_bundle::{ImportClass, import_capability};
use ringfence_capability::{Class, Diagnostic, GrantSet, Kind};
use ringfence_engine::Engine;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::{HostState, provider};

/// What the linker goes by.
pub struct LinkPlan<'a> {
    /// What was granted.
    pub grants: &'a GrantSet,
    /// Kinds whose interfaces may be linked without a grant: asked for as optional and not given.
    pub without: &'a [Kind],
    /// Interfaces (`wasi:sockets/*`) the plugin says its language runtime imports and never uses.
    pub unused: &'a [String],
    /// The plugin, as the operator named it.
    pub plugin: &'a str,
    /// The profile of the run, for messages.
    pub profile: &'a str,
}

/// One import that nothing covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The import, with its version.
    pub import: String,
    /// The capabilities of which one would cover it.
    pub needs: Vec<Kind>,
}

/// A component that cannot be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// It imports interfaces that were not granted.
    #[error("`{plugin}` imports {}", told(refused, profile))]
    NotGranted {
        /// The plugin.
        plugin: String,
        /// The profile.
        profile: String,
        /// Every such import; never empty.
        refused: Vec<Refused>,
    },
    /// It imports an interface this host does not have.
    #[error("`{plugin}` imports `{import}`, which this version of ringfence does not offer")]
    Unknown {
        /// The plugin.
        plugin: String,
        /// The import.
        import: String,
    },
    /// The interface exists, but the component expects another shape of it.
    #[error("`{plugin}` does not fit the interfaces of this host")]
    Mismatch {
        /// The plugin.
        plugin: String,
        /// What wasmtime says.
        #[source]
        source: wasmtime::Error,
    },
}

/// Says what the first refused import is, what it needs, and how many more there are.
fn told(refused: &[Refused], profile: &str) -> String {
    let Some(first) = refused.first() else {
        return format!("what profile `{profile}` did not grant");
    };
    let needs: Vec<_> = first.needs.iter().map(|kind| format!("`{kind}`")).collect();
    let more = match refused.len() {
        1 => String::new(),
        many => format!(", and {} more", many - 1),
    };
    let needs = needs.join(" or ");
    format!("`{}`, which profile `{profile}` did not grant (it needs {needs}){more}", first.import)
}

/// Links `component` as `plan` says.
///
/// # Errors
/// See [`LinkError`]; nothing was run.
pub fn link(
    engine: &Engine,
    component: &Component,
    plan: &LinkPlan<'_>,
) -> Result<InstancePre<HostState>, LinkError> {
    let mut linker = Linker::new(engine.wasmtime());
    let (mut refused, mut done) = (Vec::new(), BTreeSet::new());
    for (import, item) in component.component_type().imports(engine.wasmtime()) {
        let authority = carries_functions(engine, &item.ty);
        match answer(import, authority, plan) {
            // A component can import one interface in two compatible versions; one serves both.
            Answer::Link if done.insert((without_version(import), generation(import))) => {
                add(&mut linker, import, authority, plan.plugin)?;
            }
            Answer::Link => {}
            Answer::Refuse(needs) => refused.push(Refused { import: import.to_owned(), needs }),
            Answer::Unknown => {
                return Err(LinkError::Unknown {
                    plugin: plan.plugin.to_owned(),
                    import: import.to_owned(),
                });
            }
        }
    }
    if !refused.is_empty() {
        let (plugin, profile) = (plan.plugin.to_owned(), plan.profile.to_owned());
        return Err(LinkError::NotGranted { plugin, profile, refused });
    }
    let mismatch = |source| LinkError::Mismatch { plugin: plan.plugin.to_owned(), source };
    linker.instantiate_pre(component).map_err(mismatch)
}

/// Checks what [`link`] would refuse, before anything is compiled. `imports` are the interfaces with
/// something to call.
///
/// # Errors
/// See [`LinkError`].
pub fn covers<'i>(
    imports: impl IntoIterator<Item = &'i str>,
    plan: &LinkPlan<'_>,
) -> Result<(), LinkError> {
    let (plugin, mut refused) = (plan.plugin.to_owned(), Vec::new());
    for import in imports {
        match answer(import, true, plan) {
            Answer::Link => {}
            Answer::Refuse(needs) => refused.push(Refused { import: import.to_owned(), needs }),
            Answer::Unknown => {
                return Err(LinkError::Unknown { plugin, import: import.to_owned() });
            }
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(LinkError::NotGranted { plugin, profile: plan.profile.to_owned(), refused })
}

/// Tells whether this host has an interface that `pattern` (`wasi:sockets/*`) covers.
pub fn offers(pattern: &str) -> bool {
    provider::names().any(|(interface, _)| pattern_covers(pattern, interface))
}

enum Answer {
    Link,
    Refuse(Vec<Kind>),
    Unknown,
}

fn answer(import: &str, authority: bool, plan: &LinkPlan<'_>) -> Answer {
    let needs = match import_capability(import) {
        ImportClass::Baseline => return Answer::Link,
        ImportClass::Needs(needs) => needs,
        ImportClass::Unknown
        | ImportClass::HostInterface
        | ImportClass::Newer { .. }
        | ImportClass::Older { .. } => return Answer::Unknown,
    };
    let granted = |kind: &Kind| plan.grants.of_kind(*kind).next().is_some();
    let without = |kind: &Kind| plan.without.contains(kind) && answers_without_grant(*kind);
    let unused = || plan.unused.iter().any(|pattern| pattern_covers(pattern, import));
    // An interface imported for its types alone gives nothing to call.
    if !authority || needs.iter().any(|kind| granted(kind) || without(kind)) {
        return Answer::Link;
    }
    if unused() && needs.iter().all(|kind| answers_without_grant(*kind)) {
        return Answer::Link;
    }
    Answer::Refuse(needs.to_vec())
}

/// Tells whether the interface of `kind` can say `denied`. Clocks and random numbers cannot: their
/// functions return plain values, and a made-up value would be a silent lie.
fn answers_without_grant(kind: Kind) -> bool {
    !matches!(kind, Kind::Clock | Kind::Random)
}

fn without_version(import: &str) -> &str {
    import.split_once('@').map_or(import, |(interface, _)| interface)
}

/// Returns the generation of WASI an import is of: 2 unless its version says 0.3.
fn generation(import: &str) -> u8 {
    let version = import.split_once('@').map_or("", |(_, version)| version);
    if version.starts_with("0.3") { 3 } else { 2 }
}

/// Tells whether the imported item has anything to call.
fn carries_functions(engine: &Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => {
            let mut exports = instance.exports(engine.wasmtime());
            exports.any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)))
        }
        ComponentItem::Type(_) | ComponentItem::Resource(_) => false,
        _ => true,
    }
}

fn add(
    linker: &mut Linker<HostState>,
    import: &str,
    authority: bool,
    plugin: &str,
) -> Result<(), LinkError> {
    let Some(add) = provider::find(without_version(import), generation(import)) else {
        // Types alone need nothing from the host.
        if !authority {
            return Ok(());
        }
        return Err(LinkError::Unknown { plugin: plugin.to_owned(), import: import.to_owned() });
    };
    add(linker).map_err(|source| LinkError::Mismatch { plugin: plugin.to_owned(), source })
}

impl Diagnostic for LinkError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotGranted { .. } => "interfaces::not-granted",
            Self::Unknown { .. } => "interfaces::unknown-import",
            Self::Mismatch { .. } => "interfaces::mismatch",
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::NotGranted { .. } => Class::Refused,
            Self::Unknown { .. } | Self::Mismatch { .. } => Class::BadInput,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotGranted { refused, .. } => Some(ways(refused)),
            Self::Unknown { .. } => {
                Some("build the plugin against WASI 0.2 or 0.3 and `ringfence:host@0.1`, or update ringfence".to_owned())
            }
            Self::Mismatch { .. } => Some("rebuild the plugin against the released WIT of its imports".to_owned()),
        }
    }
}

/// Returns what would cover the refused imports, one line for those that need the same.
fn ways(refused: &[Refused]) -> String {
    let mut groups: Vec<(&[Kind], Vec<String>)> = Vec::new();
    for Refused { import, needs } in refused {
        let import = format!("`{import}`");
        match groups.iter_mut().find(|(kinds, _)| *kinds == needs) {
            Some((_, imports)) => imports.push(import),
            None => groups.push((needs, vec![import])),
        }
    }
    let lines = groups.iter().map(|(needs, imports)| {
        let stub = if needs.iter().all(|kind| answers_without_grant(*kind)) { STUB } else { "" };
        format!("for {}: {}{stub}", imports.join(", "), way(needs.first().copied()))
    });
    lines.collect::<Vec<_>>().join("\n      ")
}

/// What to do about an import that is there for no reason of the plugin's own.
const STUB: &str =
    "; if only its language runtime imports it, name it in `stub-imports` of plugin.toml";

/// Returns the manifest lines and the flag that would cover an import that needs `kind`.
fn way(kind: Option<Kind>) -> String {
    let (request, flag) = match kind {
        Some(Kind::FsRead | Kind::FsWrite) => {
            ("capability = \"fs.read\", path = \".\"", Some("--dir .::/:ro --profile read-only"))
        }
        Some(Kind::HttpRead | Kind::HttpWrite) => (
            "capability = \"http\", hosts = [\"…\"]",
            Some("--http HOST --profile net-read-only --trust-digest DIGEST"),
        ),
        Some(Kind::Socket) => (
            "capability = \"socket\", addresses = [\"…\"]",
            Some("--socket ADDRESS:PORT --profile trusted --trust-digest DIGEST"),
        ),
        Some(Kind::Kv) => ("capability = \"kv\"", Some("--kv NAMESPACE")),
        Some(Kind::Config) => {
            ("capability = \"config\", names = [\"…\"]", Some("--config NAME=VALUE"))
        }
        Some(Kind::Exec) => ("capability = \"exec\", argv = [[\"PROGRAM\", \"ARGUMENT\"]]", None),
        Some(Kind::Mcp) => (
            "capability = \"mcp\", names = [\"SERVER/TOOL\"]",
            Some("--mcp SERVER/TOOL --profile read-only"),
        ),
        Some(Kind::Tool) => ("capability = \"tool\", names = [\"PLUGIN\"]", None),
        Some(Kind::Model) => ("capability = \"model\", names = [\"fast\"]", None),
        Some(Kind::Agent) => ("capability = \"agent\", names = [\"NAME\"]", None),
        Some(Kind::Clock) => ("capability = \"clock\"", Some("--clock real")),
        Some(Kind::Random) => ("capability = \"random\"", Some("--random real")),
        _ => ("…", Some("--help")),
    };
    let run = flag.map(|flag| format!(", or run with `{flag}`")).unwrap_or_default();
    format!("add `[[request]]` {request}, reason = \"…\" to plugin.toml{run}")
}

#[cfg(test)]
mod tests;
