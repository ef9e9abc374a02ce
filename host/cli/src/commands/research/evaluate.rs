//! `research evaluate` and `research evaluate-duplicates`: how good answers and clusters are.

use std::path::Path;

use ringfence::FlowRule;
use ringfence::research::{self, Answered, Labelled, Question, Score, StepKind};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Runs;
use crate::args::{Global, ResearchDuplicates, ResearchEvaluate};
use crate::error::CliError;
use crate::places;
use crate::print::{Printer, described, visible};

/// The largest file of questions or texts.
const LABELLED_BYTES: u64 = 64 * 1024 * 1024;

/// `ringfence research evaluate`.
pub(super) fn questions(
    args: &ResearchEvaluate,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let form = r#"{"question": …, "expected": [URL, …]}"#;
    let questions: Vec<Question> = read(&args.questions, "questions", form)?;
    let texts: Vec<&str> = questions.iter().map(|question| question.question.as_str()).collect();
    let runs = Runs::new(&args.how, global, printer)?;
    let answers = runs.run(&texts, |number, report| {
        let expected = questions.get(number).map(|question| question.expected.as_slice());
        report.map(|report| research::answered(&report, expected.unwrap_or_default()))
    })?;
    let failed = answers.iter().filter(|answer| answer.is_err()).count();
    let measured = || answers.iter().filter_map(|answer| answer.as_ref().ok());
    let mean = |of: fn(&Answered) -> f64| mean(measured().map(of));
    let (precision, recall) = (mean(|a| a.precision), mean(|a| a.recall));
    let (copies, domains) = (mean(|a| a.duplicate_rate), mean(|a| a.effective_domains));
    if printer.is_json() {
        let one = |(question, answer): (&Question, &Result<Answered, _>)| match answer {
            Ok(answer) => json!({ "question": question.question, "measured": answer }),
            Err(error) => json!({ "question": question.question, "error": described(error) }),
        };
        printer.value(&json!({
            "questions": questions.iter().zip(&answers).map(one).collect::<Vec<_>>(),
            "failed": failed,
            "precision": precision,
            "recall": recall,
            "duplicate-rate": copies,
            "effective-domains": domains,
        }));
        return Ok(u8::from(failed > 0));
    }
    for (question, answer) in questions.iter().zip(&answers) {
        printer.line(&visible(&question.question));
        match answer {
            Ok(answer) => shown(answer, printer),
            Err(error) => {
                let told = ringfence_capability::with_causes(error);
                printer.line(&visible(&format!("  no answer: {told}")));
            }
        }
    }
    printer.line(&format!(
        "{} of {} questions answered: citation precision {precision:.3}, recall {recall:.3}; copies among what was read {copies:.3}; effective domains {domains:.1}",
        questions.len() - failed,
        questions.len()
    ));
    Ok(u8::from(failed > 0))
}

fn shown(answer: &Answered, printer: &Printer) {
    printer.line(&format!(
        "  precision {:.3}  recall {:.3}  {} sentences, {} cited of {} sources",
        answer.precision, answer.recall, answer.sentences, answer.cited, answer.sources
    ));
    for url in &answer.missing {
        printer.line(&visible(&format!("  not cited: {url}")));
    }
}

/// `ringfence research evaluate-duplicates`.
pub(super) fn duplicates(
    args: &ResearchDuplicates,
    global: &Global,
    printer: &Printer,
) -> Result<u8, CliError> {
    let form = r#"{"id": …, "group": …, "text": …}"#;
    let texts: Vec<Labelled> = read(&args.texts, "texts", form)?;
    let steps = super::steps::one(StepKind::Deduplicate, &args.steps, global)?;
    let started = steps.start(FlowRule::Ask(None));
    let clusters = super::runtime()?.block_on(research::clusters(&started, &texts));
    let clusters = clusters.map_err(|error| CliError::Room(Box::new(error)))?;
    let measured = research::clustered(&texts, &clusters);
    if printer.is_json() {
        let value = serde_json::to_value(measured);
        printer.value(&value.map_err(|error| CliError::Output(error.into()))?);
        return Ok(0);
    }
    printer.line(&format!("{} texts in {} clusters", measured.texts, measured.clusters));
    for (what, Score { precision, recall, f1, .. }) in
        [("pairs", measured.pairs), ("B-cubed", measured.b_cubed)]
    {
        printer
            .line(&format!("  {what:8} precision {precision:.4}  recall {recall:.4}  F1 {f1:.4}"));
    }
    printer.line(&format!("  false merges {:.3} %", measured.false_merges * 100.0));
    Ok(0)
}

/// Reads JSON Lines; a line that is wrong is named.
fn read<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
    form: &str,
) -> Result<Vec<T>, CliError> {
    let bytes = places::read(path, what, LABELLED_BYTES)?;
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let read = |(number, line): (usize, &[u8])| {
        crate::json::read(line).and_then(serde_json::from_value).map_err(|error| {
            let path = path.display();
            CliError::Usage(format!("line {number} of `{path}`: {error}; a line is {form}"))
        })
    };
    let read: Vec<T> = lines.map(read).collect::<Result<_, _>>()?;
    if read.is_empty() {
        return Err(CliError::Usage(format!("there are no {what} in `{}`", path.display())));
    }
    Ok(read)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}
