//! `cargo xtask conformance`: the conformance suite of the Model Context Protocol against
//! `ringfence mcp serve`, with a plugin that offers what the suite expects, and against the client of
//! outside servers. That one speaks over standard input and output alone: what the suite asks of HTTP and
//! of logging in is not about it.
//!
//! The suite and the Node it runs on are the versions that `tests/mcp/conformance.txt` names, below the
//! target directory. Every scenario that a revision requires has to pass, or to stand with its reason in
//! `tests/mcp/expected-failures.yml`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

use crate::failure::Failure;
use crate::guests::{self, Selection};
use crate::stages::Stages;
use crate::workspace::Workspace;
use crate::{peers, process, setup};

/// The revisions that are served.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
/// The guest that is served.
const FIXTURE: &str = "conformance-fixture";
/// Whom its tools ask.
const LET_ASK: [&str; 6] = ["--let-ask", "person", "--let-ask", "model", "--let-ask", "roots"];

/// Installs the suite, builds what it needs and runs it.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let mut stages = Stages::start("conformance");
    let suite = Suite::of(workspace)?;
    stages.need("setup", "the tools a build needs", || setup::run(workspace))?;
    stages
        .need("suite", "the pinned suite; the first time it is downloaded", || suite.install())?;
    stages
        .need("guests", "the plugin that is served", || guests::run(workspace, Selection::All))?;
    stages.need("host", "the program that serves it", || {
        let args = ["build", "--bin", "ringfence", "--examples"];
        process::run(&mut process::host_cargo(workspace, &args))
    })?;
    for revision in REVISIONS {
        stages.run(revision, "every scenario that a server of this revision has to pass", || {
            suite.server(revision)
        });
    }
    for (name, revision) in [("client 2025", REVISIONS[0]), ("client 2026", REVISIONS[1])] {
        stages.run(name, "what a client of this revision has to pass and is about ours", || {
            suite.client(revision)
        });
    }
    stages.finish()
}

/// The installed suite, and what it is run with.
struct Suite<'w> {
    workspace: &'w Workspace,
    dir: PathBuf,
    packages: Vec<String>,
}

/// What `mcp serve --listen --json` says when it begins.
#[derive(Deserialize)]
struct Serving {
    url: String,
    token: String,
}

impl<'w> Suite<'w> {
    fn of(workspace: &'w Workspace) -> Result<Self, Failure> {
        let packages = peers::listed(workspace, "conformance.txt")?;
        Ok(Self { workspace, dir: workspace.target().join("mcp-conformance"), packages })
    }

