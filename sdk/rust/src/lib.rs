//! Write a plugin for `ringfence` in about ten lines of Rust.
//!
//! A plugin is a WebAssembly component, and every function it exports is a tool. The functions are
//! declared in a WIT file, whose comments become the documentation of the tool:
//!
//! ```wit
#![doc = include_str!("../../templates/rust/wit/world.wit")]
//! ```
//!
//! and written as one trait:
//!
//! ```text
#![doc = include_str!("../../templates/rust/src/lib.rs")]
//! ```
//!
//! `cargo build --release --target wasm32-wasip2` makes the component. This is the whole of
//! `sdk/templates/rust`, which is built and tested as it stands.
//!
//! # What is here
//!
//! - [`plugin!`] generates the bindings and exports the plugin.
//! - [`step!`] does the same for a step of research runs, whose values are in [`research`].
//! - [`ToolError`] is the error of a tool, made from [`std::io::Error`] and others with `?`.
//! - [`log`], [`progress`] and [`limits`] talk to the host. They need no request in the manifest.
//! - [`exec`] asks for native programs: each needs a request in the manifest, and a person's yes.
//! - [`mcp`] calls tools of outside servers: each needs a request, and a server that a person added.
//! - [`agent!`] and [`agent`](mod@agent) are for plugins that work on tasks, with tools, models and other agents;
//!   `sdk/templates/agent` is one.
//! - Everything else (files, clocks, random numbers) is the standard library: the host links what the
//!   manifest asks for and the operator grants, and nothing else.
//!
//! On any other target than WebAssembly the crate compiles too, so that the logic of a plugin can be
//! tested natively: messages and progress go nowhere, and nothing is limited.

#![deny(unsafe_code)]

pub mod agent;
mod error;
pub mod exec;
pub mod limits;
pub mod log;
pub mod mcp;
pub mod progress;
pub mod research;

pub use bindings::ringfence::plugin::types::Error as ToolError;
#[doc(hidden)]
pub use wit_bindgen;

include!(concat!(env!("OUT_DIR"), "/plugin.rs"));

/// What is generated from `wit/v0.1`. Used by [`plugin!`]; the modules above are the ones to use.
#[doc(hidden)]
#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated from WIT"
)]
pub mod bindings {
    wit_bindgen::generate!({
        inline: "
            package ringfence:sdk@0.1.0;
            world imports {
                import ringfence:plugin/types@0.1.0;
                import ringfence:host/log@0.1.0;
                import ringfence:host/progress@0.1.0;
                import ringfence:host/limits@0.1.0;
                import ringfence:host/exec@0.1.0;
                import ringfence:host/mcp@0.1.0;
                import ringfence:agent/tools@0.1.0;
                import ringfence:agent/model@0.1.0;
                import ringfence:agent/mailbox@0.1.0;
                import ringfence:agent/agents@0.1.0;
                import ringfence:agent/control@0.1.0;
                import ringfence:agent/approval@0.1.0;
            }
        ",
        path: ["../../wit/v0.1/plugin", "../../wit/v0.1/host", "../../wit/v0.1/agent"],
        additional_derives: [PartialEq],
        generate_unused_types: true,
        generate_all,
    });
}

/// What is generated from `wit/v0.1/research`. Used by [`step!`]; [`research`] has it by name.
#[doc(hidden)]
#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    unused,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated from WIT"
)]
pub mod step_bindings {
    wit_bindgen::generate!({
        inline: "
            package ringfence:sdk-research@0.1.0;
            world imports {
                import ringfence:research/types@0.1.0;
            }
        ",
        path: ["../../wit/v0.1/plugin", "../../wit/v0.1/research"],
        additional_derives: [PartialEq],
        generate_unused_types: true,
        generate_all,
    });
}
