//! What each step of a run is granted: the provider what the flags say, any other nothing but what `--grant`
//! names for it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ringfence::research::StepKind;
use ringfence::{Plugin, Profile, RunOptions};
use ringfence_capability::{
    Capability, Digest, Grant, Kind, Limit, Origin, OutsidePart, OutsideScope, PathScope, Request,
};
use ringfence_policy::Answers;

use crate::args::{Global, Grants, ResearchHow};
use crate::error::CliError;
use crate::flags;

/// What a step gets at most: a large corpus is read and judged as a whole.
const LIMITS: [(Limit, u64); 7] = [
    (Limit::WallTime, 10 * 60 * 1000),
    (Limit::CpuTime, 10 * 60 * 1000),
    (Limit::Memory, 2 << 30),
    (Limit::Output, 256 << 20),
    (Limit::HostCallBytes, 512 << 20),
    (Limit::Connections, 4096),
    (Limit::ResponseBytes, 512 << 20),
];

/// What the step gets that reads files which may be hostile: enough for any honest one.
const EXTRACT: [(Limit, u64); 2] = [(Limit::CpuTime, 2 * 60 * 1000), (Limit::Memory, 512 << 20)];

/// What begins the name of a tool of an outside server.
const OUTSIDE: &str = "mcp:";
/// The variable that tells the provider over outside servers which tool searches.
const TOOL: &str = "MCP_TOOL";

/// What a person grants to the steps of a run.
pub(super) struct Granted<'a> {
    how: &'a ResearchHow,
    global: &'a Global,
    of_steps: BTreeMap<StepKind, Vec<(String, Capability)>>,
    trusted: Vec<Digest>,
    met: RefCell<BTreeSet<Digest>>,
}

impl<'a> Granted<'a> {
    /// Reads what the flags say.
    pub(super) fn new(how: &'a ResearchHow, global: &'a Global) -> Result<Self, CliError> {
        let mut of_steps = BTreeMap::<_, Vec<_>>::new();
        for text in &how.grant {
            let (step, capability) = to_step(text)?;
            of_steps.entry(step).or_default().push((format!("--grant {text}"), capability));
        }
        let trusted = flags::trusted(&how.grants)?;
        Ok(Self { how, global, of_steps, trusted, met: RefCell::default() })
    }

    /// Returns what a step other than the provider is granted.
    pub(super) fn of_step(&self, step: StepKind, plugin: &Plugin) -> Result<RunOptions, CliError> {
        let Some(granted) = self.of_steps.get(&step) else { return Ok(nothing(step)) };
        let all = &self.how.grants;
        let network = [Kind::HttpRead, Kind::HttpWrite];
        let reaches = granted.iter().any(|(_, capability)| network.contains(&capability.kind()));
        let grants = Grants {
            profile: all.profile.clone(),
            policy: all.policy.clone(),
            deny: all.deny.clone(),
            limit: all.limit.clone(),
            allow_address: if reaches { all.allow_address.clone() } else { Vec::new() },
            trust_digest: self.vouched(plugin),
            ..Grants::default()
        };
        let mut options = self.options(&grants)?;
        for (flag, capability) in granted {
            add(&mut options, capability.clone(), "granted on the command line", flag.clone());
        }
        Ok(options)
    }

    /// Returns what the provider is granted: the directory of `--from`, for reading, the tool of an outside
    /// server that it is, and what the flags say.
    pub(super) fn of_provider(&self, plugin: &Plugin) -> Result<RunOptions, CliError> {
        self.searching(self.vouched(plugin))
    }

    /// Returns what the grants of the provider stand for: the workspace they begin at, and the values that are
    /// supplied for their names.
    pub(super) fn setting(&self) -> Result<String, CliError> {
        let values = self.searching(Vec::new())?.values_digest();
        let workspace = &self.global.workspace;
        let real = std::fs::canonicalize(workspace).unwrap_or_else(|_| workspace.clone());
        Ok(format!("{values} {}", real.display()))
    }

    /// Refuses a digest that is of no step: whoever vouches for it means another plugin.
    pub(super) fn all_met(&self) -> Result<(), CliError> {
        let met = self.met.borrow();
        let Some(stray) = self.trusted.iter().find(|digest| !met.contains(digest)) else {
            return Ok(());
        };
        Err(CliError::Usage(format!(
            "`--trust-digest {stray}` is of no step of this run; `ringfence inspect PLUGIN` shows the digest of each"
        )))
    }