    fn install(&self) -> Result<(), Failure> {
        let stamp = self.dir.join("installed.txt");
        let wanted = self.packages.join("\n");
        if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            println!("    installed");
            return Ok(());
        }
        make(&self.dir)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        process::run(npm.arg(&self.dir).args(&self.packages))?;
        std::fs::write(&stamp, wanted).map_err(|source| Failure::io("write", &stamp, &source))
    }

    /// Runs what a server of `revision` has to pass.
    fn server(&self, revision: &str) -> Result<(), Failure> {
        let (_server, serving) = self.serve()?;
        let mut bearer = self.node();
        bearer.arg(self.workspace.path("tests/mcp/bearer.mjs")).arg(&serving.url);
        bearer.env("RINGFENCE_TOKEN", &serving.token).stdin(Stdio::piped());
        let (_bearer, url) = started(bearer)?;
        let mut suite = self.conformance("server");
        suite.args(["--url", url.trim(), "--requirements", revision]);
        let output = process::capture(suite.arg("--expected-failures").arg(self.expected()))?;
        self.verdict("server", revision, &output)
    }

    /// Runs what a client of `revision` has to pass.
    fn client(&self, revision: &str) -> Result<(), Failure> {
        let carrier = self.workspace.path("tests/mcp/client.mjs");
        let node = self.node();
        let client = format!("{} {}", node.get_program().display(), carrier.display());
        let program = format!("conformance-client{}", std::env::consts::EXE_SUFFIX);
        let mut suite = self.conformance("client");
        suite.env("RINGFENCE_CLIENT", self.workspace.target().join("debug/examples").join(program));
        suite.args(["--command", &client, "--requirements", revision]);
        let output = process::capture(suite.arg("--expected-failures").arg(self.expected()))?;
        self.verdict("client", revision, &output)
    }

    /// Starts the server; it ends when what is returned is dropped.
    fn serve(&self) -> Result<(Running, Serving), Failure> {
        let plugin = self.dir.join("plugin");
        make(&plugin)?;
        let from = [
            self.workspace.path("tests/guests/manifests").join(FIXTURE).join("plugin.toml"),
            self.workspace.path("tests/guests/out").join(format!("{FIXTURE}.wasm")),
        ];
        for from in from {
            let to = plugin.join(from.file_name().unwrap_or_default());
            std::fs::copy(&from, to).map_err(|source| Failure::io("copy", &from, &source))?;
        }
        let home = self.dir.join("home");
        make(&home)?;
        let mut command = Command::new(self.workspace.binary());
        command.args(["--json", "mcp", "serve"]).arg(plugin).arg("--listen").args(LET_ASK);
        command.current_dir(&self.dir).env("HOME", home).stdin(Stdio::null());
        for name in ["CACHE", "CONFIG", "DATA", "STATE"] {
            command.env_remove(format!("XDG_{name}_HOME"));
        }
        let (running, line) = started(command)?;
        let serving = serde_json::from_str(&line).map_err(|error| {
            Failure::new(format!("`ringfence mcp serve` said `{}`: {error}", line.trim()))
        })?;
        Ok((running, serving))
    }

    fn conformance(&self, part: &str) -> Command {
        let mut command = self.node();
        let program = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
        command.arg(self.dir.join(program)).arg(part).arg("-o").arg(self.dir.join("results"));
        command.current_dir(&self.dir);
        command
    }

    fn expected(&self) -> PathBuf {
        self.workspace.path("tests/mcp/expected-failures.yml")
    }

    /// Returns the Node that was installed; elsewhere than on Linux the one there is.
    fn node(&self) -> Command {
        let own = format!("node_modules/node-linux-{}/bin/node", peers::arch());
        let own = self.dir.join(own);
        Command::new(if own.is_file() { own } else { PathBuf::from("node") })
    }

    /// Says how many of the required scenarios passed, and fails as the suite does.
    fn verdict(
        &self,
        part: &str,
        revision: &str,
        output: &std::process::Output,
    ) -> Result<(), Failure> {
        let said = String::from_utf8_lossy(&output.stdout);
        let summary = said.split_once("SUMMARY ===").map_or(&*said, |(_, summary)| summary);
        let list =
            format!("node_modules/@modelcontextprotocol/conformance/requirements/{revision}.yaml");
        let list = self.dir.join(list);
        let list =
            std::fs::read_to_string(&list).map_err(|source| Failure::io("read", &list, &source))?;
        let required = required(&list, part);
        let passed = passed(summary, &required);
        println!(
            "    {part} of {revision}: {passed} of {} required scenarios passed",
            required.len()
        );
        if output.status.success() && !required.is_empty() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("the suite ended with {}:\n{summary}\n{errors}", output.status))
            .hint("`results` below `mcp-conformance` in the target directory has each check"))
    }
}

/// Returns the scenarios that a list of requirements names for a part.
fn required(list: &str, part: &str) -> Vec<String> {
    let section = list.lines().skip_while(|line| *line != format!("{part}:")).skip(1);
    let section = section.take_while(|line| line.starts_with("  - "));
    section.map(|line| line.trim_start_matches("  - ").to_owned()).collect()
}

/// Returns how many of the required scenarios a summary says have passed.
fn passed(summary: &str, required: &[String]) -> usize {
    let lines = summary.lines().take_while(|line| !line.starts_with("Total:"));
    let names = lines.filter_map(|line| line.strip_prefix("✓ ")?.split_once(": "));
    names.filter(|(name, _)| required.iter().any(|one| one == name)).count()
}

fn make(dir: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(dir).map_err(|source| Failure::io("make", dir, &source))
}

/// A process that ends when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process and returns the first line it says.
fn started(mut command: Command) -> Result<(Running, String), Failure> {
    let line = process::shown(&command);
    let child = command.stdout(Stdio::piped()).spawn();
    let child = child.map_err(|source| Failure::new(format!("cannot start `{line}`: {source}")))?;
    let mut running = Running(child);
    let mut said = String::new();
    if let Some(stdout) = running.0.stdout.take() {
        let read = BufReader::new(stdout).read_line(&mut said);
        read.map_err(|source| Failure::new(format!("`{line}` says nothing: {source}")))?;
    }
    if said.is_empty() {
        return Err(Failure::new(format!("`{line}` ended before it said anything")));
    }
    Ok((running, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn required_scenarios_that_passed_are_counted_and_no_others() {
        let list = "# a comment\nserver:\n  - a\n  - b\n\nclient:\n  - c\n";
        assert_eq!(required(list, "server"), ["a", "b"]);
        assert_eq!(required(list, "client"), ["c"]);
        assert!(required(list, "other").is_empty());
        let summary = "\n✓ a: 2 passed, 0 failed\n✗ b: 1 passed, 1 failed\n✓ d: 1 passed, 0 failed\n\nTotal: 3\n  ✓ b: x";
        assert_eq!(passed(summary, &required(list, "server")), 1);
    }
}
