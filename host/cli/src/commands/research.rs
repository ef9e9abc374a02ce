//! `research`: a cited report from documents, its checker, and what is kept for the next run.

mod cache;
mod evaluate;
mod grants;
mod steps;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ringfence::research::{
    self, Cached, Options, Report, ResearchError, Resume, StepKind, Steps, TrustList, Watch,
};
use ringfence::{FlowAsker, FlowRule, Host, StartedSteps};

use self::grants::Granted;
use crate::args::{Global, Research, ResearchCheck, ResearchCommand, ResearchHow, ResearchRun};
use crate::error::CliError;
use crate::files::{self, Existing, Readers};
use crate::places;
use crate::print::{Printer, one_line, visible};

/// The largest report that is checked.
const REPORT_BYTES: u64 = 64 * 1024 * 1024;
/// The largest list of ratings.
const LIST_BYTES: u64 = 16 * 1024 * 1024;

/// `ringfence research`.
pub(crate) fn research(
    args: &Research,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    match &args.command {
        Some(ResearchCommand::Check(args)) => check(args, global, printer),
        Some(ResearchCommand::Evaluate(args)) => evaluate::questions(args, global, printer),
        Some(ResearchCommand::EvaluateDuplicates(args)) => {
            evaluate::duplicates(args, global, printer)
        }
        Some(ResearchCommand::Cache(args)) => cache::cache(args, global, printer),
        None => report(&args.run, global, printer),
    }
}

fn report(args: &ResearchRun, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let missing = || CliError::Usage("a question is needed".to_owned());
    let question = args.question.as_deref().ok_or_else(missing)?;
    let runs = Runs::new(&args.how, global, printer)?;
    let report = runs.run(&[question], |_, report| report)?.remove(0);
    let report = report.map_err(|error| CliError::Room(Box::new(error)))?;
    let text = if printer.is_json() { json(&report)? } else { research::markdown(&report) };
    match &args.out {
        Some(path) => {
            files::write(path, "report", text.as_bytes(), Readers::All, Existing::Replace)?;
            let (sentences, sources) = (report.statements.len(), report.sources.len());
            let path = path.display();
            printer.note(&format!("{sentences} sentences from {sources} sources, in `{path}`"));
        }
        None if printer.is_json() => printer.line(text.trim_end()),
        None => text.lines().for_each(|line| printer.text(line)),
    }
    Ok(0)
}

/// Research runs with the same steps, options and cache.
struct Runs<'p> {
    steps: ringfence::ResearchSteps,
    host: Host,
    options: Options,
    cache: Option<research::Cache>,
    resume: Resume,
    page_age: Duration,
    /// What the grants of the provider stand for: paths are granted from here, values by their names.
    setting: String,
    printer: &'p Printer,
}

impl<'p> Runs<'p> {
    fn new(how: &ResearchHow, global: &Global, printer: &'p Printer) -> Result<Self, CliError> {
        let (steps, host) = steps::all(how, global)?;
        Ok(Self {
            options: options(how)?,
            steps,
            host,
            cache: cache::open(global, printer)?,
            resume: if how.resume { Resume::Yes } else { Resume::No },
            page_age: Duration::from_hours(how.max_age.into()),
            setting: Granted::new(how, global)?.setting()?,
            printer,
        })
    }

    /// Answers questions, one after the other, and calls `then` with each and what came of it.
    fn run<T>(
        &self,
        questions: &[&str],
        mut then: impl FnMut(usize, Result<Report, ResearchError>) -> T,
    ) -> Result<Vec<T>, CliError> {
        let rule = self.host.flow_rule(asker());
        if matches!(rule, FlowRule::Off) {
            self.printer.note(
                "the policy of this machine lets a run change things after it read the network",
            );
        }
        let started = self.steps.start(rule);
        runtime()?.block_on(async {
            self.restore(&started).await;
            let mut done = Vec::new();
            for (number, question) in questions.iter().enumerate() {
                done.push(then(number, self.one(&started, question).await));
            }
            self.keep(&started).await;
            self.steps.end_servers().await;
            Ok(done)
        })
    }

    async fn one(
        &self,
        started: &StartedSteps<'_>,
        question: &str,
    ) -> Result<Report, ResearchError> {
        let watch = Progress { printer: self.printer };
        let done = match &self.cache {
            Some(cache) => {
                let cached =
                    Cached::new(started, cache, self.resume, self.page_age).under(&self.setting);
                research::run(&cached, question, &self.options, &watch).await
            }
            None => research::run(started, question, &self.options, &watch).await,
        };
        watch.over();
        done
    }

    /// Gives the provider what it learned in an earlier run.
    async fn restore(&self, started: &StartedSteps<'_>) {
        let Some(cache) = &self.cache else { return };
        let key = research::memory_key(&started.used(StepKind::Provider), &self.setting);
        match cache.find(&key) {
            Ok(Some(entry)) => started.restore(StepKind::Provider, &entry.body).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the research cache was passed over"),
        }
    }

