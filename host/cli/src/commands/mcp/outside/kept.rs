//! The added servers, for plugins and agents that are granted tools of them.

use ringfence::mcp::contract::Contract;
use ringfence::{Diagnostic as _, KeptServers, KnownServer, OutsideError, OutsideServer, RunError};
use ringfence_store::Servers;

use super::record::Record;
use super::{host, options};
use crate::args::Global;
use crate::error::CliError;
use crate::places;

/// The servers below one data directory.
pub(super) struct Kept(Global);

impl Kept {
    pub(super) fn new(global: &Global) -> Self {
        Self(global.clone())
    }

    fn record(&self, name: &str) -> Result<Option<Record>, CliError> {
        let room = |error| CliError::Room(Box::new(error));
        let Some(servers) = Servers::look(&places::data(&self.0)?).map_err(room)? else {
            return Ok(None);
        };
        let bytes = servers.read(name).map_err(room)?;
        bytes.map(|bytes| Record::read(name, &bytes)).transpose()
    }
}

/// Returns what is wrong with what is kept.
fn kept(server: &str, error: &CliError) -> OutsideError {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    OutsideError::Kept { server: server.to_owned(), why: format!("{error}{hint}") }
}

impl KeptServers for Kept {
    fn names(&self) -> Result<Vec<String>, OutsideError> {
        let names = || {
            let servers = Servers::look(&places::data(&self.0)?);
            let servers = servers.map_err(|error| CliError::Room(Box::new(error)))?;
            let names = servers.map(|servers| servers.names()).transpose();
            names.map_err(|error| CliError::Room(Box::new(error)))
        };
        names().map(Option::unwrap_or_default).map_err(|error| kept("*", &error))
    }

    fn known(&self, name: &str) -> Result<Option<KnownServer>, OutsideError> {
        let record = self.record(name).map_err(|error| kept(name, &error))?;
        let Some(record) = record else { return Ok(None) };
        let profile = record.given.profile.parse();
        let profile = profile.map_err(|error| kept(name, &CliError::from(error)))?;
        // They were checked when the record was read.
        let tools = record.tools.values().filter_map(|tool| Contract::read(&tool.definition).ok());
        Ok(Some(KnownServer { profile, tools: tools.collect() }))
    }

    fn open(&self, name: &str) -> Result<OutsideServer, RunError> {
        let gone = || OutsideError::NoServer { server: name.to_owned(), near: None };
        let opened = |record: &Record| {
            Ok::<_, CliError>((host(record, &self.0)?, record.spec()?, options(record, &self.0)?))
        };
        let record = self.record(name).map_err(|error| kept(name, &error))?.ok_or_else(gone)?;
        let (host, spec, options) = opened(&record).map_err(|error| kept(name, &error))?;
        OutsideServer::idle(&host, spec, options)
    }
}
