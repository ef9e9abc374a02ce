//! Servers of others, at pinned versions (`cargo xtask peers`): they work in the fence, and do there what
//! they are for.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::common::{Done, Fixture};

/// Returns where they are installed; without them the test is listed as skipped.
pub(crate) fn peers(test: &str) -> Option<PathBuf> {
    use std::io::Write as _;
    let built = Path::new(env!("CARGO_BIN_EXE_ringfence"));
    let dir = built.parent()?.parent()?.join("mcp-peers");
    if dir.join("installed.txt").is_file() {
        return Some(dir.canonicalize().unwrap());
    }
    if let Some(list) = std::env::var_os("RINGFENCE_SKIP_LIST") {
        let mut file = std::fs::File::options().append(true).create(true).open(list).unwrap();
        let why = "the MCP programs of others are not installed (`cargo xtask peers`)";
        writeln!(file, "{test}: skipped, because {why}").unwrap();
    }
    None
}

/// Adds `command` as `name`, approved ahead.
fn add(fixture: &Fixture, name: &str, flags: &[&str], command: &[&str]) {
    let args = |more: &[&str]| -> Vec<String> {
        let first = ["mcp", "add", name];
        let all = first.iter().chain(more).chain(flags).chain(&["--"]).chain(command);
        all.map(|&word| word.to_owned()).collect()
    };
    let subject = fixture.json(&args(&["--plan"]))["subject"].as_str().unwrap().to_owned();
    let done = fixture.run(&args(&["--approve", &subject]));
    assert_eq!(done.code, Some(0), "{done:?}");
}

fn call(fixture: &Fixture, server: &str, tool: &str, input: &Value, flags: &[&str]) -> Done {
    let input = input.to_string();
    let args: Vec<&str> = ["mcp", "call", server, tool, "--input", &input]
        .into_iter()
        .chain(flags.iter().copied())
        .collect();
    fixture.run(&args)
}

#[test]
fn servers_for_node_work_in_the_fence() {
    let Some(dir) = peers("servers_for_node_work_in_the_fence") else { return };
    let fixture = Fixture::of("");
    fixture.write("a.txt", "hello");
    let modules = dir.join("node_modules");
    let given = format!("{}:ro", modules.display());
    let program = |name: &str| modules.join(".bin").join(name).to_str().unwrap().to_owned();

    add(&fixture, "everything", &["--dir", &given], &[&program("mcp-server-everything"), "stdio"]);
    let sum = call(&fixture, "everything", "get-sum", &serde_json::json!({ "a": 2, "b": 3 }), &[]);
    assert!(sum.out.contains("is 5"), "{sum:?}");
    let environment = call(&fixture, "everything", "get-env", &serde_json::json!({}), &[]);
    assert!(!environment.out.contains("RINGFENCE_STATE_DIR"), "{environment:?}");

    add(&fixture, "files", &["--dir", &given], &[&program("mcp-server-filesystem"), "."]);
    let path = serde_json::json!({ "path": "a.txt" });
    assert!(call(&fixture, "files", "read_text_file", &path, &[]).out.contains("hello"));
    let write = serde_json::json!({ "path": "b.txt", "content": "x" });
    let refused = call(&fixture, "files", "write_file", &write, &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(!fixture.work().join("b.txt").exists());

    let file = fixture.work().join("memory.json");
    let kept = format!("MEMORY_FILE_PATH={}", file.display());
    let flags = ["--dir", &given, "-p", "workspace-write", "--env", &kept];
    add(&fixture, "memory", &flags, &[&program("mcp-server-memory")]);
    let entities = serde_json::json!({
        "entities": [{ "name": "n", "entityType": "t", "observations": ["o"] }],
    });
    let made = call(&fixture, "memory", "create_entities", &entities, &["--commit", "all"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(std::fs::read_to_string(file).unwrap().contains("\"n\""));
}

#[test]
fn servers_for_python_work_in_the_fence() {
    let Some(dir) = peers("servers_for_python_work_in_the_fence") else { return };
    let fixture = Fixture::of("");
    let venv = dir.join("venv");
    let program = |name: &str| venv.join("bin").join(name).to_str().unwrap().to_owned();
    // The interpreter of the environment may lie somewhere else.
    let python = venv.join("bin/python3").canonicalize().unwrap();
    let of_python = format!("{}:ro", python.parent().unwrap().parent().unwrap().display());
    let given = format!("{}:ro", venv.display());
    let mut flags = vec!["--dir", given.as_str()];
    if !python.starts_with("/usr") {
        flags.extend(["--dir", of_python.as_str()]);
    }

    add(&fixture, "time", &flags, &[&program("mcp-server-time")]);
    let now =
        call(&fixture, "time", "get_current_time", &serde_json::json!({ "timezone": "UTC" }), &[]);
    assert!(now.out.contains("+00:00"), "{now:?}");

    for line in
        ["git init -q .", "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first"]
    {
        let mut words = line.split(' ');
        let mut git = Command::new(words.next().unwrap());
        assert!(git.args(words).current_dir(fixture.work()).status().unwrap().success());
    }
    add(&fixture, "git", &flags, &[&program("mcp-server-git"), "--repository", "."]);
    let repository = serde_json::json!({ "repo_path": fixture.work() });
    let log = call(&fixture, "git", "git_log", &repository, &[]);
    assert!(log.out.contains("first"), "{log:?}");
}
