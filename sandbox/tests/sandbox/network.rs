//! What of a network a program has.

use crate::setup::{Case, held_by};
use ringfence_capability::Profile;
use ringfence_sandbox::danger::Protection;
use ringfence_sandbox::{Exit, PROXY_PORT, SandboxExecutor, Stdio};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;

fn ok(case: &Case, text: &str) -> bool {
    // Without Python the attack cannot be made; both halves of a twin then say so.
    case.python(text).is_none_or(|outcome| outcome.exit == Exit::Code(0))
}

fn has_python() -> bool {
    std::path::Path::new("/usr/bin/python3").exists()
}

#[test]
fn nothing_on_the_host_can_be_connected_to() {
    if !has_python() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 2)");
    let all = [Protection::Network, Protection::Seccomp, Protection::Landlock];
    assert!(!ok(&Case::new(), &text));
    // Three walls stand before it: any one of them is enough.
    for alone in all {
        let mut case = Case::new();
        case.without = all.into_iter().filter(|one| *one != alone).collect();
        assert!(!ok(&case, &text), "{alone:?} alone does not hold");
    }
    let mut case = Case::new();
    case.without = all.to_vec();
    assert!(ok(&case, &text), "the attack proves nothing");
}

#[test]
fn a_socket_of_the_host_in_the_workspace_cannot_be_reached() {
    if !has_python() {
        return;
    }
    let make = || {
        let case = Case::new();
        drop(UnixListener::bind(case.workspace().join("s")).map(Box::new).map(Box::leak));
        case
    };
    for text in [
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('s')",
        "import socket; a, b = socket.socketpair(type=socket.SOCK_DGRAM)",
    ] {
        held_by(make, Protection::Seccomp, |case| ok(case, text));
    }
}

#[test]
fn no_family_of_sockets_exists_offline() {
    if !has_python() {
        return;
    }
    let text = "import socket, sys\n\
        made = []\n\
        for family in range(0, 46):\n\
        \tfor kind in (1, 2, 3, 5):\n\
        \t\ttry: socket.socket(family, kind); made.append((family, kind))\n\
        \t\texcept OSError: pass\n\
        print(made); sys.exit(bool(made))";
    let case = Case::new();
    assert!(ok(&case, text), "{:?}", case.python(text));
    assert!(!ok(&case.without(Protection::Seccomp), text));
    assert!(ok(&Case::new(), "import socket; a, b = socket.socketpair(); a.send(b'x')"));
}

#[test]
fn under_an_http_grant_only_the_proxy_can_be_reached() {
    let case = Case::of(Profile::NetReadOnly).with_http();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let line = "echo $HTTP_PROXY $https_proxy $NO_PROXY; \
        exec python3 -I -c \"import socket; s = socket.create_connection(('127.0.0.1', 3128)); \
        s.send(b'ping'); print(s.recv(4))\"";
    let mut command = case.command("/bin/sh", &["sh", "-c", line]);
    command.stdio[1] = Stdio::Fd(writer.into());
    let mut run = case.executor().spawn(&case.plan(), command).unwrap();
    let listener = run.take_listener().unwrap();
    assert!(run.take_listener().is_none());
    assert_eq!(listener.local_addr().unwrap().port(), PROXY_PORT);
    if has_python() {
        let (mut connection, _) = listener.accept().unwrap();
        let mut ping = [0; 4];
        connection.read_exact(&mut ping).unwrap();
        connection.write_all(b"pong").unwrap();
        assert_eq!(&ping, b"ping");
    }
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    let proxy = format!("http://127.0.0.1:{PROXY_PORT}");
    assert!(output.starts_with(&format!("{proxy} {proxy} localhost,127.0.0.1,::1\n")), "{output}");
    if has_python() {
        assert_eq!(run.wait().unwrap(), Exit::Code(0));
        assert!(output.ends_with("b'pong'\n"), "{output}");
    }
}

#[test]
fn with_a_proxy_there_is_no_other_address() {
    if !has_python() {
        return;
    }
    let case = Case::of(Profile::NetReadOnly).with_http();
    let check = |text: &str, error: &str| {
        let outcome = case.python(text).unwrap();
        assert!(outcome.output.contains(error), "{text}: {}", outcome.output);
    };
    check("import socket; socket.create_connection(('127.0.0.1', 80), 2)", "Permission denied");
    check("import socket; socket.create_server(('127.0.0.1', 80))", "Permission denied");
    check(
        "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "Network is unreachable",
    );
    check("import socket; socket.getaddrinfo('example.com', 80)", "gaierror");
}
