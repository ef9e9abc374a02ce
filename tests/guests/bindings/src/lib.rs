//! Raw WASI 0.2 bindings, so that a guest can say things to the host that `std` would not let through.

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
mod generated {
    wit_bindgen::generate!({
        world: "ringfence:guests/attempts",
        path: ["../../../wit/v0.1/host", "../wit"],
        features: ["cli-exit-with-code"],
        generate_all,
    });
}

pub use generated::ringfence;

/// The WASI interfaces, without the version that the generator adds where two of them are vendored.
pub mod wasi {
    use super::generated::wasi as it;

    pub use it::cli0_2_12 as cli;
    pub use it::clocks0_2_12 as clocks;
    pub use it::config;
    pub use it::filesystem0_2_12 as filesystem;
    pub use it::http0_2_12 as http;
    pub use it::io;
    pub use it::keyvalue;
    pub use it::random0_2_12 as random;
    pub use it::sockets0_2_12 as sockets;
}
