//! `cargo xtask guests`: builds the plugins and the test guests and puts the components where the
//! manifests and the tests look for them.
//!
//! The linker of components drops the doc comments of WIT; plugins get theirs back before they are
//! put in place, so that `inspect` and every caller see what a function does.
//!
//! A component is copied only when its bytes changed, through a temporary file and a rename, so
//! that a reader never sees half of one and an interrupted run can simply be repeated.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::failure::Failure;
use crate::process;
use crate::setup::{self, GUEST_TARGET};
use crate::workspace::Workspace;

/// Folders below `plugins/` in which each folder with a `plugin.toml` is one plugin.
const PLUGIN_KINDS: [&str; 3] = ["tools", "steps", "agents"];

/// Templates that tests run as components; each is a workspace of its own, as it is where it is copied to.
const TEMPLATES: [&str; 1] = ["sdk/templates/step"];

/// The packages a plugin's WIT can name, in an order in which each uses only those before it.
const WIT_PACKAGES: [&str; 5] =
    ["wit/v0.1/plugin", "wit/v0.1/host", "wit/v0.1/research", "wit/v0.1/agent", "wit/v0.1/mcp"];

/// The program that puts doc comments into a component, an example of the room `bundle`.
const EMBED_DOCS: &str = "embed-docs";

/// Which guests are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The first-party plugins and the test guests.
    All,
    /// The first-party plugins alone.
    Plugins,
    /// The first-party plugins and these test guests, which are programs.
    Some(&'static [&'static str]),
}

/// A file to put in place after a build.
#[derive(Debug, PartialEq, Eq)]
struct Copy {
    from: PathBuf,
    to: PathBuf,
}

/// Builds what is selected and copies what changed.
pub(crate) fn run(workspace: &Workspace, selection: Selection) -> Result<(), Failure> {
    let why = "the first build compiles the WIT macros and the libraries, one to two minutes";
    build(workspace, "plugins", &[], why)?;
    build_embedder(workspace)?;
    let copies = plugin_copies(workspace)?;
    let described: Result<Vec<_>, _> =
        copies.into_iter().map(|copy| describe(workspace, copy)).collect();
    place(&described?, "plugins")?;
    place(&beside_program(workspace)?, "steps beside the program")?;
    let why = "one small program for each misdeed; about a minute at first";
    if selection == Selection::All {
        templates(workspace)?;
    }
    match selection {
        Selection::Plugins => Ok(()),
        Selection::All => {
            build(workspace, "tests/guests", &["--lib", "--bins", "--examples"], why)?;
            place(&guest_copies(workspace, |_| true)?, "test guests")
        }
        Selection::Some(names) => {
            let parts: Vec<_> = names.iter().flat_map(|name| ["--bin", *name]).collect();
            build(workspace, "tests/guests", &parts, why)?;
            place(
                &guest_copies(workspace, |guest| names.contains(&guest.name.as_str()))?,
                "test guests",
            )
        }
    }
}

/// Builds the templates as they stand.
fn templates(workspace: &Workspace) -> Result<(), Failure> {
    let mut copies = Vec::new();
    for template in TEMPLATES {
        build(workspace, template, &[], "as whoever copies it does; some seconds")?;
        copies.push(plugin_copy(workspace, &workspace.path(template))?);
    }
    place(&copies, "templates")
}

/// Builds what puts doc comments into components. Nothing of it needs the WebAssembly engine.
fn build_embedder(workspace: &Workspace) -> Result<(), Failure> {
    println!("    building {EMBED_DOCS} (for this machine; the first build takes about a minute)");
    let args = ["build", "--example", EMBED_DOCS];
    process::run(&mut process::host_cargo(workspace, &args))
}

/// Writes the component of a plugin with its doc comments beside the build, and returns the copy
/// that puts that one in place.
fn describe(workspace: &Workspace, copy: Copy) -> Result<Copy, Failure> {
    // An agent exports what all agents do, and has no WIT of its own.
    if !copy.to.with_file_name("wit").is_dir() {
        return Ok(copy);
    }
    let name = copy.from.file_name().map_or_else(|| "plugin.wasm".into(), PathBuf::from);
    let dir = workspace.guest_target().join("described");
    std::fs::create_dir_all(&dir).map_err(|source| Failure::io("create", &dir, &source))?;
    let described = dir.join(name);
    let program = format!("{EMBED_DOCS}{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(workspace.target().join("debug/examples").join(program));
    command.arg(&copy.from).arg(&described);
    command.args(WIT_PACKAGES.map(|package| workspace.path(package)));
    command.arg(copy.to.with_file_name("wit"));
    let output = process::capture(&mut command)?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(Failure::new(format!("no doc comments for `{}`: {why}", copy.to.display())));
    }
    Ok(Copy { from: described, to: copy.to })
}

