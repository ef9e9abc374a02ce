//! Bundles from the command line: made, signed, checked with the tools everybody has, and refused when
//! anything about them is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests run the built command and the tools of the system on real files"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A component that adds two numbers.
const ADD: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;
const MANIFEST: &str =
    "[plugin]\nname = \"adder\"\nversion = \"0.1.0\"\ncomponent = \"adder.wasm\"\n";
const SBOM: &str = r#"{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
  {"name":"serde","version":"1.0.0","licenses":[{"expression":"MIT"}]}]}"#;

struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { root: tempfile::tempdir().unwrap() };
        fixture.write("adder/plugin.toml", MANIFEST.as_bytes());
        fixture.write("adder/adder.wasm", &wat::parse_str(ADD).unwrap());
        fixture.write("adder/README.md", b"Adds.\n");
        fixture.write("adder/wit/world.wit", b"package a:b;\n");
        fixture.write("adder/sbom.cdx.json", SBOM.as_bytes());
        // What is never packed unless it is asked for.
        fixture.write("adder/.env", b"TOKEN=1\n");
        fixture.write("adder/src/lib.rs", b"// source\n");
        fixture
    }

    fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.args(args).current_dir(self.work()).stdin(Stdio::null());
        command.env("HOME", self.root.path().join("home")).env_remove("XDG_CONFIG_HOME");
        command.env_remove("RINGFENCE_LOG");
        command.env("RINGFENCE_STATE_DIR", self.root.path().join("state"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
        command.env("RINGFENCE_CACHE_DIR", cache);
        command
    }

    #[track_caller]
    fn check(&self, args: &[&str], code: i32, parts: &[&str]) -> String {
        let done = self.run(args);
        let text = format!("{}{}", text(&done.stdout), text(&done.stderr));
        assert_eq!(done.status.code(), Some(code), "{args:?}\n{text}");
        for part in parts {
            assert!(text.contains(part), "{args:?}: `{part}` is not in\n{text}");
        }
        text
    }

    fn tool(&self, program: &str, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.work()).stdin(Stdio::null()).output().unwrap()
    }

    /// Makes the key `release`, trusts it as said, and packs and signs the plugin.
    fn signed(&self, trust: &[&str]) {
        self.check(&["keys", "new", "release", "--no-passphrase"], 0, &["RW"]);
        self.check(&["keys", "export", "release", "-o", "release.pub"], 0, &[]);
        self.check(&["pack", "adder", "-o", "a.rfz", "--sign", "release"], 0, &["a.rfz"]);
        let add = ["trust", "add", "release.pub", "--name", "Us"];
        self.check(&[&add, trust].concat(), 0, &["active  Us"]);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const RUN: [&str; 4] = ["run", "a.rfz", "--input", r#"{"a":2,"b":3}"#];

#[test]
fn a_signed_bundle_runs_and_the_log_names_its_signer() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    assert_eq!(text(&fixture.run(&RUN).stdout), "5\n");
    fixture.check(&["verify", "a.rfz"], 0, &["adder@0.1.0 is signed by `Us`", "5 files"]);
    let log = std::fs::read_to_string(fixture.root.path().join("state/audit.jsonl")).unwrap();
    assert!(log.contains(r#""signer":"Us ("#) && log.contains("trust.add"), "{log}");
    let shown = fixture.check(&["inspect", "a.rfz"], 0, &["trusted here", "built of 1", "MIT 1"]);
    assert!(!shown.contains(".env") && !shown.contains("lib.rs"), "{shown}");
}

#[test]
fn an_unsigned_bundle_is_capped_and_a_signed_one_goes_as_far_as_its_key() {
    let fixture = Fixture::new();
    fixture.signed(&["--max-profile", "net-read-only"]);
    fixture.check(&["pack", "adder", "-o", "bare.rfz"], 0, &["not signed"]);
    let http = ["--http", "example.com", "-p", "net-read-only"];
    let explain = |bundle| [&["explain", bundle][..], &http].concat();
    fixture.check(&explain("bare.rfz"), 3, &["capped at `read-only` because it is not signed"]);
    fixture.check(&explain("a.rfz"), 0, &["It would run."]);
    let wider = ["explain", "a.rfz", "--http-write", "example.com", "-p", "workspace-write"];
    fixture.check(&wider, 3, &["capped at `net-read-only` because it is signed by `Us`"]);
    fixture.check(&["verify", "bare.rfz"], 3, &["not signed"]);
}

#[test]
fn a_bundle_with_anything_changed_is_refused_before_it_runs() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    fixture.check(&RUN, 0, &["5"]);
    let good = fixture.read("a.rfz");
    let at = |part: &[u8]| good.windows(part.len()).position(|window| window == part).unwrap();
    for (part, code) in [
        (&b"Adds."[..], "bundle::changed"),
        (b"\0asm", "bundle::changed"),
        (b"name = \"adder", "bundle::changed"),
        (b"trusted comment: plugin:", "trust::"),
    ] {
        let mut bad = good.clone();
        let last = at(part) + part.len() - 1;
        bad[last] ^= 1;
        fixture.write("a.rfz", &bad);
        fixture.check(&RUN, 3, &[code]);
    }
    // A changed file with a list that fits it: the signature is what does not hold.
    fixture.write("a.rfz", &good);
    fixture.write("adder/README.md", b"Adds, and more.\n");
    fixture.check(&["pack", "adder", "-o", "b.rfz"], 0, &[]);
    std::fs::create_dir(fixture.path("x")).unwrap();
    fixture.tool("tar", &["xf", "a.rfz", "-C", "x", "SHA256SUMS.minisig"]);
    fixture.tool("tar", &["xf", "b.rfz", "-C", "x"]);
    fixture.check(&["verify", "x"], 3, &["trust::broken-signature"]);
    fixture.check(&["run", "x"], 3, &["trust::broken-signature"]);
    let log = std::fs::read_to_string(fixture.root.path().join("state/audit.jsonl")).unwrap();
    for code in ["bundle::changed", "trust::broken-signature"] {
        assert!(log.contains(code), "a refusal is recorded: {log}");
    }
}

#[test]
fn keys_that_are_unknown_revoked_expired_or_for_other_names_are_refused() {
    let fixture = Fixture::new();
    fixture.signed(&["--plugin", "add*"]);
    fixture.check(&RUN, 0, &["5"]);
    fixture.check(&["trust", "remove", "Us"], 0, &["removed"]);
    fixture.check(&RUN, 3, &["trust::unknown-key", "ringfence trust add RW"]);
    fixture.check(&["inspect", "a.rfz"], 0, &["not trusted here"]);
    let add = ["trust", "add", "release.pub", "--name", "Us"];
    for (limits, code) in [
        (["--not-after", "2020-01-01"], "trust::expired"),
        (["--not-before", "2999-01-01"], "trust::not-yet-valid"),
        (["--plugin", "other-*"], "trust::out-of-scope"),
    ] {
        fixture.check(&[&add[..], &limits].concat(), 0, &[]);
        fixture.check(&RUN, 3, &[code]);
    }
    fixture.check(&add, 0, &[]);
    fixture.check(&RUN, 0, &["5"]);
    fixture.check(&["keys", "revoke", "release", "--reason", "stolen"], 0, &["revoked"]);
    fixture.check(&["trust", "revoke", "release-revocation.txt"], 0, &["revoked"]);
    fixture.check(&RUN, 3, &["trust::revoked-key", "stolen"]);
    // Adding a key again is no way past that it was taken back; forgetting so is a step of its own.
    fixture.check(&add, 3, &["was revoked", "stolen", "ringfence trust remove"]);
    let key = text(&fixture.read("release.pub"));
    let pin = ["trust", "pin", "a.rfz", "--expect", key.lines().nth(1).unwrap()];
    assert_ne!(fixture.run(&pin).status.code(), Some(0));
    fixture.check(&RUN, 3, &["trust::revoked-key", "stolen"]);
    fixture.check(&["sign", "a.rfz", "--key", "release"], 2, &["there is no key `release`"]);
}

#[test]
fn a_revoked_digest_is_refused_whoever_signed_it() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    let json = fixture.run(&["--json", "verify", "a.rfz"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let digest = json["bundle"]["digest"].as_str().unwrap();
    fixture.check(&["trust", "revoke", digest, "--reason", "a hole"], 0, &["revoked"]);
    fixture.check(&RUN, 3, &["trust::revoked-digest", "a hole"]);
}

#[test]
fn what_is_taken_back_by_commands_at_the_same_time_is_all_taken_back() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    let digests: Vec<_> = (0..8).map(|n| format!("sha256:{n:064}")).collect();
    let start = |digest: &String| {
        let mut command = fixture.command(&["trust", "revoke", digest, "--reason", "a hole"]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = digests.iter().map(start).collect();
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    }
    let list = fixture.check(&["trust", "list"], 0, &["active  Us"]);
    assert!(digests.iter().all(|digest| list.contains(digest)), "{list}");
}

#[test]
fn a_rotated_key_is_taken_by_its_statement_and_the_old_signatures_hold() {
    let fixture = Fixture::new();
    fixture.signed(&["--max-profile", "read-only"]);
    std::fs::copy(fixture.path("a.rfz"), fixture.path("old.rfz")).unwrap();
    fixture.check(&["keys", "rotate", "release", "--no-passphrase"], 0, &["RW"]);
    fixture.check(&["pack", "adder", "-o", "a.rfz", "--sign", "release"], 0, &[]);
    fixture.check(&RUN, 3, &["trust::unknown-key"]);
    let rotate = ["trust", "rotate", "release-rotation.txt"];
    fixture.check(&rotate, 0, &["active  Us", "retired  Us", "up to `read-only`"]);
    fixture.check(&RUN, 0, &["5"]);
    fixture.check(&["verify", "old.rfz"], 0, &["signed by `Us`"]);
    fixture.check(&rotate, 3, &["retired already"]);
}

#[test]
fn a_key_is_pinned_by_a_person_and_never_by_default() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    let key = fixture.read("release.pub");
    let key = text(&key).lines().nth(1).unwrap().to_owned();
    fixture.check(&["trust", "remove", "Us"], 0, &[]);
    fixture.check(&["keys", "new", "other", "--no-passphrase"], 0, &[]);
    fixture.check(&["keys", "export", "other", "-o", "other.pub"], 0, &[]);
    fixture.check(&["trust", "pin", "a.rfz", "--expect", "other.pub"], 3, &["another key"]);
    fixture.check(&RUN, 3, &["trust::unknown-key"]);
    fixture.check(&["trust", "pin", "a.rfz", "--expect", &key], 0, &["signs for adder"]);
    fixture.check(&RUN, 0, &["5"]);
}

#[test]
fn a_workspace_can_take_trust_away_and_cannot_give_it() {
    let fixture = Fixture::new();
    fixture.signed(&[]);
    let key = text(&fixture.read("release.pub"));
    let line = key.lines().nth(1).unwrap();
    let id = key.lines().next().unwrap().rsplit(' ').next().unwrap();
    fixture.check(&RUN, 0, &["5"]);
    let narrows = format!("[[key]]\nid = \"{id}\"\nstate = \"revoked\"\n");
    fixture.write(".ringfence/trust.toml", narrows.as_bytes());
    fixture.check(&RUN, 3, &["trust::revoked-key"]);
    fixture.check(&["trust", "remove", "Us"], 0, &[]);
    let brings = format!("[[key]]\nid = \"{id}\"\npublic = \"{line}\"\n");
    fixture.write(".ringfence/trust.toml", brings.as_bytes());
    fixture.check(&RUN, 2, &["a workspace can only narrow keys"]);
}

#[test]
fn the_same_files_give_the_same_bytes_whatever_their_dates_rights_and_order() {
    let fixture = Fixture::new();
    fixture.check(&["pack", "adder", "-o", "one.rfz"], 0, &[]);
    // The same files, made in another order, with other dates and rights.
    let mut names = ["plugin.toml", "README.md", "wit/world.wit", "sbom.cdx.json", "adder.wasm"];
    names.reverse();
    for name in names {
        let bytes = fixture.read(&format!("adder/{name}"));
        fixture.write(&format!("again/{name}"), &bytes);
    }
    let touched = fixture.tool("touch", &["-d", "2001-02-03", "again/plugin.toml"]);
    assert!(touched.status.success());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let rights = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(fixture.path("again/adder.wasm"), rights).unwrap();
    }
    fixture.check(&["pack", "again", "-o", "two.rfz"], 0, &[]);
    assert_eq!(fixture.read("one.rfz"), fixture.read("two.rfz"));
    // And what is packed by hand, with the tools everybody has.
    let script = "cd again && LC_ALL=C && export LC_ALL && files=$(find . -type f | sed 's|^./||' | sort) \
        && sha256sum $files > ../SHA256SUMS && mv ../SHA256SUMS . \
        && tar --format=ustar --blocking-factor=1 --owner=0 --group=0 --numeric-owner --mode=644 \
           --mtime=@315532800 -cf ../hand.rfz SHA256SUMS $files";
    let made = fixture.tool("sh", &["-c", script]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert_eq!(fixture.read("one.rfz"), fixture.read("hand.rfz"));
}

#[test]
fn the_tools_everybody_has_check_what_was_signed_and_sign_what_is_checked() {
    if Command::new("minisign").arg("-v").output().is_err() {
        skipped("minisign is not installed");
        return;
    }
    let fixture = Fixture::new();
    fixture.signed(&[]);
    let x = fixture.path("x");
    std::fs::create_dir(&x).unwrap();
    let shell = |script: &str| {
        let done = fixture.tool("sh", &["-c", &format!("cd x && {script}")]);
        (done.status.success(), format!("{}{}", text(&done.stdout), text(&done.stderr)))
    };
    let by_hand =
        "tar xf ../a.rfz && minisign -Vm SHA256SUMS -p ../release.pub && sha256sum -c SHA256SUMS";
    let (good, said) = shell(by_hand);
    assert!(good && said.contains("Signature and comment signature verified"), "{said}");
    assert!(said.contains("adder.wasm: OK"), "{said}");
    let (good, said) = shell("echo >> SHA256SUMS; minisign -Vm SHA256SUMS -p ../release.pub");
    assert!(!good, "{said}");
    // A key that the program of minisign made, and a signature of it.
    let (good, said) = shell(
        "tar xf ../a.rfz && rm SHA256SUMS.minisig && minisign -G -W -p ../theirs.pub -s theirs.key \
         && minisign -Sm SHA256SUMS -s theirs.key -t \"plugin:adder@0.1.0 time:$(date +%s)\" \
         && rm theirs.key",
    );
    assert!(good, "{said}");
    fixture.check(&["run", "x", "--input", r#"{"a":2,"b":3}"#], 3, &["trust::unknown-key"]);
    fixture.check(&["trust", "add", "theirs.pub", "--name", "They"], 0, &[]);
    fixture.check(&["run", "x", "--input", r#"{"a":2,"b":3}"#], 0, &["5"]);
    // And with a key of ours.
    let home = fixture.root.path().join("home/.config/ringfence/keys/release.key");
    let (good, said) = shell(&format!(
        "rm SHA256SUMS.minisig && minisign -Sm SHA256SUMS -W -s '{}' -t \"plugin:adder@0.1.0 \
         time:$(date +%s)\"",
        home.display()
    ));
    assert!(good, "{said}");
    fixture.check(&["verify", "x"], 0, &["signed by `Us`"]);
}

#[test]
fn no_secret_is_shown_and_a_key_others_can_read_is_not_used() {
    let fixture = Fixture::new();
    fixture.write("pw", b"hunter2 hunter2\n");
    fixture.write("wrong", b"hunter3\n");
    let new = ["keys", "new", "ci", "--passphrase-file", "pw"];
    let mut said = fixture.check(&new, 0, &["RW"]);
    let sign = |file| ["pack", "adder", "-o", "a.rfz", "--sign", "ci", "--passphrase-file", file];
    said += &fixture.check(&sign("wrong"), 2, &["trust::wrong-passphrase"]);
    assert!(!fixture.path("a.rfz").exists(), "nothing was written");
    said += &fixture.check(&["pack", "adder", "--sign", "ci"], 2, &["--passphrase-file"]);
    said += &fixture.check(&["--log", "trace", "keys", "list"], 0, &["ci"]);
    said += &fixture.check(&new, 2, &["there is a key `ci` already"]);
    said += &fixture.check(&sign("pw"), 0, &["signed with"]);
    let path = fixture.root.path().join("home/.config/ringfence/keys/ci.key");
    let secret = std::fs::read_to_string(&path).unwrap();
    let log = fixture.root.path().join("state/audit.jsonl");
    said += &std::fs::read_to_string(log).unwrap_or_default();
    let mistaken = path.display().to_string();
    said += &fixture.check(&["trust", "add", &mistaken, "--name", "x"], 2, &["not a public key"]);
    assert!(!said.contains("hunter") && !said.contains(&secret.lines().nth(1).unwrap()[60..120]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        fixture.check(&sign("pw"), 2, &["others can read the secret key"]);
    }
}

#[test]
fn what_cannot_be_packed_is_refused_by_name() {
    let fixture = Fixture::new();
    fixture.check(&["pack", "absent"], 2, &["cannot be read"]);
    fixture.check(&["pack", "adder", "--include", "nothing"], 2, &["`--include nothing`"]);
    fixture.write("bom", b"{}");
    fixture.check(&["pack", "adder", "--sbom", "bom"], 2, &["no CycloneDX document"]);
    fixture.write("adder/wit/caf\u{e9}.wit", b"");
    fixture.check(&["pack", "adder"], 2, &["bundle::path", "outside ASCII"]);
    std::fs::remove_file(fixture.path("adder/wit/caf\u{e9}.wit")).unwrap();
    let packed = ["pack", "adder", "--include", "src", "-o", "a.rfz"];
    fixture.check(&packed, 0, &["6 files"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("../pw", fixture.path("adder/LICENSE")).unwrap();
        fixture.check(&["pack", "adder"], 2, &["bundle::not-plain-file", "LICENSE"]);
    }
}

/// Adds a line to the list of tests that did not run.
fn skipped(why: &str) {
    use std::io::Write as _;
    let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") else { return };
    let name = "the_tools_everybody_has_check_what_was_signed_and_sign_what_is_checked";
    let mut file = std::fs::File::options().append(true).create(true).open(list).unwrap();
    writeln!(file, "{name}: skipped, because {why}").unwrap();
}
