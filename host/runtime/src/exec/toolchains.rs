//! What programs of a toolchain in the home directory read: its directories, without the files that
//! hold credentials, and the variables by which it finds them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ringfence_capability::{Capability, Origin, PathScope, Request};
use serde::Deserialize;

use super::ExecError;
use crate::places;

const FILE: &str = "policies/toolchains.toml";
const TEXT: &str = include_str!("../../../../policies/toolchains.toml");

/// The toolchains that are known by name.
#[derive(Debug, Clone)]
pub struct Toolchains(Vec<Toolchain>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    toolchain: Vec<Toolchain>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Toolchain {
    name: String,
    /// The directories its programs lie in.
    programs: Vec<String>,
    /// What they read.
    read: Vec<String>,
    /// Directories of it that come first on the `PATH`.
    #[serde(default)]
    path: Vec<String>,
    /// Variables by which they find it.
    #[serde(default)]
    set: BTreeMap<String, String>,
    /// Variables that keep them from trying a network that is not there.
    #[serde(default)]
    offline: BTreeMap<String, String>,
    reason: String,
}

/// What one program needs of its toolchains.
#[derive(Debug, Default)]
pub(super) struct Needed {
    pub(super) names: Vec<String>,
    /// Reading and variables, each optional: what policy forbids is not given.
    pub(super) requests: Vec<Request>,
    /// The variables; those in `offline` only without a network.
    pub(super) environment: BTreeMap<String, String>,
    pub(super) offline: BTreeMap<String, String>,
    pub(super) path: Vec<String>,
}

impl Toolchains {
    /// Returns the toolchains that are part of the host.
    pub fn built_in() -> Self {
        // A test reads the file; were it unreadable, no toolchain would be known.
        Self(toml::from_str::<File>(TEXT).map_or_else(|_| Vec::new(), |file| file.toolchain))
    }

    /// Returns their names.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|toolchain| toolchain.name.clone()).collect()
    }

    /// Returns what `program` needs, found at this path below `home`, and what the toolchains with
    /// these names need.
    pub(super) fn needed(
        &self,
        program: &Path,
        named: &[String],
        home: &Path,
    ) -> Result<Needed, ExecError> {
        if let Some(name) = named.iter().find(|name| self.0.iter().all(|one| one.name != **name)) {
            let known = self.names();
            return Err(ExecError::NoToolchain { name: name.clone(), known });
        }
        let mut needed = Needed::default();
        let holds = |toolchain: &&Toolchain| {
            let mut places = toolchain.programs.iter();
            named.contains(&toolchain.name)
                || places.any(|place| program.starts_with(below(home, place)))
        };
        for toolchain in self.0.iter().filter(holds) {
            needed.add(toolchain, program, home);
        }
        Ok(needed)
    }
}

impl Needed {
    fn add(&mut self, toolchain: &Toolchain, program: &Path, home: &Path) {
        self.names.push(toolchain.name.clone());
        for place in &toolchain.read {
            // What is not there cannot be read; what has no plain name cannot be granted.
            let Ok(path) = places::real(&below(home, place), "directory of a toolchain") else {
                continue;
            };
            let scope = path.to_str().and_then(|path| PathScope::elsewhere(path, path).ok());
            if let Some(scope) = scope {
                self.ask(Capability::FsRead(scope), toolchain);
            }
        }
        let of_home = |value: &String| match value.strip_prefix("~/") {
            Some(_) => below(home, value).to_str().map(str::to_owned),
            None => Some(value.clone()),
        };
        for (variables, into) in
            [(&toolchain.set, &mut self.environment), (&toolchain.offline, &mut self.offline)]
        {
            let of_home = |(name, value): (&String, &String)| Some((name.clone(), of_home(value)?));
            into.extend(variables.iter().filter_map(of_home));
        }
        for name in toolchain.set.keys().chain(toolchain.offline.keys()) {
            if let Ok(name) = name.parse() {
                self.ask(Capability::Env(name), toolchain);
            }
        }
        let inside = toolchain.programs.iter().any(|place| program.starts_with(below(home, place)));
        let own = program.parent().filter(|_| inside).and_then(Path::to_str).map(str::to_owned);
        self.path.extend(own);
        for path in toolchain.path.iter().filter_map(of_home) {
            if !self.path.contains(&path) {
                self.path.push(path);
            }
        }
    }

    fn ask(&mut self, capability: Capability, toolchain: &Toolchain) {
        let origin = Origin::Flag(format!("{FILE} ({})", toolchain.name));
        self.requests.push(Request::required(capability, &toolchain.reason, origin).optional());
    }
}

/// Returns the path that `~/…` stands for.
fn below(home: &Path, place: &str) -> PathBuf {
    place.strip_prefix("~/").map_or_else(|| PathBuf::from(place), |rest| home.join(rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_built_in_list_can_be_read_and_shows_no_credentials() {
        let file: File = toml::from_str(TEXT).unwrap();
        assert!(file.toolchain.iter().any(|toolchain| toolchain.name == "rust"));
        for toolchain in &file.toolchain {
            assert!(!toolchain.reason.is_empty(), "{}", toolchain.name);
            for place in toolchain.read.iter().chain(&toolchain.programs) {
                let rest = place.strip_prefix("~/").unwrap();
                assert!(!rest.is_empty() && !rest.contains(".."), "{place}");
                // A home directory of a tool holds its credentials too: only parts of it are shown.
                for whole in
                    [".cargo", ".rustup", ".npm", ".config", ".local", ".cache", ".m2", ".gradle"]
                {
                    assert_ne!(rest.trim_end_matches('/'), whole);
                }
            }
        }
    }

    #[test]
    fn a_program_gets_its_own_toolchain_and_those_that_are_named() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        let all = Toolchains::built_in();
        let names = |program: &str, named: &[&str]| {
            let named: Vec<_> = named.iter().map(|&name| name.to_owned()).collect();
            all.needed(&home.join(program), &named, &home).unwrap().names
        };
        assert_eq!(names(".cargo/bin/cargo", &[]), ["rust"]);
        assert_eq!(names("bin/make", &["rust"]), ["rust"]);
        assert!(names("bin/make", &[]).is_empty());
        let unknown = all.needed(&home, &["cobol".to_owned()], &home);
        assert!(matches!(unknown, Err(ExecError::NoToolchain { name, .. }) if name == "cobol"));
    }
}