fn build(workspace: &Workspace, dir: &str, parts: &[&str], why: &str) -> Result<(), Failure> {
    println!("    building {dir} for {GUEST_TARGET} ({why})");
    let mut args = vec!["build", "--release", "--target", GUEST_TARGET];
    args.extend(parts);
    let mut cargo = process::guest_cargo(workspace, dir, &args);
    if let Some(rustc) = setup::guest_rustc() {
        cargo.env("RUSTC", rustc).env_remove("RUSTUP_TOOLCHAIN");
    }
    process::run(&mut cargo)
}

fn place(copies: &[Copy], what: &str) -> Result<(), Failure> {
    let mut updated = 0;
    for copy in copies {
        if copy_changed(copy)? {
            updated += 1;
        }
    }
    println!("    {what}: {} components in place, {updated} updated", copies.len());
    Ok(())
}

/// Copies one file unless the bytes are the same, and returns whether it did.
fn copy_changed(copy: &Copy) -> Result<bool, Failure> {
    let bytes =
        std::fs::read(&copy.from).map_err(|source| Failure::io("read", &copy.from, &source))?;
    if std::fs::read(&copy.to).is_ok_and(|present| present == bytes) {
        return Ok(false);
    }
    let dir = copy.to.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(|source| Failure::io("create", dir, &source))?;
    let temporary = copy.to.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&temporary, bytes)
        .map_err(|source| Failure::io("write", &temporary, &source))?;
    std::fs::rename(&temporary, &copy.to)
        .map_err(|source| Failure::io("replace", &copy.to, &source))?;
    Ok(true)
}

/// The two keys of a plugin manifest that say where the component goes.
#[derive(Deserialize)]
struct Manifest {
    plugin: ManifestPlugin,
}

#[derive(Deserialize)]
struct ManifestPlugin {
    component: String,
}

/// The part of a `Cargo.toml` that names the file a build makes.
#[derive(Deserialize)]
struct CargoManifest {
    package: CargoPackage,
    lib: Option<CargoLib>,
}

#[derive(Deserialize)]
struct CargoPackage {
    name: String,
}

#[derive(Deserialize)]
struct CargoLib {
    name: Option<String>,
}

impl CargoManifest {
    /// Returns the name of the component: a library's name has underscores, a program's has not.
    fn artifact(&self) -> String {
        match &self.lib {
            Some(lib) => lib.name.clone().unwrap_or_else(|| self.package.name.replace('-', "_")),
            None => self.package.name.clone(),
        }
    }
}

fn plugin_copies(workspace: &Workspace) -> Result<Vec<Copy>, Failure> {
    let mut copies = Vec::new();
    for kind in PLUGIN_KINDS {
        let Ok(entries) = std::fs::read_dir(workspace.path("plugins").join(kind)) else { continue };
        let mut dirs: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        dirs.sort();
        for dir in dirs.iter().filter(|dir| dir.join("plugin.toml").is_file()) {
            copies.push(plugin_copy(workspace, dir)?);
        }
    }
    if copies.is_empty() {
        return Err(Failure::new("there is no `plugin.toml` under `plugins/`"));
    }
    Ok(copies)
}

/// Returns what puts the component of a plugin where its manifest says.
fn plugin_copy(workspace: &Workspace, dir: &Path) -> Result<Copy, Failure> {
    let manifest: Manifest = read_toml(&dir.join("plugin.toml"))?;
    let cargo: CargoManifest = read_toml(&dir.join("Cargo.toml"))?;
    let to = inside(dir, &manifest.plugin.component)?;
    Ok(Copy { from: built(workspace, &cargo.artifact()), to })
}

/// Returns what puts the research steps where the built program looks for them: into `steps`, beside it.
fn beside_program(workspace: &Workspace) -> Result<Vec<Copy>, Failure> {
    let (steps, beside) = (workspace.path("plugins/steps"), workspace.target().join("debug/steps"));
    let mut copies = Vec::new();
    for copy in plugin_copies(workspace)? {
        let Some(dir) = copy.to.parent().filter(|dir| dir.parent() == Some(&*steps)) else {
            continue;
        };
        let to = beside.join(dir.file_name().unwrap_or_default());
        for from in [copy.to.clone(), dir.join("plugin.toml")] {
            let to = to.join(from.file_name().unwrap_or_default());
            copies.push(Copy { from, to });
        }
    }
    Ok(copies)
}

/// `tests/guests/guests.toml`: the list of test guests.
#[derive(Deserialize)]
pub(crate) struct GuestList {
    /// Every guest, in the order of the file.
    pub(crate) guest: Vec<Guest>,
}

