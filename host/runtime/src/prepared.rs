//! A plugin that was decided about, loaded and linked: ready to be called any number of times.

use std::sync::Arc;
use std::time::Duration;

use ringfence_bundle::inspect::PluginKind;
use ringfence_capability::{Capability, GrantSet, Kind, Limit, Limits, Necessity, Profile};
use ringfence_engine::{Bounds, Engine, Meter, Source};
use ringfence_interfaces::fs::{FsRoots, ProtectedNames};
use ringfence_interfaces::http::{
    AddressRules, AttachedSecret, HttpConfig, HttpHooks, HttpRules, SecretValue, danger,
};
use ringfence_interfaces::kv::KvCtx;
use ringfence_interfaces::model::{ModelBudget, ModelCtx, Models, OwnBudget};
use ringfence_interfaces::{Blocking, Effects, HostState, Observer, Output, Setup};
use ringfence_policy as policy;
use ringfence_supervisor::Budget;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use crate::exec::PluginPrograms;
use crate::exports::Export;
use crate::host::run_layers;
use crate::options::Silence;
use crate::places::Places;
use crate::record::{Identity, Log, RunLog};
use crate::{Host, OutsideServers, Plan, Plugin, RunError, RunOptions, Stdio, Usage, exports};

/// A plugin ready to run. Every call gets a fresh store.
pub struct Prepared {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: Vec<Export>,
    pub(crate) resources: Vec<(String, ComponentExportIndex)>,
    pub(crate) kind: PluginKind,
    pub(crate) limits: Limits,
    pub(crate) display: String,
    pub(crate) identity: Identity,
    pub(crate) log: Arc<dyn Log>,
    places: Arc<Places>,
    grants: Arc<GrantSet>,
    env: Vec<(String, String)>,
    config: Vec<(String, String)>,
    secrets: Arc<[AttachedSecret]>,
    addresses: AddressRules,
    observer: Arc<dyn Observer>,
    source: Source,
    blocking: Blocking,
    programs: Option<Arc<PluginPrograms>>,
    models: Models,
    outside: Option<(OutsideServers, Profile)>,
}

/// One run's store and what watches over it.
pub(crate) struct Running {
    pub(crate) store: Store<HostState>,
    pub(crate) bounds: Bounds,
    pub(crate) meter: Arc<Meter>,
    pub(crate) log: RunLog,
}

impl Drop for Running {
    /// Records the end of a run that was withdrawn: every other way to end recorded it already.
    fn drop(&mut self) {
        self.log.withdrawn(Usage::of(&self.meter));
    }
}

impl Prepared {
    #[expect(clippy::too_many_arguments, reason = "one private call site gathers the parts")]
    pub(crate) fn new(
        host: &Host,
        engine: Engine,
        plugin: &Plugin,
        plan: Plan,
        options: RunOptions,
        identity: Identity,
        pre: InstancePre<HostState>,
        exports: Vec<Export>,
        kind: PluginKind,
        source: Source,
    ) -> Result<Self, RunError> {
        let programs = programs(host, plugin, &plan, &options);
        let outside = outside(&plan, &options);
        let grants = plan.verdicts.granted;
        tracing::debug!(plugin = plugin.display, code = ?source, "a plugin is ready to run");
        let secrets = secrets(plugin, &grants, &options)?;
        Ok(Self {
            resources: exports::resources(&engine, pre.component()),
            engine,
            pre,
            exports,
            kind,
            limits: plan.limits,
            display: plugin.display.clone(),
            identity,
            log: Arc::clone(&host.log),
            places: Arc::clone(&host.places),
            env: values(&grants, Kind::Env, &options)?,
            config: values(&grants, Kind::Config, &options)?,
            grants: Arc::new(grants),
            secrets,
            addresses: addresses(&options)?,
            observer: options.observer.unwrap_or_else(|| Arc::new(Silence)),
            source,
            blocking: Blocking::Here,
            programs,
            models: options.models.ready().clone(),
            outside,
        })
    }

    /// Returns the same plugin for runs that share threads: file calls go to other threads.
    #[must_use]
    pub fn for_serving(self) -> Self {
        Self { blocking: Blocking::Elsewhere, ..self }
    }

    /// Returns what kind of plugin it is.
    pub fn kind(&self) -> PluginKind {
        self.kind
    }

    /// Returns the exported functions.
    pub fn exports(&self) -> &[Export] {
        &self.exports
    }

    /// Returns what the plugin was given.
    pub fn grants(&self) -> &GrantSet {
        &self.grants
    }

    /// Returns the same, to be held on to.
    pub(crate) fn shared_grants(&self) -> Arc<GrantSet> {
        Arc::clone(&self.grants)
    }

    /// Ends the outside servers that calls of this plugin started, for everybody who shares them.
    pub async fn end_servers(&self) {
        if let Some((servers, _)) = &self.outside {
            servers.close().await;
        }
    }

