//! Choosing records.

use crate::entry::Decision;
use crate::record::Record;

/// Which records to show; what is not set matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this run.
    pub run: Option<String>,
    /// Only of plugins of this name.
    pub plugin: Option<String>,
    /// Only so decided.
    pub decision: Option<Decision>,
    /// Only this operation.
    pub operation: Option<String>,
}

impl Filter {
    /// Tells whether `record` is one of those to show.
    pub fn matches(&self, record: &Record) -> bool {
        let entry = &record.entry;
        let plugin = entry.plugin.as_ref().map(|plugin| plugin.name.as_str());
        self.run.as_ref().is_none_or(|run| entry.run.as_ref() == Some(run))
            && self.plugin.as_ref().is_none_or(|name| plugin == Some(name))
            && self.decision.is_none_or(|decision| entry.decision == Some(decision))
            && self.operation.as_ref().is_none_or(|operation| entry.operation == *operation)
    }
}
