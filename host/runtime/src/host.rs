//! The host: opens plugins, decides, loads and links.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ringfence_bundle::Encoding;
use ringfence_bundle::inspect::{Function, inspect};
use ringfence_capability::{
    Capability, Fidelity, GrantSet, Kind, Limits, Necessity, Origin, Profile, Request,
};
use ringfence_engine::{AotCache, CacheStats, Engine, EngineOptions, Loaded};
use ringfence_interfaces::fs::FsRoots;
use ringfence_interfaces::{LinkPlan, covers, link};
use ringfence_policy::{Answers, Layer, Policy, Verdicts};
use ringfence_trust::TrustStore;

use crate::places::Places;
use crate::plugin;
use crate::prepared::{self, Prepared};
use crate::record::{Identity, Log};
use crate::{Export, HostBuilder, Inspected, Plugin, RunError, RunOptions, exports, unused};

/// Opens and runs plugins. One host serves many runs at once; share it behind an `Arc` or clone it.
#[derive(Clone)]
pub struct Host {
    pub(crate) engines: Arc<Engines>,
    pub(crate) cache: Option<Arc<AotCache>>,
    pub(crate) places: Arc<Places>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) limits: Limits,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) trust: Arc<TrustStore>,
}

/// What was decided about a plugin before anything of it runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Plan {
    /// The profile asked for.
    pub profile: Profile,
    /// The decision about every request, with its reasons.
    pub verdicts: Verdicts,
    /// Kinds that the caller of the plugin does not hold and that it can do without.
    pub cut: Vec<Kind>,
    /// The limits the run gets.
    pub limits: Limits,
    /// What caps the plugin beside the profile, by what is known about who made it.
    pub cap: Option<Profile>,
    /// Why it is capped there, such as `unsigned`.
    pub cap_reason: String,
}

impl Plan {
    /// Returns the widest profile that anything of this run can have.
    pub fn ceiling(&self) -> Profile {
        self.cap.map_or(self.profile, |cap| cap.min(self.profile))
    }
}

