//! No network, and the one way through the proxy.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::common::each;

#[test]
fn there_is_no_network() {
    each(|fixture| {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}");
        fixture.check(&[], &["bash", "-c", &script], 1);
        server.set_nonblocking(true).unwrap();
        let nobody = server.accept().map(drop).unwrap_err();
        assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);
    });
}

#[test]
fn a_granted_host_is_reached_through_the_proxy_and_no_other() {
    each(|fixture| {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(answer).unwrap();
        });
        let script = "get() { p=${HTTP_PROXY#http://}; exec 3<>/dev/tcp/${p%:*}/${p#*:}; \
            printf 'GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' $1 $1 >&3; \
            cat <&3; echo; }; get $0; get other.example";
        let host = address.to_string();
        let flags = ["--http", &host, "--allow-address", "127.0.0.0/8"];
        let done = fixture.check(&flags, &["bash", "-c", script, &host], 0);
        serving.join().unwrap();
        assert!(done.out.contains("200 OK") && done.out.contains("hello"), "{}", done.out);
        assert!(done.out.contains("403 Forbidden"), "{}", done.out);
        done.says(&["1 network requests were refused"]);
        let log = fixture.log();
        let told = |decision: &str, operation: &str| {
            log.iter().any(|r| r["decision"] == decision && r["operation"] == operation)
        };
        assert!(told("allow", "http.read.GET") && told("forbid", "http.read.GET"), "{log:#?}");
    });
}
