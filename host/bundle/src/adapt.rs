//! Turns a WASI 0.1 core module into a component, with the adapters that belong to the engine.

use crate::BundleError;
use crate::contain;
use crate::sniff::{self, Found};
use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{ExternalKind, Parser, Payload};
use wit_component::ComponentEncoder;

/// What a core module exports, as far as adapting it goes.
#[derive(Default)]
struct Traits {
    command: bool,
    typed: bool,
}

/// Returns the component for the core module `module`. `display` is how the operator named it.
///
/// # Errors
/// [`BundleError::NothingToCall`] when it exports neither `_start` nor typed functions,
/// [`BundleError::NotAdaptable`] when it is not valid or imports something other than WASI 0.1.
pub fn adapt(module: &[u8], display: &str) -> Result<Vec<u8>, BundleError> {
    let refuse = |source| BundleError::NotAdaptable { path: display.to_owned(), source };
    if sniff::sniff(module) != Found::CoreModule {
        return Err(refuse("it does not begin like a core module".into()));
    }
    let traits = traits(module).map_err(|error| refuse(error.into()))?;
    if !traits.command && !traits.typed {
        return Err(BundleError::NothingToCall { path: display.to_owned() });
    }
    let adapter = if traits.command {
        adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER
    } else {
        adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER
    };
    contain::panics(|| encode(module, adapter)).map_err(refuse)
}

fn encode(module: &[u8], adapter: &[u8]) -> contain::Outcome<Vec<u8>> {
    let name = adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
    let encoder = ComponentEncoder::default().module(module)?.adapter(name, adapter)?;
    Ok(encoder.validate(true).encode()?)
}

/// Validates the module and returns what it exports.
fn traits(module: &[u8]) -> Result<Traits, wasmparser::BinaryReaderError> {
    // The encoder takes a module at its word, so it only ever sees a valid one.
    wasmparser::Validator::new().validate_all(module)?;
    let mut traits = Traits::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    traits.command |= export.kind == ExternalKind::Func && export.name == "_start";
                }
            }
            Payload::CustomSection(section) => {
                traits.typed |= section.name().starts_with("component-type");
            }
            _ => {}
        }
    }
    Ok(traits)
}

#[cfg(test)]
mod tests;
