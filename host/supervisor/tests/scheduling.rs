//! Nothing is lost, nobody waits for ever, nothing runs after it was cancelled, nobody spends more than
//! was given: whatever the order in which things happen.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use ringfence_supervisor::{
    AggregationConfig, Budget, Cancel, Failure, Item, Mailbox, Member, Merged, NoSlot, NotReceived,
    NotSent, OnFailure, Outcome, Purse, Slot, Slots, Strategy, Why, run_group,
};
use tokio::time::Instant;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn far() -> Instant {
    Instant::now() + Duration::from_hours(1)
}

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T> + '_>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A wait for a message.
type Receiving<'m> = Pin<Box<dyn Future<Output = Result<(u8, usize), NotReceived>> + 'm>>;

/// What can happen to a mailbox.
#[derive(Debug, Clone)]
enum Step {
    Send(u8),
    Receive(u8),
    ReceiveAny,
    DropReceiver,
    Poll,
}

fn steps() -> impl proptest::strategy::Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..3u8).prop_map(Step::Send),
        (0..3u8).prop_map(Step::Receive),
        Just(Step::ReceiveAny),
        Just(Step::DropReceiver),
        Just(Step::Poll),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    /// The model is a list: what was accepted, in order, without what was received.
    #[test]
    fn no_message_is_lost_doubled_or_overtaken(steps in steps(), most in 1..4usize) {
        let runtime = runtime();
        let _entered = runtime.enter();
        let cancel = Cancel::default();
        let mailbox = Mailbox::new(NonZeroUsize::new(most).unwrap());
        let mut model: Vec<(u8, usize)> = Vec::new();
        let mut waiting: Option<(Option<u8>, Receiving<'_>)> = None;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Send(topic) => match mailbox.send((topic, number)) {
                    Ok(()) => model.push((topic, number)),
                    Err(full) => {
                        prop_assert_eq!(full, NotSent::Full((topic, number)));
                        prop_assert_eq!(model.len(), most, "full only when it is");
                    }
                },
                Step::Receive(topic) => {
                    let receive = mailbox.receive(&cancel, Some(far()), move |m: &(u8, usize)| m.0 == topic);
                    waiting = Some((Some(topic), Box::pin(receive)));
                }
                Step::ReceiveAny => {
                    waiting = Some((None, Box::pin(mailbox.receive(&cancel, Some(far()), |_| true))));
                }
                Step::DropReceiver => waiting = None,
                Step::Poll => {}
            }
            if let Some((topic, receiver)) = &mut waiting {
                let place = model.iter().position(|m| topic.is_none_or(|topic| topic == m.0));
                match (poll(receiver), place) {
                    (Poll::Ready(got), Some(place)) => {
                        prop_assert_eq!(got, Ok(model.remove(place)));
                        waiting = None;
                    }
                    (Poll::Pending, None) => {}
                    (got, place) => prop_assert!(false, "{got:?} where the model says {place:?}"),
                }
            }
            prop_assert_eq!(mailbox.len(), model.len());
        }
        drop(waiting);
        prop_assert_eq!(mailbox.close(), model);
        prop_assert_eq!(mailbox.send((0, 0)), Err(NotSent::Closed((0, 0))));
    }

    /// Every order of charges and children, at any depth: the root bounds them all.
    #[test]
    fn no_number_of_forks_spends_more_than_the_first_was_given(
        charges in proptest::collection::vec((0..12usize, 0..40u64, any::<bool>()), 0..80),
        given in 0..200u32, children in 0..8u32, depth in 0..4u32,
    ) {
        let budget = Budget { tool_calls: given, children, depth, ..Budget::default() };
        let greedy = Budget {
            tool_calls: u32::MAX, children: u32::MAX, depth: u32::MAX, wall_ms: u64::MAX,
            ..Budget::default()
        };
        let root = Purse::new(budget);
        let mut purses = vec![(Arc::clone(&root), 0)];
        let (mut spent, mut made) = (0, 0);
        for (which, amount, forks) in charges {
            let (purse, level) = purses[which % purses.len()].clone();
            if forks {
                if let Ok(child) = purse.child(&greedy) {
                    made += 1;
                    prop_assert!(level < depth, "no deeper than allowed");
                    prop_assert!(child.given().tool_calls <= purse.given().tool_calls);
                    prop_assert!(child.given().wall_ms <= purse.given().wall_ms);
                    purses.push((child, level + 1));
                }
            } else if purse.charge(Item::ToolCalls, amount).is_ok() {
                spent += amount;
            }
            prop_assert!(made <= children && spent <= u64::from(given));
            prop_assert_eq!(root.used(Item::ToolCalls), spent, "a refusal takes nothing");
            prop_assert_eq!(u64::from(root.left().tool_calls), u64::from(given) - spent);
        }
    }
}