/// One test guest.
#[derive(Deserialize)]
pub(crate) struct Guest {
    /// The name the tests use.
    pub(crate) name: String,
    kind: GuestKind,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum GuestKind {
    Bin,
    Cdylib,
    Wat,
}

fn guest_copies(
    workspace: &Workspace,
    wanted: impl Fn(&Guest) -> bool,
) -> Result<Vec<Copy>, Failure> {
    let dir = workspace.path("tests/guests");
    let list: GuestList = read_toml(&dir.join("guests.toml"))?;
    let wanted = list.guest.iter().filter(|guest| wanted(guest));
    wanted.map(|guest| guest_copy(workspace, &dir, guest)).collect()
}

fn guest_copy(workspace: &Workspace, dir: &Path, guest: &Guest) -> Result<Copy, Failure> {
    let (from, extension) = match guest.kind {
        GuestKind::Bin => (built(workspace, &guest.name), "wasm"),
        GuestKind::Cdylib => {
            // A library guest is an example: one crate can have many of them.
            let example = format!("examples/{}", guest.name.replace('-', "_"));
            (built(workspace, &example), "wasm")
        }
        GuestKind::Wat => (dir.join("wat").join(format!("{}.wat", guest.name)), "wat"),
    };
    let to = inside(&dir.join("out"), &format!("{}.{extension}", guest.name))?;
    Ok(Copy { from, to })
}

fn built(workspace: &Workspace, artifact: &str) -> PathBuf {
    let dir = workspace.guest_target().join(GUEST_TARGET).join("release");
    dir.join(format!("{artifact}.wasm"))
}

/// Joins a file name from a manifest to a directory, and refuses anything but a plain name.
fn inside(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let plain = Path::new(name).file_name().is_some_and(|file| file == name);
    if !plain {
        return Err(Failure::new(format!("`{name}` in `{}` is not a file name", dir.display())));
    }
    Ok(dir.join(name))
}

/// Reads a TOML file into a type.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Failure::io("read", path, &source))?;
    toml::from_str(&text).map_err(|source| Failure::new(format!("`{}`: {source}", path.display())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_component_is_replaced_only_when_its_bytes_changed() {
        let dir = tempfile::tempdir().unwrap();
        let copy = Copy { from: dir.path().join("a.wasm"), to: dir.path().join("out/b.wasm") };
        assert!(copy_changed(&copy).is_err());
        for (bytes, copied) in [("one", true), ("one", false), ("two", true)] {
            std::fs::write(&copy.from, bytes).unwrap();
            assert_eq!(copy_changed(&copy).unwrap(), copied);
            assert_eq!(std::fs::read_to_string(&copy.to).unwrap(), bytes);
        }
        assert_eq!(std::fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
    }

    #[test]
    fn the_artifact_follows_the_kind_of_the_crate() {
        let cases = [
            ("[package]\nname = \"text-search\"\n[lib]\ncrate-type = [\"cdylib\"]", "text_search"),
            ("[package]\nname = \"text-search\"", "text-search"),
            ("[package]\nname = \"a-b\"\n[lib]\nname = \"c\"", "c"),
        ];
        for (manifest, artifact) in cases {
            let manifest: CargoManifest = toml::from_str(manifest).unwrap();
            assert_eq!(manifest.artifact(), artifact);
        }
    }

    #[test]
    fn plugins_are_found_by_manifest_and_placed_as_it_says() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(dir.path(), None);
        assert!(plugin_copies(&workspace).is_err());
        let plugin = dir.path().join("plugins/tools/my-tool");
        std::fs::create_dir_all(&plugin).unwrap();
        std::fs::create_dir_all(dir.path().join("plugins/tools/no-plugin")).unwrap();
        std::fs::write(plugin.join("plugin.toml"), "[plugin]\ncomponent = \"x.wasm\"").unwrap();
        std::fs::write(plugin.join("Cargo.toml"), "[package]\nname = \"my-tool\"\n[lib]").unwrap();
        let from = built(&workspace, "my_tool");
        let expected = vec![Copy { from, to: plugin.join("x.wasm") }];
        assert_eq!(plugin_copies(&workspace).unwrap(), expected);
    }

    #[test]
    fn each_kind_of_guest_comes_from_its_place_and_goes_to_one_folder() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(dir.path(), None);
        let guests = dir.path().join("tests/guests");
        std::fs::create_dir_all(&guests).unwrap();
        let list = "[[guest]]\nname = \"a-b\"\nkind = \"bin\"\n[[guest]]\nname = \"c-d\"\n\
                    kind = \"cdylib\"\n[[guest]]\nname = \"e\"\nkind = \"wat\"";
        std::fs::write(guests.join("guests.toml"), list).unwrap();
        let expected = [
            (built(&workspace, "a-b"), "out/a-b.wasm"),
            (built(&workspace, "examples/c_d"), "out/c-d.wasm"),
            (guests.join("wat/e.wat"), "out/e.wat"),
        ];
        let expected = expected.map(|(from, to)| Copy { from, to: guests.join(to) });
        assert_eq!(guest_copies(&workspace, |_| true).unwrap(), expected);
        let some = guest_copies(&workspace, |guest| guest.name == "e").unwrap();
        assert_eq!(some, expected[2..]);
    }

    #[test]
    fn a_component_outside_its_folder_is_refused() {
        for name in ["../x.wasm", "/x.wasm", "a/x.wasm", "..", ""] {
            assert!(inside(Path::new("dir"), name).is_err(), "{name}");
        }
    }
}
