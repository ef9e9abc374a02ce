//! Bundles in registries: a real one that the tests start, and one in memory that lies.
#![allow(clippy::disallowed_methods, reason = "tests start a registry in a directory of their own")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod oci {
    pub(crate) mod bundles;
    pub(crate) mod memory;
    pub(crate) mod server;

    mod credentials;
    mod hostile;
    mod index;
    mod real;
}
