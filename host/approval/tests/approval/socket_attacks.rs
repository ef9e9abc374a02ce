//! Whoever may not answer does not, and whoever breaks the protocol holds nobody up. Each attack has
//! its twin that gets through.

use crate::common::{Home, digest, request, skip};
use crate::socket::{LONG, wait};
use ringfence_approval::socket::answer;
use ringfence_approval::{Answer, Prompt, Request};
use ringfence_capability::Digest;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

fn connect(home: &Home, request: &Request) -> UnixStream {
    UnixStream::connect(home.file(&format!("{}.sock", request.short_id()))).unwrap()
}

fn receive(stream: &mut UnixStream) -> Option<Value> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).ok()?;
    let mut bytes = vec![0; u32::from_be_bytes(header) as usize];
    stream.read_exact(&mut bytes).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(bytes);
    frame
}

fn reply(request: Digest) -> Vec<u8> {
    let yes = json!({ "version": 1, "request": request, "answer": { "kind": "once" } });
    framed(yes.to_string().as_bytes())
}

/// Sends `bytes` instead of a reply, and returns what the host says to it. The host must go on
/// waiting, and then take the answer of a person.
fn check(bytes: impl FnOnce(&Request) -> Vec<u8>, accepted: Option<bool>) {
    let home = Home::new();
    let request = request();
    let waiting = wait(&home, &request, Prompt::waiting(LONG));
    let mut stream = connect(&home, &request);
    let offer = receive(&mut stream).unwrap();
    assert_eq!(offer["request"].as_str().unwrap().as_bytes(), request.as_bytes());
    stream.write_all(&bytes(&request)).unwrap();
    let receipt = receive(&mut stream);
    assert_eq!(receipt, accepted.map(|it| json!({ "version": 1, "accepted": it })));
    if accepted == Some(true) {
        assert_eq!(waiting.join().unwrap().unwrap(), Answer::Once);
    } else {
        answer(&home.place(), &request.digest(), &Answer::Deny).unwrap();
        assert_eq!(waiting.join().unwrap().unwrap(), Answer::Deny);
    }
}

#[test]
fn an_answer_that_echoes_another_digest_is_not_taken() {
    check(|_| reply(digest(9)), Some(false));
    check(|request| reply(request.subject()), Some(false));
    check(|request| reply(request.digest()), Some(true));
}

#[test]
fn what_is_no_answer_is_not_taken() {
    check(|_| framed(b"y"), Some(false));
    check(|_| framed(b""), Some(false));
    check(
        |r| framed(json!({ "version": 1, "request": r.digest() }).to_string().as_bytes()),
        Some(false),
    );
    check(
        |r| {
            let yes = json!({ "version": 2, "request": r.digest(), "answer": { "kind": "once" } });
            framed(yes.to_string().as_bytes())
        },
        Some(false),
    );
    check(
        |r| {
            let two = json!({ "version": 1, "request": r.digest(), "answer": { "kind": "once" }, "more": 1 });
            framed(two.to_string().as_bytes())
        },
        Some(false),
    );
    check(|_| u32::MAX.to_be_bytes().to_vec(), None);
    check(|r| [reply(r.digest()), b"more".to_vec()].concat(), None);
}

#[test]
fn guests_who_say_nothing_hold_nobody_up() {
    let home = Home::new();
    let request = request();
    let waiting = wait(&home, &request, Prompt::waiting(LONG));
    let mut silent: Vec<UnixStream> = (0..8).map(|_| connect(&home, &request)).collect();
    for stream in &mut silent[..4] {
        receive(stream).unwrap();
        stream.write_all(&[0, 0]).unwrap();
    }
    answer(&home.place(), &request.digest(), &Answer::Once).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), Answer::Once);
}

/// Not a test of its own: tries to read what waits at the socket it is told of.
#[test]
fn child_process_connects() {
    let Some(path) = std::env::var_os("RINGFENCE_TEST_APPROVAL_SOCKET") else { return };
    let said = match UnixStream::connect(Path::new(&path)) {
        Err(error) => format!("{:?}", error.kind()),
        Ok(mut stream) => match receive(&mut stream) {
            None => "nothing".to_owned(),
            Some(offer) => offer["request"].as_str().unwrap().len().to_string(),
        },
    };
    assert_eq!(said, std::env::var("RINGFENCE_TEST_APPROVAL_EXPECTED").unwrap());
}

/// Starts a process through `how` that connects to the socket of `request`, and must get what is
/// expected there. Returns whether it could be started.
fn gets(home: &Home, request: &Request, how: impl FnOnce(&Path) -> Command, what: &str) -> bool {
    let mut command = how(&std::env::current_exe().unwrap());
    command.args(["--exact", "socket_attacks::child_process_connects"]).current_dir("/");
    let path = home.file(&format!("{}.sock", request.short_id()));
    command.env("RINGFENCE_TEST_APPROVAL_SOCKET", path);
    command.env("RINGFENCE_TEST_APPROVAL_EXPECTED", what);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    // Tests that fail end with this code; whatever starts them has others.
    assert_ne!(output.status.code(), Some(101), "not {what}: {said}");
    output.status.success()
}

fn open_up(home: &Home, request: &Request) {
    for (path, mode) in [
        (home.state.path().to_owned(), 0o755),
        (home.file(""), 0o755),
        (home.file(&format!("{}.sock", request.short_id())), 0o777),
    ] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn another_user_is_kept_out_by_the_directory_and_then_by_the_host() {
    if !rustix::process::geteuid().is_root() {
        let name = "another_user_is_kept_out_by_the_directory_and_then_by_the_host";
        skip(name, "only root can become another user");
        return;
    }
    let home = Home::new();
    let request = request();
    let waiting = wait(&home, &request, Prompt::waiting(LONG));
    // The directory of the build may be closed to others.
    let reachable = tempfile::tempdir().unwrap();
    std::fs::set_permissions(reachable.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let copied = reachable.path().join("stranger");
    std::fs::copy(std::env::current_exe().unwrap(), &copied).unwrap();
    let stranger = |_: &Path| {
        let mut command = Command::new(&copied);
        command.uid(65534).gid(65534);
        command
    };
    let len = request.as_bytes().len().to_string();
    assert!(gets(&home, &request, stranger, "PermissionDenied"));
    open_up(&home, &request);
    assert!(gets(&home, &request, stranger, "nothing"));
    // The twin: the same process as this user is shown the request.
    assert!(gets(&home, &request, |program| Command::new(program), &len));
    // The place is open to others now, so the person's end refuses to use it.
    std::fs::set_permissions(home.file(""), std::fs::Permissions::from_mode(0o700)).unwrap();
    answer(&home.place(), &request.digest(), &Answer::Deny).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), Answer::Deny);
}

#[test]
fn a_program_in_a_user_namespace_of_its_own_does_not_answer_for_the_person() {
    let home = Home::new();
    let request = request();
    let waiting = wait(&home, &request, Prompt::waiting(LONG));
    let sandboxed = |program: &Path| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-current-user"]).arg(program);
        command
    };
    if !gets(&home, &request, sandboxed, "nothing") {
        let name = "a_program_in_a_user_namespace_of_its_own_does_not_answer_for_the_person";
        skip(name, "this system gives no user namespaces");
    }
    let len = request.as_bytes().len().to_string();
    assert!(gets(&home, &request, |program| Command::new(program), &len));
    answer(&home.place(), &request.digest(), &Answer::Deny).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap(), Answer::Deny);
}
