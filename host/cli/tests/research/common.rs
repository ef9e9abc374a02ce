//! A place of a test's own, the command in it, and the corpus of the examples.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::server::Server;

pub(crate) const QUESTION: &str = "How is the water measured that seeps through a dam?";

/// State, data and configuration of one test.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.args(args).current_dir(repository()).env("NO_COLOR", "1");
        command.env("RINGFENCE_STATE_DIR", self.path("state"));
        command.env("RINGFENCE_DATA_DIR", self.path("data"));
        command.env("XDG_CONFIG_HOME", self.path("config"));
        command.env("RINGFENCE_STEPS", repository().join("plugins/steps"));
        command.env("TEST_TOKEN", "token-of-the-test");
        // Compiled code is shared by all tests: what it is of is checked whenever it is used. Pages are told
        // apart by the port of the server.
        command.env("RINGFENCE_CACHE_DIR", shared_cache());
        command
    }

    /// Runs the command and returns its exit code, standard output and standard error.
    pub(crate) fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// Runs a research over a directory and returns its report.
    pub(crate) fn report(&self, question: &str, from: &Path, more: &[&str]) -> Value {
        let from = from.to_string_lossy();
        let mut args = vec!["research", question, "--from", &from, "--json"];
        args.extend(more);
        let (code, out, err) = self.run(&args);
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).unwrap()
    }

    pub(crate) fn digest(&self, plugin: &str) -> String {
        let (code, out, err) = self.run(&["inspect", plugin, "--json"]);
        assert_eq!(code, 0, "{err}");
        let seen: Value = serde_json::from_str(&out).unwrap();
        seen["digest"].as_str().unwrap().to_owned()
    }

    /// Runs a provider that is granted the server, and what `more` says.
    pub(crate) fn research(&self, server: &Server, provider: &str, more: &[&str]) -> (i32, Value) {
        let path = if provider.contains('/') {
            provider.to_owned()
        } else {
            format!("plugins/steps/{provider}")
        };
        let digest = self.digest(&path);
        let host = server.address.to_string();
        let mut args = vec!["research", QUESTION, "--json", "--provider", provider];
        args.extend(["-p", "net-read-only", "--trust-digest", &digest]);
        args.extend(["--allow-address", "127.0.0.0/8", "--http", &host, "--strategy", "focused"]);
        args.extend(more);
        let (code, out, err) = self.run(&args);
        // Whatever is no JSON fails the test with all that was printed.
        let value = serde_json::from_str(&out).map_err(|error| format!("{error}: {out} {err}"));
        (code, value.unwrap())
    }
}

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn corpus() -> PathBuf {
    repository().join("examples/research/corpus")
}

/// The compiled code that all tests share.
pub(crate) fn shared_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("research")
}

/// Returns the plugin of a step, as a report names it.
pub(crate) fn plugin_of(report: &Value, step: &str) -> String {
    let mut steps = report["steps"].as_array().unwrap().iter();
    steps.find(|one| one["step"] == step).unwrap()["plugin"].as_str().unwrap().to_owned()
}
