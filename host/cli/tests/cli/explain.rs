//! `explain` tells what `run` would do.

use super::{ADD, Fixture, check, json};

/// Imports the file system: once with something to call, once for a type alone.
const READS: &str = r#"(component
  (import "wasi:filesystem/preopens@0.2.6" (instance (export "get" (func))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"#;
const NAMES: &str = r#"(component
  (import "wasi:filesystem/types@0.2.6" (instance (export "descriptor" (type (sub resource)))))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"#;

#[test]
fn explain_and_run_agree_on_the_code_too() {
    let fixture = Fixture::new();
    let add = wat::parse_str(ADD).unwrap();
    fixture.write("reads.wasm", &wat::parse_str(READS).unwrap());
    fixture.write("names.wasm", &wat::parse_str(NAMES).unwrap());
    let unknown = READS.replace("wasi:filesystem/preopens@0.2.6", "acme:telepathy/send@1.0.0");
    fixture.write("unknown.wasm", &wat::parse_str(unknown).unwrap());
    fixture.write("cut.wasm", &add[..add.len() / 2]);
    fixture.write("left/x", b"");
    fixture.write("right/x", b"");
    for (args, code, says) in [
        (&["names.wasm"][..], 0, "It would run."),
        (&["reads.wasm"], 3, "imports `wasi:filesystem/preopens@0.2.6`"),
        (&["unknown.wasm"], 2, "imports `acme:telepathy/send@1.0.0`"),
        (&["cut.wasm"], 2, "is not a valid component"),
        (
            &["add.wasm", "--dir", "left::/a:ro", "--dir", "right::/a:ro"],
            2,
            "both seen by the guest",
        ),
    ] {
        check(&fixture, &[&["explain"], args].concat(), code, says, &[]);
        check(&fixture, &[&["run"], args].concat(), code, "", &[]);
    }
}

#[test]
fn explain_shows_what_else_would_keep_a_plugin_from_running() {
    let fixture = Fixture::new();
    let manifest = |request: &str| {
        let head = "[plugin]\nname = \"asks\"\nversion = \"0.1.0\"\ncomponent = \"add.wasm\"\n";
        format!("{head}[[request]]\nreason = \"a test\"\n{request}\n")
    };
    fixture.write("asks/add.wasm", &wat::parse_str(ADD).unwrap());
    let missing = "capability = \"fs.read\"\npath = \"gone\"";
    let config = "capability = \"config\"\nnames = [\"colour\"]";
    let all = "capability = \"fs.write\"\npath = \".\"";
    for (request, flags, code, says) in [
        (
            missing,
            &["-p", "read-only"][..],
            "runtime::place",
            "check that the granted directory exists",
        ),
        (config, &["--approve", "config:colour"], "runtime::no-value", "--config colour=VALUE"),
        (config, &["--config", "colour=red"], "", ""),
        // The state directory is not made yet, and would be in what the plugin may write.
        (
            all,
            &[
                "-p",
                "trusted",
                "--state-dir",
                "kept/state",
                "--trust-digest",
                "DIGEST",
                "--approve",
                "fs.write:workspace",
            ],
            "runtime::holds-state",
            "name one with `--workspace DIR`",
        ),
    ] {
        fixture.write("asks/plugin.toml", manifest(request).as_bytes());
        let (_, looked) = json(&mut fixture.command(&["--json", "inspect", "asks"]));
        let digest = looked["digest"].as_str().unwrap();
        let flags = flags.iter().map(|flag| if *flag == "DIGEST" { digest } else { flag });
        let flags: Vec<&str> = flags.collect();
        let explain = [&["--json", "explain", "asks"], &flags[..]].concat();
        let (explained, value) = json(&mut fixture.command(&explain));
        assert!(!fixture.workspace().join("kept").exists(), "explain made a directory");
        let input = ["--json", "run", "asks", "--input", r#"{"a":1,"b":1}"#];
        let (ran, outcome) = json(&mut fixture.command(&[&input[..], &flags].concat()));
        assert_eq!(explained, ran, "{value}\n{outcome}");
        let problem = value["problems"].get(0).map_or("", |first| first["code"].as_str().unwrap());
        assert_eq!((problem, value["runs"].as_bool()), (code, Some(code.is_empty())), "{value}");
        assert_eq!(outcome["error"]["code"].as_str().unwrap_or_default(), code, "{outcome}");
        let explain = [&["explain", "asks"], &flags[..]].concat();
        check(&fixture, &explain, ran.unwrap(), says, &[]);
    }
}
