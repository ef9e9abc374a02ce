//! Each way to merge, with its edge cases.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use ringfence_supervisor::{
    AggregationConfig, Failure, Merged, Outcome, Score, Stop, Strategy, SupervisorError, merge,
};
use serde_json::json;

type Each = (String, Result<Outcome, Failure>);

fn says(label: &str, text: &str, score: Option<f64>) -> Each {
    let score = score.map(|value| Score { value, rationale: None });
    (label.to_owned(), Ok(Outcome { score, ..Outcome::text(text) }))
}

fn fails(label: &str) -> Each {
    (label.to_owned(), Err(Failure::Timeout))
}

fn config(strategy: Strategy) -> AggregationConfig {
    AggregationConfig { strategy, ..AggregationConfig::default() }
}

/// Returns the text and the number of those that agree.
fn check(config: &AggregationConfig, each: &[Each]) -> Result<(String, usize), SupervisorError> {
    match merge(config, each)? {
        Merged::Outcome { outcome, agreed } => Ok((outcome.plain(), agreed)),
        Merged::Reduce { input, .. } => Ok((input.to_string(), 0)),
    }
}

fn too_few(succeeded: usize, total: usize, needed: usize) -> SupervisorError {
    SupervisorError::TooFew { succeeded, total, needed }
}

#[test]
fn concatenating_keeps_the_order_of_the_plan_and_says_what_is_missing() {
    let each = [says("a", "one", None), fails("b"), says("c", "three", None)];
    let merged = merge(&config(Strategy::Concatenate), &each).unwrap();
    let Merged::Outcome { outcome, agreed } = merged else { panic!("an outcome") };
    assert_eq!(
        (outcome.plain().as_str(), agreed, outcome.stop),
        ("one\n\nthree", 2, Stop::Partial)
    );
    assert_eq!(outcome.structured.unwrap()[1]["label"], json!("c"));
    let none = [fails("a"), fails("b")];
    assert_eq!(check(&config(Strategy::Concatenate), &none), Err(too_few(0, 2, 1)));
}

#[test]
fn an_empty_outcome_counts_as_a_failure_everywhere() {
    let each = [says("a", "  ", Some(9.0)), says("b", "text", Some(1.0))];
    assert_eq!(check(&config(Strategy::FirstSuccess), &each), Ok(("text".to_owned(), 1)));
    assert_eq!(check(&config(Strategy::HighestScore), &each), Ok(("text".to_owned(), 1)));
    assert_eq!(check(&config(Strategy::All), &each), Err(too_few(1, 2, 2)));
    assert_eq!(check(&config(Strategy::Quorum(2)), &each), Err(too_few(1, 2, 2)));
}

#[test]
fn the_first_success_is_the_first_of_the_plan() {
    let each = [fails("a"), says("b", "second", None), says("c", "third", Some(9.0))];
    assert_eq!(check(&config(Strategy::FirstSuccess), &each), Ok(("second".to_owned(), 1)));
    let strict = AggregationConfig { score_threshold: Some(5.0), ..config(Strategy::FirstSuccess) };
    assert_eq!(check(&strict, &each), Ok(("third".to_owned(), 1)));
}

#[test]
fn the_highest_score_wins_ties_go_to_the_earlier_and_nan_is_no_score() {
    let each = [
        says("a", "nan", Some(f64::NAN)),
        says("b", "early", Some(2.0)),
        says("c", "late", Some(2.0)),
        says("d", "endless", Some(f64::INFINITY)),
        says("e", "none", None),
    ];
    let highest = config(Strategy::HighestScore);
    assert_eq!(check(&highest, &each), Ok(("early".to_owned(), 1)));
    let strict = AggregationConfig { score_threshold: Some(2.5), ..highest.clone() };
    let none = SupervisorError::NoScore { succeeded: 5, threshold: Some(2.5) };
    assert_eq!(check(&strict, &each), Err(none));
    let unscored = [says("a", "x", Some(f64::NAN)), says("b", "y", None)];
    let none = SupervisorError::NoScore { succeeded: 2, threshold: None };
    assert_eq!(check(&highest, &unscored), Err(none));
}

#[test]
fn a_majority_needs_its_share_and_ties_go_to_the_higher_mean_score_then_to_the_earlier() {
    let vote = config(Strategy::Majority(String::new()));
    let each = [says("a", "x", None), says("b", "y", None), says("c", "y ", None)];
    assert_eq!(check(&vote, &each), Ok(("y".to_owned(), 2)));
    let strict = AggregationConfig { min_success_ratio: 0.7, ..vote.clone() };
    let missed =
        SupervisorError::NoMajority { pointer: String::new(), agreed: 2, total: 3, needed: 3 };
    assert_eq!(check(&strict, &each), Err(missed));
    let tied = [
        says("a", "x", Some(1.0)),
        says("b", "y", Some(3.0)),
        says("c", "x", Some(3.0)),
        says("d", "y", Some(3.0)),
    ];
    assert_eq!(check(&vote, &tied), Ok(("y".to_owned(), 2)), "the higher mean");
    let even = [says("a", "x", Some(1.0)), says("b", "y", Some(1.0))];
    assert_eq!(check(&vote, &even), Ok(("x".to_owned(), 1)), "the earlier");
    let huge = [
        says("a", "x", Some(f64::MAX)),
        says("b", "x", Some(f64::MAX)),
        says("c", "y", Some(1.0)),
        says("d", "y", Some(1.0)),
    ];
    assert_eq!(check(&vote, &huge), Ok(("x".to_owned(), 2)), "no overflow of the mean");
}

