//! Connects by TCP, past every rule for requests: ADDRESS:PORT.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

fn main() {
    misdeeds::attempt("socket-tcp", |args| {
        let address: SocketAddr = args.text(0, "ADDRESS:PORT").parse().map_err(|_| "no address")?;
        let failed = |error: std::io::Error| misdeeds::code(&error.kind());
        let mut stream = TcpStream::connect(address).map_err(failed)?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").map_err(failed)?;
        let mut answer = [0; 200];
        let count = stream.read(&mut answer).map_err(failed)?;
        Ok(misdeeds::excerpt(&answer[..count]))
    });
}