impl Host {
    /// Returns what sets up a host.
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// Opens the plugin at `path`: a bundle (`.rfz`, or a directory with a `SHA256SUMS`), a directory
    /// with a manifest, or a `.wasm` file. Nothing of it runs.
    ///
    /// # Errors
    /// When it is not there, is no plugin, is too large, or its manifest is wrong; when a bundle is not
    /// what its list says, or a signature of it does not hold or is by nobody who is trusted here.
    /// What is refused for its signatures is recorded.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Plugin, RunError> {
        plugin::open(path.as_ref(), &self.trust, &*self.log)
    }

    /// Opens a plugin without setting up a host, to look at it. A bundle signed with an unknown key is
    /// shown too, and cannot run.
    ///
    /// # Errors
    /// As [`Host::open`].
    pub fn inspect(path: impl AsRef<Path>, trust: &TrustStore) -> Result<Inspected, RunError> {
        plugin::inspect(path.as_ref(), trust)
    }

    /// Opens a plugin that is already in memory; `display` is how messages name it.
    ///
    /// # Errors
    /// When the bytes are neither a component nor a core module.
    pub fn open_bytes(component: Vec<u8>, display: &str) -> Result<Plugin, RunError> {
        let plugin = ringfence_bundle::Plugin::from_bytes(component, display)?;
        Ok(Plugin::new(ringfence_trust::plain(plugin, &TrustStore::default())?))
    }

    /// Returns what would be decided about `plugin`. Nothing is recorded and nothing runs.
    ///
    /// # Errors
    /// When the trust in `options` is for another plugin.
    pub fn plan(&self, plugin: &Plugin, options: &RunOptions) -> Result<Plan, RunError> {
        let (cap, cap_reason) = cap(plugin, options)?;
        let mut layers = self.layers.clone();
        layers.extend(run_layers(cap, &cap_reason, options));
        let policy = Policy::new(options.profile, layers);
        let requests = requests(plugin, options);
        let mut verdicts = policy.grant(&requests, &Answers::new(options.approved.clone()));
        let cut = match &options.within {
            Some(within) => attenuate(&mut verdicts, within, plugin)?,
            None => Vec::new(),
        };
        Ok(Plan {
            profile: options.profile,
            verdicts,
            cut,
            limits: self.limits(plugin, options),
            cap: Some(cap),
            cap_reason,
        })
    }

    /// Returns everything that would keep `plugin` from being prepared although `plan` grants what it
    /// needs: a granted place that is not there or holds what the host trusts, a value nobody
    /// supplied, a capability without an interface. Nothing is recorded and nothing runs.
    pub fn check(&self, plugin: &Plugin, plan: &Plan, options: &RunOptions) -> Vec<RunError> {
        let grants = plan.verdicts.granted.iter().map(|grant| &grant.capability);
        let of_grant = |capability: &Capability| {
            self.places
                .check(capability)
                .and_then(|()| prepared::offered(capability, &self.places))
                .and_then(|()| prepared::held(capability, plan, options))
                .and_then(|()| prepared::supplied(capability, plugin, options))
        };
        let addresses = prepared::addresses(options).map(drop);
        let unused = unused::flags(plan, options);
        grants.map(of_grant).chain([addresses, unused]).filter_map(Result::err).collect()
    }

    /// Returns what else would keep `plugin` from being prepared: code that cannot be read, an import
    /// that nothing covers, or granted places that cannot be mapped together. It costs a look
    /// into the whole component, so [`Host::prepare`] leaves it to loading and linking. Nothing is
    /// recorded and nothing runs.
    ///
    /// # Errors
    /// As [`Host::prepare`].
    pub fn check_code(&self, plugin: &Plugin, plan: &Plan) -> Result<(), RunError> {
        let interface = inspect(&plugin.as_component()?, &plugin.display)?;
        let imports = interface.imports.iter().map(|import| import.name.as_str());
        let (without, unused) = (without(plan), never_used(plugin));
        covers(imports, &link_plan(plugin, plan, &without, &unused))?;
        FsRoots::from_grants(&plan.verdicts.granted, |scope| self.places.open_scope(scope))?;
        let names = interface.functions.iter().flat_map(forms).collect::<Vec<_>>();
        unused::manifest(plugin, &names)
    }

    /// Decides, records the decisions, loads the code and links what was granted. Still nothing runs.
    ///
    /// # Errors
    /// When a required request is refused, an import is not covered by a grant, a granted place
    /// cannot be used, or the decisions cannot be recorded.
    pub fn prepare(&self, plugin: &Plugin, options: RunOptions) -> Result<Prepared, RunError> {
        let identity = Identity::new(plugin, options.profile);
        let prepared = self.try_prepare(plugin, options, &identity);
        match &prepared {
            // What policy refused is recorded request by request.
            Ok(_) | Err(RunError::Policy(_) | RunError::NotRecorded { .. }) => {}
            Err(error) => identity.not_started(&*self.log, error)?,
        }
        prepared
    }

    fn try_prepare(
        &self,
        plugin: &Plugin,
        options: RunOptions,
        identity: &Identity,
    ) -> Result<Prepared, RunError> {
        let plan = self.plan(plugin, &options)?;
        identity.decided(&*self.log, &plan.verdicts)?;
        if let Some(refusal) = plan.verdicts.refusal() {
            return Err(refusal.into());
        }
        if let Some(problem) = self.check(plugin, &plan, &options).into_iter().next() {
            return Err(problem);
        }
        let engine = self.engines.of(plan.limits.stack_bytes)?;
        let loaded = load(&engine, plugin)?;
        let (without, unused) = (without(&plan), never_used(plugin));
        let linked =
            link(&engine, &loaded.component, &link_plan(plugin, &plan, &without, &unused))?;
        let exports = exports::all(&engine, &loaded.component);
        unused::manifest(plugin, &exports.iter().flat_map(Export::forms).collect::<Vec<_>>())?;
        let kind = exports::kind(&engine, &loaded.component);
        Prepared::new(
            self,
            engine,
            plugin,
            plan,
            options,
            identity.clone(),
            linked,
            exports,
            kind,
            loaded.source,
        )
    }

    /// Tells whether the plugin's machine code is ready, or `prepare` will have to compile it.
    pub fn is_compiled(&self, plugin: &Plugin) -> bool {
        self.engines.first().is_ok_and(|engine| engine.is_cached(&plugin.digest))
    }

    /// Returns what the cache of compiled code holds.
    pub fn cache_stats(&self) -> CacheStats {
        self.cache.as_ref().map(|cache| cache.stats()).unwrap_or_default()
    }

    /// Returns the limits of a run: what the plugin asks, at most what this host gives, unless the
    /// operator says otherwise.
    fn limits(&self, plugin: &Plugin, options: &RunOptions) -> Limits {
        let mut limits = self.limits.least(&plugin.manifest.limits.over(&self.limits));
        for (limit, number) in &options.limits {
            limits.set(*limit, *number);
        }
        limits
    }
}

/// The engines of a host: one for each size of stack, since wasmtime sets that for a whole engine.
pub(crate) struct Engines {
    /// Made when the first plugin needs it: a host that only runs native programs has none.
    first: OnceLock<Engine>,
    options: EngineOptions,
    others: Mutex<BTreeMap<u64, Engine>>,
}

/// The most sizes of stack kept ready. A host that serves many sizes makes engines again: microseconds.
const ENGINES: usize = 8;

impl Engines {
    pub(crate) fn new(options: EngineOptions) -> Self {
        Self { first: OnceLock::new(), options, others: Mutex::new(BTreeMap::new()) }
    }

