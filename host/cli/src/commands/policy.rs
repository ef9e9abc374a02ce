//! `policy`: shows the profiles and checks policy files.

use ringfence::Profile;
use ringfence_policy::{Layer, LayerKind};
use serde_json::{Value, json};

use crate::args::PolicyCommand;
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, visible};

/// `ringfence policy`.
pub(crate) fn policy(command: PolicyCommand, printer: &Printer) -> Result<u8, CliError> {
    match command {
        PolicyCommand::Show { profile } => {
            show(&Layer::profile(profile.parse::<Profile>()?), printer);
        }
        PolicyCommand::Check { files } => {
            for path in files {
                let layer = places::policy(LayerKind::User, &path)?;
                let rules = layer.rules().count();
                printer.line(&visible(&format!(
                    "{}: {rules} rules, all of them can matter",
                    path.display()
                )));
            }
        }
    }
    Ok(0)
}

fn show(layer: &Layer, printer: &Printer) {
    let rules: Vec<Value> = layer
        .rules()
        .map(|rule| json!({ "rule": rule.to_string(), "line": rule.line(), "reason": rule.reason() }))
        .collect();
    if printer.is_json() {
        printer.value(&json!({ "name": layer.name(), "file": layer.file(), "rules": rules }));
        return;
    }
    printer.line(&format!("{} ({}); what no rule names is forbidden", layer.name(), layer.file()));
    for rule in layer.rules() {
        printer.line(&format!("  {rule}\n      {}", rule.reason()));
    }
}
