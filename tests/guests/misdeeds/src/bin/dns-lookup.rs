//! Asks for the addresses of a name, which can carry data out: NAME.

use misdeeds::wasi::sockets::instance_network::instance_network;
use misdeeds::wasi::sockets::ip_name_lookup::resolve_addresses;
use misdeeds::wasi::sockets::network::ErrorCode;

fn main() {
    misdeeds::attempt("dns-lookup", |args| {
        let network = instance_network();
        let answers = resolve_addresses(&network, args.text(0, "NAME"))
            .map_err(|error| misdeeds::code(&error))?;
        let pollable = answers.subscribe();
        let mut found = Vec::new();
        loop {
            match answers.resolve_next_address() {
                Ok(Some(address)) => found.push(format!("{address:?}")),
                Ok(None) => return Ok(found.join(",")),
                Err(ErrorCode::WouldBlock) => pollable.block(),
                Err(error) => return Err(misdeeds::code(&error)),
            }
        }
    });
}
