//! What a plugin must be granted for each interface it imports.
//!
//! One table, `TABLE`; everything else here reads it. An interface that is not in it is unknown,
//! and an unknown interface is never linked.

use ringfence_capability::Kind;
use semver::Version;

/// What an import needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "loading must handle every answer")]
pub enum ImportClass {
    /// Always linked, because it carries no authority.
    Baseline,
    /// Linked when a capability of one of these kinds is granted.
    Needs(&'static [Kind]),
    /// One of ringfence's own interfaces that this version does not offer.
    HostInterface,
    /// A known interface in a version newer than this host knows.
    Newer {
        /// The versions it knows.
        supported: &'static str,
    },
    /// A known interface in a version older than this host still offers, or a draft of it.
    Older {
        /// The versions it knows.
        supported: &'static str,
    },
    /// Nothing this host knows.
    Unknown,
}

/// Which versions of a package are offered, and which are too new for this host.
#[derive(Debug, Clone, Copy)]
struct Versions {
    text: &'static str,
    accepts: fn(&Version) -> bool,
    too_new: fn(&Version) -> bool,
}

const WASI_02: Versions =
    Versions { text: "0.2.x", accepts: |v| minor(v, 2), too_new: |v| after(v, 2) };
const WASI_03: Versions =
    Versions { text: "0.3.x", accepts: |v| minor(v, 3), too_new: |v| after(v, 3) };
const WASI_BOTH: Versions = Versions {
    text: "0.2.x and 0.3.x",
    accepts: |v| minor(v, 2) || minor(v, 3),
    too_new: |v| after(v, 3),
};
const CONFIG: Versions = Versions {
    text: "0.2.0-rc.1",
    accepts: |v| draft(v, &["rc.1"]),
    too_new: |v| minor(v, 2) || after(v, 2),
};
const KEYVALUE: Versions = Versions {
    text: "0.2.0-draft and 0.2.0-draft2",
    accepts: |v| draft(v, &["draft", "draft2"]),
    too_new: |v| minor(v, 2) || after(v, 2),
};
const OURS: Versions =
    Versions { text: "0.1.x", accepts: |v| minor(v, 1), too_new: |v| after(v, 1) };

const FS: ImportClass = ImportClass::Needs(&[Kind::FsRead, Kind::FsWrite]);
const HTTP: ImportClass = ImportClass::Needs(&[Kind::HttpRead, Kind::HttpWrite]);
const SOCKET: ImportClass = ImportClass::Needs(&[Kind::Socket]);
const CLOCK: ImportClass = ImportClass::Needs(&[Kind::Clock]);
const RANDOM: ImportClass = ImportClass::Needs(&[Kind::Random]);
const KV: ImportClass = ImportClass::Needs(&[Kind::Kv]);
const EXEC: ImportClass = ImportClass::Needs(&[Kind::Exec]);
const OUTSIDE: ImportClass = ImportClass::Needs(&[Kind::Mcp]);
const STORE: ImportClass = ImportClass::Needs(&[Kind::Config]);
const BASE: ImportClass = ImportClass::Baseline;
const TOOLS: ImportClass = ImportClass::Needs(&[Kind::Tool, Kind::Mcp]);
const MODEL: ImportClass = ImportClass::Needs(&[Kind::Model]);
const AGENTS: ImportClass = ImportClass::Needs(&[Kind::Agent]);

/// Package, its versions, interfaces, and what they need.
const TABLE: &[(&str, Versions, &[&str], ImportClass)] = &[
    ("wasi:io", WASI_02, &["error", "poll", "streams"], BASE),
    ("wasi:cli", WASI_BOTH, &["environment", "exit", "stdin", "stdout", "stderr"], BASE),
    ("wasi:cli", WASI_BOTH, &["terminal-input", "terminal-output"], BASE),
    ("wasi:cli", WASI_BOTH, &["terminal-stdin", "terminal-stdout", "terminal-stderr"], BASE),
    ("wasi:cli", WASI_03, &["types"], BASE),
    ("wasi:filesystem", WASI_BOTH, &["types", "preopens"], FS),
    // The types carry no authority: a request can be built, but only the handler sends it.
    ("wasi:http", WASI_BOTH, &["types"], BASE),
    ("wasi:http", WASI_02, &["outgoing-handler"], HTTP),
    ("wasi:http", WASI_03, &["client"], HTTP),
    ("wasi:sockets", WASI_BOTH, &["ip-name-lookup"], SOCKET),
    ("wasi:sockets", WASI_02, &["network", "instance-network", "tcp", "udp"], SOCKET),
    ("wasi:sockets", WASI_02, &["tcp-create-socket", "udp-create-socket"], SOCKET),
    ("wasi:sockets", WASI_03, &["types"], SOCKET),
    ("wasi:clocks", WASI_BOTH, &["monotonic-clock", "timezone"], CLOCK),
    ("wasi:clocks", WASI_02, &["wall-clock"], CLOCK),
    ("wasi:clocks", WASI_03, &["system-clock"], CLOCK),
    // Only type definitions.
    ("wasi:clocks", WASI_03, &["types"], BASE),
    ("wasi:random", WASI_BOTH, &["random", "insecure", "insecure-seed"], RANDOM),
    ("wasi:keyvalue", KEYVALUE, &["store", "atomics", "batch"], KV),
    ("wasi:config", CONFIG, &["store"], STORE),
    ("ringfence:host", OURS, &["log", "progress", "limits"], BASE),
    ("ringfence:host", OURS, &["exec"], EXEC),
    ("ringfence:host", OURS, &["mcp"], OUTSIDE),
    ("ringfence:agent", OURS, &["types", "control", "approval"], BASE),
    ("ringfence:agent", OURS, &["tools"], TOOLS),
    ("ringfence:agent", OURS, &["model"], MODEL),
    ("ringfence:agent", OURS, &["mailbox", "agents"], AGENTS),
    ("ringfence:plugin", OURS, &["types"], BASE),
    ("ringfence:mcp", OURS, &["types"], BASE),
    ("ringfence:research", OURS, &["types"], BASE),
];

/// Tells what the import `import_name`, such as `wasi:filesystem/types@0.2.6`, needs.
pub fn import_capability(import_name: &str) -> ImportClass {
    let Some((package, interface, version)) = split(import_name) else {
        return ImportClass::Unknown;
    };
    let rows = TABLE.iter().filter(|row| row.0 == package && row.2.contains(&interface));
    let mut answer = ImportClass::Unknown;
    for (_, versions, _, class) in rows {
        if (versions.accepts)(&version) {
            return *class;
        }
        let supported = versions.text;
        answer = if (versions.too_new)(&version) {
            ImportClass::Newer { supported }
        } else {
            ImportClass::Older { supported }
        };
    }
    answer
}

/// Tells whether `pattern` (`wasi:sockets/tcp` or `wasi:sockets/*`) covers `import_name`, whatever
/// its version.
pub fn pattern_covers(pattern: &str, import_name: &str) -> bool {
    let bare = import_name.split_once('@').map_or(import_name, |(bare, _)| bare);
    match pattern.strip_suffix("/*") {
        Some(package) => bare.split_once('/').is_some_and(|(mine, _)| mine == package),
        None => bare == pattern,
    }
}

/// Returns package, interface and version of `ns:pkg/interface@version`.
pub(crate) fn split(name: &str) -> Option<(&str, &str, Version)> {
    let (path, version) = name.split_once('@')?;
    let (package, interface) = path.split_once('/')?;
    Some((package, interface, Version::parse(version).ok()?))
}

fn minor(version: &Version, minor: u64) -> bool {
    version.major == 0 && version.minor == minor && version.pre.is_empty()
}

fn after(version: &Version, minor: u64) -> bool {
    (version.major, version.minor) > (0, minor)
}

fn draft(version: &Version, drafts: &[&str]) -> bool {
    (version.major, version.minor, version.patch) == (0, 2, 0)
        && drafts.contains(&version.pre.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_import_has_its_class() {
        let newer = |supported| ImportClass::Newer { supported };
        let older = |supported| ImportClass::Older { supported };
        for (import, class) in [
            ("wasi:io/poll@0.2.6", BASE),
            ("wasi:io/streams@0.2.0", BASE),
            ("wasi:io/poll@0.3.0", newer("0.2.x")),
            ("wasi:cli/environment@0.2.12", BASE),
            ("wasi:cli/terminal-stderr@0.3.0", BASE),
            ("wasi:cli/types@0.3.0", BASE),
            ("wasi:cli/run@0.2.6", ImportClass::Unknown),
            ("wasi:filesystem/types@0.2.6", FS),
            ("wasi:filesystem/preopens@0.3.0", FS),
            ("wasi:filesystem/types@0.4.0", newer("0.2.x and 0.3.x")),
            ("wasi:filesystem/types@1.0.0", newer("0.2.x and 0.3.x")),
            ("wasi:filesystem/types@0.3.0-rc-2025-09-16", older("0.2.x and 0.3.x")),
            ("wasi:filesystem/types@0.4.0-rc-1", newer("0.2.x and 0.3.x")),
            ("wasi:filesystem/types@0.1.0", older("0.2.x and 0.3.x")),
            ("wasi:http/types@0.2.6", BASE),
            ("wasi:http/outgoing-handler@0.2.6", HTTP),
            ("wasi:http/client@0.3.0", HTTP),
            ("wasi:http/client@0.2.6", older("0.3.x")),
            ("wasi:http/handler@0.3.0", ImportClass::Unknown),
            ("wasi:sockets/tcp@0.2.6", SOCKET),
            ("wasi:clocks/wall-clock@0.2.6", CLOCK),
            ("wasi:clocks/system-clock@0.3.0", CLOCK),
            ("wasi:random/insecure-seed@0.2.6", RANDOM),
            ("wasi:keyvalue/store@0.2.0-draft", KV),
            ("wasi:keyvalue/atomics@0.2.0-draft2", KV),
            ("wasi:keyvalue/store@0.2.0", newer("0.2.0-draft and 0.2.0-draft2")),
            ("wasi:config/store@0.2.0-rc.1", STORE),
            ("wasi:config/store@0.2.0-draft", older("0.2.0-rc.1")),
            ("wasi:config/store@0.2.1", newer("0.2.0-rc.1")),
            ("ringfence:host/log@0.1.0", BASE),
            ("ringfence:host/log@0.2.0", newer("0.1.x")),
            ("ringfence:host/exec@0.1.0", EXEC),
            ("ringfence:host/exec@0.2.0", newer("0.1.x")),
            ("ringfence:host/mcp@0.1.0", OUTSIDE),
            ("ringfence:agent/model@0.1.0", MODEL),
            ("ringfence:plugin/types@0.1.0", BASE),
            ("ringfence:research/types@0.1.0", BASE),
            ("ringfence:research/provider@0.1.0", ImportClass::Unknown),
            ("wasi:nn/tensor@0.2.0", ImportClass::Unknown),
            ("wasi:io/poll", ImportClass::Unknown),
            ("wasi:io/poll@latest", ImportClass::Unknown),
            ("log", ImportClass::Unknown),
            ("", ImportClass::Unknown),
        ] {
            assert_eq!(import_capability(import), class, "{import}");
        }
    }

    #[test]
    fn a_stub_pattern_covers_one_interface_or_a_package() {
        for (pattern, import, covered) in [
            ("wasi:sockets/*", "wasi:sockets/tcp@0.2.6", true),
            ("wasi:sockets/tcp", "wasi:sockets/tcp@0.2.6", true),
            ("wasi:sockets/tcp", "wasi:sockets/tcp-create-socket@0.2.6", false),
            ("wasi:sock/*", "wasi:sockets/tcp@0.2.6", false),
        ] {
            assert_eq!(pattern_covers(pattern, import), covered, "{pattern} {import}");
        }
    }

    proptest! {
        #[test]
        fn a_name_with_no_known_package_never_gets_a_class(name in "[a-z:/@0-9.*-]{0,40}") {
            prop_assume!(!name.starts_with("wasi:") && !name.starts_with("ringfence:"));
            prop_assert_eq!(import_capability(&name), ImportClass::Unknown);
        }
    }
}