    /// Keeps what the provider learned for the next run.
    async fn keep(&self, started: &StartedSteps<'_>) {
        let Some(cache) = &self.cache else { return };
        let Some(body) = started.keep(StepKind::Provider).await else { return };
        let used = started.used(StepKind::Provider);
        let entry = research::CacheEntry { body, checked: cache.now() };
        if let Err(error) =
            cache.keep(&research::memory_key(&used, &self.setting), &used.plugin, &entry)
        {
            tracing::warn!(%error, "what the provider learned is not kept");
        }
    }
}

/// Returns what asks a person about a change that a step wants to make after the network was read; nothing without
/// a terminal.
fn asker() -> Option<FlowAsker> {
    let attended = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    attended.then(|| -> FlowAsker {
        Arc::new(|effect| {
            let (kind, operation, target) = (effect.kind, &effect.operation, &effect.target);
            let wants = one_line(&format!("{kind} {operation} {target}"));
            let mut err = anstream::stderr().lock();
            let question = format!("\nThe run has read from the network. A step wants: {wants}\n");
            let asked = write!(err, "{question}Let it? Type `yes`, anything else refuses: ");
            let asked = asked.and_then(|()| err.flush());
            let mut answer = String::new();
            let said = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
            said.is_ok() && answer.trim() == "yes"
        })
    })
}

/// Returns what the steps run on: one after the other, on this thread.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let what = "runtime";
    runtime.map_err(|source| CliError::File { what, path: "tokio".to_owned(), source })
}

fn options(args: &ResearchHow) -> Result<Options, CliError> {
    let lists = args.trust_list.iter().map(|text| list(text)).collect::<Result<_, _>>()?;
    Ok(Options {
        strategy: args.strategy.into(),
        depth: args.depth,
        breadth: args.breadth,
        budget: args.budget,
        sentences: args.sentences,
        lists,
        today: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
    })
}
/// Reads `FILE` or `FILE=YYYY-MM-DD`.
fn list(text: &str) -> Result<TrustList, CliError> {
    let (path, as_of) = match text.rsplit_once('=') {
        Some((path, date)) if date.parse::<jiff::civil::Date>().is_ok() => (path, Some(date)),
        _ => (text, None),
    };
    let bytes = places::read(Path::new(path), "trust list", LIST_BYTES)?;
    let csv = String::from_utf8(bytes)
        .map_err(|_| CliError::Usage(format!("the trust list `{path}` is not UTF-8 text")))?;
    let name = Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(TrustList {
        name: name.unwrap_or_else(|| path.to_owned()),
        csv,
        as_of: as_of.map(str::to_owned),
    })
}

fn check(args: &ResearchCheck, global: &Global, printer: &Printer) -> Result<u8, CliError> {
    let bytes = places::read(&args.report, "report", REPORT_BYTES)?;
    let report: Report = crate::json::read(&bytes)
        .and_then(serde_json::from_value)
        .map_err(|error| CliError::Room(Box::new(research::ResearchError::unreadable(&error))))?;
    let steps = steps::one(StepKind::Synthesise, &args.steps, global)?;
    let runtime = runtime()?;
    let started = steps.start(FlowRule::Ask(None));
    let checked = runtime.block_on(research::check(&started, &report));
    let checked = checked.map_err(|error| CliError::Room(Box::new(error)))?;
    let passed = checked.findings.is_empty();
    if printer.is_json() {
        let finding =
            |f: &research::Finding| serde_json::json!({ "place": f.place, "fault": f.fault });
        printer.value(&serde_json::json!({
            "ok": passed,
            "sentences": checked.statements,
            "citations": checked.citations,
            "verbatim": checked.verbatim,
            "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
        }));
    } else {
        for finding in &checked.findings {
            printer.line(&visible(&finding.to_string()));
        }
        printer.line(&format!(
            "{}: {} sentences, {} citations that resolve, {} sentences word for word",
            if passed { "passed" } else { "failed" },
            checked.statements,
            checked.citations,
            checked.verbatim
        ));
    }
    Ok(u8::from(!passed))
}

fn json(report: &Report) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(report);
    let text = text.map_err(|error| CliError::Output(error.into()))?;
    // What steers a terminal is written as escapes, which JSON readers undo.
    Ok(crate::print::inert(&text) + "\n")
}

/// Shows which step runs, and how far it is.
struct Progress<'p> {
    printer: &'p Printer,
}

impl Progress<'_> {
    fn over(&self) {
        self.printer.progress("");
    }
}

impl Watch for Progress<'_> {
    fn progress(&self, step: StepKind, done: usize, total: usize) {
        tracing::info!(step = step.name(), done, total, "research");
        self.printer.progress(&format!("{step} {done}/{total}"));
    }
}