    /// Returns the engine for the size of stack that the host's limits name.
    fn first(&self) -> Result<&Engine, RunError> {
        if let Some(engine) = self.first.get() {
            return Ok(engine);
        }
        let engine = Engine::new(self.options.clone())?;
        Ok(self.first.get_or_init(|| engine))
    }

    fn of(&self, stack_bytes: u64) -> Result<Engine, RunError> {
        if stack_bytes == self.options.limits.stack_bytes {
            return self.first().cloned();
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = others.get(&stack_bytes) {
            return Ok(engine.clone());
        }
        let limits = Limits { stack_bytes, ..self.options.limits };
        let engine = Engine::new(EngineOptions { limits, ..self.options.clone() })?;
        if others.len() == ENGINES {
            others.clear();
        }
        others.insert(stack_bytes, engine.clone());
        Ok(engine)
    }
}

/// Cuts what was granted down to what the caller holds, and returns the kinds of what is gone. What the
/// plugin cannot do without must be left.
fn attenuate(
    verdicts: &mut Verdicts,
    within: &GrantSet,
    plugin: &Plugin,
) -> Result<Vec<Kind>, RunError> {
    let granted = verdicts.granted.attenuate(within);
    let mut cut = Vec::new();
    for explained in &verdicts.all {
        let Request { capability, necessity, .. } = &explained.request;
        if !verdicts.granted.allows(capability) || granted.allows(capability) {
            continue;
        }
        if *necessity == Necessity::Required {
            return Err(RunError::NotWithin {
                plugin: plugin.display.clone(),
                capability: capability.to_string(),
            });
        }
        cut.push(capability.kind());
    }
    verdicts.granted = granted;
    Ok(cut)
}

/// Maps the plugin's code, or compiles it.
fn load(engine: &Engine, plugin: &Plugin) -> Result<Loaded, RunError> {
    if let Some(loaded) = engine.map(&plugin.digest) {
        return Ok(loaded);
    }
    Ok(engine.compile(&plugin.as_component()?, &plugin.digest, &plugin.display)?)
}

/// Returns the layers of one run beside those of the host: what the operator says, and the cap.
pub(crate) fn run_layers(cap: Profile, why: &str, options: &RunOptions) -> Vec<Layer> {
    options.layers.iter().cloned().chain([Layer::cap(cap, why)]).collect()
}

/// Returns how far the plugin is trusted, and why.
fn cap(plugin: &Plugin, options: &RunOptions) -> Result<(Profile, String), RunError> {
    let why = match plugin.signer() {
        Some(signer) => format!("signed by `{}`", signer.name),
        None => "unsigned".to_owned(),
    };
    match options.trust {
        None => Ok((plugin.cap(), why)),
        Some((digest, profile)) if digest == plugin.identity => {
            Ok((profile.max(plugin.cap()), "trusted digest".to_owned()))
        }
        Some(_) if options.shared => Ok((plugin.cap(), why)),
        Some(_) => Err(RunError::NotTrusted { digest: plugin.identity.to_string() }),
    }
}

/// Returns every name a function can be called by.
fn forms(function: &Function) -> impl Iterator<Item = String> {
    std::iter::once(function.full.clone()).chain(function.forms())
}

/// Returns the kinds that were asked for as optional and not given.
fn without(plan: &Plan) -> Vec<Kind> {
    let refused = plan.verdicts.refused.iter().map(|e| e.request.capability.kind());
    refused.chain(plan.cut.iter().copied()).collect()
}

fn link_plan<'a>(
    plugin: &'a Plugin,
    plan: &'a Plan,
    without: &'a [Kind],
    unused: &'a [String],
) -> LinkPlan<'a> {
    let (grants, profile) = (&plan.verdicts.granted, plan.profile.name());
    LinkPlan { grants, without, unused, plugin: &plugin.display, profile }
}

/// Returns the interfaces that may be imported without a grant, because they are never used. The
/// adapter for WASI 0.1 imports the file system whatever the module does; without a grant it finds
/// no directory, so that every path is refused.
fn never_used(plugin: &Plugin) -> Vec<String> {
    let mut unused = plugin.manifest.stub_imports.clone();
    if plugin.encoding == Encoding::CoreModule {
        unused.push("wasi:filesystem/*".to_owned());
    }
    unused
}

/// Returns everything that is asked for: by the manifest, by the operator, and, for a plugin without
/// a manifest, the clock and random numbers every language runtime expects.
fn requests(plugin: &Plugin, options: &RunOptions) -> Vec<Request> {
    let mut requests = plugin.manifest.requests.clone();
    if plugin.form.is_bare() {
        let runtime = "language runtimes expect it";
        for capability in [Capability::Clock(Fidelity::Real), Capability::Random(Fidelity::Real)] {
            let mut request = Request::required(capability, runtime, Origin::BuiltIn);
            request.necessity = Necessity::Optional;
            requests.push(request);
        }
    }
    requests.extend(options.requests.iter().cloned());
    requests
}
