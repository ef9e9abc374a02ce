//! Raw WASI 0.2 bindings, so that a guest can say things to the host that `std` would not let through.

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
mod generated {
    wit_bindgen::generate!({
        world: "attempts",
        path: "../wit",
        generate_all,
    });
}

pub use generated::{ringfence, wasi};
