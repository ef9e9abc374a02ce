//! The documented table of limits is the one the code has.

use ringfence_capability::{Limit, Limits};

#[test]
fn the_documented_table_of_limits_is_the_defaults() {
    let page = include_str!("../../../docs/reference/limits.md");
    let defaults = Limits::default();
    let mut table = "| limit | default | bounds |\n|---|---|---|\n".to_owned();
    for limit in Limit::ALL {
        let default = limit.format(defaults.of(*limit));
        table = format!("{table}| `{limit}` | {default} | {} |\n", limit.description());
    }
    assert!(page.contains(&format!("\n{table}\n")), "the table must be\n\n{table}");
}
