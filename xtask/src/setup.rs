//! `cargo xtask setup`: the tools a build needs, and the guest target when it is missing.

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace::Workspace;

/// What guests are compiled for.
pub(crate) const GUEST_TARGET: &str = "wasm32-wasip2";

/// What a person does when the target cannot be added.
const MANUAL: &str = "guests are compiled for `wasm32-wasip2`, which your Rust toolchain lacks. One of:
  with rustup     rustup target add wasm32-wasip2      (needs the network once)
  without rustup  install the package `rustup` of your distribution, then `rustup default stable`;
                  the WebAssembly packages of distributions (`rust-std-static-wasm32-wasip1`,
                  `libstd-rust-dev-wasm32`, `rust-wasm`) serve only if they contain wasip2
  offline         bring the archive `rust-std-<your version>-wasm32-wasip2` of the Rust distribution,
                  unpack it and run `./install.sh --prefix=$(rustc --print sysroot)`
  elsewhere       a compiler that has the target can serve the guests alone:
                  RINGFENCE_GUEST_RUSTC=/path/to/rustc
then run the same command again";

/// Checks the tools and adds the guest target; does nothing when all is there.
pub(crate) fn run(workspace: &Workspace) -> Result<(), Failure> {
    check_rustc(workspace)?;
    check_c_compiler()?;
    if has_guest_target(workspace)? {
        println!("    target    {GUEST_TARGET} is installed");
        return Ok(());
    }
    add_guest_target(workspace)
}

/// Returns the compiler for guests: the active one unless the environment names another.
pub(crate) fn guest_rustc() -> Option<std::ffi::OsString> {
    std::env::var_os("RINGFENCE_GUEST_RUSTC").filter(|path| !path.is_empty())
}

fn check_rustc(workspace: &Workspace) -> Result<(), Failure> {
    let mut command = Command::new("rustc");
    command.arg("--version").current_dir(workspace.root());
    let found = text(&mut command)?;
    let manifest = workspace.path("Cargo.toml");
    let wanted = std::fs::read_to_string(&manifest)
        .map_err(|source| Failure::io("read", &manifest, &source))?;
    let wanted = wanted
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = "))
        .map_or("0.0", |value| value.trim_matches('"'));
    if release(found.split_whitespace().nth(1).unwrap_or_default()) < release(wanted) {
        return Err(Failure::new(format!("`{found}` is too old, Rust {wanted} is needed"))
            .hint("run `rustup update stable`, or install a newer Rust from your distribution"));
    }
    println!("    compiler  {found} (needs {wanted})");
    Ok(())
}

fn check_c_compiler() -> Result<(), Failure> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    // CC may carry arguments, such as `ccache gcc`.
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or("cc"));
    command.args(words).arg("--version");
    let found = text(&mut command).map_err(|_| {
        Failure::new(format!("there is no C compiler: `{compiler} --version` failed")).hint(
            "install one: `sudo apt install gcc libc6-dev`, `sudo dnf install gcc` or \
             `xcode-select --install`; the key-value store and TLS have C parts",
        )
    })?;
    println!("    compiler  {}", found.lines().next().unwrap_or_default());
    Ok(())
}

/// Adds a target of the host's own compiler when it is missing.
pub(crate) fn need_target(workspace: &Workspace, target: &str) -> Result<(), Failure> {
    if has_target(workspace, "rustc".into(), target)? {
        return Ok(());
    }
    println!("    target    adding {target} (a download of about 30 MB, once)");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]).current_dir(workspace.root());
    process::run(&mut rustup)
}

fn has_guest_target(workspace: &Workspace) -> Result<bool, Failure> {
    has_target(workspace, guest_rustc().unwrap_or_else(|| "rustc".into()), GUEST_TARGET)
}

fn has_target(
    workspace: &Workspace,
    rustc: std::ffi::OsString,
    target: &str,
) -> Result<bool, Failure> {
    let mut command = Command::new(rustc);
    command.args(["--print", "target-libdir", "--target", target]);
    command.current_dir(workspace.root());
    let output = process::capture(&mut command)?;
    let dir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(output.status.success() && holds_std(Path::new(&dir)))
}

/// Returns whether a library directory holds a standard library.
fn holds_std(dir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd") && name.ends_with(".rlib")
    })
}

fn add_guest_target(workspace: &Workspace) -> Result<(), Failure> {
    println!("    target    adding {GUEST_TARGET} (a download of about 25 MB, once)");
    // In the root, and with the environment as it is: rustup then means the active toolchain.
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", GUEST_TARGET]).current_dir(workspace.root());
    let outcome = process::run(&mut rustup);
    if has_guest_target(workspace)? {
        return Ok(());
    }
    let cause = match outcome {
        Ok(()) => "rustup added it to a toolchain that is not the active one".to_owned(),
        Err(failure) => failure.to_string().replace("error: ", ""),
    };
    Err(Failure::new(format!("cannot add the target `{GUEST_TARGET}`: {cause}")).hint(MANUAL))
}

fn text(command: &mut Command) -> Result<String, Failure> {
    let output = process::capture(command)?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{}` failed", process::shown(command))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the numbers of a version, without what follows a `-`.
fn release(version: &str) -> Vec<u32> {
    let numbers = version.split('-').next().unwrap_or_default();
    numbers.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn versions_compare_by_number_not_by_text() {
        for (older, newer) in [("1.9.0", "1.95"), ("1.94.1", "1.95"), ("", "1.95")] {
            assert!(release(older) < release(newer), "{older} {newer}");
        }
        assert!(release("1.96.0-nightly") >= release("1.95"));
        assert!(release("1.95.0") >= release("1.95"));
    }

    #[test]
    fn a_directory_without_the_standard_library_does_not_count_as_the_target() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!holds_std(dir.path()));
        assert!(!holds_std(&dir.path().join("missing")));
        std::fs::write(dir.path().join("libstd-123.rlib"), "").unwrap();
        assert!(holds_std(dir.path()));
    }

    #[test]
    fn the_manual_way_names_rustup_distributions_and_the_offline_way() {
        for way in ["rustup target add wasm32-wasip2", "without rustup", "offline", "./install.sh"]
        {
            assert!(MANUAL.contains(way), "{way}");
        }
    }
}
