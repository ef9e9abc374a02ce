//! Plans for the tests of the back ends that do not run here.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use ringfence_capability::{
    Capability, Grant, GrantSet, MethodClass, Origin, PathScope, Port, Profile,
};

use crate::plan::{PlanContext, ProcessLimits, SandboxPlan, WriteMode};

/// Returns a plan that reads, one that stages writes with a protected name, and one with a proxy.
pub(crate) fn every_kind() -> [SandboxPlan; 3] {
    let write = Capability::FsWrite(PathScope::workspace(".", "/").unwrap());
    let http = Capability::Http {
        host: "example.org".parse().unwrap(),
        port: Port::Default,
        methods: MethodClass::Read,
    };
    [
        plan(Profile::ReadOnly, &[], &[]),
        plan(Profile::WorkspaceWrite, &[write], &[".git"]),
        plan(Profile::NetReadOnly, &[http], &[]),
    ]
}

fn plan(profile: Profile, more: &[Capability], protected: &[&str]) -> SandboxPlan {
    let read = Capability::FsRead(PathScope::workspace(".", "/").unwrap());
    let all = more.iter().cloned().chain([read]);
    let grants = GrantSet::new(all.map(|it| Grant::new(it, Origin::BuiltIn)).collect());
    let workspace = PathBuf::from(if cfg!(windows) { r"D:\w" } else { "/w" });
    let context = PlanContext {
        profile,
        workspace: workspace.clone(),
        working_directory: workspace,
        protected: protected.iter().map(|name| (*name).to_owned()).collect(),
        write: WriteMode::Staged,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    };
    SandboxPlan::from_grants(&grants, &context).unwrap()
}
