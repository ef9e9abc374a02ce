//! The event loops that commands run on.

use tokio::runtime::{Builder, Runtime};

use crate::error::CliError;

/// Returns an event loop on this thread, for one thing at a time.
pub(crate) fn here() -> Result<Runtime, CliError> {
    built(Builder::new_current_thread().enable_all())
}

/// Returns an event loop on a thread for each processor, for whoever serves many.
pub(crate) fn on_all_processors() -> Result<Runtime, CliError> {
    built(Builder::new_multi_thread().enable_all())
}

/// Builds an event loop.
pub(crate) fn built(builder: &mut Builder) -> Result<Runtime, CliError> {
    builder.build().map_err(|source| CliError::File {
        what: "runtime",
        path: "tokio".to_owned(),
        source,
    })
}