    fn searching(&self, vouched: Vec<String>) -> Result<RunOptions, CliError> {
        let grants = Grants { trust_digest: vouched, ..self.how.grants.clone() };
        let mut options = self.options(&grants)?;
        if let Some(scope) = outside(self.how)? {
            let flag = format!("--provider {OUTSIDE}{scope}");
            let name = scope.to_string();
            options.profile = options.profile.max(Profile::ReadOnly);
            add(&mut options, Capability::Mcp(scope), "searches with it", flag.clone());
            if !options.env.contains_key(TOOL) {
                options.env.insert(TOOL.to_owned(), name);
                let variable = Capability::Env(TOOL.parse()?);
                add(&mut options, variable, "says which tool searches", flag);
            }
        }
        if let Some(from) = &self.how.from {
            let flag = format!("--from {}", from.display());
            let capability = Capability::FsRead(scope(from, self.global, &flag)?);
            options.profile = options.profile.max(Profile::ReadOnly);
            add(&mut options, capability, "the documents", flag);
        }
        Ok(options)
    }

    fn options(&self, grants: &Grants) -> Result<RunOptions, CliError> {
        let mut options = flags::options(grants, self.global)?;
        let given = std::mem::take(&mut options.limits);
        options.limits = LIMITS.into_iter().chain(given).collect();
        options.outside = Some(crate::commands::mcp::held(self.global));
        Ok(options)
    }

    /// Returns the digest of a plugin when somebody vouches for it.
    fn vouched(&self, plugin: &Plugin) -> Vec<String> {
        let vouched = self.trusted.iter().find(|digest| **digest == plugin.identity);
        self.met.borrow_mut().extend(vouched);
        vouched.map(ToString::to_string).into_iter().collect()
    }
}

/// Returns what a step is granted that nobody grants anything.
pub(super) fn nothing(step: StepKind) -> RunOptions {
    let own: &[_] = if step == StepKind::Extract { &EXTRACT } else { &[] };
    let limits = LIMITS.iter().chain(own).copied().collect();
    RunOptions { profile: Profile::Offline, limits, ..RunOptions::default() }
}

/// Returns the tool of an outside server that is the provider.
pub(super) fn outside(how: &ResearchHow) -> Result<Option<OutsideScope>, CliError> {
    let named = how.provider.as_deref().and_then(Path::to_str);
    let Some(text) = named.and_then(|named| named.strip_prefix(OUTSIDE)) else { return Ok(None) };
    let scope: OutsideScope = text.parse()?;
    match scope.part() {
        OutsidePart::Tool(_) => Ok(Some(scope)),
        OutsidePart::Every | OutsidePart::Itself => Err(CliError::Usage(format!(
            "`--provider {OUTSIDE}{text}` names no tool: one searches, such as `{OUTSIDE}{}/search`",
            scope.server()
        ))),
    }
}

/// Reads `STEP=CAPABILITY`.
fn to_step(text: &str) -> Result<(StepKind, Capability), CliError> {
    let (step, capability) = text.split_once('=').ok_or_else(|| {
        let form = "is not STEP=CAPABILITY, such as `synthesise=model:small`";
        CliError::Usage(format!("`--grant {text}` {form}"))
    })?;
    let step = step.parse::<StepKind>().map_err(CliError::Usage)?;
    let refused = |why: &str| CliError::Usage(format!("`--grant {text}`: {why}"));
    if step == StepKind::Provider {
        return Err(refused("the provider has the flags under Capabilities"));
    }
    let capability = Answers::capability(capability)?;
    match capability.kind() {
        Kind::FsRead
        | Kind::FsWrite
        | Kind::HttpRead
        | Kind::HttpWrite
        | Kind::Kv
        | Kind::Clock
        | Kind::Random
        | Kind::Model
        | Kind::Mcp => Ok((step, capability)),
        Kind::Env
        | Kind::Config
        | Kind::Secret
        | Kind::Socket
        | Kind::Exec
        | Kind::Tool
        | Kind::Agent => Err(refused("a step other than the provider cannot be granted this")),
    }
}

fn add(options: &mut RunOptions, capability: Capability, why: &str, flag: String) {
    let by = Origin::Flag(flag);
    options.requests.push(Request::required(capability.clone(), why, by.clone()));
    options.approved.push(Grant::new(capability, by));
}

fn scope(from: &Path, global: &Global, flag: &str) -> Result<PathScope, CliError> {
    let real = |path: &Path, what| {
        let fail = |source| CliError::File { what, path: path.display().to_string(), source };
        std::fs::canonicalize(path).map_err(fail)
    };
    let (path, workspace) = (real(from, "directory")?, real(&global.workspace, "workspace")?);
    if !path.is_dir() {
        return Err(CliError::Usage(format!("`{flag}` is no directory")));
    }
    flags::scope(&path, &workspace, "/corpus")?
        .ok_or_else(|| CliError::Usage(format!("`{flag}` has a name that is not UTF-8")))
}
