//! A workspace, a home with keys that are trusted, and bundles made on the spot.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ringfence_bundle::archive;
use ringfence_trust::{SecretKey, Signature};

/// A component that adds two numbers.
const ADD: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;

pub(crate) struct Fixture {
    root: tempfile::TempDir,
    program: PathBuf,
}

/// What ended a command.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let fixture = Self {
            root: tempfile::tempdir().unwrap(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_ringfence")),
        };
        for dir in ["work", "home/.config/ringfence", "elsewhere"] {
            std::fs::create_dir_all(fixture.path(dir)).unwrap();
        }
        fixture
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// Returns the workspace.
    pub(crate) fn work(&self) -> PathBuf {
        self.path("work")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    pub(crate) fn data(&self, below: &str) -> PathBuf {
        self.path("data").join(below)
    }

    /// Returns the command that was built.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        // In a session of its own there is no terminal to ask at.
        let mut command = if cfg!(target_os = "linux") {
            let mut command = self.start("setsid".as_ref());
            command.arg("-w").arg(self.program());
            command
        } else {
            self.start(self.program().as_os_str())
        };
        command.args(args);
        command
    }

    /// Returns `program` in the workspace, with the home of this fixture.
    pub(crate) fn start(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.work()).stdin(Stdio::null());
        command.env_remove("RINGFENCE_LOG").env("HOME", self.path("home"));
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
        command.env("RINGFENCE_STATE_DIR", self.path("state"));
        command.env("RINGFENCE_DATA_DIR", self.path("data"));
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
        command.env("RINGFENCE_CACHE_DIR", shared);
        command
    }

    /// Returns the command that was built, as one that starts it by itself does.
    pub(crate) fn start_program(&self, args: &[&str]) -> Command {
        let mut command = self.start(self.program().as_os_str());
        command.args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done { code: status.code(), out: text(stdout), err: text(stderr) };
        assert!(!done.err.contains("panicked"), "{args:?}\n{}", done.err);
        done
    }

    /// Runs `args` and checks how it ends and what it says, on both streams together.
    #[track_caller]
    pub(crate) fn check(&self, args: &[&str], code: i32, says: &[&str]) -> Done {
        let done = self.run(args);
        let all = format!("{}{}", done.out, done.err);
        assert_eq!(done.code, Some(code), "{args:?}\n{all}");
        for part in says {
            assert!(all.contains(part), "{args:?}: `{part}` is not in\n{all}");
        }
        done
    }

    /// Trusts `key` under this name, and no longer than the user's `trust.toml` has it.
    pub(crate) fn trust(&self, key: &SecretKey, name: &str, more: &str) {
        let file = self.path("home/.config/ringfence/trust.toml");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let public = key.public();
        let entry = format!(
            "{before}\n[[key]]\nid = \"{}\"\npublic = \"{public}\"\nname = \"{name}\"\n{more}\n",
            public.id()
        );
        std::fs::write(file, entry).unwrap();
    }

    /// Returns the manifest of `name` in this version, asking for reading these directories.
    pub(crate) fn manifest(name: &str, version: &str, asks: &[&str]) -> String {
        let mut text = format!(
            "[plugin]\nname = \"{name}\"\nversion = \"{version}\"\ncomponent = \"a.wasm\"\n"
        );
        for path in asks {
            text.push_str(&format!(
                "[[request]]\ncapability = \"fs.read\"\npath = \"{path}\"\nguest = \"/{}\"\nreason = \"reads it\"\n",
                path.trim_matches('/').replace('/', "-")
            ));
        }
        text.push_str("[tool.add]\neffect = \"read\"\n");
        text
    }

    /// Writes the directory of a plugin into the workspace.
    pub(crate) fn lay(&self, dir: &str, manifest: &str) {
        std::fs::create_dir_all(self.file(dir)).unwrap();
        std::fs::write(self.file(dir).join("plugin.toml"), manifest).unwrap();
        std::fs::write(self.file(dir).join("a.wasm"), wat::parse_str(ADD).unwrap()).unwrap();
    }

    /// Writes a bundle into the workspace, signed when there is a key, and returns its digest.
    pub(crate) fn pack(&self, file: &str, manifest: &str, key: Option<&SecretKey>) -> String {
        let files = BTreeMap::from([
            ("plugin.toml".to_owned(), manifest.as_bytes().to_vec()),
            ("a.wasm".to_owned(), wat::parse_str(ADD).unwrap()),
        ]);
        let mut sealed = archive::seal(files, file).unwrap();
        if let Some(key) = key {
            let value = |key: &str| {
                let line = manifest.lines().find(|line| line.starts_with(key)).unwrap();
                line.split('"').nth(1).unwrap().to_owned()
            };
            let comment = format!("plugin:{}@{} time:1700000000", value("name"), value("version"));
            let signature = Signature::sign(sealed.sums(), &comment, key).to_file();
            sealed = sealed.with_signature("SHA256SUMS.minisig", signature.into_bytes()).unwrap();
        }
        let mut bytes = Vec::new();
        sealed.write(&mut bytes).unwrap();
        std::fs::write(self.file(file), bytes).unwrap();
        sealed.digest().to_string()
    }

    /// Returns the names of the files in a directory of the data directory.
    pub(crate) fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.data(dir)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Returns the operations in the audit log with what was decided, oldest first.
    pub(crate) fn audit(&self) -> Vec<String> {
        let log = self.run(&["--json", "audit", "show"]);
        let json: serde_json::Value = serde_json::from_str(&log.out).unwrap();
        let told = |record: &serde_json::Value| {
            let operation = record["operation"].as_str().unwrap();
            let decision = record["decision"].as_str().unwrap_or_default();
            operation.starts_with("plugin.").then(|| format!("{operation} {decision}"))
        };
        json["records"].as_array().unwrap().iter().filter_map(told).collect()
    }
}

/// Returns a new key.
pub(crate) fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}
