//! `diff`: what one plugin asks for that another does not, without running a byte of either.

use ringfence::Inspected;
use ringfence_bundle::diff::{About, Change, Diff, Direction, Side};
use ringfence_bundle::inspect::{Interface, inspect as read_interface};
use ringfence_bundle::{Encoding, Plugin, adapt};
use serde_json::{Value, json};

use crate::args::{self, Global};
use crate::error::CliError;
use crate::named;
use crate::print::{Printer, visible};

/// `ringfence diff`.
pub(crate) fn diff(args: &args::Diff, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let (old, new) = (named::inspect(&args.old, global)?, named::inspect(&args.new, global)?);
    let keys = (signer(&old), signer(&new));
    let (old, new) = (old.plugin, new.plugin);
    let interfaces = (interface(&old)?, interface(&new)?);
    let diff = Diff::between(
        &Side::new(&old, &interfaces.0, keys.0.as_deref()),
        &Side::new(&new, &interfaces.1, keys.1.as_deref()),
    );
    if printer.is_json() {
        printer.value(&as_json(&old, &new, &diff));
    } else {
        printer.line(&visible(&headline(&old, &new)));
        for line in as_text(&diff) {
            printer.line(&visible(&line));
        }
    }
    Ok(u8::from(args.exit_code && diff.needs_a_person()))
}

/// Returns the key that signed a plugin: one that is trusted, or else the first it names.
fn signer(looked: &Inspected) -> Option<String> {
    let trusted = looked.signatures.iter().find(|signed| signed.outcome.is_ok());
    let signed = trusted.or(looked.signatures.first())?;
    signed.key.map(|key| key.to_string())
}

/// Returns the interface of a plugin.
pub(super) fn interface(plugin: &Plugin) -> Result<Interface, CliError> {
    let adapted;
    let component = match plugin.encoding {
        Encoding::Component => &plugin.component,
        Encoding::CoreModule => {
            adapted = adapt::adapt(&plugin.component, &plugin.display)?;
            &adapted
        }
    };
    Ok(read_interface(component, &plugin.display)?)
}

fn as_json(old: &Plugin, new: &Plugin, diff: &Diff) -> Value {
    let side = |plugin: &Plugin| {
        json!({
            "name": plugin.manifest.name,
            "version": plugin.manifest.version.to_string(),
            "digest": plugin.identity.to_string(),
            "size-bytes": plugin.component.len(),
        })
    };
    let mut json = changes_json(diff);
    json["old"] = side(old);
    json["new"] = side(new);
    json
}

/// Returns what differs, as programs read it.
pub(super) fn changes_json(diff: &Diff) -> Value {
    let change = |change: &Change| {
        json!({
            "about": change.about.name(),
            "direction": change.direction.name(),
            "item": change.item,
            "old": change.old,
            "new": change.new,
        })
    };
    json!({
        "changes": diff.changes().iter().map(change).collect::<Vec<_>>(),
        "asks-for-more": diff.asks_for_more(),
        "changes-signer": diff.changes_signer(),
        "is-older": diff.is_older(),
        "verdict": diff.to_string(),
    })
}

fn headline(old: &Plugin, new: &Plugin) -> String {
    let side = |plugin: &Plugin| format!("{} {}", plugin.manifest.name, plugin.manifest.version);
    format!("{} -> {}", side(old), side(new))
}

/// Returns what differs in lines, what it asks more of first, and the verdict last.
pub(super) fn as_text(diff: &Diff) -> Vec<String> {
    let mut lines = Vec::new();
    for (direction, title, sign) in [
        (Direction::Wider, "asks for more:", '+'),
        (Direction::Narrower, "asks for less:", '-'),
        (Direction::Neither, "differs in:", '~'),
    ] {
        let of_it = diff.changes().iter().filter(|change| change.direction == direction);
        let of_it: Vec<_> = of_it.map(|change| format!("  {sign} {}", told(change))).collect();
        if !of_it.is_empty() {
            lines.push(title.to_owned());
            lines.extend(of_it);
        }
    }
    if lines.is_empty() {
        lines.push("they are the same".to_owned());
    }
    lines.push(diff.to_string());
    lines
}

fn told(change: &Change) -> String {
    let Change { about, item, old, new, .. } = change;
    let what = match about {
        About::Request => item.clone(),
        // The name of what it is about says it all.
        _ if item == about.name() => item.clone(),
        _ => format!("{} {item}", about.name()),
    };
    match (old, new, change.direction) {
        (Some(inside), None, Direction::Wider) if *about == About::Request => {
            format!("{what}  (was {inside})")
        }
        (None, Some(inside), Direction::Narrower) if *about == About::Request => {
            format!("{what}  (is {inside})")
        }
        (Some(old), Some(new), _) => format!("{what}: {old} -> {new}"),
        (None, Some(new), _) => format!("{what}: new, {new}"),
        (Some(old), None, _) => format!("{what}: gone, {old}"),
        (None, None, _) => what,
    }
}
