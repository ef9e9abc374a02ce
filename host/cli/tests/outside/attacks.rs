//! A server that attacks: each attack beside its twin, which succeeds once a person gave what it needs.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::common::{Fixture, states, until};

#[test]
fn nothing_outside_the_workspace_is_read_unless_it_was_given() {
    let secret = "call() { text \"$(cat \"$PLACE/secret\" 2>/dev/null || echo nothing)\"; }";
    let fixture = Fixture::of(secret);
    let place = fixture.elsewhere();
    std::fs::write(place.join("secret"), "treasure").unwrap();
    let env = format!("PLACE={}", place.display());
    let added = fixture.add(&["--env", &env]);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(fixture.call("one", &[]).out, "nothing\n");
    assert_eq!(fixture.run(&["mcp", "remove", "it"]).code, Some(0));
    let dir = format!("{}:ro", place.display());
    let added = fixture.add(&["--env", &env, "--dir", &dir]);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(fixture.call("one", &[]).out, "treasure\n");
}

#[test]
fn nothing_is_written_unless_that_was_given_and_what_is_written_is_recorded() {
    let writes =
        "call() { if (echo x > new) 2>/dev/null; then text wrote; else text refused; fi; }";
    let fixture = Fixture::added(writes, &[]);
    assert_eq!(fixture.call("one", &[]).out, "refused\n");
    assert!(!fixture.work().join("new").exists());
    fixture.run(&["mcp", "remove", "it"]);
    assert_eq!(fixture.add(&["-p", "workspace-write"]).code, Some(0));
    // Beside the workspace, until somebody commits it.
    assert_eq!(fixture.call("one", &["--commit", "none"]).out, "wrote\n");
    assert!(!fixture.work().join("new").exists());
    assert_eq!(fixture.call("one", &["--commit", "all"]).out, "wrote\n");
    assert!(fixture.work().join("new").exists());
    let log = fixture.log();
    let wrote = log.iter().find(|one| one["operation"] == "mcp.wrote").unwrap();
    assert_eq!(wrote["target"]["path"], "new");
}

/// Answers the first whole request. A connection that ends before one, such as another test's that was
/// late for a port, is none; nothing is closed before the other side has read it all.
fn answer_one(server: &TcpListener) {
    for stream in server.incoming() {
        let (mut stream, mut head, mut piece) = (stream.unwrap(), Vec::new(), [0; 1024]);
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut piece) {
                Ok(read @ 1..) => head.extend_from_slice(&piece[..read]),
                _ => break,
            }
        }
        if head.ends_with(b"\r\n\r\n") {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(answer).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
            return;
        }
    }
}

#[test]
fn there_is_no_network_unless_a_host_was_given() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = server.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || answer_one(&server));
    let fetches = r#"fetch() { local p=${HTTP_PROXY#http://}; p=${p:-$TARGET};
  exec 3<>"/dev/tcp/${p%:*}/${p##*:}" || return 1
  printf 'GET http://%s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$TARGET" "$TARGET" >&3
  cat <&3 | tail -c 5; exec 3>&-; }
call() { text "$(fetch 2>/dev/null || echo no)"; }"#;
    let fixture = Fixture::of(fetches);
    let env = format!("TARGET={host}");
    assert_eq!(fixture.add(&["--env", &env]).code, Some(0));
    let alone = fixture.call("one", &[]);
    assert_eq!(alone.out, "no\n", "{alone:?}");
    fixture.run(&["mcp", "remove", "it"]);
    let given =
        ["-p", "net-read-only", "--env", &env, "--http", &host, "--allow-address", "127.0.0.0/8"];
    let added = fixture.add(&given);
    assert_eq!(added.code, Some(0), "{added:?}");
    assert_eq!(fixture.call("one", &[]).out, "hello\n");
    serving.join().unwrap();
    let log = fixture.log();
    let done = log.iter().rfind(|one| one["operation"] == "mcp.done").unwrap();
    assert_eq!(done["outcome"]["received_bytes"], 5, "{done}");
}

#[test]
fn what_a_server_starts_ends_with_it() {
    let mark = format!("7{:09}", std::process::id());
    let spawns = format!("call() {{ setsid sleep {mark} >/dev/null 2>&1 </dev/null & text up; }}");
    let fixture = Fixture::added(&spawns, &[]);
    assert_eq!(fixture.call("one", &[]).out, "up\n");
    assert_eq!(states(&mark), []);
    // The same process outside of the sandbox goes on.
    let mut twin = std::process::Command::new("sleep").arg(&mark).spawn().unwrap();
    assert!(until(|| states(&mark).len() == 1));
    twin.kill().unwrap();
    twin.wait().unwrap();
}

#[test]
fn no_variable_of_the_person_reaches_a_server() {
    let fixture = Fixture::added("call() { text \"[$TOKEN]\"; }", &[]);
    let mut command = fixture.command(&["mcp", "call", "it", "one"]);
    let output = command.env("TOKEN", "secret").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[]\n");
    fixture.run(&["mcp", "remove", "it"]);
    assert_eq!(fixture.add(&["--env", "TOKEN=given"]).code, Some(0));
    assert_eq!(fixture.call("one", &[]).out, "[given]\n");
}
