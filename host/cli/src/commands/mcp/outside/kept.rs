//! The added servers, for plugins and agents that are granted tools of them.

use ringfence::mcp::contract::Contract;
use ringfence::{
    Diagnostic as _, Digest, KeptServers, KnownServer, OutsideError, OutsideServer, RunError,
};

use super::record::Record;
use super::{host, kept_about, options};
use crate::args::Global;
use crate::error::CliError;

/// The servers below one data directory.
pub(super) struct Kept(Global);

impl Kept {
    pub(super) fn new(global: &Global) -> Self {
        Self(global.clone())
    }
}

/// Returns what is wrong with what is kept.
fn kept(server: &str, error: &CliError) -> OutsideError {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    OutsideError::Kept { server: server.to_owned(), why: format!("{error}{hint}") }
}

fn known_of(record: &Record, digest: Digest) -> Result<KnownServer, CliError> {
    // They were checked when the record was read.
    let tools = record.tools.values().filter_map(|tool| Contract::read(&tool.definition).ok());
    let profile = record.given.profile.parse()?;
    Ok(KnownServer { record: digest, profile, tools: tools.collect() })
}

impl KeptServers for Kept {
    fn names(&self) -> Vec<String> {
        super::names(&self.0).unwrap_or_default()
    }

    fn known(&self, name: &str) -> Result<Option<KnownServer>, OutsideError> {
        let known = || {
            let found = kept_about(name, &self.0)?;
            found.map(|(record, digest)| known_of(&record, digest)).transpose()
        };
        known().map_err(|error| kept(name, &error))
    }

    fn open(&self, name: &str) -> Result<(KnownServer, OutsideServer), RunError> {
        let opened = || {
            let Some((record, digest)) = kept_about(name, &self.0)? else { return Ok(None) };
            let host = host(&record, &self.0)?;
            let (spec, options) = (record.spec()?, options(&record, &self.0)?);
            Ok::<_, CliError>(Some((known_of(&record, digest)?, host, spec, options)))
        };
        let found = opened().map_err(|error| kept(name, &error))?;
        let gone = || OutsideError::NoServer { server: name.to_owned(), near: None };
        let (known, host, spec, options) = found.ok_or_else(gone)?;
        Ok((known, OutsideServer::idle(&host, spec, options)?))
    }
}