    /// Returns where the machine code came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// Makes the store of one run and records that it starts.
    pub(crate) fn start(
        &self,
        what: &str,
        stdio: Stdio,
        args: &[String],
    ) -> Result<Running, RunError> {
        let meter = Meter::new(self.limits);
        let log = RunLog::start(&self.identity, Arc::clone(&self.log), what, Arc::clone(&meter))?;
        let effects: Effects = match &stdio.flow {
            Some(flow) => flow.guard(log.effects(), self.programs_reach_out()),
            None => log.effects(),
        };
        let world = stdio.world.clone();
        let models = self.models(&effects, stdio.budget.clone());
        let state = HostState::new(self.setup(&log, &effects, stdio, args)?);
        let state = match world {
            Some(world) => state.with_agent(world, Arc::clone(&effects)),
            None => state,
        };
        let state = match models {
            Some(models) => state.with_models(models),
            None => state,
        };
        let mut store = Store::new(self.engine.wasmtime(), state);
        let bounds = self.engine.bound(&mut store, &meter, HostState::limiter);
        Ok(Running { store, bounds, meter, log })
    }

    /// Tells whether its native programs get the network: what they read is read by the run.
    fn programs_reach_out(&self) -> bool {
        let any = |kind| self.grants.of_kind(kind).next().is_some();
        any(Kind::Exec) && (any(Kind::HttpRead) || any(Kind::HttpWrite))
    }

    /// Returns what serves the `model` grants of one run, when there are any.
    fn models(&self, effects: &Effects, budget: Option<Arc<dyn ModelBudget>>) -> Option<ModelCtx> {
        self.grants.of_kind(Kind::Model).next()?;
        let budget = budget.unwrap_or_else(|| {
            let own = Budget::default();
            let time = Duration::from_millis(self.limits.of(Limit::WallTime));
            Arc::new(OwnBudget::new(own.model_calls, own.output_tokens, time))
        });
        let (grants, effects) = (Arc::clone(&self.grants), Arc::clone(effects));
        Some(ModelCtx::new(self.models.clone(), grants, effects, budget))
    }

    fn setup(
        &self,
        log: &RunLog,
        effects: &Effects,
        stdio: Stdio,
        args: &[String],
    ) -> Result<Setup, RunError> {
        let meter = log.meter();
        let rules = HttpRules::from_grants(&self.grants);
        let http = HttpHooks::new(HttpConfig {
            addresses: self.addresses.clone(),
            secrets: Arc::clone(&self.secrets),
            ..HttpConfig::new(rules, Arc::clone(meter), Arc::clone(effects))
        });
        let fs = FsRoots::from_grants(&self.grants, |scope| self.places.open_scope(scope))?;
        let person = stdio.person;
        let programs = self.programs.as_ref().map(|all| all.of_run(log.run(), meter, person));
        // Without a state directory no `kv` grant gets this far, so the path is never used.
        let database = self.places.state().map(|state| state.join("kv.sqlite")).unwrap_or_default();
        Ok(Setup {
            grants: Arc::clone(&self.grants),
            meter: Arc::clone(meter),
            observer: stdio.observer.unwrap_or_else(|| Arc::clone(&self.observer)),
            fs,
            protected: ProtectedNames::new(|name| policy::ProtectedNames::built_in().matches(name)),
            effects: Arc::clone(effects),
            http,
            kv: KvCtx::new(&self.grants, database, Arc::clone(meter), Arc::clone(effects)),
            programs,
            outside: self.outside.as_ref().map(|(servers, ceiling)| servers.under(*ceiling)),
            args: args.to_vec(),
            env: self.env.clone(),
            config: self.config.clone(),
            stdin: stdio.stdin,
            stdout: Output::new(stdio.stdout, meter),
            stderr: Output::new(stdio.stderr, meter),
            blocking: self.blocking,
        })
    }
}

/// Returns what runs the plugin's native programs, when it may ask for any.
fn programs(
    host: &Host,
    plugin: &Plugin,
    plan: &Plan,
    options: &RunOptions,
) -> Option<Arc<PluginPrograms>> {
    plan.verdicts.granted.of_kind(Kind::Exec).next()?;
    let layers = run_layers(plan.cap.unwrap_or(plan.profile), &plan.cap_reason, options);
    Some(Arc::new(PluginPrograms::new(host, plugin, plan, options, layers)))
}

/// Returns what holds outside servers, when the plugin may call any, and the most they may have.
fn outside(plan: &Plan, options: &RunOptions) -> Option<(OutsideServers, Profile)> {
    plan.verdicts.granted.of_kind(Kind::Mcp).next()?;
    options.outside.clone().map(|servers| (servers, plan.ceiling()))
}

/// Refuses a tool of an outside server that this run cannot call.
pub(crate) fn held(
    capability: &Capability,
    plan: &Plan,
    options: &RunOptions,
) -> Result<(), RunError> {
    let Capability::Mcp(scope) = capability else { return Ok(()) };
    let why = "this host holds no outside servers";
    let nothing = || RunError::NotOffered { capability: capability.to_string(), why };
    let servers = options.outside.as_ref().ok_or_else(nothing)?;
    Ok(servers.check(scope, plan.ceiling())?)
}

