//! Writes the table.

use std::fmt::Write as _;

use crate::measure::Measured;

/// Returns the Markdown table; the first case is what the others are compared with.
pub(crate) fn markdown(measured: &[Measured], rounds: usize) -> String {
    let base = measured.first().map_or(f64::NAN, |first| first.median.as_secs_f64());
    let mut text = format!("{rounds} rounds, the cases taking turns\n\n");
    text.push_str("| case | median ms | × `/bin/true` | 95 % ms | peak RSS MB |\n");
    text.push_str("|---|--:|--:|--:|--:|\n");
    for case in measured {
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
        let ratio = case.median.as_secs_f64() / base;
        let peak = case.peak_kib.map_or("–".to_owned(), |kib| {
            let tenths = (kib * 10 + 512) / 1024;
            format!("{}.{}", tenths / 10, tenths % 10)
        });
        let (median, nearly_all) = (ms(case.median), ms(case.nearly_all));
        let name = &case.name;
        let _ = writeln!(text, "| {name} | {median:.2} | {ratio:.1} | {nearly_all:.2} | {peak} |");
    }
    text
}
