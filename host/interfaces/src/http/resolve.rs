//! From a host name to its addresses.

use futures::future::BoxFuture;
use std::io;
use std::net::IpAddr;

/// Finds the addresses of a host name. Asked once per request; what it answers is checked, and
/// exactly what was checked is dialled.
pub trait Resolve: Send + Sync + 'static {
    /// Returns the addresses of `host`, a canonical name (never an address).
    ///
    /// # Errors
    /// When the name cannot be resolved.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Asks the resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
