//! Runs agents side by side and makes one result of theirs.

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use crate::merge::{AggregationConfig, is_settled, merge};
use crate::{Cancel, Failure, Merged, Outcome, SupervisorError, Why};

/// What happens to the others when one fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the WIT enum is closed")]
pub enum OnFailure {
    /// They go on.
    #[default]
    Tolerate,
    /// They are cancelled.
    CancelSiblings,
}

/// A member of a group.
pub struct Member<'m> {
    /// What results call it.
    pub label: String,
    /// Starts it below this node of the tree. It must end once the node is over.
    pub start: Box<dyn FnOnce(Cancel) -> BoxFuture<'m, Result<Outcome, Failure>> + Send + 'm>,
}

impl<'m> Member<'m> {
    /// Returns a member called `label` that is started so.
    pub fn new<F>(label: impl Into<String>, start: impl FnOnce(Cancel) -> F + Send + 'm) -> Self
    where
        F: Future<Output = Result<Outcome, Failure>> + Send + 'm,
    {
        let start = Box::new(|cancel| Box::pin(start(cancel)) as BoxFuture<'m, _>);
        Self { label: label.into(), start }
    }
}

/// What came of a group.
#[derive(Debug)]
#[non_exhaustive]
pub struct GroupResult {
    /// The result of all, or why there is none.
    pub merged: Result<Merged, SupervisorError>,
    /// What came of each, in the order of the plan.
    pub each: Vec<(String, Result<Outcome, Failure>)>,
}

/// Runs `members` below `cancel`, at most `at_once` of them at a time, and merges what they return. Those
/// that still run at the end of the time are cancelled, as are those that cannot change the result any
/// more; they are waited for, and end as [`Failure::Timeout`] or [`Failure::Cancelled`].
///
/// # Errors
/// When the configuration makes no sense for this group; nothing was started then.
///
/// # Cancellation
/// Dropping the future drops every member.
pub async fn run_group(
    members: Vec<Member<'_>>,
    config: &AggregationConfig,
    on_failure: OnFailure,
    at_once: usize,
    cancel: &Cancel,
) -> Result<GroupResult, SupervisorError> {
    config.check(members.len())?;
    let group = cancel.child();
    let end = Instant::now() + config.timeout;
    let labels: Vec<String> = members.iter().map(|member| member.label.clone()).collect();
    let mut done: Vec<Option<Result<Outcome, Failure>>> = vec![None; members.len()];
    let mut waiting = members.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut late = false;
    loop {
        while running.len() < at_once.max(1) && !group.is_asked() {
            let Some((place, member)) = waiting.next() else { break };
            let work = (member.start)(group.child());
            running.push(async move { (place, work.await) });
        }
        if running.is_empty() {
            break;
        }
        let ended = tokio::select! {
            biased;
            ended = running.next() => ended,
            () = tokio::time::sleep_until(end), if !late => {
                late = true;
                group.ask(Why::Timeout);
                continue;
            }
        };
        let Some((place, result)) = ended else { break };
        let failed = result.is_err();
        done[place] = Some(result);
        if is_settled(config, &done) || (failed && on_failure == OnFailure::CancelSiblings) {
            group.ask(Why::Sibling);
        }
    }
    // Whoever was cancelled because the group was late had its time, and no more.
    let ending = |result: Option<Result<Outcome, Failure>>| match result {
        Some(Err(Failure::Cancelled(_))) | None if late => Err(Failure::Timeout),
        Some(result) => result,
        None => {
            let why = group.phase().why().map_or_else(String::new, ToString::to_string);
            Err(Failure::Cancelled(why))
        }
    };
    let each: Vec<_> = labels.into_iter().zip(done.into_iter().map(ending)).collect();
    Ok(GroupResult { merged: merge(config, &each), each })
}