/// Refuses a grant that this version decides about but has no interface for.
pub(crate) fn offered(capability: &Capability, places: &Places) -> Result<(), RunError> {
    let why = match capability.kind() {
        Kind::Socket if !is_address(capability) => {
            "a socket is granted to an address, not to a name"
        }
        Kind::Kv | Kind::Exec if places.state().is_none() => {
            "this host keeps no state; give it a state directory"
        }
        Kind::FsRead
        | Kind::FsWrite
        | Kind::HttpRead
        | Kind::HttpWrite
        | Kind::Socket
        | Kind::Env
        | Kind::Config
        | Kind::Secret
        | Kind::Kv
        | Kind::Exec
        | Kind::Mcp
        | Kind::Model
        | Kind::Tool
        | Kind::Agent
        | Kind::Clock
        | Kind::Random => return Ok(()),
    };
    Err(RunError::NotOffered { capability: capability.to_string(), why })
}

/// Checks that somebody supplied the value of a granted name.
pub(crate) fn supplied(
    capability: &Capability,
    plugin: &Plugin,
    options: &RunOptions,
) -> Result<(), RunError> {
    match capability.kind() {
        Kind::Env | Kind::Config => value(capability, options).map(drop),
        Kind::Secret => secret(plugin, capability, options).map(drop),
        Kind::Model => model(plugin, capability, options),
        _ => Ok(()),
    }
}

/// Checks that a model the plugin cannot do without is there.
fn model(plugin: &Plugin, capability: &Capability, options: &RunOptions) -> Result<(), RunError> {
    let Some(why) = options.models.missing(capability) else { return Ok(()) };
    let wants = |request: &ringfence_capability::Request| {
        request.necessity == Necessity::Required && request.capability == *capability
    };
    let mut all = plugin.manifest.requests.iter().chain(&options.requests);
    if !all.any(wants) {
        return Ok(());
    }
    let name = match capability {
        Capability::Model(name) => name.to_string(),
        other => other.to_string(),
    };
    Err(RunError::NoModel { name, why })
}

/// Tells whether a socket grant names one address.
fn is_address(capability: &Capability) -> bool {
    let Capability::Socket { host, .. } = capability else { return false };
    host.to_string().parse::<std::net::IpAddr>().is_ok()
}

/// Returns the values of the granted names of one kind.
fn values(
    grants: &GrantSet,
    kind: Kind,
    options: &RunOptions,
) -> Result<Vec<(String, String)>, RunError> {
    let values = grants.of_kind(kind).map(|capability| value(capability, options));
    Ok(values.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Returns the granted name and its value; nothing when the grant is of no such name.
fn value(
    capability: &Capability,
    options: &RunOptions,
) -> Result<Option<(String, String)>, RunError> {
    let (what, name, values) = match capability {
        Capability::Env(name) => ("environment variable", name, &options.env),
        Capability::Config(name) => ("configuration value", name, &options.config),
        _ => return Ok(None),
    };
    let missing = || RunError::NoValue {
        what,
        name: name.to_string(),
        flag: format!("--{} {name}=VALUE", capability.kind()),
    };
    let value = values.get(name.as_str()).ok_or_else(missing)?;
    Ok(Some((name.to_string(), value.clone())))
}

fn secrets(
    plugin: &Plugin,
    grants: &GrantSet,
    options: &RunOptions,
) -> Result<Arc<[AttachedSecret]>, RunError> {
    let granted = grants.of_kind(Kind::Secret);
    let attached = granted.map(|capability| secret(plugin, capability, options));
    Ok(attached.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

/// Returns the granted secret as it is sent; nothing when the grant is of none.
fn secret(
    plugin: &Plugin,
    capability: &Capability,
    options: &RunOptions,
) -> Result<Option<AttachedSecret>, RunError> {
    let Capability::Secret { name, host } = capability else { return Ok(None) };
    let mut declared = plugin.manifest.secrets.iter();
    let used = declared.find(|used| used.name == *name && used.hosts.contains(host));
    let used = used.ok_or_else(|| RunError::NotOffered {
        capability: capability.to_string(),
        why: "the manifest does not say in which header it is sent",
    })?;
    let missing = || RunError::NoValue {
        what: "secret",
        name: name.to_string(),
        flag: format!("--secret {name}=env:VARIABLE"),
    };
    let value = options.secrets.get(name.as_str()).ok_or_else(missing)?;
    let value = SecretValue::new(value.0.clone());
    let unsendable = || RunError::NotOffered {
        capability: capability.to_string(),
        why: "its header or format cannot be sent",
    };
    let header = used.header.parse::<http::HeaderName>().map_err(|_| unsendable())?;
    let secret = AttachedSecret::new(name.clone(), host.clone(), header, &used.format, value);
    secret.map(Some).map_err(|_| unsendable())
}

pub(crate) fn addresses(options: &RunOptions) -> Result<AddressRules, RunError> {
    let read = |text: &String| {
        text.parse::<ipnet::IpNet>()
            .or_else(|_| text.parse::<std::net::IpAddr>().map(Into::into))
            .map_err(|_| {
                let what = "an address range is written like 127.0.0.0/8";
                RunError::NotOffered { capability: text.clone(), why: what }
            })
    };
    let networks = options.addresses.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(danger::also(AddressRules::public_only(), networks))
}
