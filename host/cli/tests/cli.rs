//! Whole commands: what they print, what they say when the input is bad, and how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests run the built command on real files"
)]

#[cfg(target_os = "linux")]
#[path = "cli/approved.rs"]
mod approved;
#[path = "cli/diff.rs"]
mod diff;
#[path = "cli/ends.rs"]
mod ends;
#[path = "cli/explain.rs"]
mod explain;
#[path = "cli/live.rs"]
mod live;
#[path = "cli/mcp.rs"]
mod mcp;
#[path = "cli/offered.rs"]
mod offered;
#[path = "cli/stdin.rs"]
mod stdin;
#[path = "cli/words.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A component that adds two numbers, and one that never ends.
const ADD: &str = r#"(component
  (core module $m (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))
  (core instance $i (instantiate $m))
  (func (export "add") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add"))))"#;
const SPIN: &str = r#"(component
  (core module $m (func (export "spin") (loop (br 0))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin"))))"#;
const TRAP: &str = r#"(component
  (core module $m (func (export "trap") unreachable))
  (core instance $i (instantiate $m))
  (func (export "trap") (canon lift (core func $i "trap"))))"#;

/// A workspace with plugins in it, and state of its own beside it.
struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self { root: tempfile::tempdir().unwrap() };
        std::fs::create_dir(fixture.workspace()).unwrap();
        for (name, text) in [("add", ADD), ("spin", SPIN), ("trap", TRAP)] {
            fixture.write(&format!("{name}.wasm"), &wat::parse_str(text).unwrap());
        }
        fixture
    }

    fn workspace(&self) -> PathBuf {
        self.root.path().join("work")
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.workspace().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ringfence"));
        command.args(args).current_dir(self.workspace()).stdin(Stdio::null());
        command.env_remove("RINGFENCE_LOG").env("HOME", self.root.path().join("home"));
        command.env("RINGFENCE_STATE_DIR", self.root.path().join("state"));
        // The engine is the same everywhere, so all tests share what they compile.
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache");
        command.env("RINGFENCE_CACHE_DIR", shared);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs `args` and checks the exit code and what standard output and standard error hold.
fn check(fixture: &Fixture, args: &[&str], code: i32, out: &str, err: &[&str]) {
    let done = fixture.run(args);
    let (stdout, stderr) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    assert!(stdout.contains(out), "{args:?}: `{out}` is not in\n{stdout}");
    for part in err {
        assert!(stderr.contains(part), "{args:?}: `{part}` is not in\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{args:?}\n{stderr}");
}

#[test]
fn a_tool_prints_its_result_and_nothing_else() {
    let fixture = Fixture::new();
    let done = fixture.run(&["run", "add.wasm", "--input", r#"{"a":2,"b":3}"#]);
    assert_eq!((text(&done.stdout).as_str(), text(&done.stderr).as_str()), ("5\n", ""));
    assert_eq!(done.status.code(), Some(0));
    let json = fixture.run(&["--json", "call", "add.wasm", "add", "--input", r#"{"a":2,"b":3}"#]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["ok"], &json["result"]), (&true.into(), &5.into()));
}

#[test]
fn a_log_that_was_asked_for_tells_of_a_run_that_needs_no_compiling_too() {
    let fixture = Fixture::new();
    let args = ["--log", "debug", "run", "add.wasm", "--input", r#"{"a":2,"b":3}"#];
    fixture.run(&args);
    let warm = fixture.run(&args);
    let (out, err) = (text(&warm.stdout), text(&warm.stderr));
    assert_eq!(out, "5\n");
    for part in ["a plugin is ready to run", "a run starts", "a run ends"] {
        assert!(err.contains(part), "`{part}` is not in\n{err}");
    }
}

#[test]
fn every_kind_of_end_has_its_exit_code() {
    let fixture = Fixture::new();
    check(
        &fixture,
        &["run", "trap.wasm"],
        1,
        "",
        &["error[engine::trap]: the plugin crashed", "unreachable"],
    );
    check(
        &fixture,
        &["run", "add.wasm", "--input", "{}"],
        2,
        "",
        &["error[engine::input]", "input.a: expected an integer"],
    );
    let limited = ["run", "spin.wasm", "--limit", "cpu-time=50ms"];
    check(
        &fixture,
        &limited,
        4,
        "",
        &["error[engine::limit]", "`cpu-time` of 50ms", "--limit cpu-time=100ms"],
    );
    let refused = ["run", "add.wasm", "--dir", "/etc::/etc:ro"];
    check(
        &fixture,
        &refused,
        3,
        "",
        &["error[policy::forbidden]", "fs.read:/etc", "--profile read-only"],
    );
}

#[test]
fn bad_arguments_say_what_to_write() {
    let fixture = Fixture::new();
    fixture.write("broken.json", b"{\"a\":");
    for (args, says) in [
        (&["run", "add.wasm", "--profile", "root"][..], "`root` is not a profile"),
        (&["run", "add.wasm", "--limit", "memory=64"], "`64` is not a size such as `64MiB`"),
        (&["run", "add.wasm", "--limit", "speed=1"], "the limits are memory,"),
        (&["run", "add.wasm", "--dir", "here"], "HOST::GUEST"),
        (&["run", "add.wasm", "--dir", "missing::/x"], "`missing` cannot be read"),
        (&["run", "add.wasm", "--env", "NO_SUCH_VARIABLE"], "`NO_SUCH_VARIABLE` is not set"),
        (&["run", "add.wasm", "--secret", "KEY=value"], "`env:VARIABLE` or `file:PATH`"),
        (&["run", "add.wasm", "--approve", "flying"], "`flying` does not name a capability"),
        (&["run", "add.wasm", "--trust-digest", "1234"], "64 lower-case hexadecimal digits"),
        (&["run", "add.wasm", "--http", "http://x.org"], "a host alone, such as `x.org`"),
        (&["run", "add.wasm", "--input", "{"], "--input is not JSON"),
        (&["run", "add.wasm", "--input", "@broken.json"], "broken.json is not JSON"),
        (&["run", "add.wasm", "--input", "@nowhere.json"], "`nowhere.json` cannot be read"),
        (&["run", "add.wasm", "--", "word"], "give it JSON with `--input`"),
        (&["call", "add.wasm", "subtract"], "it has `add`"),
        (&["serve", "add.wasm"], "is of kind `tools`, not `http-handler`"),
        (&["run", "add.wasm", "--secret", "KEY=env:NO_SUCH"], "`--secret KEY=file:PATH`"),
        (&["run", "add.wasm", "--allow-address", "127.0.0"], "is not an address range"),
        (&["run", "add.wasm", "--allow-address", "127.0.0.0/33"], "is not an address range"),
        (&["run", "add.wasm", "--socket", "db:5432"], "a socket is granted to an address"),
        (&["run", "add.wasm", "--input", "{}"], "`ringfence inspect PLUGIN --schemas`"),
    ] {
        check(&fixture, args, 2, "", &[says]);
    }
    let served = fixture.run(&["serve", "add.wasm"]);
    assert_eq!(text(&served.stdout), "", "an address nobody answers at");
}

#[test]
#[cfg(target_os = "linux")]
fn a_result_that_cannot_be_written_is_no_success() {
    let fixture = Fixture::new();
    for args in [
        &["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#][..],
        &["inspect", "add.wasm"],
        &["audit", "show"],
    ] {
        for json in [&[][..], &["--json"]] {
            let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
            let mut command = fixture.command(&[args, json].concat());
            let done = command.stdout(full).output().unwrap();
            assert_eq!(done.status.code(), Some(70), "{args:?} {json:?}");
            let said = text(&done.stderr);
            assert!(said.contains("standard output cannot be written"), "{said}");
        }
    }
}

#[test]
fn what_is_no_plugin_is_told_apart() {
    let fixture = Fixture::new();
    let component = wat::parse_str(ADD).unwrap();
    fixture.write("empty.wasm", b"");
    fixture.write("text.wasm", b"hello, this is no component\n");
    fixture.write("cut.wasm", &component[..component.len() / 2]);
    fixture.write("random.wasm", &[0xa5; 4096]);
    fixture.write("elf.wasm", b"\x7fELF\x02\x01\x01");
    fixture.write("packed.rfz", b"anything");
    fixture.write("dir/readme", b"no manifest here");
    fixture.write(
        "bad/plugin.toml",
        b"[plugin]\nname = \"bad\"\nversion = \"0.1.0\"\ncomponent = \"x.wasm\"\ncolour = 1\n",
    );
    fixture.write(
        "unbuilt/plugin.toml",
        b"[plugin]\nname = \"unbuilt\"\nversion = \"0.1.0\"\ncomponent = \"x.wasm\"\n",
    );
    for (name, says) in [
        ("unbuilt", &["unbuilt/x.wasm", "build the plugin"][..]),
        ("nowhere.wasm", &["there is no file or directory"]),
        ("empty.wasm", &["error[bundle::wrong-kind]", "empty"]),
        ("text.wasm", &["error[bundle::wrong-kind]", "text"]),
        ("cut.wasm", &["error["]),
        ("random.wasm", &["error[bundle::wrong-kind]"]),
        ("elf.wasm", &["error[bundle::wrong-kind]"]),
        ("packed.rfz", &["error[bundle::not-a-bundle]"]),
        ("dir", &["error[bundle::no-manifest]"]),
        ("bad", &["bad/plugin.toml:5", "colour"]),
    ] {
        check(&fixture, &["run", name], 2, "", says);
        check(&fixture, &["inspect", name], 2, "", says);
    }
}

#[test]
fn a_wrong_policy_file_stops_everything_and_names_the_line() {
    let fixture = Fixture::new();
    let rule = "[[rule]]\ncapability = \"env\"\nscope = \"AWS_*\"\ndecision = \"forbid\"\n";
    fixture.write(".ringfence/policy.toml", rule.as_bytes());
    check(
        &fixture,
        &["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#],
        2,
        "",
        &["reason", "policy.toml"],
    );
    fixture
        .write(".ringfence/policy.toml", format!("{rule}reason = \"keys stay here\"\n").as_bytes());
    check(&fixture, &["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#], 0, "2", &[]);
    let env = ["run", "add.wasm", "--env", "AWS_KEY=x", "--input", r#"{"a":1,"b":1}"#];
    check(&fixture, &env, 3, "", &["env:AWS_KEY", "policy.toml"]);
}

#[test]
fn everything_decided_is_in_the_log_and_a_changed_log_is_found() {
    let fixture = Fixture::new();
    check(&fixture, &["audit", "verify"], 0, "", &["nothing is logged yet"]);
    check(&fixture, &["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#], 0, "2", &[]);
    check(&fixture, &["run", "add.wasm", "--dir", "/etc::/etc:ro"], 3, "", &[]);
    check(&fixture, &["audit", "verify"], 0, "unbroken", &[]);
    check(&fixture, &["audit", "show", "--refused"], 0, "fs.read", &[]);
    let path = fixture.root.path().join("state/audit.jsonl");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log.replacen("forbid", "allow", 1)).unwrap();
    check(&fixture, &["audit", "verify"], 3, "", &["error[audit::tampered]", "line"]);
}

#[test]
fn explain_and_run_agree() {
    let fixture = Fixture::new();
    for (args, code) in [
        (&["add.wasm"][..], 0),
        (&["add.wasm", "--dir", ".::/w:ro"], 0),
        (&["add.wasm", "--dir", ".::/w"], 3),
        (&["add.wasm", "--env", "HOME=/x"], 0),
        (&["add.wasm", "--env", "HOME=/x", "--deny", "env"], 3),
        (&["add.wasm", "--http", "example.com"], 3),
    ] {
        let explain = [&["explain"], args].concat();
        let run = [&["run"], args, &["--input", r#"{"a":1,"b":1}"#]].concat();
        check(
            &fixture,
            &explain,
            code,
            if code == 0 { "It would run." } else { "It would not run." },
            &[],
        );
        check(&fixture, &run, code, "", &[]);
    }
}

/// Runs `args` and returns the exit code and the one JSON value on standard output.
fn json(command: &mut Command) -> (Option<i32>, serde_json::Value) {
    let done = command.output().unwrap();
    let value = serde_json::from_slice(&done.stdout);
    (done.status.code(), value.unwrap_or_else(|error| panic!("{error}: {done:?}")))
}

#[test]
fn a_program_that_asks_for_json_gets_every_error_as_json() {
    let fixture = Fixture::new();
    for (args, says, hint) in [
        (&["--json", "run"][..], "required arguments were not provided", "--help"),
        (&["run", "add.wasm", "--json", "--colour"], "unexpected argument '--colour'", ""),
        (&["--json", "inspct", "add.wasm"], "unrecognized subcommand 'inspct'", "'inspect'"),
        (&["serve", "add.wasm", "--concurrency", "5000", "--json"], "5000", "--help"),
        (&["run", "add.wasm", "--json", "--input", "{"], "is not JSON", ""),
    ] {
        let (code, value) = json(&mut fixture.command(args));
        let error = &value["error"];
        assert_eq!((code, &value["ok"], &error["exit"]), (Some(2), &false.into(), &2.into()));
        assert_eq!(error["code"], "cli::usage", "{value}");
        assert!(error["message"].as_str().unwrap().contains(says), "{value}");
        assert!(error["hint"].as_str().unwrap_or_default().contains(hint), "{value}");
    }
    // After `--` it is a word for the plugin.
    let done = fixture.run(&["run", "--colour", "--", "--json"]);
    assert_eq!((done.status.code(), text(&done.stdout).as_str()), (Some(2), ""));
    fixture.write(
        "p.toml",
        b"[[rule]]\ncapability = \"env\"\ndecision = \"forbid\"\nreason = \"r\"\n",
    );
    let (code, value) = json(&mut fixture.command(&["--json", "policy", "check", "p.toml"]));
    let files = serde_json::json!([{ "file": "p.toml", "rules": 1 }]);
    assert_eq!((code, &value["ok"], &value["files"]), (Some(0), &true.into(), &files));
}

#[test]
fn without_a_home_the_users_policy_is_not_skipped() {
    let fixture = Fixture::new();
    let input = ["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#];
    let config = fixture.root.path().join("config");
    let homeless = |args: &[&str]| {
        let mut command = fixture.command(args);
        command.env_remove("HOME").env_remove("XDG_CONFIG_HOME");
        command
    };
    for args in [&input[..], &["explain", "add.wasm"]] {
        let done = homeless(args).output().unwrap();
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{args:?}\n{said}");
        assert!(said.contains("error[cli::no-home]") && said.contains("set `HOME`"), "{said}");
    }
    let done = homeless(&input).env("XDG_CONFIG_HOME", &config).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let rule = "[[rule]]\ncapability = \"env\"\ndecision = \"forbid\"\nreason = \"not here\"\n";
    std::fs::create_dir_all(config.join("ringfence")).unwrap();
    std::fs::write(config.join("ringfence/policy.toml"), rule).unwrap();
    let done = homeless(&[&input[..], &["--env", "A=b"]].concat())
        .env("XDG_CONFIG_HOME", &config)
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", text(&done.stderr));
}

#[cfg(unix)]
#[test]
fn a_workspace_policy_that_is_no_plain_file_ends_the_command_at_once() {
    let fixture = Fixture::new();
    let policy = fixture.workspace().join(".ringfence/policy.toml");
    std::fs::create_dir(policy.parent().unwrap()).unwrap();
    let pipe = Command::new("mkfifo").arg(&policy).status().unwrap();
    assert!(pipe.success());
    let args = ["run", "add.wasm", "--input", r#"{"a":1,"b":1}"#];
    // Opened, a pipe nobody writes to would be waited for until this test is killed.
    check(&fixture, &args, 2, "", &["error[cli::usage]", "policy.toml` is not a plain file"]);
    std::fs::remove_file(&policy).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &policy).unwrap();
    check(&fixture, &args, 2, "", &["policy.toml` is not a plain file"]);
    std::fs::remove_file(&policy).unwrap();
    check(&fixture, &args, 0, "2", &[]);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let fixture = Fixture::new();
    let mut child = fixture
        .command(&["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let done = child.wait_with_output().unwrap();
    assert!(!text(&done.stderr).contains("panicked"), "{}", text(&done.stderr));
}

#[test]
fn every_command_has_help() {
    let fixture = Fixture::new();
    let top = text(&fixture.run(&["--help"]).stdout);
    assert!(top.starts_with("Runs WebAssembly plugins you did not write"), "{top}");
    check_help(&fixture, &[], &top);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        check(&fixture, &["completions", shell], 0, "ringfence", &[]);
    }
    check(&fixture, &["doctor"], 0, "compiled and ran a component", &[]);
}

/// Checks that each command listed in `help` begins its own help with what the list says about it.
fn check_help(fixture: &Fixture, words: &[&str], help: &str) {
    for (name, listed) in commands(help) {
        let args = [words, &[name.as_str()]].concat();
        let own = text(&fixture.run(&[&args[..], &["--help"]].concat()).stdout);
        let about = own.split("\n\n").next().unwrap_or_default();
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(about, listed, "{args:?}\n{own}");
        assert!(own.contains(&format!("Usage: ringfence {}", args.join(" "))), "{args:?}\n{own}");
        check_help(fixture, &args, &own);
    }
}

/// Returns the commands a help lists, each with its sentence, which can go over several lines.
fn commands(help: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in listed.take_while(|line| !line.is_empty()) {
        let own = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '));
        match (own.and_then(|rest| rest.split_once(' ')), found.last_mut()) {
            (Some(("help", _)), _) => break,
            (Some((name, about)), _) => found.push((name.to_owned(), about.trim().to_owned())),
            (None, Some((_, about))) => *about = format!("{about} {}", line.trim()),
            (None, None) => {}
        }
    }
    found
}
