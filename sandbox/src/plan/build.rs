//! From grants to a plan. Every rule is the least of a grant and the profile's ceiling.

use super::{Access, Baseline, FileRule, Network, PlanContext, SandboxPlan, WriteMode};
use crate::SandboxError;
use ringfence_capability::{Capability, GrantSet, Name, PathScope, Place, Profile};
use std::path::{Component, Path, PathBuf};

/// Paths that are the sandbox's own: a grant that covers or enters one is refused.
const OWN: [&str; 5] = ["/dev", "/proc", "/sys", "/run", "/boot"];

pub(super) fn plan(grants: &GrantSet, context: &PlanContext) -> Result<SandboxPlan, SandboxError> {
    let workspace = clean(&context.workspace)?;
    if workspace.parent().is_none() {
        return Err(refused(&workspace, "the workspace cannot be the root of the file system"));
    }
    let baseline = Baseline::native();
    let files = rules(grants, context, &workspace, &baseline)?;
    let plan = SandboxPlan {
        baseline,
        environment: environment(grants, context, &baseline)?,
        files,
        limits: context.limits,
        network: network(grants, context.profile),
        profile: context.profile,
        protected: protected(context)?,
        working_directory: clean(&context.working_directory)?,
        workspace,
    };
    let start = plan.working_directory();
    let granted = plan.files.iter().any(|rule| start.starts_with(&rule.path));
    // `/` and `/tmp` of the sandbox are its own: starting there shows nothing of the host.
    if !granted && start != Path::new("/") && start != Path::new("/tmp") {
        return Err(SandboxError::WorkingDirectory { path: plan.working_directory });
    }
    Ok(plan)
}

fn rules(
    grants: &GrantSet,
    context: &PlanContext,
    workspace: &Path,
    baseline: &Baseline,
) -> Result<Vec<FileRule>, SandboxError> {
    let mut wide = Vec::new();
    for grant in grants.iter() {
        let (scope, wants_write) = match &grant.capability {
            Capability::FsRead(scope) => (scope, false),
            Capability::FsWrite(scope) => (scope, true),
            Capability::Http { .. }
            | Capability::Socket { .. }
            | Capability::Env(_)
            | Capability::Config(_)
            | Capability::Secret { .. }
            | Capability::Kv { .. }
            | Capability::Clock(_)
            | Capability::Random(_)
            | Capability::Model(_)
            | Capability::Tool(_)
            | Capability::Agent(_)
            | Capability::Mcp(_)
            | Capability::Exec(_) => continue,
        };
        if let Some(access) = access(scope.place(), wants_write, context) {
            wide.push(FileRule { path: resolve(scope, workspace)?, access });
        }
    }
    for rule in &wide {
        check_system(rule, baseline)?;
    }
    Ok(fold(&wide))
}

/// Returns what a file grant becomes under the profile, or nothing.
fn access(place: Place, wants_write: bool, context: &PlanContext) -> Option<Access> {
    let profile = context.profile;
    match (place, wants_write) {
        (Place::Workspace, true) if profile >= Profile::WorkspaceWrite => {
            Some(match context.write {
                WriteMode::Staged => Access::Staged,
                WriteMode::Direct => Access::Write,
            })
        }
        (Place::Workspace, _) => Some(Access::Read),
        (Place::Elsewhere, true) if profile == Profile::Trusted => Some(Access::Write),
        (Place::Elsewhere, _) => (profile > Profile::Offline).then_some(Access::Read),
    }
}

fn resolve(scope: &PathScope, workspace: &Path) -> Result<PathBuf, SandboxError> {
    match scope.place() {
        Place::Workspace if scope.path() == "." => Ok(workspace.to_owned()),
        Place::Workspace => clean(&workspace.join(scope.path())),
        Place::Elsewhere => clean(Path::new(scope.path())),
    }
}

/// Refuses a rule that would replace a part of the sandbox itself.
fn check_system(rule: &FileRule, baseline: &Baseline) -> Result<(), SandboxError> {
    let path = &rule.path;
    let mut own = OWN.iter().map(Path::new);
    if own.any(|own| path.starts_with(own) || own.starts_with(path)) {
        return Err(refused(path, "it belongs to the system or covers a part of it"));
    }
    if path == Path::new("/etc") {
        return Err(refused(path, "it holds secrets; name the files below it one by one"));
    }
    let enters = baseline.covers(path);
    let covers = baseline.paths.iter().any(|base| Path::new(base).starts_with(path));
    if covers || (enters && rule.access != Access::Read) {
        return Err(refused(path, "programs and libraries of the system cannot be written"));
    }
    Ok(())
}

/// Returns one rule per path, each with the most that any rule covering it gives, without rules
/// that change nothing. This is what makes a plan shrink with its grants.
fn fold(wide: &[FileRule]) -> Vec<FileRule> {
    let most = |path: &Path| {
        let covering = wide.iter().filter(|rule| path.starts_with(&rule.path));
        covering.map(|rule| rule.access).max()
    };
    let redundant = |rule: &FileRule| {
        let parent = rule.path.parent().and_then(most);
        parent.is_some_and(|parent| parent >= rule.access)
    };
    let mut folded: Vec<FileRule> = wide
        .iter()
        .filter(|rule| !redundant(rule))
        .filter_map(|rule| Some(FileRule { access: most(&rule.path)?, path: rule.path.clone() }))
        .collect();
    folded.sort_by(|a, b| a.path.cmp(&b.path));
    folded.dedup();
    folded
}

fn network(grants: &GrantSet, profile: Profile) -> Network {
    let http = grants.iter().any(|grant| matches!(grant.capability, Capability::Http { .. }));
    if http && profile >= Profile::NetReadOnly { Network::Proxy } else { Network::Absent }
}

fn environment(
    grants: &GrantSet,
    context: &PlanContext,
    baseline: &Baseline,
) -> Result<Vec<String>, SandboxError> {
    let mut names: Vec<String> = baseline.environment.iter().map(|&name| name.to_owned()).collect();
    for name in &context.environment {
        if names.contains(name) {
            continue;
        }
        let parsed = name.parse::<Name>().ok();
        if !parsed.is_some_and(|name| grants.allows(&Capability::Env(name))) {
            return Err(SandboxError::Environment { name: name.clone() });
        }
        names.push(name.clone());
    }
    names.sort();
    Ok(names)
}

fn protected(context: &PlanContext) -> Result<Vec<String>, SandboxError> {
    let mut names = context.protected.clone();
    if let Some(bad) = names.iter().find(|name| name.is_empty() || name.contains(['/', '\0'])) {
        return Err(refused(Path::new(bad), "a protected name is one part of a path"));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Returns `path` without `.` and empty parts.
fn clean(path: &Path) -> Result<PathBuf, SandboxError> {
    if !path.is_absolute() {
        return Err(refused(path, "it is not absolute"));
    }
    let text = path.to_str().ok_or_else(|| refused(path, "it is not UTF-8"))?;
    if text.contains('\0') {
        return Err(refused(path, "it contains NUL"));
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(refused(path, "it contains `..`"));
    }
    Ok(path.components().collect())
}

fn refused(path: &Path, why: &'static str) -> SandboxError {
    SandboxError::Path { path: path.to_owned(), why }
}
