//! Sends a datagram: ADDRESS:PORT.

use std::net::{SocketAddr, UdpSocket};

fn main() {
    misdeeds::attempt("socket-udp", |args| {
        let address: SocketAddr = args.text(0, "ADDRESS:PORT").parse().map_err(|_| "no address")?;
        let failed = |error: std::io::Error| misdeeds::code(&error.kind());
        let local = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let local: SocketAddr = local.parse().map_err(|_| "no address")?;
        let socket = UdpSocket::bind(local).map_err(failed)?;
        let sent = socket.send_to(b"carried out", address).map_err(failed)?;
        Ok(format!("sent {sent} bytes"))
    });
}
