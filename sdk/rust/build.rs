//! Writes the `plugin!` macro with the place of the WIT packages filled in.
//!
//! The bindings of a plugin are generated while the plugin is compiled, and a macro has no other way
//! to know where the WIT of this crate lies.

use std::path::Path;
use std::{env, fs, io};

/// The packages a plugin can name without copying them into its own `wit` directory.
const PACKAGES: [&str; 5] = ["plugin", "host", "research", "agent", "mcp"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/plugin.rs.in");
    let root = var("CARGO_MANIFEST_DIR")?;
    let wit = Path::new(&root).join("../../wit/v0.1").canonicalize()?;
    // A path is put into the macro as a literal.
    let literal = |package: &&str| format!("{:?}", wit.join(package).to_string_lossy());
    let paths: Vec<String> = PACKAGES.iter().map(literal).collect();
    let source = fs::read_to_string(Path::new(&root).join("src/plugin.rs.in"))?;
    let source = source.replace("\"@WIT@\"", &paths.join(", "));
    let source = source.replace("\"@AGENT@\"", &literal(&"agent"));
    fs::write(Path::new(&var("OUT_DIR")?).join("plugin.rs"), source)
}

fn var(name: &str) -> io::Result<String> {
    env::var(name).map_err(|error| io::Error::other(format!("`{name}`: {error}")))
}