#[test]
fn purses_hold_when_threads_race_for_the_last_of_it() {
    let root = Purse::new(Budget { tool_calls: 1_000, children: 8, depth: 1, ..Budget::default() });
    let got = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let child = root.child(&Budget { tool_calls: 400, ..Budget::default() }).unwrap();
            let got = &got;
            scope.spawn(move || {
                for _ in 0..400 {
                    if child.charge(Item::ToolCalls, 1).is_ok() {
                        got.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(got.load(Ordering::SeqCst), 1_000);
    assert!(root.child(&Budget::default()).is_err(), "no ninth child");
}

#[test]
fn a_receiver_that_is_to_end_gets_nothing_even_what_is_there() {
    let runtime = runtime();
    let _entered = runtime.enter();
    let (cancel, mailbox) = (Cancel::default(), Mailbox::new(NonZeroUsize::MIN));
    let mut waiting: Pin<Box<dyn Future<Output = _> + '_>> =
        Box::pin(mailbox.receive(&cancel, Some(far()), |_| true));
    assert!(poll(&mut waiting).is_pending());
    cancel.ask(Why::Person);
    mailbox.send(1).unwrap();
    assert_eq!(poll(&mut waiting), Poll::Ready(Err(NotReceived::Cancelled)));
    drop(waiting);
    assert_eq!(mailbox.close(), [1], "the message is still there for whoever cleans up");
}

#[test]
fn a_wait_for_a_message_ends_at_its_time() {
    runtime().block_on(async {
        let mailbox: Mailbox<u8> = Mailbox::new(NonZeroUsize::MIN);
        let got = mailbox.receive(&Cancel::default(), Some(Instant::now()), |_| true).await;
        assert_eq!(got, Err(NotReceived::Timeout));
    });
}

#[test]
fn turns_are_given_in_order_and_the_queue_has_its_bound() {
    let (slots, cancel) = (Slots::new(1, 2), Cancel::default());
    let first = slots.acquire(&cancel).now_or_never().unwrap().unwrap();
    let mut second = Box::pin(slots.acquire(&cancel));
    let mut third = Box::pin(slots.acquire(&cancel));
    assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
    assert_eq!(slots.acquire(&cancel).now_or_never().unwrap().unwrap_err(), NoSlot::Full);
    drop(first);
    assert!(third.as_mut().now_or_never().is_none(), "the second is before the third");
    let turn = second.as_mut().now_or_never().unwrap().unwrap();
    drop(third);
    assert_eq!(slots.waiting(), 0, "whoever leaves the queue gives the place back");
    cancel.ask(Why::Person);
    drop(turn);
    assert_eq!(slots.acquire(&cancel).now_or_never().unwrap().unwrap_err(), NoSlot::Cancelled);
    assert_eq!(slots.free(), 1);
}

/// A parent that starts `width` children at each of `depth` levels and waits for all of them.
fn nested(
    slots: Slots,
    cancel: Cancel,
    depth: usize,
    width: usize,
) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        let mut slot: Slot = slots.acquire(&cancel).await.expect("the queue has room for all");
        if depth == 0 {
            return 1;
        }
        let children = (0..width).map(|_| nested(slots.clone(), cancel.clone(), depth - 1, width));
        let ended = slot.while_waiting(&cancel, futures::future::join_all(children)).await;
        1 + ended.into_iter().sum::<usize>()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn parents_that_wait_for_children_never_block_each_other(
        at_once in 1..4usize, depth in 0..4usize, width in 1..4usize,
    ) {
        let all: usize = (0..=depth).map(|level| width.pow(u32::try_from(level).unwrap())).sum();
        let slots = Slots::new(at_once, all);
        let ended = runtime().block_on(async {
            let work = nested(slots.clone(), Cancel::default(), depth, width);
            tokio::time::timeout(Duration::from_mins(1), work).await
        });
        prop_assert_eq!(ended.expect("a deadlock"), all);
        prop_assert_eq!((slots.free(), slots.waiting()), (at_once, 0));
    }
}

/// A member that ends so after being polled `polls` times, unless it is cancelled.
fn after(
    label: &str,
    polls: usize,
    done: Result<Outcome, Failure>,
    started: &Arc<AtomicUsize>,
) -> Member<'static> {
    let started = Arc::clone(started);
    Member::new(label, move |cancel| {
        started.fetch_add(1, Ordering::SeqCst);
        async move {
            for _ in 0..polls {
                if cancel.is_asked() {
                    return Err(Failure::Cancelled("asked".into()));
                }
                tokio::task::yield_now().await;
            }
            done
        }
    })
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_who_ends_first(
        polls in proptest::collection::vec(0..6usize, 1..6), at_once in 1..6usize,
        fails in proptest::collection::vec(any::<bool>(), 6), first in any::<bool>(),
    ) {
        let strategy = if first { Strategy::FirstSuccess } else { Strategy::Concatenate };
        let config = AggregationConfig { strategy, ..AggregationConfig::default() };
        let started = Arc::default();
        let members = |patience: &dyn Fn(usize) -> usize| polls.iter().enumerate().map(|(n, _)| {
            let done = if fails[n] { Err(Failure::Tool("x".into())) } else { Ok(Outcome::text(n.to_string())) };
            after(&n.to_string(), patience(n), done, &started)
        }).collect::<Vec<_>>();
        let run = |members, at_once| runtime().block_on(async {
            run_group(members, &config, OnFailure::Tolerate, at_once, &Cancel::default()).await.unwrap().merged
        });
        let slow = run(members(&|n| polls[n]), at_once);
        let steady = run(members(&|_| 0), 1);
        prop_assert_eq!(slow, steady);
    }
}

#[test]
fn the_first_success_stops_the_others_and_nothing_starts_after_it() {
    let started = Arc::default();
    let members = vec![
        after("a", 1, Ok(Outcome::text("a")), &started),
        after("b", usize::MAX, Ok(Outcome::text("b")), &started),
        after("c", 0, Ok(Outcome::text("c")), &started),
    ];
    let config = AggregationConfig { strategy: Strategy::FirstSuccess, ..Default::default() };
    let done = runtime()
        .block_on(run_group(members, &config, OnFailure::Tolerate, 2, &Cancel::default()))
        .unwrap();
    assert!(matches!(done.merged, Ok(Merged::Outcome { agreed: 1, .. })));
    assert!(matches!(&done.each[1].1, Err(Failure::Cancelled(_))));
    assert!(matches!(&done.each[2].1, Err(Failure::Cancelled(_))));
    assert_eq!(started.load(Ordering::SeqCst), 2, "the third never ran");
}

#[test]
fn a_failure_cancels_those_beside_it_only_when_that_was_asked_for() {
    for (on_failure, ok) in [(OnFailure::Tolerate, true), (OnFailure::CancelSiblings, false)] {
        let started = Arc::default();
        let members = vec![
            after("a", 0, Err(Failure::Tool("x".into())), &started),
            after("b", 3, Ok(Outcome::text("b")), &started),
        ];
        let (config, cancel) = (AggregationConfig::default(), Cancel::default());
        let group = run_group(members, &config, on_failure, 2, &cancel);
        let done = runtime().block_on(group).unwrap();
        assert_eq!(done.each[1].1.is_ok(), ok, "{on_failure:?}");
    }
}

#[test]
fn one_that_is_too_slow_is_left_out_and_the_others_count() {
    let started = Arc::default();
    let members = vec![
        after("a", 0, Ok(Outcome::text("a")), &started),
        after("b", usize::MAX, Ok(Outcome::text("b")), &started),
    ];
    let config = AggregationConfig { timeout: Duration::ZERO, ..Default::default() };
    let cancel = Cancel::default();
    let group = run_group(members, &config, OnFailure::Tolerate, 2, &cancel);
    let done = runtime().block_on(group).unwrap();
    assert_eq!(done.each[1].1, Err(Failure::Timeout));
    assert!(matches!(done.merged, Ok(Merged::Outcome { agreed: 1, .. })));
}

#[test]
fn a_group_below_a_cancelled_node_starts_nothing() {
    let started = Arc::default();
    let cancel = Cancel::default();
    cancel.ask(Why::Person);
    let members = vec![after("a", 0, Ok(Outcome::text("a")), &started)];
    let config = AggregationConfig::default();
    let group = run_group(members, &config, OnFailure::Tolerate, 1, &cancel);
    let done = runtime().block_on(group).unwrap();
    assert!(matches!(&done.each[0].1, Err(Failure::Cancelled(_))));
    assert_eq!(started.load(Ordering::SeqCst), 0);
}

#[test]
fn a_cancellation_is_over_after_its_grace_or_at_once() {
    runtime().block_on(async {
        let cancel = Cancel::default();
        let leaf = cancel.child().child();
        assert_eq!(leaf.over(Duration::ZERO).now_or_never(), None, "nothing is over yet");
        cancel.ask(Why::Person);
        let far = Duration::from_hours(1);
        assert_eq!(cancel.over(far).now_or_never(), None, "there is a grace");
        assert_eq!(cancel.over(Duration::ZERO).await, Why::Person);
        cancel.now(Why::Person);
        assert_eq!(cancel.over(far).now_or_never(), Some(Why::Person));
    });
}
