//! `explain`: what a plugin would get, the rule behind each decision, and the line to change.

use ringfence::{Diagnostic as _, RunError};
use ringfence_capability::{Limit, Limits, Necessity};
use ringfence_policy::{Explanation, Verdict};
use serde_json::json;

use crate::args::{Explain, Global};
use crate::error::CliError;
use crate::print::{Printer, causes, described, visible};
use crate::{flags, named, places};

/// `ringfence explain`. Ends as `run` would before anything of the plugin runs.
pub(crate) fn explain(args: &Explain, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let mut options = flags::options(&args.grants, global)?;
    options.outside = Some(super::mcp::held(global));
    let host = places::host(global)?.looks_only().build()?;
    let plugin = named::open(&host, &args.plugin, global)?;
    let plan = host.plan(&plugin, &options)?;
    let mut problems = host.check(&plugin, &plan, &options);
    let refused = plan.verdicts.refusal().is_some();
    // While something is refused, what it would have covered is no news.
    if !refused && problems.is_empty() {
        problems.extend(host.check_code(&plugin, &plan).err());
    }
    let runs = !refused && problems.is_empty();
    if printer.is_json() {
        let limits: serde_json::Map<_, _> = Limit::ALL
            .iter()
            .map(|limit| (limit.name().to_owned(), json!(plan.limits.of(*limit))))
            .collect();
        printer.value(&json!({
            "plugin": plugin.manifest.name,
            "digest": plugin.identity.to_string(),
            "profile": plan.profile.name(),
            "capped-at": plan.cap.map(ringfence::Profile::name),
            "runs": runs,
            "requests": plan.verdicts.all,
            "problems": problems.iter().map(described).collect::<Vec<_>>(),
            "limits": limits,
        }));
    } else {
        let cap = plan.cap.filter(|cap| *cap < plan.profile);
        let capped = cap
            .map(|cap| format!(", capped at `{cap}` because it is {}", because(&plan.cap_reason)))
            .unwrap_or_default();
        printer
            .line(&visible(&format!("{} under `{}`{capped}", plugin.manifest.name, plan.profile)));
        if plan.verdicts.all.is_empty() {
            printer.line("  asks for nothing");
        }
        for explanation in &plan.verdicts.all {
            for line in decision(explanation) {
                printer.line(&visible(&line));
            }
        }
        for line in limits(&plan.limits, &plugin.manifest.limits.over(&Limits::default())) {
            printer.line(&line);
        }
        for line in problems.iter().flat_map(problem) {
            printer.line(&visible(&line));
        }
        printer.line(if runs { "It would run." } else { "It would not run." });
    }
    Ok(match problems.first() {
        _ if refused => 3,
        Some(problem) => problem.class().exit_code(),
        None => 0,
    })
}

/// Returns why it is capped, in a sentence.
fn because(reason: &str) -> &str {
    if reason == "unsigned" { "not signed" } else { reason }
}

/// Returns the lines for something else that would keep the plugin from running.
fn problem(error: &RunError) -> Vec<String> {
    let mut lines = vec![format!("  refuse  {error}")];
    lines.extend(causes(error).into_iter().map(|cause| format!("          cause: {cause}")));
    lines.extend(error.hint().map(|hint| format!("          to fix it: {hint}")));
    lines
}

fn decision(explanation: &Explanation) -> Vec<String> {
    let verdict = match explanation.verdict {
        Verdict::Allow => "allow ",
        Verdict::Prompt => "ask   ",
        Verdict::Forbid => "forbid",
    };
    let optional = match explanation.request.necessity {
        Necessity::Optional => " (optional)",
        Necessity::Required => "",
    };
    let request = &explanation.request;
    let mut lines = vec![format!("  {verdict}  {}{optional}", request.capability)];
    lines.push(format!("          wants it: {} ({})", request.reason, request.origin));
    lines.push(format!("          decided by {}", explanation.decided_by));
    if let Some(warning) = &explanation.warning {
        lines.push(format!("          warning: {warning}"));
    }
    if let Some(by) = &explanation.approved_by {
        lines.push(format!("          approved by {by}"));
    }
    if explanation.verdict == Verdict::Prompt && explanation.is_given() {
        lines.push(
            "          a person is asked at each start, about exactly what would run".to_owned(),
        );
    }
    if let ringfence::Capability::Model(name) = &request.capability {
        lines.push(format!("          {}", crate::models::told(name.as_str())));
    }
    lines.extend(explanation.remedy.iter().map(|step| format!("          to allow it: {step}")));
    lines
}

/// Returns a line for every limit the plugin asks more of than it gets.
fn limits(gets: &Limits, asks: &Limits) -> Vec<String> {
    let more = Limit::ALL.iter().filter(|limit| asks.of(**limit) > gets.of(**limit));
    more.map(|limit| {
        let (asked, got) = (limit.format(asks.of(*limit)), limit.format(gets.of(*limit)));
        format!("  limit   {limit}: asks for {asked}, gets {got}; to allow it: `--limit {limit}={asked}`")
    })
    .collect()
}
