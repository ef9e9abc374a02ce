//! A workspace with a state directory beside it, and ways to run the command in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Who runs the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Whoever runs the tests.
    Me,
    /// An ordinary user, started by root.
    Nobody,
}

const NOBODY: u32 = 65534;

pub(crate) struct Fixture {
    root: tempfile::TempDir,
    who: Who,
    program: PathBuf,
}

/// Runs `test` once for each user this machine lets it be run as.
pub(crate) fn each(test: impl Fn(&Fixture)) {
    test(&Fixture::new(Who::Me).unwrap());
    let nobody = Fixture::new(Who::Nobody);
    if let Some(nobody) = nobody.filter(Fixture::starts) {
        test(&nobody);
    }
}

impl Fixture {
    /// Returns a fixture, or nothing when this user cannot make one for that user.
    pub(crate) fn new(who: Who) -> Option<Self> {
        let root = tempfile::tempdir().unwrap();
        let built = PathBuf::from(env!("CARGO_BIN_EXE_ringfence"));
        let program = match who {
            Who::Me => built,
            // The directory of the build may be closed to others.
            Who::Nobody => {
                let near = root.path().join("ringfence");
                let linked = std::fs::hard_link(&built, &near);
                linked.or_else(|_| std::fs::copy(&built, &near).map(drop)).unwrap();
                near
            }
        };
        let fixture = Self { root, who, program };
        for dir in ["work", "state", "home"] {
            std::fs::create_dir(fixture.root.path().join(dir)).unwrap();
            fixture.own(&fixture.root.path().join(dir)).ok()?;
        }
        fixture.own(fixture.root.path()).ok()?;
        Some(fixture)
    }

    /// Returns the command that was built, where the user of this fixture can reach it.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    fn starts(&self) -> bool {
        self.command(&["--version"]).output().is_ok_and(|done| done.status.success())
    }

    pub(crate) fn own(&self, path: &Path) -> std::io::Result<()> {
        match self.who {
            Who::Me => Ok(()),
            Who::Nobody => std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)),
        }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        let parent = path.parent().unwrap();
        if !parent.exists() {
            std::fs::create_dir_all(parent).unwrap();
            self.own(parent).unwrap();
        }
        std::fs::write(&path, text).unwrap();
        self.own(&path).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.work().join(name)).ok()
    }

    /// Returns the names in the workspace.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.work()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns `program` as the user of this fixture would start it.
    pub(crate) fn start(&self, program: &OsStr) -> Command {
        let mut command = match self.who {
            Who::Me => Command::new(program),
            Who::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
                command
            }
        };
        command.current_dir(self.work()).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.home());
        command.env("RINGFENCE_STATE_DIR", self.state()).env("XDG_CACHE_HOME", self.home());
        command
    }

    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = self.start(self.program.as_os_str());
        command.args(args);
        command
    }

    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Done {
        Done::of(&self.command(args).output().unwrap())
    }

    /// Returns what an approval of this command names.
    pub(crate) fn subject<S: AsRef<OsStr>>(&self, flags: &[&str], argv: &[S]) -> String {
        let mut command = self.command(&["--json", "exec", "--plan"]);
        command.args(flags).arg("--").args(argv);
        let done = command.output().unwrap();
        let plan: serde_json::Value = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", Done::of(&done).err));
        plan["subject"].as_str().unwrap().to_owned()
    }

    /// Returns the command that runs `argv`, approved ahead.
    pub(crate) fn approved<S: AsRef<OsStr>>(&self, flags: &[&str], argv: &[S]) -> Command {
        let subject = self.subject(flags, argv);
        let mut command = self.command(&["exec", "--approver", "none", "--approve", &subject]);
        command.args(flags).arg("--").args(argv);
        command
    }

    /// Runs `argv`, approved ahead, and checks how it ends.
    pub(crate) fn check<S: AsRef<OsStr>>(&self, flags: &[&str], argv: &[S], code: i32) -> Done {
        let done = Done::of(&self.approved(flags, argv).output().unwrap());
        assert_eq!(done.code, Some(code), "{}\n{}", done.out, done.err);
        done
    }

    /// Runs a script in the shell, approved ahead.
    pub(crate) fn sh(&self, flags: &[&str], script: &str, code: i32) -> Done {
        self.check(flags, &["sh", "-c", script], code)
    }

    /// Returns the records of the audit log, checked.
    pub(crate) fn log(&self) -> Vec<serde_json::Value> {
        let verified = self.run(&["audit", "verify"]);
        assert_eq!(verified.code, Some(0), "{}\n{}", verified.out, verified.err);
        let text = std::fs::read_to_string(self.state().join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the operations in the log about native programs, in order.
    pub(crate) fn operations(&self) -> Vec<String> {
        let own = |record: &serde_json::Value| record["operation"].as_str().map(str::to_owned);
        let all = self.log();
        let mine = all.iter().filter_map(own);
        mine.filter(|name| name.starts_with("exec.") || name.starts_with("approval.")).collect()
    }

    /// Checks that nothing of a stage is left.
    pub(crate) fn no_stage_is_left(&self) {
        let staging = self.state().join("staging");
        let Ok(entries) = std::fs::read_dir(staging) else { return };
        let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done = Self {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        };
        assert!(!done.err.contains("panicked"), "{}", done.err);
        done
    }

    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is not in\n{}", self.err);
        }
    }
}

/// Returns the processes of this machine that have `marker` among their arguments.
pub(crate) fn processes_with(marker: &str) -> Vec<String> {
    let has = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (line.starts_with("sleep") && line.contains(marker)).then_some(line)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| has(entry.ok()?)).collect()
}
