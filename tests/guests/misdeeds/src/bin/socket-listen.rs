//! Listens for connections: ADDRESS:PORT.

use std::net::{SocketAddr, TcpListener};

fn main() {
    misdeeds::attempt("socket-listen", |args| {
        let address: SocketAddr = args.text(0, "ADDRESS:PORT").parse().map_err(|_| "no address")?;
        let listener = TcpListener::bind(address).map_err(|error| misdeeds::code(&error.kind()))?;
        let bound = listener.local_addr().map_err(|error| misdeeds::code(&error.kind()))?;
        Ok(format!("listens at port {}", bound.port()))
    });
}
