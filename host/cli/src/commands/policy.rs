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
            let mut checked = Vec::new();
            for path in files {
                let layer = places::policy(LayerKind::User, &path)?;
                let (file, rules) = (path.display().to_string(), layer.rules().count());
                if !printer.is_json() {
                    let says = format!("{file}: {rules} rules, all of them can matter");
                    printer.line(&visible(&says));
                }
                checked.push(json!({ "file": file, "rules": rules }));
            }
            if printer.is_json() {
                printer.value(&json!({ "ok": true, "files": checked }));
            }
        }
    }
    Ok(0)
}

fn show(layer: &Layer, printer: &Printer) {
    let rules: Vec<Value> = layer
        .rules()
        .map(|rule| {
            let (line, reason, warning) = (rule.line(), rule.reason(), rule.warning());
            json!({ "rule": rule.to_string(), "line": line, "reason": reason, "warning": warning })
        })
        .collect();
    if printer.is_json() {
        printer.value(&json!({ "name": layer.name(), "file": layer.file(), "rules": rules }));
        return;
    }
    printer.line(&format!("{} ({}); what no rule names is forbidden", layer.name(), layer.file()));
    for rule in layer.rules() {
        printer.line(&format!("  {rule}\n      {}", rule.reason()));
        if let Some(warning) = rule.warning() {
            printer.line(&format!("      warning: {warning}"));
        }
    }
}
