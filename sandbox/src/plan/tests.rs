//! What a plan contains for given grants, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::Access::{Read, Staged, Write};
use super::*;
use proptest::prelude::*;
use ringfence_capability::{
    Capability, Diagnostic, Grant, MethodClass, Origin, PathScope, Place, Port,
};

fn set(capabilities: Vec<Capability>) -> GrantSet {
    GrantSet::new(capabilities.into_iter().map(|one| Grant::new(one, Origin::BuiltIn)).collect())
}

fn context(profile: Profile) -> PlanContext {
    PlanContext {
        profile,
        workspace: "/srv/ws".into(),
        working_directory: "/".into(),
        protected: vec![".git".to_owned()],
        write: WriteMode::Staged,
        environment: Vec::new(),
        limits: ProcessLimits::default(),
    }
}

fn workspace(path: &str) -> PathScope {
    PathScope::workspace(path, "/").unwrap()
}

fn elsewhere(path: &str) -> PathScope {
    PathScope::elsewhere(path, "/").unwrap()
}

#[test]
fn each_profile_bounds_what_file_grants_become() {
    let grants = set(vec![
        Capability::FsWrite(workspace(".")),
        Capability::FsWrite(elsewhere("/data")),
        Capability::FsRead(elsewhere("/docs")),
    ]);
    let check = |profile, write, expected: &[(&str, Access)]| {
        let plan = SandboxPlan::from_grants(&grants, &PlanContext { write, ..context(profile) });
        let plan = plan.unwrap();
        let files: Vec<_> =
            plan.files().iter().map(|rule| (rule.path.to_str().unwrap(), rule.access)).collect();
        assert_eq!(files, expected, "{profile}");
    };
    check(Profile::Offline, WriteMode::Direct, &[("/srv/ws", Read)]);
    let read = [("/data", Read), ("/docs", Read), ("/srv/ws", Read)];
    check(Profile::ReadOnly, WriteMode::Direct, &read);
    check(Profile::NetReadOnly, WriteMode::Staged, &read);
    let staged = [("/data", Read), ("/docs", Read), ("/srv/ws", Staged)];
    check(Profile::WorkspaceWrite, WriteMode::Staged, &staged);
    let direct = [("/data", Write), ("/docs", Read), ("/srv/ws", Write)];
    check(Profile::Trusted, WriteMode::Direct, &direct);
}

#[test]
fn paths_that_would_widen_a_plan_are_refused() {
    let check = |change: &dyn Fn(&mut PlanContext), grants: Vec<Capability>, code: &str| {
        let mut context = context(Profile::Trusted);
        change(&mut context);
        let refused = SandboxPlan::from_grants(&set(grants), &context);
        assert_eq!(refused.map_err(|error| error.code()).err(), Some(code));
    };
    let path = "sandbox::path";
    check(&|context| context.workspace = "ws".into(), vec![], path);
    check(&|context| context.workspace = "/".into(), vec![], path);
    check(&|context| context.workspace = "/srv/../etc".into(), vec![], path);
    check(&|context| context.workspace = "/proc/self/root".into(), own_workspace(), path);
    check(&|context| context.protected.push("a/b".into()), vec![], path);
    check(&|context| context.working_directory = "/srv/ws/../..".into(), own_workspace(), path);
    let start = "sandbox::working-directory";
    check(&|context| context.working_directory = "/srv".into(), own_workspace(), start);
    check(&|context| context.working_directory = "/srv/wsx".into(), own_workspace(), start);
    check(&|context| context.working_directory = "/usr".into(), own_workspace(), start);
    for bad in ["/", "/etc", "/proc", "/dev/sda", "/sys", "/run/user"] {
        check(&|_| {}, vec![Capability::FsRead(elsewhere(bad))], path);
    }
    for bad in ["/usr/local", "/etc/ssl", "/lib"] {
        check(&|_| {}, vec![Capability::FsWrite(elsewhere(bad))], path);
    }
    check(&|context| context.environment.push("TOKEN".into()), vec![], "sandbox::environment");
}

fn own_workspace() -> Vec<Capability> {
    vec![Capability::FsRead(workspace("."))]
}

#[test]
fn a_granted_variable_and_the_baseline_are_in_the_plan_and_nothing_else() {
    let grants = set(vec![Capability::Env("CI".parse().unwrap())]);
    let wanted = vec!["CI".to_owned(), "PATH".to_owned()];
    let context = PlanContext { environment: wanted, ..context(Profile::Offline) };
    let plan = SandboxPlan::from_grants(&grants, &context).unwrap();
    let mut expected: Vec<_> = plan.baseline().environment.to_vec();
    expected.push("CI");
    expected.sort_unstable();
    assert_eq!(plan.environment(), expected);
}

