//! `cargo xtask peers`: the MCP servers and clients of others that tests talk to, at the versions that
//! `tests/mcp/npm.txt` and `tests/mcp/pip.txt` name, below the target directory.
//!
//! Tests that find none of them there skip, and say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;

/// The file that says which versions are installed.
const STAMP: &str = "installed.txt";

/// Installs what is not installed yet.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    let dir = workspace.target().join("mcp-peers");
    let (npm, pip) = (listed(workspace, "npm.txt")?, listed(workspace, "pip.txt")?);
    let wanted = format!("{}\n{}\n", npm.join("\n"), pip.join("\n"));
    let stamp = dir.join(STAMP);
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        println!("    peers     installed");
        return Ok(());
    }
    std::fs::create_dir_all(&dir).map_err(|source| Failure::io("make", &dir, &source))?;
    let mut install = Command::new("npm");
    install.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
    process::run(install.arg(&dir).args(&npm))?;
    let venv = dir.join("venv");
    process::run(Command::new(python()).args(["-m", "venv"]).arg(&venv))?;
    let pip_program = venv.join("bin/pip");
    process::run(Command::new(pip_program).args(["install", "--quiet"]).args(&pip))?;
    std::fs::write(&stamp, wanted).map_err(|source| Failure::io("write", &stamp, &source))
}

/// Returns the packages of a list, as they are called for this machine.
pub(crate) fn listed(workspace: &Workspace, name: &str) -> Result<Vec<String>, Failure> {
    let path = workspace.path("tests/mcp").join(name);
    let text = std::fs::read_to_string(&path);
    let text = text.map_err(|source| Failure::io("read", &path, &source))?;
    // A Node of a certain version comes as a package for Linux; elsewhere the one on the path is used.
    let is_for_here = |line: &&str| {
        !line.is_empty() && (cfg!(target_os = "linux") || !line.starts_with("node-linux-"))
    };
    Ok(text.lines().filter(is_for_here).map(|line| line.replace("{arch}", arch())).collect())
}

/// Returns the system's own Python where there is one: it can be read in the sandbox.
fn python() -> PathBuf {
    let own = Path::new("/usr/bin/python3");
    if own.is_file() { own.to_owned() } else { PathBuf::from("python3") }
}

/// Returns how the packages of Node call this machine.
pub(crate) fn arch() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" }
}