#[test]
fn a_majority_reads_the_value_at_its_pointer() {
    let with = |label: &str, value: serde_json::Value| {
        (label.to_owned(), Ok(Outcome { structured: Some(value), ..Outcome::text(label) }))
    };
    let each = [
        with("a", json!({ "verdict": "no" })),
        with("b", json!({ "verdict": "yes", "x": 1 })),
        with("c", json!({ "verdict": "yes", "x": 2 })),
        with("d", json!({ "other": "yes" })),
    ];
    let vote = config(Strategy::Majority("/verdict".to_owned()));
    assert_eq!(check(&vote, &each), Ok(("b".to_owned(), 2)));
    let nowhere = config(Strategy::Majority("/missing".to_owned()));
    assert!(matches!(
        check(&nowhere, &each),
        Err(SupervisorError::NoMajority { agreed: 0, needed: 1, .. })
    ));
}

#[test]
fn a_quorum_and_a_ratio_are_reached_exactly_or_not_at_all() {
    let each = [says("a", "x", None), says("b", "y", None), fails("c")];
    assert_eq!(check(&config(Strategy::Quorum(2)), &each), Ok(("x\n\ny".to_owned(), 2)));
    assert_eq!(check(&config(Strategy::Quorum(3)), &each), Err(too_few(2, 3, 3)));
    let ten: Vec<_> =
        (0..10).map(|n| if n < 3 { says("a", "x", None) } else { fails("b") }).collect();
    let ratio =
        |ratio| AggregationConfig { min_success_ratio: ratio, ..config(Strategy::Concatenate) };
    assert!(check(&ratio(0.3), &ten).is_ok(), "0.3 of 10 is 3");
    assert_eq!(check(&ratio(0.31), &ten), Err(too_few(3, 10, 4)));
}

#[test]
fn a_reducer_gets_every_outcome_and_every_failure() {
    let each = [says("a", "one", Some(f64::NAN)), fails("b")];
    let merged = merge(&config(Strategy::Reduce("summarizer".to_owned())), &each).unwrap();
    let Merged::Reduce { agent, input } = merged else { panic!("a reducer") };
    assert_eq!(agent, "summarizer");
    assert_eq!(
        input["outcomes"][0],
        json!({ "label": "a", "text": "one", "structured": null, "score": null })
    );
    assert_eq!(input["outcomes"][1]["failure"], json!("its time was used up"));
    let none = [fails("a")];
    assert!(merge(&config(Strategy::Reduce("x".to_owned())), &none).is_err());
}

#[test]
fn numbers_that_make_no_sense_are_refused_before_anything_is_merged() {
    let one = [says("a", "x", None)];
    for bad in [
        AggregationConfig { min_success_ratio: f64::NAN, ..config(Strategy::All) },
        AggregationConfig { min_success_ratio: 1.1, ..config(Strategy::All) },
        AggregationConfig { score_threshold: Some(f64::NAN), ..config(Strategy::All) },
        config(Strategy::Quorum(0)),
        config(Strategy::Quorum(2)),
    ] {
        assert!(matches!(check(&bad, &one), Err(SupervisorError::BadNumber { .. })), "{bad:?}");
    }
    assert_eq!(check(&config(Strategy::All), &[]), Err(SupervisorError::Empty));
}

fn member() -> impl proptest::strategy::Strategy<Value = Result<Outcome, Failure>> {
    let score =
        prop_oneof![Just(None), Just(Some(f64::NAN)), (-3..3i8).prop_map(|n| Some(f64::from(n)))];
    prop_oneof![
        Just(Err(Failure::Timeout)),
        ("[ab]?", score).prop_map(|(text, score)| says("x", &text, score).1),
    ]
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop_oneof![
        Just(Strategy::Concatenate),
        Just(Strategy::FirstSuccess),
        Just(Strategy::HighestScore),
        Just(Strategy::Majority(String::new())),
        Just(Strategy::All),
    ]
}

proptest! {
    #[test]
    fn what_is_chosen_is_what_somebody_said_and_never_less_than_was_asked_for(
        each in proptest::collection::vec(member(), 1..8), strategy in strategies(),
        ratio in 0.0..=1.0f64, threshold in proptest::option::of(-2.0..2.0f64),
    ) {
        let each: Vec<Each> = each.into_iter().enumerate().map(|(n, one)| (n.to_string(), one)).collect();
        let config = AggregationConfig {
            strategy: strategy.clone(), min_success_ratio: ratio, score_threshold: threshold,
            ..AggregationConfig::default()
        };
        let good: Vec<&Outcome> = each.iter().filter_map(|(_, done)| done.as_ref().ok())
            .filter(|outcome| outcome.is_success()).collect();
        if let Ok(Merged::Outcome { outcome, agreed }) = merge(&config, &each) {
            prop_assert!(agreed >= 1 && agreed <= good.len());
            let scored = |outcome: &Outcome| match threshold {
                Some(least) => outcome.points().is_some_and(|points| points >= least),
                None => true,
            };
            match strategy {
                Strategy::Concatenate | Strategy::All => prop_assert_eq!(
                    outcome.parts.len(), good.iter().filter(|one| scored(one)).count()
                ),
                _ => prop_assert!(good.iter().any(|one| scored(one) && one.parts == outcome.parts)),
            }
        }
    }
}