#[test]
fn the_digest_is_of_canonical_json_and_changes_with_every_part() {
    let plan = |profile, grants: Vec<Capability>| {
        SandboxPlan::from_grants(&set(grants), &context(profile)).unwrap()
    };
    let one = plan(Profile::Offline, own_workspace());
    let expected = r#"{"baseline":"linux-1","environment":["COLUMNS","HOME","LANG","LC_ALL","LINES","NO_COLOR","PATH","TERM","TMPDIR","TZ"],"files":[{"access":"read","path":"/srv/ws"}],"limits":{"cpu_seconds":3600,"file_size_bytes":4294967296,"memory_bytes":8589934592,"open_files":4096,"processes":1024,"scratch_bytes":1073741824},"network":"absent","profile":"offline","protected":[".git"],"working_directory":"/","workspace":"/srv/ws"}"#;
    if cfg!(target_os = "linux") {
        assert_eq!(one.canonical_json(), expected);
    }
    let other = plan(Profile::ReadOnly, own_workspace());
    let less = plan(Profile::Offline, vec![]);
    assert!(one.digest() != other.digest() && one.digest() != less.digest());
    assert_eq!(one.digest(), plan(Profile::Offline, own_workspace()).digest());
}

#[test]
fn the_plan_is_told_as_a_table() {
    let grants = set(own_workspace());
    let text = SandboxPlan::from_grants(&grants, &context(Profile::Offline)).unwrap().to_string();
    for line in ["profile         offline", "read            /srv/ws", "network         none"] {
        assert!(text.contains(line), "{text}");
    }
}

fn capability() -> impl Strategy<Value = Capability> {
    let path = "(\\.|[ab](/[ab])?)";
    let outside = "/([ab](/[ab])?|work|work/ws/a)";
    prop_oneof![
        path.prop_map(|path| Capability::FsRead(workspace(&path))),
        path.prop_map(|path| Capability::FsWrite(workspace(&path))),
        outside.prop_map(|path| Capability::FsRead(elsewhere(&path))),
        outside.prop_map(|path| Capability::FsWrite(elsewhere(&path))),
        Just(Capability::Http {
            host: "a.org".parse().unwrap(),
            port: Port::Default,
            methods: MethodClass::Read,
        }),
    ]
}

fn contexts() -> impl Strategy<Value = PlanContext> {
    (0..5_usize, any::<bool>()).prop_map(|(profile, direct)| PlanContext {
        write: if direct { WriteMode::Direct } else { WriteMode::Staged },
        ..context(Profile::ALL[profile])
    })
}

/// Every path the generated grants can be about, and their neighbours.
fn paths() -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/srv"), PathBuf::from("/c"), PathBuf::from("/srv/wsx")];
    for root in ["/", "/srv/ws"] {
        let root = Path::new(root);
        paths.push(root.to_owned());
        for one in ["a", "b", "c", "ab"] {
            paths.push(root.join(one));
            paths.extend(["a", "b", "c"].map(|two| root.join(one).join(two)));
        }
    }
    paths
}

/// Tells whether the grants themselves cover a host path.
fn granted(grants: &GrantSet, path: &Path, write: bool) -> bool {
    grants.iter().any(|grant| {
        let scope = match &grant.capability {
            Capability::FsRead(scope) if !write => scope,
            Capability::FsWrite(scope) => scope,
            _ => return false,
        };
        let root = match scope.place() {
            Place::Workspace => Path::new("/srv/ws").join(scope.path()),
            Place::Elsewhere => PathBuf::from(scope.path()),
        };
        path.starts_with(root.components().collect::<PathBuf>())
    })
}

proptest! {
    #[test]
    fn a_plan_never_reaches_more_than_the_grants(
        grants in proptest::collection::vec(capability(), 0..6),
        context in contexts(),
    ) {
        let grants = set(grants);
        let Ok(plan) = SandboxPlan::from_grants(&grants, &context) else { return Ok(()) };
        for path in paths() {
            match plan.access(&path) {
                None => {}
                Some(Access::Read) => prop_assert!(granted(&grants, &path, false), "{path:?}"),
                Some(Access::Staged | Access::Write) => {
                    prop_assert!(granted(&grants, &path, true), "{path:?}");
                    prop_assert!(context.profile >= Profile::WorkspaceWrite);
                }
            }
        }
        let http = grants.iter().any(|one| matches!(one.capability, Capability::Http { .. }));
        prop_assert!(plan.network() == Network::Absent || http);
    }

    #[test]
    fn taking_a_grant_away_never_adds_to_a_plan(
        grants in proptest::collection::vec(capability(), 1..6),
        taken in any::<prop::sample::Index>(),
        context in contexts(),
    ) {
        let mut fewer = grants.clone();
        fewer.remove(taken.index(grants.len()));
        let (Ok(more), Ok(less)) = (
            SandboxPlan::from_grants(&set(grants), &context),
            SandboxPlan::from_grants(&set(fewer), &context),
        ) else { return Ok(()) };
        for path in paths() {
            prop_assert!(less.access(&path) <= more.access(&path), "{path:?}");
        }
        prop_assert!(less.network() == more.network() || less.network() == Network::Absent);
    }

    #[test]
    fn a_smaller_profile_never_adds_to_a_plan(
        grants in proptest::collection::vec(capability(), 0..6),
        context in contexts(),
    ) {
        let grants = set(grants);
        let smaller = PlanContext { profile: Profile::Offline, ..context.clone() };
        let (Ok(more), Ok(less)) = (
            SandboxPlan::from_grants(&grants, &context),
            SandboxPlan::from_grants(&grants, &smaller),
        ) else { return Ok(()) };
        for path in paths() {
            prop_assert!(less.access(&path) <= more.access(&path), "{path:?}");
        }
    }
}
