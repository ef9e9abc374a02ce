//! A workspace, a state directory and an overlay over both.

use crate::staging::{Changes, Decision, RelPath, Stage, StagingError, dir};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What mounts the overlay in a mount namespace of its own and runs the script in it.
const MOUNT: &str = r#"mount -t overlay overlay -o "userxattr,lowerdir=$1,upperdir=$2,workdir=$3" "$4"
cd "$4"
exec sh -c "$5""#;

/// A place for one test.
pub(crate) struct Place {
    temp: tempfile::TempDir,
    pub(crate) state: PathBuf,
    pub(crate) workspace: PathBuf,
}

impl Place {
    /// Returns a place whose workspace the script `setup` filled, or nothing when no overlay can
    /// be mounted here; then `test` is listed as skipped.
    pub(crate) fn new(test: &str, setup: &str) -> Option<Self> {
        if !can_mount() {
            skip(test, "an ordinary process cannot mount an overlay here");
            return None;
        }
        Some(Self::without_overlay(setup))
    }

    pub(crate) fn without_overlay(setup: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let (state, workspace) = (temp.path().join("state"), temp.path().join("workspace"));
        fs::create_dir(&workspace).unwrap();
        fs::create_dir(temp.path().join("merged")).unwrap();
        let place = Self { temp, state, workspace };
        place.shell(setup);
        place
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// Runs a script in the workspace itself.
    pub(crate) fn shell(&self, script: &str) {
        let status = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&self.workspace)
            .stdin(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "the script failed: {script}");
    }

    pub(crate) fn stage(&self) -> Stage {
        Stage::create(&self.state, &self.workspace).unwrap()
    }

    /// Runs a script in the workspace with the rights that one in the overlay has.
    pub(crate) fn direct(&self, script: &str) {
        let mut command = Command::new("unshare");
        command.args(["-Ur", "sh", "-ec", script]).current_dir(&self.workspace);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success(), "the script failed: {script}");
    }

    /// Runs a script in an overlay over the workspace.
    pub(crate) fn run(&self, stage: &Stage, script: &str) {
        let status = mount(stage, &self.temp.path().join("merged"), script);
        assert!(status, "the script failed: {script}");
    }

    /// Returns a stage in which the script ran, and what it changed.
    pub(crate) fn staged(&self, script: &str) -> (Stage, Changes) {
        let stage = self.stage();
        self.run(&stage, script);
        let changes = stage.changes(&protected).unwrap();
        (stage, changes)
    }

    /// Returns what is in the workspace: for each path what a program would see.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        tree(&self.workspace)
    }

    /// Returns what is in the state directory besides the locks.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let all = tree(&self.state);
        let kept = |path: &&String| {
            !matches!(path.as_str(), "staging" | "staging/lock" | "undo")
                && !path.starts_with("undo/")
        };
        all.keys().filter(kept).cloned().collect()
    }
}

/// A program can leave directories that their owner cannot remove as they are.
impl Drop for Place {
    fn drop(&mut self) {
        let top = fs::File::open(self.temp.path()).unwrap();
        for name in fs::read_dir(self.temp.path()).unwrap() {
            let _ = dir::remove_all(&top, &name.unwrap().file_name());
        }
    }
}

/// The protected names of the tests.
pub(crate) fn protected(name: &str) -> bool {
    matches!(name, ".git" | ".envrc" | ".vscode")
}

/// Returns the yes to everything, flagged or not.
pub(crate) fn everything(changes: &Changes) -> Decision {
    Decision::all().also(changes.flagged().map(|change| change.path().clone()))
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Returns the lines of the list without its sum.
pub(crate) fn lines(changes: &Changes) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

/// Returns the paths a conflict names.
pub(crate) fn conflicts(error: StagingError) -> Vec<String> {
    match error {
        StagingError::Conflict { paths } => {
            paths.into_iter().map(|(path, why)| format!("{path}: {why}")).collect()
        }
        other => panic!("not a conflict: {other:?}"),
    }
}

pub(crate) fn mount(stage: &Stage, merged: &Path, script: &str) -> bool {
    let status = Command::new("unshare")
        .args(["-Urm", "sh", "-ec", MOUNT, "sh"])
        .args([stage.workspace(), stage.upper(), stage.work(), merged])
        .arg(script)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

pub(crate) fn tree(top: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![top.to_owned()];
    while let Some(directory) = waiting.pop() {
        // What its owner cannot enter or read is seen as that.
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let mode = meta.permissions().mode() & 0o7777;
            let kind = meta.file_type();
            let seen = if kind.is_dir() {
                waiting.push(path.clone());
                format!("directory {mode:o}")
            } else if kind.is_symlink() {
                format!("link {:?}", fs::read_link(&path).unwrap())
            } else if kind.is_fifo() {
                format!("fifo {mode:o}")
            } else if kind.is_file() {
                let content = fs::read(&path).unwrap_or_else(|_| b"unreadable".to_vec());
                let text = String::from_utf8_lossy(&content[..content.len().min(200)]).into_owned();
                format!("file {mode:o} {} {text:?}", content.len())
            } else {
                format!("special {mode:o} {}", meta.rdev())
            };
            let name = path.strip_prefix(top).unwrap().as_os_str();
            all.insert(readable(name), seen);
        }
    }
    all
}

fn readable(name: &OsStr) -> String {
    String::from_utf8(name.as_bytes().to_vec()).unwrap_or_else(|_| format!("{name:?}"))
}

fn can_mount() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        let place = Place::without_overlay("true");
        mount(&place.stage(), &place.temp.path().join("merged"), "true")
    })
}

pub(crate) fn skip(test: &str, why: &str) {
    let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") else { return };
    let mut file = fs::OpenOptions::new().append(true).create(true).open(list).unwrap();
    writeln!(file, "staging::{test}: skipped, because {why}").unwrap();
}
